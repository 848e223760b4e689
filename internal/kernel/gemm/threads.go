package gemm

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/pool"
)

// Passes are what else is done with the rows of a product: with A's before they
// are read, and with those of the result when they are complete, while they are
// near.
type Passes struct {
	Before pool.Pieces // any other pieces may be taken instead
	After  pool.Pieces
}

// MulOn is [Mul] on p's threads, without accumulating and from the epilogue's
// row 0 on: each task takes some rows and some columns.
func MulOn(p *pool.Pool, dst []float32, ldc, m int, a Operand[float32], b *Packed, epi *kernel.Epilogue[float32]) {
	MulBetween(p, dst, ldc, m, a, b, epi, Passes{})
}

// MulBetween is [MulOn] between two passes.
func MulBetween(p *pool.Pool, dst []float32, ldc, m int, a Operand[float32], b *Packed, epi *kernel.Epilogue[float32], passes Passes) {
	a.check("A", m, b.k)
	checkDst(len(dst), ldc, m, b.n)
	if p.Threads() == 1 {
		mulRows(dst, ldc, m, a, b, false, epi, 0, [2][]float32{}, passes)
		return
	}
	v := sizes()
	rows, cols := ceil(m, v.rows), ceil(b.n, v.cols)
	r, c := p.Grid(1, rows, cols, func(rows, cols int) float64 { return Cost(rows*v.rows, cols, b.k, 1) })
	if c > 1 || !passes.After.Fill(p, m) {
		passes.Before.Split(p, m)
		p.Run(r*c, func(task, _ int) {
			lo, hi := pool.Cut(rows, r, task/c)*v.rows, min(pool.Cut(rows, r, task/c+1)*v.rows, m)
			from, to := pool.Cut(cols, c, task%c)*v.cols, min(pool.Cut(cols, c, task%c+1)*v.cols, b.n)
			part := b.Columns(from/nr, ceil(to, nr))
			Mul(dst[lo*ldc+from:], ldc, hi-lo, a.from(lo), &part, false, epi.Columns(from, to-from, b.n), lo)
		})
		passes.After.Split(p, m)
		return
	}
	size := v.rows
	if passes.After.Do != nil {
		size = passes.After.Size
	}
	pieces := ceil(m, size)
	r = min(r, pieces)
	p.Run(r, func(task, _ int) {
		lo, hi := pool.Cut(pieces, r, task)*size, min(pool.Cut(pieces, r, task+1)*size, m)
		mulRows(dst[lo*ldc:], ldc, hi-lo, a.from(lo), b, false, epi, lo, [2][]float32{}, passes)
	})
}

// passing is a pass on its way through some rows.
type passing struct {
	pool.Pieces
	at, end int
}

// reach goes as far as row n.
func (s *passing) reach(n int) {
	for s.Do != nil && s.at < n {
		s.next()
	}
}

// follow goes as far as it can without row n.
func (s *passing) follow(n int) {
	for s.Do != nil && s.at < s.end && min(s.at+s.Size, s.end) <= n {
		s.next()
	}
}

func (s *passing) next() {
	hi := min(s.at+s.Size, s.end)
	s.Do(s.at, hi)
	s.at = hi
}

// Cost is about how many of its processor's cycles a thread takes for a task of
// so many products alike, each with sums of k terms, with so many rows and with
// as many columns as so many tiles of the largest micro-kernel. Their operands
// come from a cache that the threads share.
func Cost(rows, cols, k, products int) float64 {
	const (
		tile    = 40  // cycles for each tile besides its sums, a step of which takes a cycle for each row
		element = 0.2 // cycles to read one, while others are multiplied
	)
	v := sizes()
	read := float64(k * (rows + cols*v.cols))
	return pool.TaskCycles + float64(products)*(float64(cols*(rows*k+tile*ceil(rows, v.rows)))+element*read)
}
