package conv

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
)

// Filters transformed at once, while they are copied to where a vector of them
// lies together.
const manyFilters = 32

// forwardFilters arranges the transforms of w [K,3,3,C] in a panel of to, a
// matrix [n*n*C,K].
func forwardFilters(f form, to *gemm.Packed, i int, w []float32, s kernel.Conv) {
	inner := s.Inner()
	dst := to.Panel(i)
	cols := min(panel, s.K-i*panel)
	var memory [9 * manyFilters * panel]float32
	lines := gemm.PackedIn(memory[:], 9*manyFilters, cols) // [9,manyFilters,16]
	for c0 := 0; c0 < s.C; c0 += manyFilters {
		n := min(manyFilters, s.C-c0)
		for tap := range 9 {
			from := gemm.Operand[float32]{Data: w[i*panel*inner+tap*s.C+c0:], RowStride: 1, ColStride: inner}
			lines.SetRows(tap*manyFilters, from, n)
		}
		r := filterRows{src: lines.Panel(0), tap: manyFilters * panel, dst: dst[c0*panel:], part: s.C * panel, rows: n, srcStep: panel, dstStep: panel}
		r.run(f)
	}
}

// backwardFilters does the same for the gradient of the input: filters turned
// by half a circle, in a matrix [n*n*K,C].
func backwardFilters(f form, to *gemm.Packed, i int, w []float32, s kernel.Conv) {
	inner := s.Inner()
	dst := to.Panel(i)
	c0 := i * panel
	if cols := s.C - c0; cols < panel {
		var lines [9 * manyFilters * panel]float32
		for k0 := 0; k0 < s.K; k0 += manyFilters {
			n := min(manyFilters, s.K-k0)
			for k := range n {
				for tap := range 9 {
					copy(lines[(tap*manyFilters+k)*panel:][:cols], w[(k0+k)*inner+(8-tap)*s.C+c0:])
				}
			}
			r := filterRows{src: lines[:], tap: manyFilters * panel, dst: dst[k0*panel:], part: s.K * panel, rows: n, srcStep: panel, dstStep: panel}
			r.run(f)
		}
		return
	}
	r := filterRows{src: w, at: 8*s.C + c0, tap: -s.C, dst: dst, part: s.K * panel, rows: s.K, srcStep: inner, dstStep: panel}
	r.run(f)
}
