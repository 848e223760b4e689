//go:build !purego

package gemm

import (
	"unsafe"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

//go:generate go run -C ../_asm ./gemm -out ../gemm/mul_amd64.s -stubs ../gemm/mul_amd64.go -pkg gemm

// tile is the argument block of the assembly, whose generator knows the
// offsets. Offsets in tables are in elements, steps and strides in bytes. The
// kernel with R rows and 16 columns does
//
//	for range tiles {
//		for i in 0..R-1, j in 0..15: acc[i,j] = c[outs[i]+j] if accumulating, else 0
//		for r in 0..nseg-1, l in 0..run-1:
//			acc[i,j] = fma(a[rows[i]+segs[r]+l*step], b[bsegs[r]+l*bstep+j], acc[i,j])
//		for i, j: c[outs[i]+j] = epilogue(acc[i,j])
//		rows, outs = rows[R:], outs[R:]
//	}
//
// where a nil bsegs lets each run follow the last one. One with 32 columns has
// the second half of them in the panel that begins panel bytes further on.
type tile struct {
	a, b, c          unsafe.Pointer
	rows, outs       unsafe.Pointer
	segs, bsegs      unsafe.Pointer
	nseg, run        int
	step, bstep      int
	tiles            int
	flags            int
	bias, scale, res unsafe.Pointer
	resStride        int
	mask             unsafe.Pointer
	panel            int     // to the second panel of 32 columns; AVX-512
	columns          int     // a bit for each column; AVX-512
	seg              int     // the kernel's own
	fetch            uintptr // where the next tile begins to prefetch, with AVX-512 from two panels
	fetchStep        int     // and how much further it goes with each step
	fetching         int     // tiles that prefetch
	next             uintptr // where the next four steps prefetch, unless 0
	nextStep         int     // and how much further they go
	nextTiles        int     // how many tiles do so, 0 for all; not for the kernels
}

// Bits of tile.flags.
const (
	flagAccumulate = 1 << iota
	flagBias
	flagScale
	flagResidual
	flagReLUFirst
	flagReLULast
)

// masks holds, from element 16-n on, a mask of n columns.
var masks = [32]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

// assembly computes b, whose columns are those of one panel, or of two if the
// variant takes them at once.
func (b *block) assembly() {
	t := tile{
		a: unsafe.Pointer(unsafe.SliceData(b.a)), b: unsafe.Pointer(unsafe.SliceData(b.b)), c: unsafe.Pointer(unsafe.SliceData(b.dst)),
		rows: unsafe.Pointer(unsafe.SliceData(b.rows)), outs: unsafe.Pointer(unsafe.SliceData(b.outs)),
		segs: unsafe.Pointer(unsafe.SliceData(b.runs)), bsegs: unsafe.Pointer(unsafe.SliceData(b.bRuns)),
		nseg: len(b.runs), run: b.run, step: 4 * b.step, bstep: 4 * b.bStep,
		mask:  unsafe.Pointer(&masks[max(nr-b.cols, 0)]),
		panel: 4 * b.panel, columns: 1<<b.cols - 1,
	}
	if b.accumulate {
		t.flags |= flagAccumulate
	}
	if e := b.epi; e != nil {
		if e.Bias != nil {
			t.flags |= flagBias
			t.bias = unsafe.Pointer(&e.Bias[b.col0])
		}
		if e.Scale != nil {
			t.flags |= flagScale
			t.scale = unsafe.Pointer(&e.Scale[b.col0])
		}
		if e.Residual != nil {
			t.flags |= flagResidual
			stride := e.ResidualStride
			if stride == 0 {
				stride = b.width
			}
			t.res = unsafe.Pointer(&e.Residual[b.row0*stride+b.col0])
			t.resStride = 4 * stride
		}
		switch {
		case e.Act == kernel.ReLU && e.ActLast:
			t.flags |= flagReLULast
		case e.Act == kernel.ReLU:
			t.flags |= flagReLUFirst
		}
	}
	s := split(len(b.rows))
	if fours := s[0].tiles * len(b.runs) * (b.run / 4); len(b.next) > 0 && fours > 0 {
		// B was brought near by whoever knows what comes next.
		t.next = uintptr(unsafe.Pointer(unsafe.SliceData(b.next)))
		t.nextStep = (4*len(b.next) + fours - 1) / fours
	} else {
		t.prefetch(s, b.cols, b.ahead)
	}
	t.mul(s, b.cols)
}

// prefetch divides the prefetching of the next part of B, as large as the
// present one and so many elements further on, among the first tiles, lest it
// holds one of them up. If that can be a row of B with every fourth step of
// AVX2's largest tiles, as many of them do so as that takes: lines from memory
// come no faster, and the steps remain unrolled.
func (t *tile) prefetch(s tiles, cols, ahead int) {
	from := uintptr(t.b) + uintptr(4*ahead)
	if fours := t.nseg * (t.run / 4); chosen == cpu.AVX2 && cols == nr && fours > 0 {
		if n := ceil(t.nseg*t.run, fours); n <= s[0].tiles {
			t.next, t.nextStep, t.nextTiles = from, t.bstep, n
			return
		}
	}
	t.fetch = from
	t.fetching = min(s[0].tiles+s[1].tiles+s[2].tiles, mostFetching)
	t.fetchStep = (t.bstep + t.fetching - 1) / t.fetching
}

// With so many tiles prefetching one step needs a cache line every few steps.
const mostFetching = 8

// parts computes parts products without an epilogue, whose A lie stepA apart,
// their results stepDst, and their B one after another.
func (b *block) parts(parts, stepA, stepDst int) {
	stepB := b.run * nr
	s := split(len(b.rows))
	t := tile{
		segs: unsafe.Pointer(unsafe.SliceData(b.runs)),
		nseg: len(b.runs), run: b.run, step: 4 * b.step, bstep: 4 * b.bStep,
		panel: 4 * b.panel, columns: 1<<b.cols - 1,
	}
	for i := range parts {
		t.a, t.b, t.c = unsafe.Pointer(&b.a[i*stepA]), unsafe.Pointer(&b.b[i*stepB]), unsafe.Pointer(&b.dst[i*stepDst])
		t.rows, t.outs = unsafe.Pointer(unsafe.SliceData(b.rows)), unsafe.Pointer(unsafe.SliceData(b.outs))
		t.prefetch(s, b.cols, stepB)
		t.mul(s, b.cols)
	}
}

// mul computes all tiles of the rows that s divides.
func (t *tile) mul(s tiles, cols int) {
	if n := t.nextTiles; 0 < n && n < s[0].tiles {
		t.tiles = n
		call(s[0].rows, cols, t)
		s[0].tiles -= n
		t.next = 0
	}
	for _, part := range s {
		if part.tiles > 0 {
			t.tiles = part.tiles
			call(part.rows, cols, t)
		}
	}
}

// call runs a kernel. It must not be inlined: the call is where the scheduler
// can stop a goroutine that multiplies, and one kernel runs for at most some
// 20 µs.
//
//go:noinline
func call(rows, cols int, t *tile) {
	p := (*byte)(unsafe.Pointer(t))
	if chosen == cpu.AVX512 {
		call512(rows, cols, p)
		return
	}
	if cols == nr {
		switch rows {
		case 1:
			mul1x16(p)
		case 2:
			mul2x16(p)
		case 3:
			mul3x16(p)
		case 4:
			mul4x16(p)
		case 5:
			mul5x16(p)
		case 6:
			mul6x16(p)
		}
		return
	}
	switch rows {
	case 1:
		mul1x16mask(p)
	case 2:
		mul2x16mask(p)
	case 3:
		mul3x16mask(p)
	case 4:
		mul4x16mask(p)
	case 5:
		mul5x16mask(p)
	case 6:
		mul6x16mask(p)
	}
}

func call512(rows, cols int, p *byte) {
	if cols > nr {
		switch rows {
		case 1:
			mul1x32(p)
		case 2:
			mul2x32(p)
		case 3:
			mul3x32(p)
		case 4:
			mul4x32(p)
		case 5:
			mul5x32(p)
		case 6:
			mul6x32(p)
		case 7:
			mul7x32(p)
		}
		return
	}
	switch rows {
	case 1:
		mul1x16z(p)
	case 2:
		mul2x16z(p)
	case 3:
		mul3x16z(p)
	case 4:
		mul4x16z(p)
	case 5:
		mul5x16z(p)
	case 6:
		mul6x16z(p)
	case 7:
		mul7x16z(p)
	}
}

// copyPanels is CopyPanels for whole panels of 8 or 16 columns.
func copyPanels(to []float32, plane, width int, from []float32, step, panels, n int) {
	if chosen == cpu.Generic {
		copyPanelsGeneric(to, plane, width, from, step, panels, n)
		return
	}
	// In a call few panels, which lie in as many pages, and so few rows that the
	// scheduler need not wait for long.
	const (
		few  = 32
		most = 1 << 14 / nr / few
	)
	for p := 0; p < panels; p += few {
		for i := 0; i < n; i += most {
			out, in := &to[p*plane+i*width], &from[i*step+p*width]
			if width == 8 {
				spread8(out, in, 4*plane, 4*step, min(few, panels-p), min(most, n-i))
			} else {
				spread16(out, in, 4*plane, 4*step, min(few, panels-p), min(most, n-i))
			}
		}
	}
}

// turn arranges the columns [j,j+16) of b, whose elements are neighbours in a
// column, in a panel: so many of the rows as it returns.
func turn(panel []float32, b Operand[float32], j, rows int) int {
	squares := rows / 8
	if chosen == cpu.Generic || squares == 0 {
		return 0
	}
	panel = panel[:8*squares*nr]
	const most = 512 // in a call, so that the scheduler need not wait for long
	for half := 0; half < nr; half += 8 {
		from := b.Data[(j+half)*b.ColStride:]
		_ = from[7*b.ColStride+8*squares-1]
		for at := 0; at < squares; at += most {
			transpose(&panel[8*at*nr+half], &from[8*at], b.ColStride, min(most, squares-at))
		}
	}
	return 8 * squares
}
