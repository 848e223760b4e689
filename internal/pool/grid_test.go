package pool

import (
	"fmt"
	"math"
	"testing"
)

func area(rows, cols int) float64 { return float64(rows * cols) }

func TestGridKeepsThreadsBusy(t *testing.T) {
	for _, threads := range []int{2, 3, 4, 7, 8, 16, 64} {
		for _, shape := range [][2]int{{28, 2}, {7, 4}, {7, 16}, {3, 16}, {112, 6}, {28, 12}, {1, 32}, {448, 8}, {1000, 1}} {
			rows, cols := shape[0], shape[1]
			r, c := New(threads).Grid(1, rows, cols, area)
			if r < 1 || r > rows || c < 1 || c > cols || r*c > max(4*threads, 1) {
				t.Fatalf("%d threads, %d x %d: %d x %d pieces", threads, rows, cols, r, c)
			}
			// No other grid of as many tasks may be done earlier.
			took := func(r, c int) float64 {
				return (math.Ceil(float64(r*c)/float64(threads)) + waiting) * area(ceil(rows, r), ceil(cols, c))
			}
			for i := 1; i <= rows; i++ {
				for j := 1; j <= cols && i*j <= 4*threads; j++ {
					if took(i, j) < took(r, c) {
						t.Errorf("%d threads, %d x %d: %d x %d pieces take %.2f, %d x %d would take %.2f", threads, rows, cols, r, c, took(r, c), i, j, took(i, j))
					}
				}
			}
		}
	}
}

func TestGridFollowsTheCost(t *testing.T) {
	p := New(4)
	// What passes for every piece of rows or columns makes them expensive.
	if r, c := p.Grid(1, 64, 64, func(rows, cols int) float64 { return area(rows, cols) + 1e6*float64(cols) }); c < r {
		t.Errorf("wide tasks are dear, but there are %d x %d", r, c)
	}
	if r, c := p.Grid(1, 64, 64, func(rows, cols int) float64 { return area(rows, cols) + 1e6*float64(rows) }); r < c {
		t.Errorf("tall tasks are dear, but there are %d x %d", r, c)
	}
	limit := func(rows, cols int) float64 {
		if rows > 5 {
			return math.Inf(1)
		}
		return area(rows, cols)
	}
	if r, _ := p.Grid(1, 64, 2, limit); ceil(64, r) > 5 {
		t.Errorf("%d pieces of 64 rows, none of which may have more than 5", r)
	}
	for _, rows := range []int{0, 1000} { // nothing to do, nothing possible
		if r, c := p.Grid(1, rows, 2, limit); rows > 0 && (r != 1 || c != 1) || r < 1 || c < 1 {
			t.Errorf("%d rows: %d x %d pieces", rows, r, c)
		}
	}
	if r, c := p.Grid(100, 50, 50, area); r != 1 || c != 1 { // whole ones are tasks enough
		t.Errorf("100 grids: each has %d x %d pieces", r, c)
	}
	if r, c := p.Grid(3, 50, 50, area); r*c != 4 {
		t.Errorf("3 grids on 4 threads: each has %d x %d pieces", r, c)
	}
	if r, c := (*Pool)(nil).Grid(1, 100, 100, area); r != 1 || c != 1 {
		t.Errorf("one thread: %d x %d pieces", r, c)
	}
}

func TestCutCoversEverything(t *testing.T) {
	for all := range 40 {
		for n := 1; n <= 12; n++ {
			if Cut(all, n, 0) != 0 || Cut(all, n, n) != all {
				t.Fatalf("%d pieces of %d begin at %d and end at %d", n, all, Cut(all, n, 0), Cut(all, n, n))
			}
			for i := range n {
				if size := Cut(all, n, i+1) - Cut(all, n, i); size < all/n || size > ceil(all, n) {
					t.Fatalf("piece %d of %d of %d has size %d", i, n, all, size)
				}
			}
		}
	}
}

func BenchmarkGrid(b *testing.B) {
	for _, threads := range []int{2, 16} {
		b.Run(fmt.Sprintf("threads=%d", threads), func(b *testing.B) {
			p := New(threads)
			for b.Loop() {
				p.Grid(1, 448, 8, area)
			}
		})
	}
}
