package activation

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

const u = 0x1p-24

// bound is an error that doc.go promises: relative to the exact value, plus
// absolute, the latter scaled by max(1,|x|) if scaled.
type bound struct {
	relative, absolute float64
	scaled             bool
}

func (b bound) at(x, want float64) float64 {
	e := b.absolute
	if b.scaled {
		e *= max(1, math.Abs(x))
	}
	return e + b.relative*math.Abs(want)
}

// The bounds of doc.go. A result is rounded to float32 at the end, which is
// half of a denormal's spacing where it is denormal.
var forwardBounds = map[kernel.Activation]bound{
	kernel.ReLU:      {},
	kernel.GELU:      {absolute: 4 * u, scaled: true},
	kernel.GELUTanh:  {absolute: 3 * u, scaled: true},
	kernel.QuickGELU: {absolute: 3 * u, scaled: true},
	kernel.SiLU:      {absolute: 3 * u, scaled: true},
	kernel.Sigmoid:   {relative: 4 * u, absolute: 0x1p-125},
}

var backwardBounds = map[kernel.Activation]bound{
	kernel.ReLU:      {},
	kernel.GELU:      {absolute: 5 * u},
	kernel.GELUTanh:  {absolute: 4 * u},
	kernel.QuickGELU: {absolute: 4 * u},
	kernel.SiLU:      {absolute: 4 * u},
	kernel.Sigmoid:   {relative: 6 * u, absolute: 0x1p-125},
}

// sweep is a dense set of inputs: the interesting range in small steps, every
// exponent of either sign with a few mantissas, and the special values.
func sweep() []float32 {
	var x []float32
	for v := -32.0; v <= 32; v += 1.0 / 8192 {
		x = append(x, float32(v*(1+1e-5)))
	}
	for v := -110.0; v <= 110; v += 1.0 / 256 {
		x = append(x, float32(v*(1+1e-5)))
	}
	for e := range uint32(255) {
		for _, m := range []uint32{0, 1, 0x2aaaab, 0x3504f3, 0x7fffff} {
			f := math.Float32frombits(e<<23 | m)
			x = append(x, f, -f)
		}
	}
	for _, bits := range []uint32{0x7fc00001, 0x7f800001, 0xffc00001, 0x7fffffff, 0xffffffff, 0x7fc001ff} { // NaNs of several payloads
		x = append(x, math.Float32frombits(bits))
	}
	return append(x, kerneltest.Specials()...)
}

// worst is the largest error over its bound.
func worst(t *testing.T, what string, b bound, x, got []float32, want func(float32) float64) float64 {
	t.Helper()
	largest, at := 0.0, -1
	for i, g := range got {
		w := want(x[i])
		switch {
		case math.IsNaN(w) && g != g, w == float64(g):
			continue
		}
		e := math.Abs(float64(g)-w) / b.at(float64(x[i]), w)
		if math.IsNaN(e) || math.IsInf(w, 0) {
			e = math.Inf(1)
		}
		if e > largest {
			largest, at = e, i
		}
	}
	if largest > 1 {
		t.Errorf("%s: x = %v (%#08x): got %v, want %v, error %.3g of the bound", what, x[at], math.Float32bits(x[at]), got[at], want(x[at]), largest)
	}
	return largest
}

func TestForwardStaysWithinItsBound(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f, x := choose(v), sweep()
		got := make([]float32, len(x))
		for _, act := range kernel.Activations() {
			f.apply(got, x, act)
			w := worst(t, act.String(), forwardBounds[act], x, got, func(x float32) float64 {
				if act == kernel.ReLU {
					return float64(kernel.Apply(act, x))
				}
				return kernel.Apply(act, float64(x))
			})
			t.Logf("%v: %.2f of the bound", act, w)
		}
	})
}

func TestBackwardStaysWithinItsBound(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f, x := choose(v), sweep()
		got, one := make([]float32, len(x)), make([]float32, len(x))
		for i := range one {
			one[i] = 1
		}
		for _, act := range kernel.Activations() {
			f.gradient(got, one, x, act)
			w := worst(t, act.String(), backwardBounds[act], x, got, func(x float32) float64 { return kernel.Derivative(act, float64(x)) })
			t.Logf("%v: %.2f of the bound", act, w)
		}
	})
}

func TestExpIsWithinOneULP(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		x := sweep()
		for f := float32(88.7); f < 88.8; f = math.Nextafter32(f, 100) {
			x = append(x, f)
		}
		got, want := make([]float32, len(x)), make([]float32, len(x))
		choose(v).exp(got, x)
		ExpGeneric(want, x)
		kerneltest.ULPs(t, "exp", got, want, 1)
	})
}

// each calls f with every kernel as a function of an input, an upstream
// gradient and a result.
func each(f functions, call func(name string, run func(dst, dy, x []float32))) {
	for _, act := range append(kernel.Activations(), kernel.Identity) {
		call("forward/"+act.String(), func(dst, _, x []float32) { f.apply(dst, x, act) })
		call("backward/"+act.String(), func(dst, dy, x []float32) { f.gradient(dst, dy, x, act) })
	}
	call("backward/relu from output", f.reluFromOutput)
	call("exponential/exp", func(dst, _, x []float32) { f.exp(dst, x) })
}

// TestAnElementDoesNotDependOnItsPlace also covers all lengths, guard pages
// and special values among others.
func TestAnElementDoesNotDependOnItsPlace(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		const n = kerneltest.MaxLength
		x, dy := make([]float32, n), make([]float32, n)
		kerneltest.Normal(x, 1, 0, 3)
		kerneltest.Normal(dy, 2, 0, 1)
		kerneltest.Sprinkle(x, 3, 7)
		kerneltest.Sprinkle(dy, 4, 9)
		each(choose(v), func(name string, run func(dst, dy, x []float32)) {
			want := make([]float32, n)
			for i := range n { // one by one
				run(want[i:][:1], dy[i:][:1], x[i:][:1])
			}
			for length := range n + 1 {
				if length > 70 && length%5 > 0 {
					continue
				}
				a, b, dst := kerneltest.Guarded(t, length), kerneltest.Guarded(t, length), kerneltest.Guarded(t, length)
				copy(a, x)
				copy(b, dy)
				run(dst, b, a)
				kerneltest.Equal(t, fmt.Sprintf("%s, n=%d", name, length), dst, want[:length])
			}
			front, fdy, fdst := kerneltest.GuardedFront(t, n-3), kerneltest.GuardedFront(t, n-3), kerneltest.GuardedFront(t, n-3)
			copy(front, x[3:])
			copy(fdy, dy[3:])
			run(fdst, fdy, front)
			kerneltest.Equal(t, name+", shifted", fdst, want[3:])
		})
	})
}

func TestResultMayReplaceAnArgument(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		const n = 203
		x, dy := make([]float32, n), make([]float32, n)
		kerneltest.Normal(x, 1, 0, 3)
		kerneltest.Normal(dy, 2, 0, 1)
		each(choose(v), func(name string, run func(dst, dy, x []float32)) {
			want := make([]float32, n)
			run(want, dy, x)
			a := append([]float32(nil), x...)
			run(a, dy, a)
			kerneltest.Equal(t, name+" into x", a, want)
			b := append([]float32(nil), dy...)
			run(b, b, x)
			if name[0] == 'b' {
				kerneltest.Equal(t, name+" into dy", b, want)
			}
		})
	})
}

func TestLongSlicesAreCutWithoutASeam(t *testing.T) {
	const n = 40_003
	x, dy := make([]float32, n), make([]float32, n)
	kerneltest.Normal(x, 1, 0, 3)
	kerneltest.Normal(dy, 2, 0, 1)
	each(fast, func(name string, run func(dst, dy, x []float32)) {
		got, want := make([]float32, n), make([]float32, n)
		run(got, dy, x)
		for i := 0; i < n; i += 1000 {
			end := min(i+1000, n)
			run(want[i:end], dy[i:end], x[i:end])
		}
		kerneltest.Equal(t, name, got, want)
	})
}

func TestGradientMatchesCentralDifferences(t *testing.T) {
	const n = 64
	for _, act := range kernel.Activations() {
		x := make([]float64, n)
		kerneltest.Normal(x, 5, 0, 2)
		for i, v := range x { // away from the kink at 0
			if math.Abs(v) < 0.01 {
				x[i] = v + math.Copysign(0.01, v)
			}
		}
		y, dx := make([]float64, n), make([]float64, n)
		dy, loss := kerneltest.Weighted(n, 6)
		BackwardGeneric(dx, dy, x, act)
		kerneltest.Gradient(t, func(x []float64) float64 {
			ForwardGeneric(y, x, act)
			return loss(y)
		}, x, dx)
		if act == kernel.ReLU {
			from := make([]float64, n)
			ForwardGeneric(y, x, act)
			ReLUBackwardFromOutputGeneric(from, dy, y)
			for i := range from {
				if from[i] != dx[i] {
					t.Errorf("relu from output: element %d: %v, from input %v", i, from[i], dx[i])
				}
			}
		}
	}
}

func TestInfinitiesGiveTheLimits(t *testing.T) {
	inf := float32(math.Inf(1))
	x, one := []float32{-inf, inf}, []float32{1, 1}
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for _, act := range kernel.Activations() {
			forward, backward := []float32{0, inf}, []float32{0, 1}
			if act == kernel.Sigmoid {
				forward, backward = []float32{0, 1}, []float32{0, 0}
			}
			y, dx := make([]float32, 2), make([]float32, 2)
			f.apply(y, x, act)
			kerneltest.ULPs(t, act.String(), y, forward, 0)
			f.gradient(dx, one, x, act)
			kerneltest.ULPs(t, act.String()+"'s derivative", dx, backward, 0)
		}
	})
}

func TestReLUGradientChooses(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		x := []float32{-1, 0, 1, inf, -inf, nan, -2, 3, 1e-45}
		dy := []float32{inf, nan, nan, 2, 3, 4, -inf, -inf, 5}
		dx := make([]float32, len(x))
		choose(v).gradient(dx, dy, x, kernel.ReLU)
		kerneltest.Equal(t, "relu", dx, []float32{0, 0, nan, 2, 0, nan, 0, -inf, 5})
	})
}

func TestWrongLengthsPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"Forward":  func() { Forward(make([]float32, 2), make([]float32, 3), kernel.ReLU) },
		"Backward": func() { Backward(make([]float32, 2), make([]float32, 2), make([]float32, 3), kernel.GELU) },
		"ReLU":     func() { ReLUBackwardFromOutput(make([]float32, 2), make([]float32, 1), make([]float32, 2)) },
		"Exp":      func() { Exp(make([]float32, 3), make([]float32, 2)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted different lengths", name)
				}
			}()
			f()
		}()
	}
}
