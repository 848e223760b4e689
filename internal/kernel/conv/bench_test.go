package conv

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// benchmarks are layers of ResNets at inference, and of small networks in
// training, with batches that one measurement can take in.
func benchmarks() []kernel.Conv {
	return []kernel.Conv{
		shape(1, 224, 3, 64, 7, 2, 3, 1, 1),
		shape(1, 56, 64, 64, 3, 1, 1, 1, 1),
		shape(1, 28, 128, 128, 3, 1, 1, 1, 1),
		shape(1, 14, 256, 256, 3, 1, 1, 1, 1),
		shape(1, 7, 512, 512, 3, 1, 1, 1, 1),
		shape(1, 56, 64, 128, 3, 2, 1, 1, 1),
		shape(1, 56, 64, 128, 1, 2, 0, 1, 1),
		shape(8, 32, 3, 16, 3, 1, 1, 1, 1),
		shape(8, 28, 16, 16, 3, 1, 1, 1, 1),
		shape(8, 14, 32, 32, 3, 1, 1, 1, 1),
		shape(16, 7, 64, 64, 3, 1, 1, 1, 1),
		shape(8, 28, 16, 32, 3, 2, 1, 1, 1),
		shape(16, 14, 32, 64, 3, 2, 1, 1, 1),
		shape(32, 28, 16, 32, 1, 2, 0, 1, 1),
		shape(32, 28, 16, 16, 1, 1, 0, 1, 1),
		shape(2, 28, 64, 64, 3, 1, 1, 1, 32),
	}
}

// bench measures the form that is chosen, and where there are others, those.
func bench(b *testing.B, f func(d operands, s kernel.Conv, a *kernel.Arena)) {
	defer func(f *form) { forced = f }(forced)
	for _, s := range benchmarks() {
		forms := []*form{nil}
		if suits(s) {
			for _, f := range []form{direct, f2, f4} {
				forms = append(forms, &f)
			}
		}
		for _, forced = range forms {
			kind := "chosen"
			if forced != nil {
				kind = forced.String()
			}
			b.Run(fmt.Sprintf("shape=%dx%dx%d/k=%d/window=%d/stride=%d/groups=%d/batch=%d/form=%s", s.H, s.W, s.C, s.K, s.KH, s.StrideH, s.Groups, s.N, kind), func(b *testing.B) {
				d := operands{x: make([]float32, s.N*s.H*s.W*s.C), y: make([]float32, s.N*s.OutH()*s.OutW()*s.K), w: make([]float32, s.K*s.Inner())}
				kerneltest.Normal(d.x, 1, 0, 1)
				kerneltest.Normal(d.y, 2, 0, 1)
				kerneltest.Normal(d.w, 3, 0, 1)
				d.packed = Pack(d.w, s)
				var a kernel.Arena
				for b.Loop() {
					f(d, s, &a)
				}
				b.ReportMetric(2*float64(s.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

type operands struct {
	x, y, w []float32
	packed  *Weights
}

func BenchmarkForward(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, a *kernel.Arena) { Forward(nil, a, d.y, d.x, d.packed, s, nil) })
}

func BenchmarkBackwardInput(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, a *kernel.Arena) { BackwardInput(nil, a, d.x, d.y, d.w, s) })
}

func BenchmarkBackwardWeight(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, a *kernel.Arena) { BackwardWeight(nil, a, d.w, d.y, d.x, s) })
}

func BenchmarkPack(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, _ *kernel.Arena) { d.packed.Repack(nil, d.w, s) })
}
