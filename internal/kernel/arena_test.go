package kernel

import (
	"math"
	"testing"
	"unsafe"
)

func TestArenaClassHoldsItsSizeAndWastesLittle(t *testing.T) {
	last, seen := 0, map[int]int{}
	for n := 1; n > 0 && n < math.MaxInt/2; n += 1 + n/97 {
		idx, size := class(n)
		if size < n || n > 256 && size > n+n/4+1 {
			t.Fatalf("class(%d) has size %d", n, size)
		}
		if again, same := class(size); again != idx || same != size {
			t.Fatalf("class(%d) = %d,%d but class(%d) = %d,%d", n, idx, size, size, again, same)
		}
		if idx < last || idx >= classes {
			t.Fatalf("class(%d) = %d after %d", n, idx, last)
		}
		if other, ok := seen[idx]; ok && other != size {
			t.Fatalf("class %d holds %d and %d elements", idx, other, size)
		}
		seen[idx] = size
		last = idx
	}
}

func TestArenaNeverLendsTooLittle(t *testing.T) {
	var a Arena
	sizes := []int{7_000_000, 9_000_000, 8_000_000, 12_000_000, 7_500_000}
	for range 2 {
		for _, n := range sizes {
			s := a.Get(n)
			if len(s) != n {
				t.Fatalf("Get(%d) lent %d", n, len(s))
			}
			a.Put(s)
		}
	}
}

func TestArenaLendsWhatIsLessThanTwiceAsLarge(t *testing.T) {
	for n := 600; n < 100_000; n += n / 3 {
		for m := 300; m <= n; m += 1 + m/20 {
			var a Arena
			large := a.Get(n)
			a.Put(large)
			s := a.Get(m)
			reused := &s[0] == &large[0]
			if reused && cap(large) >= 2*m {
				t.Errorf("%d elements were lent for %d", cap(large), m)
			}
			if !reused && cap(large) <= m*8/5 {
				t.Errorf("%d free elements were not lent for %d", cap(large), m)
			}
			if _, want := class(m); a.Lent() != int64(want) {
				t.Errorf("%d elements are counted as lent, want %d", a.Lent(), want)
			}
			if a.Put(s); a.Lent() != 0 {
				t.Fatalf("%d elements still lent", a.Lent())
			}
			if again := a.Get(n); reused && &again[0] != &large[0] {
				t.Errorf("what came back from %d elements does not hold %d any more", m, n)
			}
		}
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
