package gemm

import (
	"math"
	"unsafe"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
)

// mBlock is the largest number of rows of A in a block.
const mBlock = 196

// blocking is how a variant divides a product: rows and columns of the largest
// tile of its micro-kernels; the most rows, length and elements of a block of A;
// and up to how many elements B stays in the second cache while blocks of rows
// pass, so that what the next block reads is what should be fetched early.
type blocking struct{ rows, cols, m, k, size, near int }

// blockRows is how many rows of m are taken at once if sums have k terms.
func (v blocking) blockRows(m, k int) int {
	most := min(v.m, max(v.size/max(min(k, v.k), 1)/v.rows, 1)*v.rows)
	if m <= most {
		return m
	}
	return ceil(ceil(m, ceil(m, most)), v.rows) * v.rows
}

// sizes is the blocking of the variant that runs. A block of A stays in the
// second cache while the panels of B pass. On AMD Zen 3 and 4 (AVX2) that is up
// to 216 KiB; a block of a panel of 512 rows, 32 KiB, serves all its rows from
// the first cache, and blocks of 256 were slower there, but one of 1024 rows
// pays although it comes from the second cache for each tile of rows: sums are
// written and read again half as often (1 to 5 % on Zen 3). Intel's processors
// with AVX-512 have more of the second cache, from which they read the panels as
// fast. The portable code rounds where its sums end, so it takes all of k at
// once. No size shows in the results.
func sizes() blocking {
	switch chosen {
	case cpu.AVX512:
		return blocking{rows: 7, cols: 2 * nr, m: mBlock, k: 1024, size: mBlock * 1024, near: 1 << 18}
	case cpu.AVX2:
		return blocking{rows: 6, cols: nr, m: 108, k: 1024, size: 108 * 512, near: 1 << 16}
	}
	return blocking{rows: 6, cols: 2 * nr, m: 108, k: math.MaxInt, size: math.MaxInt}
}

// TileRows is the number of rows in the largest tile of the micro-kernels:
// rows cut into pieces of a multiple of it leave none half empty.
func TileRows() int { return sizes().rows }

// chosen is the variant that runs. Tests replace it.
var chosen = choose()

func choose() cpu.Variant {
	vs := cpu.Variants()
	return vs[len(vs)-1]
}

// product is one multiplication: the operands of Mul, MulGather and MulLines
// in one form.
type product struct {
	outs []int // where the rows of dst begin, or nil: ldc apart
	ldc  int

	a    []float32
	rows []int // where the rows of A begin, or nil: lda apart
	lda  int
	runs []int // where the runs of A's columns begin, from the row's beginning
	run  int   // length of a run
	step int   // from column to column in a run

	b     []float32
	panel int   // from one panel of 16 columns to the next
	bRuns []int // where the runs begin in a panel, or nil: one after another
	bStep int   // from row to row in a run

	m, n       int
	accumulate bool
	epi        *kernel.Epilogue[float32]
	row0       int

	next              [2][]float32 // what to prefetch for the caller
	nextRow, nextRows int          // or which rows of A and of the residual
	share             int          // elements of it for a block
	fetched           int          // and in the blocks so far

	before, after passing
}

// block is what the micro-kernels work on: some rows, some runs (or a part of
// one), one panel.
type block struct {
	dst        []float32 // from the panel's first column
	outs       []int
	a          []float32
	rows       []int
	runs       []int
	run, step  int
	b          []float32
	bRuns      []int
	bStep      int
	cols       int // 1..16, or 1..32
	panel      int // from the first panel to the second
	accumulate bool
	epi        *kernel.Epilogue[float32] // nil unless this completes the sums; its activation is Identity or ReLU
	row0, col0 int
	ahead      int       // from this block of B to the next one
	width      int       // columns of the whole result
	next       []float32 // to prefetch instead of B
}

// check panics if a table leads outside the memory.
func (p *product) check(dst []float32) {
	if p.m == 0 || p.n == 0 {
		return
	}
	if p.outs != nil {
		if len(p.outs) != p.m {
			panic("gemm: as many rows of the result as of A are wanted")
		}
		if lo, hi := bounds(p.outs); lo < 0 || hi+p.n > len(dst) {
			panic("gemm: a row lies outside the result")
		}
	}
	if len(p.runs) == 0 || p.run == 0 {
		return
	}
	if p.run < 0 || p.step < 0 || p.bStep < 0 {
		panic("gemm: negative length or step of a run")
	}
	rowLo, rowHi := bounds(p.rows)
	runLo, runHi := bounds(p.runs)
	if rowLo < 0 || runLo < 0 || rowHi+runHi+(p.run-1)*p.step >= len(p.a) {
		panic("gemm: a run of A lies outside its memory")
	}
	if p.bRuns != nil {
		if lo, hi := bounds(p.bRuns); lo < 0 || hi+(p.run-1)*p.bStep+(p.n-1)/nr*p.panel+nr > len(p.b) {
			panic("gemm: a run of B lies outside its memory")
		}
	}
}

func bounds(s []int) (lo, hi int) {
	lo, hi = s[0], s[0]
	for _, v := range s[1:] {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}

// checkEpilogue panics if the epilogue's slices do not cover the result.
func (p *product) checkEpilogue() {
	e := p.epi
	if e.Bias != nil && len(e.Bias) < p.n || e.Scale != nil && len(e.Scale) < p.n {
		panic("gemm: bias or scale is too short")
	}
	if e.Residual == nil {
		return
	}
	stride := e.ResidualStride
	if stride == 0 {
		stride = p.n
	}
	if p.row0 < 0 || stride < 0 || (p.row0+p.m-1)*stride+p.n > len(e.Residual) {
		panic("gemm: the residual is too short")
	}
}

// mul computes dst. The result is handed on as a parameter of its own, not as
// a field: an activation's function value lets it escape, and everything in
// the same struct with it.
func (p *product) mul(dst []float32) {
	if p.m == 0 || p.n == 0 {
		p.before.reach(p.row0 + p.m)
		p.after.follow(p.row0 + p.m)
		return
	}
	if p.epi.Empty() {
		p.epi = nil
	} else {
		p.checkEpilogue()
	}
	var rowTable, outTable [mBlock]int
	if p.rows == nil {
		for i := range min(p.m, mBlock) {
			rowTable[i] = i * p.lda
		}
	}
	if p.outs == nil {
		for i := range min(p.m, mBlock) {
			outTable[i] = i * p.ldc
		}
	}
	if all := len(p.next[0]) + len(p.next[1]); all > 0 {
		v, k := sizes(), len(p.runs)*p.run
		p.share = ceil(all, max(ceil(p.m, v.blockRows(p.m, k))*ceil(p.n, v.cols)*ceil(k, v.k), 1))
	}
	inPlace := p.epi != nil && overlap(p.epi.Residual, dst) && !p.once()
	size := sizes().blockRows(p.m, len(p.runs)*p.run)
	following := p.share == 0 && !inPlace && p.follows()
	for i0 := 0; i0 < p.m; i0 += size {
		rows := min(size, p.m-i0)
		p.before.reach(p.row0 + i0 + rows)
		if following {
			p.follow(i0+rows, min(size, p.m-i0-rows))
		}
		to := dst
		b := block{a: p.a, row0: p.row0 + i0, width: p.n}
		if p.rows != nil {
			b.rows = p.rows[i0:][:rows]
		} else {
			b.rows, b.a = rowTable[:rows], p.a[min(i0*p.lda, len(p.a)):]
		}
		if p.outs != nil {
			b.outs = p.outs[i0:][:rows]
		} else {
			b.outs, to = outTable[:rows], dst[i0*p.ldc:]
		}
		if inPlace {
			p.replace(to, b)
		} else {
			p.rowBlock(to, b)
		}
		p.after.follow(p.row0 + i0 + rows)
	}
}

// once reports whether every element of dst is written only when it is
// complete, after its residual has been read.
func (p *product) once() bool {
	return chosen != cpu.Generic && (p.epi.Act == kernel.Identity || p.epi.Act == kernel.ReLU) && len(p.runs) > 0 && p.run > 0 && len(p.runs)*p.run <= sizes().k
}

// follows reports whether what the next block of rows reads should be fetched
// early, and it can be told.
func (p *product) follows() bool {
	return p.rows == nil && p.step == 1 && len(p.runs) == 1 && p.lda == p.run && p.run*p.n <= sizes().near
}

// follow has the n rows of A and of the residual prefetched that begin with the
// given one.
func (p *product) follow(from, n int) {
	p.nextRow, p.nextRows, p.fetched = from, n, 0
	of, and := p.wanted()
	v := sizes()
	p.share = p.portion(len(of)+len(and), ceil(p.n, v.cols)*ceil(p.run, v.k))
}

// wanted is what to prefetch.
func (p *product) wanted() (of, and []float32) {
	if p.nextRows == 0 {
		return p.next[0], p.next[1]
	}
	of = p.a[p.nextRow*p.lda:][:p.nextRows*p.lda]
	if e := p.epi; e != nil && e.Residual != nil && (e.ResidualStride == 0 || e.ResidualStride == p.n) {
		and = e.Residual[(p.row0+p.nextRow)*p.n:][:p.nextRows*p.n]
	}
	return of, and
}

// portion divides n elements that are to be prefetched among blocks: at least a
// cache line for each four steps of the sums, lest lines are fetched again and
// again.
func (p *product) portion(n, blocks int) int {
	v := sizes()
	k := len(p.runs) * p.run
	return max(ceil(n, max(blocks, 1)), ceil(v.blockRows(p.m, k), v.rows)*(min(k, v.k)/4)*16)
}

// overlap reports whether two slices share memory.
func overlap(a, b []float32) bool {
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	a0, b0 := uintptr(unsafe.Pointer(&a[0])), uintptr(unsafe.Pointer(&b[0]))
	return a0 < b0+4*uintptr(len(b)) && b0 < a0+4*uintptr(len(a))
}

// replace computes a block of rows whose residual is the destination, a panel
// at a time, because sums are parked in what is still to be added.
func (p *product) replace(dst []float32, b block) {
	var residual [mBlock * 2 * nr]float32
	wide := sizes().cols
	stride := p.epi.ResidualStride
	if stride == 0 {
		stride = p.n
	}
	for j := 0; j < p.n; j += wide {
		cols := min(wide, p.n-j)
		for i := range b.rows {
			copy(residual[i*wide:][:cols], p.epi.Residual[(b.row0+i)*stride+j:])
		}
		epi := *p.epi
		epi.Residual, epi.ResidualStride = residual[:], wide
		if epi.Bias != nil {
			epi.Bias = epi.Bias[j:]
		}
		if epi.Scale != nil {
			epi.Scale = epi.Scale[j:]
		}
		one := *p
		one.n, one.b, one.epi = cols, p.b[j/nr*p.panel:], &epi
		part := b
		part.row0, part.width = 0, cols
		one.rowBlock(dst[j:], part)
	}
}

// rowBlock computes a block of rows with its epilogue, over all of k and n.
// What comes before an activation other than ReLU is done with the sums, the
// activation and the rest row by row.
func (p *product) rowBlock(dst []float32, b block) {
	first, rest := p.epi, (*kernel.Epilogue[float32])(nil)
	act := kernel.Identity
	if e := p.epi; e != nil && e.Act != kernel.Identity && e.Act != kernel.ReLU {
		act = e.Act
		head, tail := *e, *e
		head.Act = kernel.Identity
		if !e.ActLast {
			head.Scale, head.Residual = nil, nil
			tail.Bias, tail.Act = nil, kernel.Identity
			rest = &tail
		}
		first = &head
	}
	if len(p.runs) == 0 || p.run == 0 {
		for i, o := range b.outs {
			row := dst[o:][:p.n]
			if !p.accumulate {
				clear(row)
			}
			first.Row(row, b.row0+i, 0, p.n)
		}
	} else {
		if !first.Empty() {
			b.epi = first
		}
		b.dst = dst
		p.sum(b)
	}
	if act == kernel.Identity {
		return
	}
	for i, o := range b.outs {
		row := dst[o:][:p.n]
		activation.Forward(row, row, act)
		rest.Row(row, b.row0+i, 0, p.n)
	}
}

// sum computes a block of rows over all of k and n, and b.epi.
func (p *product) sum(b block) {
	var start [1]int
	epi := b.epi
	b.step, b.bStep, b.accumulate, b.epi = p.step, p.bStep, p.accumulate, nil
	most := sizes().k
	if p.run > most { // part of a run at a time
		size := ceil(p.run, ceil(p.run, most))
		for r, at := range p.runs {
			bAt := r * p.run * p.bStep
			if p.bRuns != nil {
				bAt = p.bRuns[r]
			}
			for l := 0; l < p.run; l += size {
				start[0] = at + l*p.step
				b.runs, b.run = start[:], min(size, p.run-l)
				if r == len(p.runs)-1 && l+size >= p.run {
					b.epi = epi
				}
				p.panels(b, bAt+l*p.bStep)
				b.accumulate = true
			}
		}
		return
	}
	group := max(1, most/p.run) // some runs at a time
	b.run = p.run
	for r := 0; r < len(p.runs); r += group {
		last := min(r+group, len(p.runs))
		b.runs = p.runs[r:last]
		bAt := r * p.run * p.bStep
		if p.bRuns != nil {
			b.bRuns, bAt = p.bRuns[r:last], 0
		}
		if last == len(p.runs) {
			b.epi = epi
		}
		p.panels(b, bAt)
		b.accumulate = true
	}
}

// panels computes a block of rows over a block of k and all of n; B's part
// begins bAt into each panel.
func (p *product) panels(b block, bAt int) {
	dst := b.dst
	cols := sizes().cols
	b.panel = p.panel
	for j := 0; j < p.n; j += cols {
		b.dst, b.b, b.col0, b.cols = dst[j:], p.b[j/nr*p.panel+bAt:], j, min(cols, p.n-j)
		if b.ahead = cols / nr * p.panel; j+cols >= p.n {
			b.ahead = len(b.runs)*b.run*b.bStep - j/nr*p.panel
		}
		b.next = p.some()
		b.compute()
	}
}

// some is the share of a block in what is to be prefetched.
func (p *product) some() []float32 {
	rest, and := p.wanted()
	at := p.fetched
	if at >= len(rest) {
		rest, at = and, at-len(rest)
	}
	n := max(0, min(p.share, len(rest)-at))
	p.fetched += n
	return rest[min(at, len(rest)):][:n]
}

// ceil is a over b, rounded up.
func ceil(a, b int) int { return a/b + min(a%b, 1) }

// compute runs the chosen variant.
func (b *block) compute() {
	if chosen == cpu.Generic {
		b.portable()
	} else {
		b.assembly()
	}
}

// tiles is how rows are divided among the micro-kernels.
type tiles [3]struct{ tiles, rows int }

// split divides m rows into tiles of the largest size and two smaller ones,
// which may be empty; none has fewer than half of that, rounded down, if that can be helped,
// because smaller tiles wait for their own sums.
func split(m int) tiles {
	most := sizes().rows
	q, rest := m/most, m%most
	if rest == 0 || rest > most/2 || q == 0 {
		return tiles{{q, most}, {min(rest, 1), rest}}
	}
	rest += most
	return tiles{{q - 1, most}, {1, (rest + 1) / 2}, {1, rest / 2}}
}
