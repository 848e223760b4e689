//go:build !purego

package gemm

import (
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
)

// BenchmarkPeak is what one core can do at most: fused multiply-adds on
// registers.
func BenchmarkPeak(b *testing.B) {
	const n = 10_000
	for _, p := range []struct {
		variant cpu.Variant
		run     func(n int)
		flop    float64
	}{{cpu.AVX512, peakWide, 768}, {cpu.AVX2, peak, 192}} {
		if !cpu.Has(p.variant) {
			continue
		}
		b.Run("impl="+string(p.variant), func(b *testing.B) {
			fast(b, p.flop*n, func() { p.run(n) })
		})
	}
}
