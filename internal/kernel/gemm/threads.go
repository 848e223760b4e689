package gemm

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/pool"
)

// MulOn is [Mul] on p's threads, without accumulating and from the epilogue's
// row 0 on: each task takes some rows and some columns.
func MulOn(p *pool.Pool, dst []float32, ldc, m int, a Operand[float32], b *Packed, epi *kernel.Epilogue[float32]) {
	if p.Threads() == 1 {
		Mul(dst, ldc, m, a, b, false, epi, 0)
		return
	}
	if m == 0 || b.n == 0 {
		return
	}
	a.check("A", m, b.k)
	checkDst(len(dst), ldc, m, b.n)
	v := sizes()
	rows, cols := ceil(m, v.rows), ceil(b.n, v.cols)
	r, c := p.Grid(1, rows, cols, func(rows, cols int) float64 { return Cost(rows, cols, b.k, 1) })
	p.Run(r*c, func(task, _ int) {
		lo, hi := pool.Cut(rows, r, task/c)*v.rows, min(pool.Cut(rows, r, task/c+1)*v.rows, m)
		from, to := pool.Cut(cols, c, task%c)*v.cols, min(pool.Cut(cols, c, task%c+1)*v.cols, b.n)
		part := b.Columns(from/nr, ceil(to, nr))
		of := a
		of.Data = a.Data[lo*a.RowStride:]
		Mul(dst[lo*ldc+from:], ldc, hi-lo, of, &part, false, epi.Columns(from, to-from, b.n), lo)
	})
}

// Cost is about how many of its processor's cycles a thread takes for a task of
// so many products alike, each with sums of k terms and rows times cols tiles of
// the largest micro-kernel. Their operands come from a cache that the threads
// share.
func Cost(rows, cols, k, products int) float64 {
	const (
		tile    = 40   // cycles for each tile besides its sums, a step of which takes a cycle for each row
		element = 0.2  // cycles to read one, while others are multiplied
		task    = 2000 // cycles to hand a task out and to begin it
	)
	v := sizes()
	read := float64(k * (rows*v.rows + cols*v.cols))
	return task + float64(products)*(float64(rows*cols*(v.rows*k+tile))+element*read)
}
