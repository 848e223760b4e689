// Package cpu is the backend that computes on the processor, with the kernels
// of internal/kernel. It splits work among the threads of a pool; where the
// cuts lie depends on shapes alone, so results do not depend on the number of
// threads.
package cpu

import (
	"unsafe"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/internal/pool"
)

// Backend implements device.Backend.
type Backend struct {
	pool  *pool.Pool
	arena kernel.Arena
}

var _ device.Backend = (*Backend)(nil)

// New returns a backend that uses up to threads threads at a time, all that Go
// uses if threads <= 0.
func New(threads int) *Backend { return &Backend{pool: pool.New(threads)} }

// Pool is what the work is divided among.
func (b *Backend) Pool() *pool.Pool { return b.pool }

// Name is "cpu".
func (b *Backend) Name() string { return "cpu" }

// Arena is where buffers come from, for tests and measurements.
func (b *Backend) Arena() *kernel.Arena { return &b.arena }

// buffer is a slice as a device.Buffer.
type buffer []float32

func (f buffer) Len() int { return len(f) }

// f32 is the slice behind a buffer, nil for nil.
func f32(b device.Buffer) []float32 {
	if b == nil {
		return nil
	}
	return b.(buffer)
}

// Alloc lends n elements.
func (b *Backend) Alloc(n int) device.Buffer { return buffer(b.arena.Get(n)) }

// Free takes back what Alloc lent.
func (b *Backend) Free(x device.Buffer) { b.arena.Put(f32(x)) }

// Wrap shares host's memory.
func (b *Backend) Wrap(host []float32) device.Buffer {
	if host == nil {
		return nil
	}
	return buffer(host)
}

// Host shares x's memory.
func (b *Backend) Host(x device.Buffer) []float32 { return f32(x) }

// Upload copies src to dst.
func (b *Backend) Upload(dst device.Buffer, src []float32) { copy(f32(dst), src) }

// Copy copies src to dst.
func (b *Backend) Copy(dst, src device.Buffer) { copy(f32(dst), f32(src)) }

// Elements of a task of an elementwise pass: at most 128 KB, to fit the
// second-level cache, and at least what is worth a thread's while. Tasks are
// about equal and their number a multiple of few, so that threads end together.
const (
	span  = 32 << 10
	least = 4 << 10
	few   = 4
)

// rowsPer is how many rows of c elements a task takes.
func rowsPer(rows, c int) int {
	tasks := few * ((rows*c + few*span - 1) / (few * span))
	tasks = max(min(tasks, rows*c/least), 1)
	return max((rows+tasks-1)/tasks, 1)
}

// each calls fn for pieces of n elements.
func (b *Backend) each(n int, fn func(lo, hi int)) { b.eachRows(n, 1, fn) }

// eachRows calls fn for pieces of rows of c elements.
func (b *Backend) eachRows(rows, c int, fn func(lo, hi int)) {
	b.pool.Split(rows, rowsPer(rows, c), func(lo, hi, _ int) { fn(lo, hi) })
}

// part is rows [lo,hi) of a matrix with c columns; nil stays nil.
func part(x []float32, lo, hi, c int) []float32 {
	if x == nil {
		return nil
	}
	return x[lo*c : hi*c]
}

// reduce runs fn on pieces of rows of c elements, each with zeroed elements of
// its own, as many as dst has, and adds those up in the order of the pieces into
// dst, which it overwrites.
func (b *Backend) reduce(rows, c int, dst []float32, fn func(sum []float32, lo, hi int)) {
	pieces, sum := b.reduction(rows, c, dst, fn)
	pieces.Split(b.pool, rows)
	sum()
}

// reduction is reduce for a caller who sees to the pieces, all of them, and
// then has the sums added up.
func (b *Backend) reduction(rows, c int, dst []float32, fn func(sum []float32, lo, hi int)) (pieces pool.Pieces, sum func()) {
	width := len(dst)
	size := reduceRows(rows, c)
	pieces.Size = size
	n := pieces.Of(rows)
	if n <= 1 {
		clear(dst)
		pieces.Do = func(lo, hi int) { fn(dst, lo, hi) }
		return pieces, func() {}
	}
	sums := b.arena.Get(n * width)
	pieces.Do = func(lo, hi int) {
		i := lo / size
		sum := part(sums, i, i+1, width)
		clear(sum)
		fn(sum, lo, hi)
	}
	return pieces, func() {
		defer b.arena.Put(sums)
		b.pool.Split(width, rowsPer(width, n), func(lo, hi, _ int) {
			clear(dst[lo:hi])
			for i := range n {
				elementwise.AddTo(dst[lo:hi], part(sums, i, i+1, width)[lo:hi])
			}
		})
	}
}

// reduceRows is how many rows a piece of a reduction has: those of a task, or
// more so that there are at most 32 pieces.
func reduceRows(rows, c int) int { return max(rowsPer(rows, c), (rows+31)/32) }

// doubles reads arena memory, which is aligned to cache lines, as float64.
func doubles(memory []float32) []float64 {
	return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(memory))), len(memory)/2)
}
