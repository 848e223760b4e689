package norm

import (
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func TestGRNByHand(t *testing.T) {
	// Norms 5 and 0, their mean 2.5.
	x := []float64{3, 0, 4, 0}
	y, norms := make([]float64, 4), make([]float64, 2)
	GRNGeneric(y, x, []float64{0.5, 7}, []float64{1, -1}, norms, 1, 2, 2, 0)
	want := []float64{3 + 1 + 0.5*3*2, -1, 4 + 1 + 0.5*4*2, -1}
	for i := range y {
		if y[i] != want[i] {
			t.Errorf("element %d: %v, want %v", i, y[i], want[i])
		}
	}
}

func TestGRNGradient(t *testing.T) {
	const n, hw, c, eps = 2, 5, 4, 1e-3
	x, w, b := make([]float64, n*hw*c), make([]float64, c), make([]float64, c)
	kerneltest.Normal(x, 1, 0.2, 1)
	kerneltest.Normal(w, 2, 0, 1)
	kerneltest.Normal(b, 3, 0, 1)
	dy, loss := kerneltest.Weighted(n*hw*c, 4)
	y, norms := make([]float64, n*hw*c), make([]float64, n*c)
	dx, dw, db := make([]float64, n*hw*c), make([]float64, c), make([]float64, c)
	f := func([]float64) float64 { GRNGeneric(y, x, w, b, norms, n, hw, c, eps); return loss(y) }
	f(nil)
	GRNBackwardGeneric(dx, dw, db, dy, x, w, norms, n, hw, c, eps)
	kerneltest.Gradient(t, f, x, dx)
	kerneltest.Gradient(t, f, w, dw)
	kerneltest.Gradient(t, f, b, db)
}

func TestGRNOfAChannelOfZerosHasAGradient(t *testing.T) {
	x, dy := []float64{1, 0, 2, 0}, []float64{1, 1, 1, 1}
	w, norms := []float64{0.5, 0.5}, make([]float64, 2)
	y, dx, dw, db := make([]float64, 4), make([]float64, 4), make([]float64, 2), make([]float64, 2)
	GRNGeneric(y, x, w, []float64{0, 0}, norms, 1, 2, 2, 1e-6)
	GRNBackwardGeneric(dx, dw, db, dy, x, w, norms, 1, 2, 2, 1e-6)
	if dx[1] != 1 || dx[3] != 1 || dw[1] != 0 {
		t.Errorf("dx %v, dweight %v", dx, dw)
	}
}

// The steps that a backend composes GRN of agree with its definition.
func TestResponseStepsMatchTheDefinition(t *testing.T) {
	const hw, c, eps = 31, 9, 1e-6
	x, w, dy := make([]float32, hw*c), make([]float32, c), make([]float32, hw*c)
	kerneltest.Normal(x, 1, 0, 1)
	kerneltest.Normal(w, 2, 0, 1)
	kerneltest.Normal(dy, 3, 0, 1)
	for p := range hw {
		x[p*c+4] = 0
	}
	wide := kerneltest.Widen
	y64, norms64, bias := make([]float64, hw*c), make([]float64, c), make([]float64, c)
	GRNGeneric(y64, wide(x), wide(w), bias, norms64, 1, hw, c, eps)
	dx64, dw64, db64 := make([]float64, hw*c), make([]float64, c), make([]float64, c)
	GRNBackwardGeneric(dx64, dw64, db64, wide(dy), wide(x), wide(w), norms64, 1, hw, c, eps)

	norms, dots := kerneltest.Narrow(norms64), make([]float64, c)
	for i, v := range dy {
		dots[i%c] += float64(v) * float64(x[i])
	}
	s, k, dw := make([]float32, c), make([]float32, c), make([]float32, c)
	ResponseScale(s, norms, w, c, eps)
	ResponseGradient(k, dw, norms, kerneltest.Narrow(dots), w, c, eps)
	y, dx := make([]float32, hw*c), make([]float32, hw*c)
	for i, v := range x {
		y[i] = v * s[i%c]
		dx[i] = dy[i]*s[i%c] + v*k[i%c]
	}
	kerneltest.Sum{N: 1, K: 4, Scale: 10}.Check(t, "y", y, y64)
	kerneltest.Sum{N: 1, K: 8, Scale: 10}.Check(t, "dx", dx, dx64)
	kerneltest.Sum{N: 1, K: 4, Scale: 20}.Check(t, "dweight", dw, dw64)
}
