package kernel

import (
	"testing"
	"unsafe"
)

func TestArenaClassHoldsItsSizeAndWastesLittle(t *testing.T) {
	last := 0
	for n := 1; n < 1<<22; n += 1 + n/97 {
		idx, size := class(n)
		if size < n || n > 256 && size > n+n/4+1 {
			t.Fatalf("class(%d) has size %d", n, size)
		}
		if again, same := class(size); again != idx || same != size {
			t.Fatalf("class(%d) = %d,%d but class(%d) = %d,%d", n, idx, size, size, again, same)
		}
		if idx < last {
			t.Fatalf("class(%d) = %d after %d", n, idx, last)
		}
		last = idx
	}
}

func TestArenaReusesAlignedMemory(t *testing.T) {
	var a Arena
	for _, n := range []int{1, 257, 1000, 4096, 100_003} {
		s := a.Get(n)
		if len(s) != n || uintptr(unsafe.Pointer(&s[0]))%Align != 0 {
			t.Fatalf("Get(%d): length %d, address %p", n, len(s), &s[0])
		}
		first := &s[0]
		a.Put(s)
		if s = a.Get(n); &s[0] != first {
			t.Fatalf("Get(%d) did not reuse the block", n)
		}
		a.Put(s)
	}
	if a.Lent() != 0 {
		t.Fatalf("%d elements still lent", a.Lent())
	}
}
