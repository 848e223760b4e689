package gemm

import (
	"fmt"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func TestPartsAreProducts(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for i, s := range []struct{ m, k, n, parts int }{
			{1, 1, 1, 1}, {2, 3, 16, 4}, {3, 8, 17, 16}, {4, 7, 33, 36}, {5, 16, 16, 36}, {6, 5, 31, 4}, {7, 9, 48, 3}, {11, 33, 20, 2},
			{13, 10, 16, 5}, {17, 520, 18, 3}, {96, 12, 16, 2}, {48, 1030, 16, 2}, {3, 0, 16, 2}, {0, 3, 16, 2},
		} {
			t.Run(fmt.Sprintf("shape=%dx%dx%d/parts=%d", s.m, s.k, s.n, s.parts), func(t *testing.T) {
				b := Pack(layout{}.operand(t, s.parts*s.k, s.n, uint64(i)), s.parts*s.k, s.n)
				lda := s.k + i%3
				stepA, stepDst := s.m*lda+i%5, s.m*nr+i%4
				size := 0
				if s.m > 0 {
					if s.k > 0 {
						size = (s.parts-1)*stepA + (s.m-1)*lda + s.k
					}
				}
				a := kerneltest.Guarded(t, size)
				kerneltest.Normal(a, uint64(i)+50, 0, 1)
				for panel := range b.Panels() {
					for panels := 1; panels <= min(2, b.Panels()-panel); panels++ {
						w := panels * nr
						stepDst := s.m*w + stepDst - s.m*nr
						room := 0
						if s.m > 0 {
							room = (s.parts-1)*stepDst + s.m*w
						}
						dst := kerneltest.Guarded(t, room)
						kerneltest.Normal(dst, 3, 0, 1)
						MulParts(dst, stepDst, a, stepA, lda, s.m, s.parts, b, panel, panels)
						if s.m == 0 {
							continue
						}
						of := b.Columns(panel, panel+panels)
						for part := range s.parts {
							one := Pack(Operand[float32]{of.Panel(0)[part*s.k*nr:], nr, 1}, s.k, nr)
							if panels == 2 {
								one.n, one.data = w, slices.Concat(one.data, of.Panel(1)[part*s.k*nr:][:s.k*nr])
							}
							want := make([]float32, s.m*w)
							Mul(want, w, s.m, Operand[float32]{a[min(part*stepA, len(a)):], lda, 1}, one, false, nil, 0)
							kerneltest.Equal(t, fmt.Sprintf("panel %d of %d, part %d", panel, panels, part), dst[part*stepDst:][:s.m*w], want)
						}
					}
				}
			})
		}
	})
}

func TestColumnsAreThoseOfTheMatrix(t *testing.T) {
	const k, n = 5, 39
	p := Pack(layout{}.operand(t, k, n, 1), k, n)
	for lo := range p.Panels() {
		for hi := lo + 1; hi <= p.Panels(); hi++ {
			c := p.Columns(lo, hi)
			if c.K() != k || c.N() != min(hi*nr, n)-lo*nr || c.Panels() != hi-lo {
				t.Fatalf("columns of panels %d to %d: %d x %d", lo, hi, c.K(), c.N())
			}
			for l := range k {
				for j := range c.N() {
					if c.At(l, j) != p.At(l, lo*nr+j) {
						t.Fatalf("columns of panels %d to %d: element (%d,%d) is %v", lo, hi, l, j, c.At(l, j))
					}
				}
			}
		}
	}
}

func TestReservedMemoryIsUsedAgain(t *testing.T) {
	var p Packed
	p.Reserve(10, 40)
	first := &p.Panel(0)[0]
	p.Reserve(7, 17)
	if &p.Panel(0)[0] != first || p.K() != 7 || p.N() != 17 || len(p.Panel(1)) != 7*nr {
		t.Error("smaller matrices do not use the memory at hand")
	}
}

func TestWrongPartsPanic(t *testing.T) {
	b := Pack(layout{}.operand(t, 12, 16, 1), 12, 16)
	a, dst := make([]float32, 3*2*4), make([]float32, 3*2*nr)
	panics(t, map[string]func(){
		"parts":  func() { MulParts(dst, 2*nr, a, 8, 4, 2, 5, b, 0, 1) },
		"rows":   func() { MulParts(dst, 2*nr, a, 8, 4, MaxPartRows+1, 3, b, 0, 1) },
		"A":      func() { MulParts(dst, 2*nr, a[1:], 8, 4, 2, 3, b, 0, 1) },
		"result": func() { MulParts(dst[1:], 2*nr, a, 8, 4, 2, 3, b, 0, 1) },
		"panel":  func() { MulParts(dst, 2*nr, a, 8, 4, 2, 3, b, 1, 1) },
		"panels": func() { MulParts(dst, 2*nr, a, 8, 4, 2, 3, b, 0, 2) },
	})
}
