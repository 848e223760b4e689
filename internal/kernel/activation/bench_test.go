package activation

import (
	"fmt"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func benchmark(b *testing.B, prefix string) {
	const n = 1 << 14
	x, dy, dst := make([]float32, n), make([]float32, n), make([]float32, n)
	kerneltest.Normal(x, 1, 0, 1)
	kerneltest.Normal(dy, 2, 0, 1)
	for _, v := range cpu.Variants() {
		each(choose(v), func(name string, run func(dst, dy, x []float32)) {
			act, ok := strings.CutPrefix(name, prefix)
			if !ok {
				return
			}
			b.Run(fmt.Sprintf("act=%s/n=%d/impl=%s", strings.ReplaceAll(act, " ", "_"), n, v), func(b *testing.B) {
				b.SetBytes(4 * n)
				for b.Loop() {
					run(dst, dy, x)
				}
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/n, "ns/elem")
			})
		})
	}
}

func BenchmarkForward(b *testing.B)  { benchmark(b, "forward/") }
func BenchmarkBackward(b *testing.B) { benchmark(b, "backward/") }
func BenchmarkExp(b *testing.B)      { benchmark(b, "exponential/") }
