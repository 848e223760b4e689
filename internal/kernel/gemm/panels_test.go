package gemm

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func TestCopiedPanelsHoldTheElements(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, width := range []int{8, nr} {
			for _, s := range []struct{ n, c, step, gap int }{
				{1, 1, 1, 0}, {1, 8, 8, 0}, {3, 16, 16, 1}, {2, 17, 20, 5}, {5, 33, 33, 0}, {7, 7, 9, 2}, {9, 48, 50, 16}, {700, 40, 41, 3}, {2, 20000, 20000, 1}, {4, 24, 0, 0}, {0, 5, 5, 0}, {3, 0, 5, 0},
			} {
				t.Run(fmt.Sprintf("width=%d/n=%d/c=%d/step=%d", width, s.n, s.c, s.step), func(t *testing.T) {
					panels, plane := ceil(s.c, width), s.n*width+s.gap
					from := kerneltest.Guarded(t, max(0, (s.n-1)*s.step+s.c))
					kerneltest.Normal(from, 1, 0, 1)
					to := kerneltest.Guarded(t, max(0, (panels-1)*plane+s.n*width))
					want := make([]float32, len(to))
					untouched := float32(math.Inf(1))
					for i := range to {
						to[i], want[i] = untouched, untouched
					}
					for i := range s.n {
						for j := range panels * width {
							v := float32(0)
							if j < s.c {
								v = from[i*s.step+j]
							}
							want[j/width*plane+i*width+j%width] = v
						}
					}
					CopyPanels(to, plane, width, from, s.c, s.step, s.n)
					kerneltest.Equal(t, "panels", to, want)
				})
			}
		}
	})
}

func TestWrongPanelsPanic(t *testing.T) {
	some := make([]float32, 64)
	panics(t, map[string]func(){
		"width": func() { CopyPanels(some, 16, 12, some, 12, 12, 1) },
		"to":    func() { CopyPanels(some, 56, 16, some, 32, 32, 1) },
		"from":  func() { CopyPanels(some, 16, 16, some[:31], 16, 16, 2) },
		"step":  func() { CopyPanels(some, 16, 16, some, 16, -1, 2) },
		"rest":  func() { CopyPanels(some[:15], 16, 16, some, 3, 3, 1) },
	})
}
