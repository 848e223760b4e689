package norm

import (
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func TestNormalizeByHand(t *testing.T) {
	dst, norms := make([]float32, 6), make([]float32, 3)
	Normalize(dst, []float32{3, 4, 0, 0, 0, -1e-30}, norms, 3, 2, 1e-12)
	kerneltest.Equal(t, "y", dst, []float32{0.6, 0.8, 0, 0, 0, -1e-18})
	kerneltest.Equal(t, "norms", norms, []float32{5, 1e-12, 1e-12})
}

func TestNormalizeNeitherOverflowsNorVanishes(t *testing.T) {
	dst := make([]float32, 4)
	Normalize(dst, []float32{3e38, 3e38, 1e-40, 0}, nil, 2, 2, 0)
	kerneltest.ULPs(t, "y", dst, []float32{math.Sqrt2 / 2, math.Sqrt2 / 2, 1, 0}, 1)
}

func TestNormalizeOfZerosIsNaNWithoutEps(t *testing.T) {
	dst := make([]float32, 2)
	Normalize(dst, []float32{0, 0}, nil, 1, 2, 0)
	if dst[0] == dst[0] {
		t.Fatalf("got %v", dst)
	}
}

func TestNormalizeKeepsSpecialValuesInTheirRow(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	dst := make([]float32, 6)
	Normalize(dst, []float32{1, nan, 1, inf, 0, 2}, nil, 3, 2, 1e-12)
	kerneltest.Equal(t, "y", dst, []float32{nan, nan, 0, nan, 0, 1})
}

func TestNormalizeGradient(t *testing.T) {
	const rows, c, eps = 3, 9, 0.5
	x := make([]float64, rows*c)
	kerneltest.Normal(x, 1, 0.5, 2)
	for i := range c {
		x[c+i] *= 0.01 // a norm below eps
	}
	w, loss := kerneltest.Weighted(rows*c, 4)
	y, norms, dx := make([]float64, rows*c), make([]float64, rows), make([]float64, rows*c)
	f := func([]float64) float64 {
		NormalizeGeneric(y, x, norms, rows, c, eps)
		return loss(y)
	}
	f(nil)
	NormalizeBackwardGeneric(dx, w, y, norms, rows, c, eps)
	kerneltest.Gradient(t, f, x, dx)

	got := make([]float32, rows*c)
	NormalizeBackward(got, kerneltest.Narrow(w), kerneltest.Narrow(y), kerneltest.Narrow(norms), rows, c, eps)
	kerneltest.Sum{N: c, K: 4, Scale: 4 / eps}.Check(t, "float32", got, dx)
}
