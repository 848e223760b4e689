package kerneltest

import (
	"math"
	"testing"
)

// Gradient holds grad, the derivative of f at x that a kernel computed, to
// central differences with h = 6e-6·max(1,|x|), the step that balances their
// two errors in float64:
//
//	|grad[i] - (f(x+h) - f(x-h)) / 2h| <= 1e-6 · scale
//
// scale is the largest |grad|, or 1e-3 if all are smaller: f's rounding errors
// are proportional to f, so an element that happens to be tiny cannot be held
// to its own size. f must be smooth within h of x in every element; it may
// read x only. x is unchanged afterwards. It returns the largest error over
// scale.
func Gradient(t testing.TB, f func(x []float64) float64, x, grad []float64) float64 {
	t.Helper()
	const tolerance = 1e-6
	if len(grad) != len(x) {
		t.Fatalf("kerneltest: a gradient of %d elements for %d", len(grad), len(x))
	}
	scale := 1e-3
	for _, g := range grad {
		scale = max(scale, math.Abs(g)) // NaN stays NaN and fails below
	}
	worst, at, diff := 0.0, -1, 0.0
	for i, v := range x {
		h := 6e-6 * max(1, math.Abs(v))
		hi, lo := v+h, v-h
		x[i] = hi
		up := f(x)
		x[i] = lo
		down := f(x)
		x[i] = v
		d := (up - down) / (hi - lo)
		e := math.Abs(grad[i]-d) / scale
		if math.IsNaN(e) {
			e = math.Inf(1)
		}
		if e > worst {
			worst, at, diff = e, i, d
		}
	}
	if worst > tolerance {
		t.Errorf("gradient element %d of %d: got %v, central difference %v, error %.3g of scale %.3g (bound %g)",
			at, len(x), grad[at], diff, worst, scale, tolerance)
	}
	return worst
}

// Weighted returns f(y) = Σ w·y with fixed random weights: a scalar of a
// kernel's result whose derivative with respect to the result is the weights.
func Weighted(n int, seed uint64) (w []float64, f func(y []float64) float64) {
	w = make([]float64, n)
	Normal(w, seed, 0, 1)
	return w, func(y []float64) float64 {
		s := 0.0
		for i, v := range y {
			s += w[i] * v
		}
		return s
	}
}
