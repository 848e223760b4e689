package elementwise

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
)

// The flat kernels on slices that stay in the second-level cache and on slices
// that do not stay in any.
func BenchmarkFlat(b *testing.B) {
	for _, n := range []int{1 << 14, 1 << 22} {
		for _, k := range kernelCases() {
			var s [][]float32
			for range k.args {
				s = append(s, make([]float32, n))
				FillGeneric(s[len(s)-1], 1)
			}
			for _, v := range cpu.Variants() {
				b.Run(fmt.Sprintf("kernel=%s/n=%d/impl=%s", k.name, n, v), func(b *testing.B) {
					f := choose(v)
					b.SetBytes(int64(4 * n * (k.args + k.outs - 1)))
					for b.Loop() {
						k.run(f, s)
					}
				})
			}
		}
	}
}

func BenchmarkChannels(b *testing.B) {
	for _, m := range [][2]int{{3136, 96}, {196, 384}} {
		rows, c := m[0], m[1]
		x, y, r := make([]float32, rows*c), make([]float32, rows*c), make([]float32, rows*c)
		p, q := make([]float32, c), make([]float32, c)
		for _, v := range cpu.Variants() {
			f := choose(v)
			for _, k := range []struct {
				name   string
				passes int
				run    func()
			}{
				{"AffineChannels", 3, func() { f.affineChannels(y, x, p, q, r, rows, c, true) }},
				{"ScaleChannels", 2, func() { f.scaleChannels(y, x, p, rows, c) }},
				{"ColumnSums", 1, func() { f.columnSums(p, x, rows, c) }},
				{"ColumnDots", 2, func() { f.columnDots(p, x, y, rows, c) }},
				{"SumSquares", 1, func() { f.sumSquares(x) }},
			} {
				b.Run(fmt.Sprintf("kernel=%s/shape=%dx%d/impl=%s", k.name, rows, c, v), func(b *testing.B) {
					b.SetBytes(int64(4 * rows * c * k.passes))
					for b.Loop() {
						k.run()
					}
				})
			}
		}
	}
}
