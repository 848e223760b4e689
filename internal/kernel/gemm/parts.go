package gemm

import "github.com/winnow-go/winnow/internal/cpu"

// MaxPartRows is the largest number of rows that [MulParts] takes at once.
const MaxPartRows = mBlock

// MulParts multiplies several small matrices by one panel of 16 columns each,
// or two, which is the product inside Winograd's convolution. b's K rows are
// cut into parts of k = K/parts rows, and with A_s [m,k] the s-th of as many
// matrices and w = 16 panels,
//
//	dst[s*stepDst+i*w+j] = Σ a[s*stepA+i*lda+l] b(s*k+l, panel*16+j), l ascending in [0,k)
//
// for s in [0,parts), i in [0,m) and j in [0,w); b counts as zero beyond its
// last column. m is at most [MaxPartRows].
func MulParts(dst []float32, stepDst int, a []float32, stepA, lda, m, parts int, b *Packed, panel, panels int) {
	w := panels * nr
	if m < 0 || m > MaxPartRows || parts < 1 || b.k%parts != 0 || lda < 0 || stepA < 0 || panels < 1 || panels > 2 || stepDst < m*w {
		panic("gemm: wrong number or distance of rows or parts")
	}
	if m == 0 {
		return
	}
	k := b.k / parts
	if (parts-1)*stepDst+m*w > len(dst) || k > 0 && (parts-1)*stepA+(m-1)*lda+k > len(a) {
		panic("gemm: the parts of A or of the result are too short")
	}
	if k == 0 {
		for s := range parts {
			clear(dst[s*stepDst:][:m*w])
		}
		return
	}
	var rows, outs [MaxPartRows]int
	for i := range m {
		rows[i], outs[i] = i*lda, i*w
	}
	var start [1]int
	blk := block{
		outs: outs[:m], rows: rows[:m], runs: start[:], step: 1,
		bStep: nr, cols: w, panel: len(b.Panel(panel)), width: w,
	}
	if panels == 2 && sizes().cols < w {
		for i := range 2 {
			blk.cols = nr
			blk.eachPart(dst[i*nr:], stepDst, a, stepA, parts, b.Panel(panel+i))
		}
		return
	}
	blk.eachPart(dst, stepDst, a, stepA, parts, b.data[panel*nr*b.k:][:panels*nr*b.k])
}

// eachPart computes the product of each part, without an epilogue; b.run is to
// be set.
func (b *block) eachPart(dst []float32, stepDst int, a []float32, stepA, parts int, of []float32) {
	k := b.panel / nr / parts
	if chosen != cpu.Generic && k <= sizes().k {
		b.run, b.a, b.b, b.dst = k, a, of, dst
		b.parts(parts, stepA, stepDst)
		return
	}
	for s := range parts {
		b.a, b.dst, b.accumulate = a[s*stepA:], dst[s*stepDst:], false
		for l := 0; l < k; l += b.run {
			b.runs[0], b.run = l, min(sizes().k, k-l)
			b.b, b.ahead = of[(s*k+l)*nr:], b.run*nr
			b.compute()
			b.accumulate = true
		}
	}
}
