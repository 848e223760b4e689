package kerneltest

import (
	"testing"
	"unsafe"
)

// Plain is an element type without pointers, for memory outside Go's heap.
type Plain interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Guarded returns n zeroed elements that end where an unmapped page begins: one
// byte read or written too far is a fault. The bytes in front of them hold a
// pattern that is checked when the test ends. Where the operating system
// offers no such pages, both sides are patterns.
//
// The memory is given back when t ends and must not be used after that.
func Guarded(t testing.TB, n int) []float32 { return GuardedOf[float32](t, n) }

// GuardedFront is Guarded the other way round: the elements begin where an
// unmapped page ends, and the pattern is behind them.
func GuardedFront(t testing.TB, n int) []float32 { return GuardedFrontOf[float32](t, n) }

// GuardedOf is [Guarded] for any element type.
func GuardedOf[T Plain](t testing.TB, n int) []T {
	t.Helper()
	return guard[T](t, n, false)
}

// GuardedFrontOf is [GuardedFront] for any element type.
func GuardedFrontOf[T Plain](t testing.TB, n int) []T {
	t.Helper()
	return guard[T](t, n, true)
}

// canary is the pattern's byte: as float32 it is a huge negative number that
// no kernel can overlook.
const canary = 0xfb

// guard asks the system for whole pages, places the elements at one end and
// the pattern in the rest.
func guard[T Plain](t testing.TB, n int, front bool) []T {
	t.Helper()
	var zero T
	size := n * int(unsafe.Sizeof(zero))
	room, base := pages(t, size) // room[base:] or less is ours to place in
	at := len(room) - base - size
	if front {
		at = base
	}
	before, inside, after := room[:at], room[at:at+size], room[at+size:]
	for _, side := range [][]byte{before, after} {
		for i := range side {
			side[i] = canary
		}
	}
	t.Cleanup(func() {
		t.Helper()
		if i := broken(before, true); i > 0 {
			t.Errorf("kerneltest: written %d bytes in front of a slice of %d %T", i, n, zero)
		}
		if i := broken(after, false); i > 0 {
			t.Errorf("kerneltest: written %d bytes past the end of a slice of %d %T", i, n, zero)
		}
	})
	if n == 0 {
		return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(room[:1:1]))), 1)[:0:0]
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(inside))), n)
}

// broken is the distance from the slice, in bytes, of the nearest byte that no
// longer has the pattern, counted from 1; 0 if all have it.
func broken(side []byte, before bool) int {
	for i := range side {
		j := i
		if before {
			j = len(side) - 1 - i
		}
		if side[j] != canary {
			return i + 1
		}
	}
	return 0
}
