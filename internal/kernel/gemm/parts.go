package gemm

import "github.com/winnow-go/winnow/internal/cpu"

// MaxPartRows is the largest number of rows that [MulParts] takes at once.
const MaxPartRows = mBlock

// MulParts multiplies several small matrices by one panel of 16 columns each,
// which is the product inside Winograd's convolution. b's K rows are cut into
// parts of k = K/parts rows, and with A_s [m,k] the s-th of as many matrices,
//
//	dst[s*stepDst+i*16+j] = Σ a[s*stepA+i*lda+l] b(s*k+l, panel*16+j), l ascending in [0,k)
//
// for s in [0,parts), i in [0,m) and j in [0,16); b counts as zero beyond its
// last column. m is at most [MaxPartRows].
func MulParts(dst []float32, stepDst int, a []float32, stepA, lda, m, parts int, b *Packed, panel int) {
	if m < 0 || m > MaxPartRows || parts < 1 || b.k%parts != 0 || lda < 0 || stepA < 0 || stepDst < m*nr {
		panic("gemm: wrong number or distance of rows or parts")
	}
	if m == 0 {
		return
	}
	k := b.k / parts
	if (parts-1)*stepDst+m*nr > len(dst) || k > 0 && (parts-1)*stepA+(m-1)*lda+k > len(a) {
		panic("gemm: the parts of A or of the result are too short")
	}
	if k == 0 {
		for s := range parts {
			clear(dst[s*stepDst:][:m*nr])
		}
		return
	}
	var rows, outs [MaxPartRows]int
	for i := range m {
		rows[i], outs[i] = i*lda, i*nr
	}
	var start [1]int
	blk := block{
		outs: outs[:m], rows: rows[:m], runs: start[:], step: 1,
		bStep: nr, cols: nr, width: nr,
	}
	of := b.Panel(panel)
	if chosen == cpu.AVX2 && k <= kBlock {
		blk.run, blk.a, blk.b, blk.dst = k, a, of, dst
		blk.avx2Parts(parts, stepA, stepDst)
		return
	}
	for s := range parts {
		blk.a, blk.dst, blk.accumulate = a[s*stepA:], dst[s*stepDst:], false
		for l := 0; l < k; l += blk.run {
			start[0], blk.run = l, min(depth(), k-l)
			blk.b, blk.ahead = of[(s*k+l)*nr:], blk.run*nr
			if chosen == cpu.AVX2 {
				blk.avx2()
			} else {
				blk.portable()
			}
			blk.accumulate = true
		}
	}
}
