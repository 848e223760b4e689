package kernel

import (
	"math/bits"
	"sync"
	"unsafe"
)

// Align is the alignment of arena memory in bytes: a cache line and the widest
// vector.
const Align = 64

// Arena lends out float32 memory and takes it back, so that a network's
// activations and the kernels' scratch reuse the same few blocks. It is safe
// for concurrent use. The zero value is ready.
type Arena struct {
	mu   sync.Mutex
	free [classes][][]float32 // by size class
	lent int64                // elements out
	peak int64
}

// classes is enough for any int.
const classes = 4*64 + larger

// larger is how many size classes up Get looks for free memory before it
// allocates: what it lends is less than twice as large as what was asked for.
// So batches that differ, as where drop path leaves some samples, share memory.
const larger = 3

// class is the index of the smallest size class that holds n elements; there
// are four classes to every power of two, so at most a fifth is wasted.
func class(n int) (idx, size int) {
	if n <= 256 {
		return 0, 256
	}
	shift := bits.Len(uint(n-1)) - 3 // 8..: 4 steps per doubling
	step := 1 << shift
	size = (n + step - 1) / step * step
	return (shift-5)*4 + (size >> shift) - 4, size
}

// Get lends n elements, 64-byte aligned, their contents undefined.
func (a *Arena) Get(n int) []float32 {
	idx, size := class(n)
	a.mu.Lock()
	a.lent += int64(size)
	a.peak = max(a.peak, a.lent)
	for i := idx; i <= idx+larger; i++ {
		list := a.free[i]
		if len(list) == 0 {
			continue
		}
		s := list[len(list)-1]
		list[len(list)-1] = nil
		a.free[i] = list[:len(list)-1]
		a.mu.Unlock()
		return s[:n]
	}
	a.mu.Unlock()
	return Aligned(size)[:n]
}

// Put takes back what Get lent, as long as it was; the caller must not use it
// any more.
func (a *Arena) Put(s []float32) {
	if s == nil {
		return
	}
	idx, _ := class(cap(s))
	_, size := class(len(s))
	a.mu.Lock()
	a.lent -= int64(size)
	a.free[idx] = append(a.free[idx], s[:0])
	a.mu.Unlock()
}

// Lent is the number of elements that were asked for, rounded up to their size
// classes, and are out; 0 when everything came back.
func (a *Arena) Lent() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lent
}

// Peak is the largest number that Lent has been.
func (a *Arena) Peak() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.peak
}

// Trim drops the memory that is not lent out.
func (a *Arena) Trim() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.free = [classes][][]float32{}
}

// Aligned allocates n zeroed elements that begin on a cache line.
func Aligned(n int) []float32 {
	s := make([]float32, n+Align/4)
	off := 0
	if r := uintptr(unsafe.Pointer(unsafe.SliceData(s))) % Align; r != 0 {
		off = int(Align-r) / 4
	}
	return s[off : off+n : off+n]
}
