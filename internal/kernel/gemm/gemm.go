package gemm

import (
	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

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
	run := [1]int{}
	p := product{
		ldc: ldc,
		a:   a.Data, lda: a.RowStride, runs: run[:min(b.k, 1)], run: b.k, step: a.ColStride,
		b: b.data, panel: b.k * nr, bStep: nr,
		m: m, n: b.n, accumulate: accumulate, epi: epi, row0: row0,
	}
	p.mul(dst)
}

// Gather is a matrix A [M,K] whose elements are found through tables: element
// (i, r*Run+l) is Data[Rows[i]+Runs[r]+l*Step], so K = len(Runs)*Run. The rows
// of a convolution's windows are of this kind: Rows says where each window
// begins, Runs where its lines begin.
type Gather struct {
	Data []float32
	Rows []int // [M] offsets, at least 0
	Runs []int // offsets, at least 0
	Run  int   // elements in a run
	Step int   // from one element of a run to the next
}

// MulGather is [Mul] with a gathered A of len(a.Rows) rows. Row i of the result
// begins at dst[outs[i]], or at dst[i*ldc] if outs is nil; the rows must not
// overlap.
func MulGather(dst []float32, ldc int, outs []int, a Gather, b *Packed, accumulate bool, epi *kernel.Epilogue[float32], row0 int) {
	if len(a.Runs)*a.Run != b.k {
		panic("gemm: the runs of A do not add up to the rows of B")
	}
	p := product{
		outs: outs, ldc: ldc,
		a: a.Data, rows: a.Rows, runs: a.Runs, run: a.Run, step: a.Step,
		b: b.data, panel: b.k * nr, bStep: nr,
		m: len(a.Rows), n: b.n, accumulate: accumulate, epi: epi, row0: row0,
	}
	if outs == nil {
		checkDst(len(dst), ldc, p.m, p.n)
	}
	p.check(dst)
	p.mul(dst)
}

// Lines is a matrix B [K,N] that is read where it lies: element (r*run+l, j) is
// Data[Runs[r]+l*Step+j/16*Panel+j%16], with run the length of A's runs. Data
// must reach up to 15 elements beyond the last one, because whole panels of 16
// columns are read.
type Lines struct {
	Data  []float32
	Runs  []int
	Step  int
	N     int
	Panel int // 0 means 16: whole rows are contiguous
}

// Slack is the number of elements that [Lines] of n columns reads beyond the
// last one.
func Slack(n int) int { return (nr - n%nr) % nr }

// MulLines computes dst[i*ldc+j] (+)= Σ a(i,k) b(k,j) as [Mul] does, without
// packing B. Where a's and b's runs lie is up to the caller; there must be as
// many of both.
func MulLines(dst []float32, ldc int, a Gather, b Lines, accumulate bool) {
	if len(a.Runs) != len(b.Runs) {
		panic("gemm: A and B have different numbers of runs")
	}
	p := product{
		ldc: ldc,
		a:   a.Data, rows: a.Rows, runs: a.Runs, run: a.Run, step: a.Step,
		b: b.Data, panel: b.Panel, bRuns: b.Runs, bStep: b.Step,
		m: len(a.Rows), n: b.N, accumulate: accumulate,
	}
	if p.panel == 0 {
		p.panel = nr
	}
	checkDst(len(dst), ldc, p.m, p.n)
	p.check(dst)
	p.mul(dst)
}

// MulPlain computes dst[i*ldc+j] (+)= Σ a(i,l) b(l,j), l ascending in [0,k), for
// i in [0,m), j in [0,n), as [Mul] does and with the same results, without
// packing all of B beforehand: right for a B that is used once and whose rows
// are contiguous (b.ColStride must be 1), above all for the gradient of a
// linear layer's weights, dyᵀ x.
func MulPlain(dst []float32, ldc, m, n, k int, a, b Operand[float32], accumulate bool) {
	a.check("A", m, k)
	b.check("B", k, n)
	checkDst(len(dst), ldc, m, n)
	if b.ColStride != 1 && n > 1 {
		panic("gemm: the rows of B are not contiguous")
	}
	if m == 0 || n == 0 {
		return
	}
	run := [1]int{}
	p := product{
		ldc: ldc,
		a:   a.Data, lda: a.RowStride, runs: run[:min(k, 1)], run: k, step: a.ColStride,
		b: b.Data, panel: nr, bStep: b.RowStride,
		m: m, n: n, accumulate: accumulate,
	}
	if k == 0 {
		p.mul(dst)
		return
	}
	if p.n = n / nr * nr; b.RowStride >= farApart && m >= manyRows {
		p.n = 0
	}
	p.mul(dst)
	for j := p.n; j < n; j += nr {
		p.copied(dst[j:], j, min(nr, n-j))
	}
}

// With rows of B so far apart, they push each other out of the nearest cache,
// and copying a panel pays if it is read for so many rows of A.
const (
	farApart = 128
	manyRows = 48
)

// copied multiplies by the columns [j,j+cols) of a B with one run, a part of
// their panel at a time, which it copies. Nothing beyond B's last element is
// read.
func (p *product) copied(dst []float32, j, cols int) {
	var part [256 * nr]float32
	panel := part[:]
	if chosen != cpu.AVX2 && p.run*nr > len(panel) {
		s := scratch.Get().(*wide) // the portable code takes all of k at once
		defer scratch.Put(s)
		s.panel = grow(s.panel, p.run*nr)
		panel = s.panel
	}
	q := *p
	q.n, q.b, q.bStep = cols, panel, nr
	for l := 0; l < p.run; l += len(panel) / nr {
		rows := min(len(panel)/nr, p.run-l)
		at := l*p.bStep + j
		if cols == nr {
			for i := range rows {
				move((*[nr]float32)(panel[i*nr:]), (*[nr]float32)(p.b[at:]))
				at += p.bStep
			}
		} else {
			for i := range rows {
				copy(panel[i*nr:][:cols], p.b[at:])
				at += p.bStep
			}
		}
		q.a, q.run = p.a[l*p.step:], rows
		q.mul(dst)
		q.accumulate = true
	}
}

// move copies a row of a panel, in pieces that the compiler keeps in registers;
// all at once it would call a function.
func move(to, from *[nr]float32) {
	*(*[4]float32)(to[0:]) = *(*[4]float32)(from[0:])
	*(*[4]float32)(to[4:]) = *(*[4]float32)(from[4:])
	*(*[4]float32)(to[8:]) = *(*[4]float32)(from[8:])
	*(*[4]float32)(to[12:]) = *(*[4]float32)(from[12:])
}
