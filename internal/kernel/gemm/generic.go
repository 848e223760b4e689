package gemm

import "github.com/winnow-go/winnow/internal/kernel"

// Operand is a matrix in somebody's memory: element (i,k) is
// Data[i*RowStride+k*ColStride]. The transpose is the same memory with the
// strides exchanged.
type Operand[T kernel.Float] struct {
	Data                 []T
	RowStride, ColStride int // elements, at least 0
}

// At is element (i,k).
func (o Operand[T]) At(i, k int) T { return o.Data[i*o.RowStride+k*o.ColStride] }

// from is o from row i on.
func (o Operand[T]) from(i int) Operand[T] {
	o.Data = o.Data[i*o.RowStride:]
	return o
}

// check panics unless the memory holds an r x c matrix.
func (o Operand[T]) check(name string, r, c int) {
	if r < 0 || c < 0 || o.RowStride < 0 || o.ColStride < 0 {
		panic("gemm: negative size or stride of " + name)
	}
	if r > 0 && c > 0 && (r-1)*o.RowStride+(c-1)*o.ColStride >= len(o.Data) {
		panic("gemm: " + name + " is too short")
	}
}

// checkDst panics unless dst holds m rows of n columns, ldc apart.
func checkDst(length, ldc, m, n int) {
	if m < 0 || n < 0 || m > 1 && ldc < n {
		panic("gemm: rows of the result overlap")
	}
	if m > 0 && n > 0 && (m-1)*ldc+n > length {
		panic("gemm: the result is too short")
	}
}

// MulGeneric is the definition of [Mul], for either element type and with B
// [K,N] not packed: for i in [0,m), j in [0,n)
//
//	dst[i*ldc+j] (+)= Σ a(i,l) b(l,j), l ascending in [0,k)
//
// and then the epilogue, whose row for i is row0+i. The sum begins with
// dst[i*ldc+j] when accumulating.
func MulGeneric[T kernel.Float](dst []T, ldc, m, n, k int, a, b Operand[T], accumulate bool, epi *kernel.Epilogue[T], row0 int) {
	a.check("A", m, k)
	b.check("B", k, n)
	checkDst(len(dst), ldc, m, n)
	if n == 0 {
		return
	}
	for i := range m {
		row := dst[i*ldc:][:n]
		for j := range row {
			var acc T
			if accumulate {
				acc = row[j]
			}
			for l := range k {
				acc += T(a.At(i, l) * b.At(l, j))
			}
			row[j] = acc
		}
		epi.Row(row, row0+i, 0, n)
	}
}
