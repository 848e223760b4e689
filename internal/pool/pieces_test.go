package pool

import "testing"

func TestPiecesAreAllDone(t *testing.T) {
	for _, threads := range []int{1, 2, 7} {
		for _, n := range []int{0, 1, 5, 6, 7, 100} {
			done := make([]int, n)
			s := Pieces{Size: 6, Do: func(lo, hi int) {
				if lo%6 != 0 || hi != min(lo+6, n) {
					t.Errorf("%d rows: a piece is [%d,%d)", n, lo, hi)
				}
				for i := lo; i < hi; i++ {
					done[i]++
				}
			}}
			s.Split(New(threads), n)
			for i, times := range done {
				if times != 1 {
					t.Errorf("%d rows: row %d was met %d times", n, i, times)
				}
			}
			if want := (n + 5) / 6; s.Of(n) != want {
				t.Errorf("%d rows have %d pieces, want %d", n, s.Of(n), want)
			}
		}
	}
	Pieces{}.Split(New(2), 5)
}

func TestPiecesFillThreadsThatShareThemEqually(t *testing.T) {
	do := func(int, int) {}
	for _, c := range []struct {
		threads, pieces int
		want            bool
	}{
		{1, 1, true}, {2, 1, false}, {2, 2, true}, {2, 3, false}, {2, 31, true}, {3, 32, true}, {16, 32, true}, {16, 17, false}, {20, 32, false}, {16, 28, true},
	} {
		s := Pieces{Size: 10, Do: do}
		if got := s.Fill(New(c.threads), 10*c.pieces-3); got != c.want {
			t.Errorf("%d pieces for %d threads: %v, want %v", c.pieces, c.threads, got, c.want)
		}
	}
	if !(Pieces{}).Fill(New(8), 1) {
		t.Error("where there is nothing to do, somebody waits")
	}
}
