package gemm

import (
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
	MulAhead(dst, ldc, m, a, b, accumulate, epi, row0, [2][]float32{})
}

// MulAhead is [Mul], and brings next into the second cache meanwhile where it
// can, see [Lines].
func MulAhead(dst []float32, ldc, m int, a Operand[float32], b *Packed, accumulate bool, epi *kernel.Epilogue[float32], row0 int, next [2][]float32) {
	a.check("A", m, b.k)
	checkDst(len(dst), ldc, m, b.n)
	mulRows(dst, ldc, m, a, b, accumulate, epi, row0, next, Passes{})
}

// mulRows is MulAhead, with checked operands, between two passes, which count
// rows as the epilogue does.
func mulRows(dst []float32, ldc, m int, a Operand[float32], b *Packed, accumulate bool, epi *kernel.Epilogue[float32], row0 int, next [2][]float32, passes Passes) {
	run := [1]int{}
	p := product{
		ldc: ldc,
		a:   a.Data, lda: a.RowStride, runs: run[:min(b.k, 1)], run: b.k, step: a.ColStride,
		b: b.data, panel: b.k * nr, bStep: nr,
		m: m, n: b.n, accumulate: accumulate, epi: epi, row0: row0, next: next,
		before: passing{passes.Before, row0, row0 + m}, after: passing{passes.After, row0, row0 + m},
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

	// Next is memory that the caller is going to read after the product, which
	// brings it into the second cache meanwhile where it can. The caller just
	// wrote Data or is sure for some other reason that it is there already.
	Next [2][]float32
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
		m: len(a.Rows), n: b.N, accumulate: accumulate, next: b.Next,
	}
	if p.panel == 0 {
		p.panel = nr
	}
	checkDst(len(dst), ldc, p.m, p.n)
	p.check(dst)
	p.mul(dst)
}
