package gemm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// fast runs f and reports the speed that a tenth of its runs exceed: other load
// on the machine only adds time, and the clock of a virtual one jumps at times.
func fast(b *testing.B, flop float64, f func()) {
	var runs []time.Duration
	for b.Loop() {
		began := time.Now()
		f()
		runs = append(runs, time.Since(began))
	}
	slices.Sort(runs)
	b.ReportMetric(flop/runs[len(runs)/10].Seconds()/1e9, "GFLOP/s")
}

// each runs f as a benchmark of every variant.
func each(b *testing.B, shape string, f func(b *testing.B)) {
	for _, v := range []cpu.Variant{cpu.AVX512, cpu.AVX2, cpu.Generic} {
		if !cpu.Has(v) {
			continue
		}
		b.Run(fmt.Sprintf("shape=%s/impl=%s", shape, v), func(b *testing.B) {
			defer func(old cpu.Variant) { chosen = old }(chosen)
			chosen = v
			f(b)
		})
	}
}

func filled(n int) []float32 {
	s := kernel.Aligned(n)
	kerneltest.Normal(s, 1, 0, 1)
	return s
}

// BenchmarkMul measures rows x K x N.
func BenchmarkMul(b *testing.B) {
	for _, s := range []struct{ m, k, n int }{
		{3136, 96, 384}, {784, 192, 768}, {784, 768, 192}, {196, 384, 1536}, {49, 768, 3072}, {49, 3072, 768}, {50, 768, 3072},
		{1, 512, 1000}, {8, 512, 1000}, {128, 512, 10}, {6272, 64, 64}, {25088, 16, 16}, {768, 768, 768},
	} {
		each(b, fmt.Sprintf("%dx%dx%d", s.m, s.k, s.n), func(b *testing.B) {
			x, y := filled(s.m*s.k), filled(s.m*s.n)
			w := Pack(Operand[float32]{filled(s.k * s.n), 1, s.k}, s.k, s.n)
			fast(b, 2*float64(s.m)*float64(s.k)*float64(s.n), func() {
				Mul(y, s.n, s.m, Operand[float32]{x, s.k, 1}, w, false, nil, 0)
			})
		})
	}
}

// BenchmarkPack measures the arrangement of a linear layer's weights, [N,K] for
// the forward pass and [K,N] for the gradient of the input.
func BenchmarkPack(b *testing.B) {
	for _, s := range []struct{ k, n int }{{768, 192}, {512, 512}, {768, 3072}, {3072, 768}} {
		for _, turned := range []bool{true, false} {
			b.Run(fmt.Sprintf("shape=%dx%d/turned=%t", s.k, s.n, turned), func(b *testing.B) {
				w := Operand[float32]{filled(s.k * s.n), s.n, 1}
				if turned {
					w.RowStride, w.ColStride = 1, s.k
				}
				var p Packed
				b.SetBytes(int64(4 * s.k * s.n))
				for b.Loop() {
					p.Repack(w, s.k, s.n)
				}
			})
		}
	}
}
