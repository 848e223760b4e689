//go:build !purego

package gemm

import (
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
)

// BenchmarkPeak is what one core can do at most: fused multiply-adds on
// registers.
func BenchmarkPeak(b *testing.B) {
	if !cpu.Has(cpu.AVX2) {
		b.Skip("needs AVX2 and FMA")
	}
	const n = 10_000
	for b.Loop() {
		peak(n)
	}
	gflops(b, 192*n)
}
