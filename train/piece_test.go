package train

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

// updates are some parameters, the largest of more than one piece, and their
// gradients.
func updates() []Update {
	r := rand.New(rand.NewPCG(1, 2))
	s := nn.NewScope()
	var all []Update
	for i, n := range []int{1, 3 * span, 7, span + 1, span - 1} {
		p := s.Param(fmt.Sprint(i), nn.Ones, n)
		g := make([]float32, n)
		for i := range g {
			g[i] = float32(r.NormFloat64())
		}
		all = append(all, Update{p, g})
	}
	nn.Initialize(bag(s.Params()), 1)
	return all
}

type bag []*nn.Param

func (b bag) Params() []*nn.Param                         { return b }
func (b bag) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }

func TestPiecesCoverEveryElementOnce(t *testing.T) {
	all := updates()
	i, lo := 0, 0
	for _, p := range cut(all) {
		if p.of != i || p.lo != lo || p.hi <= lo || p.hi-p.lo > span || p.Param != all[i].Param {
			t.Fatalf("piece [%d,%d) of update %d, want one from %d on of %d", p.lo, p.hi, p.of, lo, i)
		}
		if lo = p.hi; lo == len(all[i].Gradient) {
			i, lo = i+1, 0
		}
	}
	if i != len(all) {
		t.Errorf("pieces of %d updates, want %d", i, len(all))
	}
}

func TestThreadsShareAStepAndDoNotChangeIt(t *testing.T) {
	for name, o := range map[string]func() Optimizer{
		"AdamW":    func() Optimizer { return &AdamW{WeightDecay: 0.1, Decay: DecayAll} },
		"SGD":      func() Optimizer { return &SGD{} },
		"momentum": func() Optimizer { return &SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 0.1} },
	} {
		alone := updates()
		by := o()
		for range 3 {
			if err := by.Step(alone, 0.1, 0.5); err != nil {
				t.Fatal(err)
			}
		}
		for _, threads := range []int{1, 2, 7} {
			dev, shared, by := nn.NewDevice(nn.DeviceOptions{Threads: threads}), updates(), o()
			for range 3 {
				if err := by.(threaded).stepOn(dev, shared, 0.1, 0.5); err != nil {
					t.Fatal(err)
				}
			}
			for i, u := range shared {
				if !slices.Equal(u.Param.Data(), alone[i].Param.Data()) {
					t.Errorf("%s: parameter %d differs with %d threads", name, i, threads)
				}
			}
		}
	}
}

func TestGradientNormOfAllPieces(t *testing.T) {
	all := updates()
	var sum float64
	for _, u := range all {
		for _, g := range u.Gradient {
			sum += float64(g) * float64(g)
		}
	}
	want := gradNorm(nil, all)
	if math.Abs(want-math.Sqrt(sum)) > 1e-12*want {
		t.Errorf("norm %v, want %v", want, math.Sqrt(sum))
	}
	for _, threads := range []int{1, 2, 7} {
		if got := gradNorm(nn.NewDevice(nn.DeviceOptions{Threads: threads}), all); got != want {
			t.Errorf("norm %v with %d threads, %v alone", got, threads, want)
		}
	}
}
