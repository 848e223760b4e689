package attention

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

// cases runs a benchmark on one image of ViT-B/32, of ViT-B/16, and on one text
// of CLIP; products is the number of matrix products in it.
func cases(b *testing.B, run func(p *pool.Pool, a *kernel.Arena, qkv, out, probs, dqkv []float32, s Shape), products int) {
	p := pool.New(1)
	for _, s := range []Shape{
		{N: 1, T: 50, Heads: 12, Dim: 64},
		{N: 1, T: 197, Heads: 12, Dim: 64},
		{N: 1, T: 77, Heads: 8, Dim: 64, Causal: true},
	} {
		e := s.Heads * s.Dim
		s.Stride = 3 * e
		var a kernel.Arena
		qkv, out, probs := make([]float32, s.T*s.Stride), make([]float32, s.T*e), make([]float32, s.Probs())
		dqkv := make([]float32, len(qkv))
		kerneltest.Normal(qkv, 1, 0, 1)
		b.Run(fmt.Sprintf("shape=%dx%dx%d/causal=%v", s.T, s.Heads, s.Dim, s.Causal), func(b *testing.B) {
			for b.Loop() {
				run(p, &a, qkv, out, probs, dqkv, s)
			}
			flops := float64(2*products*s.Heads*s.T*s.T*s.Dim) * float64(b.N)
			b.ReportMetric(flops/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
		})
	}
}

func BenchmarkForward(b *testing.B) {
	cases(b, func(p *pool.Pool, a *kernel.Arena, qkv, out, _, _ []float32, s Shape) {
		e := s.Heads * s.Dim
		Forward(p, a, out, nil, qkv, qkv[e:], qkv[2*e:], s)
	}, 2)
}

func BenchmarkBackward(b *testing.B) {
	cases(b, func(p *pool.Pool, a *kernel.Arena, qkv, out, probs, d []float32, s Shape) {
		e := s.Heads * s.Dim
		Backward(p, a, d, d[e:], d[2*e:], out, probs, qkv, qkv[e:], qkv[2*e:], s)
	}, 4)
}
