package mlp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

// near fails unless got is within 1e-5 of want's largest element.
func near(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, v, -v)
	}
	for i, v := range got {
		if d := float64(v) - want[i]; !(d <= 1e-5*largest && d >= -1e-5*largest) {
			t.Fatalf("%s: element %d of %d is %v, want %v", what, i, len(got), v, want[i])
		}
	}
}

// Shapes with one tile and several, one part and several, one group and as many
// as let threads take one each, and with sizes that nothing divides.
var trained = [][4]int{
	{1, 1, 1, 1}, {5, 3, 7, 2}, {49, 24, 96, 24}, {300, 16, 64, 17}, {205, 96, 384, 96}, {397, 33, 50, 19}, {1300, 5, 32, 8}, {1800, 9, 37, 3}, {1000, 20, 128, 20},
}

func TestTrainingMatchesTheDefinition(t *testing.T) {
	var a kernel.Arena
	for i, s := range trained {
		acts := []kernel.Activation{kernel.GELU, kernel.ReLU, kernel.SiLU}
		if s[0] >= 1000 || s[1] > 90 {
			acts = acts[:1]
		}
		for _, act := range acts {
			for _, bare := range []bool{false, true} {
				what := fmt.Sprintf("shape %v act %v bare %v", s, act, bare)
				p := newProblem(uint64(i), s[0], s[1], s[2], s[3], act, bare)
				p.residual, p.gamma, p.beta, p.scale = nil, nil, nil, nil
				dy := make([]float32, p.rows*p.out)
				kerneltest.Normal(dy, uint64(i)+100, 0, 1)
				l, w := p.layer(), kerneltest.Widen
				var b1 []float64
				if p.b1 != nil {
					b1 = w(p.b1)
				}
				y := p.exact()
				dx, dw1, db1, dw2 := make([]float64, len(p.x)), make([]float64, len(p.w1)), make([]float64, p.h), make([]float64, len(p.w2))
				BackwardGeneric(dx, dw1, db1, dw2, w(dy), w(p.x), w(p.w1), b1, w(p.w2), p.rows, p.c, p.h, p.out, act)
				var first [][]float32
				for _, threads := range []int{1, 2, 7} {
					crew := pool.New(threads)
					h, got := kerneltest.Guarded(t, p.rows*p.h), kerneltest.Guarded(t, len(y))
					ForwardKeep(crew, &a, got, h, p.x, p.rows, l)
					g := &Gradients{
						DX: kerneltest.Guarded(t, len(dx)), DW1: kerneltest.Guarded(t, len(dw1)),
						DB1: kerneltest.Guarded(t, len(db1)), DW2: kerneltest.Guarded(t, len(dw2)),
					}
					Backward(crew, &a, g, dy, p.x, h, p.w1, p.w2, p.rows, p.c, p.h, p.out, act)
					all := [][]float32{got, g.DX, g.DW1, g.DB1, g.DW2}
					near(t, what+", result", got, y)
					near(t, what+", gradient of x", g.DX, dx)
					near(t, what+", gradient of w1", g.DW1, dw1)
					near(t, what+", gradient of b1", g.DB1, db1)
					near(t, what+", gradient of w2", g.DW2, dw2)
					for j := range first {
						kerneltest.Equal(t, fmt.Sprintf("%s, output %d of %d threads", what, j, threads), all[j], first[j])
					}
					if first == nil {
						first = all
					}
					less := &Gradients{DW1: make([]float32, len(dw1)), DW2: make([]float32, len(dw2))}
					Backward(crew, &a, less, dy, p.x, h, p.w1, p.w2, p.rows, p.c, p.h, p.out, act)
					kerneltest.Equal(t, what+", without the others, w1", less.DW1, g.DW1)
					kerneltest.Equal(t, what+", without the others, w2", less.DW2, g.DW2)
				}
			}
		}
	}
	if a.Lent() != 0 {
		t.Errorf("%d elements of scratch were not returned", a.Lent())
	}
}

func TestTilesCoverTheHiddenLayer(t *testing.T) {
	for _, c := range []int{1, 40, 96, 100, 768, 1024} {
		for _, hidden := range []int{1, 37, 384, 1000, 3072, 4096} {
			for i, rows := range []int{0, 1, 7, 48, 196, 197, 250, 777, 1600} {
				threads := []int{1, 2, 16}[i%3]
				b := newTiling(rows, c, hidden, c, threads)
				h := make([]float32, rows*hidden)
				for i := range b.tiles {
					for j := range b.parts {
						for k := range b.kept(h, i, j) {
							b.kept(h, i, j)[k]++
						}
					}
				}
				if b.columns*b.parts != hidden || b.parts > 1 && b.columns%32 != 0 || b.rows > tileRows || b.groups*groupSize < b.tiles ||
					!b.apart && hidden >= 64*threads && hidden%(32*threads) == 0 && b.parts%threads != 0 || slices.ContainsFunc(h, func(v float32) bool { return v != 1 }) {
					t.Fatalf("%d rows, %d and %d columns: %+v", rows, c, hidden, b)
				}
			}
		}
	}
}

func TestTrainingChecksLengths(t *testing.T) {
	p := newProblem(1, 6, 3, 8, 2, kernel.GELU, false)
	f := func(n int) []float32 { return make([]float32, n) }
	for what, run := range map[string]func(){
		"x": func() { ForwardKeep(nil, new(kernel.Arena), f(12), f(48), f(17), 6, p.layer()) },
		"h": func() { ForwardKeep(nil, new(kernel.Arena), f(12), f(47), f(18), 6, p.layer()) },
		"dy": func() {
			Backward(nil, new(kernel.Arena), &Gradients{DW1: f(24), DW2: f(16)}, f(11), f(18), f(48), f(24), f(16), 6, 3, 8, 2, kernel.GELU)
		},
		"dw": func() {
			Backward(nil, new(kernel.Arena), &Gradients{DW1: f(23), DW2: f(16)}, f(12), f(18), f(48), f(24), f(16), 6, 3, 8, 2, kernel.GELU)
		},
		"dx": func() {
			Backward(nil, new(kernel.Arena), &Gradients{DX: f(17), DW1: f(24), DW2: f(16)}, f(12), f(18), f(48), f(24), f(16), 6, 3, 8, 2, kernel.GELU)
		},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			run()
		}()
	}
}

// BenchmarkTraining measures both passes at a batch of 8, of packed weights.
func BenchmarkTraining(b *testing.B) {
	for _, s := range [][2]int{{25088, 96}, {6272, 192}, {1568, 384}, {392, 768}} {
		var a kernel.Arena
		p := newProblem(1, s[0], s[1], 4*s[1], s[1], kernel.GELU, false)
		l, dy, h := p.layer(), make([]float32, s[0]*s[1]), make([]float32, 4*s[0]*s[1])
		g := &Gradients{DX: make([]float32, len(p.x)), DW1: make([]float32, len(p.w1)), DB1: make([]float32, p.h), DW2: make([]float32, len(p.w2))}
		flop := 16 * float64(s[0]) * float64(s[1]) * float64(s[1])
		kerneltest.Normal(dy, 1, 0, 1)
		b.Run(fmt.Sprintf("shape=%dx%d/of=forward", s[0], s[1]), func(b *testing.B) {
			for b.Loop() {
				ForwardKeep(nil, &a, g.DX, h, p.x, p.rows, l)
			}
			b.ReportMetric(flop/1e9*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
		})
		b.Run(fmt.Sprintf("shape=%dx%d/of=backward", s[0], s[1]), func(b *testing.B) {
			for b.Loop() {
				Backward(nil, &a, g, dy, p.x, h, p.w1, p.w2, p.rows, p.c, p.h, p.out, p.act)
			}
			b.ReportMetric(2*flop/1e9*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
		})
	}
}
