package norm

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// bench runs f for shapes of networks with every variant and reports ns per
// element.
func bench(b *testing.B, f func(rows, c int) func()) {
	was := chosen
	defer func() { chosen = was }()
	for _, s := range [][2]int{{4096, 16}, {1024, 32}, {1024, 64}, {784, 96}, {784, 192}, {196, 384}, {49, 768}} {
		run := f(s[0], s[1])
		for _, v := range cpu.Variants() {
			b.Run(fmt.Sprintf("shape=%dx%d/impl=%s", s[0], s[1], v), func(b *testing.B) {
				chosen = v
				b.SetBytes(int64(4 * s[0] * s[1]))
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s[0]*s[1]), "ns/elem")
			})
		}
	}
}

func normal(n int, seed uint64) []float32 {
	x := make([]float32, n)
	kerneltest.Normal(x, seed, 0, 1)
	return x
}

func BenchmarkLayerNorm(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, dst, gamma, beta := normal(rows*c, 1), make([]float32, rows*c), normal(c, 2), normal(c, 3)
		return func() { LayerNorm(dst, x, gamma, beta, nil, nil, rows, c, 1e-6) }
	})
}

func BenchmarkLayerNormBackward(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, dy, dx, gamma := normal(rows*c, 1), normal(rows*c, 4), make([]float32, rows*c), normal(c, 2)
		dgamma, dbeta, mean, rstd := make([]float32, c), make([]float32, c), make([]float32, rows), normal(rows, 5)
		return func() { LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, c) }
	})
}

func BenchmarkMoments(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, mean, m2 := normal(rows*c, 1), make([]float64, c), make([]float64, c)
		return func() { Moments(mean, m2, x, rows, c) }
	})
}

func BenchmarkBatchNormBackwardSums(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, dy, mean, rstd := normal(rows*c, 1), normal(rows*c, 4), normal(c, 2), normal(c, 3)
		sdy, sdyx := make([]float32, c), make([]float32, c)
		return func() { BatchNormBackwardSums(sdy, sdyx, dy, x, nil, mean, rstd, rows, c) }
	})
}

func BenchmarkBatchNormBackward(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, dy, dx, mean, rstd := normal(rows*c, 1), normal(rows*c, 4), make([]float32, rows*c), normal(c, 2), normal(c, 3)
		return func() { BatchNormBackward(dx, dy, x, mean, rstd, rstd, mean, rstd, rows, c, rows) }
	})
}
