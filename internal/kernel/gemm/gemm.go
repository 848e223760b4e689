package gemm

import "github.com/winnow-go/winnow/internal/kernel"

// Mul computes
//
//	dst[i*ldc+j] (+)= Σ a(i,l) b(l,j), l ascending in [0,K), for i in [0,m), j in [0,N)
//
// and then the epilogue, whose row for i is row0+i: what [MulGeneric] computes,
// within the bound of the package comment. It runs on the calling goroutine;
// callers divide the rows, which changes no result. dst must not overlap a or
// b; epi.Residual may be dst itself. ldc must be at least N.
func Mul(dst []float32, ldc, m int, a Operand[float32], b *Packed, accumulate bool, epi *kernel.Epilogue[float32], row0 int) {
	a.check("A", m, b.k)
	checkDst(len(dst), ldc, m, b.n)
	for i := range m {
		row := dst[i*ldc:][:b.n]
		for j := range row {
			var acc float32
			if accumulate {
				acc = row[j]
			}
			for l := range b.k {
				acc += float32(a.At(i, l) * b.At(l, j))
			}
			row[j] = acc
		}
		epi.Row(row, row0+i, 0, b.n)
	}
}
