package norm

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func TestRMSNormByHand(t *testing.T) {
	dst, rstd := make([]float32, 4), make([]float32, 2)
	RMSNorm(dst, []float32{3, 4, 0, 0}, []float32{1, 2}, rstd, 2, 2, 0.5)
	r := 1 / math.Sqrt(12.5+0.5)
	kerneltest.ULPs(t, "y", dst, []float32{float32(3 * r), float32(8 * r), 0, 0}, 1)
	kerneltest.ULPs(t, "rstd", rstd, []float32{float32(r), float32(1 / math.Sqrt(0.5))}, 1)
}

func TestSimpleNormDividesByTheUnbiasedDeviationAndKeepsTheMean(t *testing.T) {
	dst, mean := make([]float32, 3), make([]float32, 1)
	SimpleNorm(dst, []float32{1, 2, 3}, nil, mean, nil, 1, 3, 0)
	kerneltest.ULPs(t, "y", dst, []float32{1, 2, 3}, 1) // the unbiased variance is 1
	kerneltest.Equal(t, "mean", mean, []float32{2})
	SimpleNorm(dst, []float32{5}, nil, nil, nil, 1, 1, 1e-6)
	if dst[0] == dst[0] {
		t.Errorf("one channel: %v, want NaN", dst[0])
	}
}

func TestRowScalesMatchFloat64(t *testing.T) {
	const rows = 5
	for _, c := range lengths() {
		if c < 2 {
			continue
		}
		x, g, dy := kerneltest.Guarded(t, rows*c), kerneltest.GuardedFront(t, c), kerneltest.Guarded(t, rows*c)
		kerneltest.Normal(x, uint64(c), 1, 2)
		kerneltest.Uniform(g, 2, 0.5, 2)
		kerneltest.Normal(dy, 3, 0, 1)
		dst, mean, rstd := kerneltest.GuardedFront(t, rows*c), kerneltest.Guarded(t, rows), kerneltest.Guarded(t, rows)
		y64, m64, r64, dx64, dg64 := make([]float64, rows*c), make([]float64, rows), make([]float64, rows), make([]float64, rows*c), make([]float64, c)
		for _, simple := range []bool{false, true} {
			what := fmt.Sprintf("c=%d simple=%v", c, simple)
			dx, dg := make([]float32, rows*c), make([]float32, c)
			clear(dg64)
			if simple {
				SimpleNorm(dst, x, g, mean, rstd, rows, c, 1e-6)
				SimpleNormGeneric(y64, kerneltest.Widen(x), kerneltest.Widen(g), m64, r64, rows, c, 1e-6)
				SimpleNormBackward(dx, dg, dy, x, g, mean, rstd, rows, c)
				SimpleNormBackwardGeneric(dx64, dg64, kerneltest.Widen(dy), kerneltest.Widen(x), kerneltest.Widen(g), m64, r64, rows, c)
			} else {
				RMSNorm(dst, x, g, rstd, rows, c, 1e-6)
				RMSNormGeneric(y64, kerneltest.Widen(x), kerneltest.Widen(g), r64, rows, c, 1e-6)
				RMSNormBackward(dx, dg, dy, x, g, rstd, rows, c)
				RMSNormBackwardGeneric(dx64, dg64, kerneltest.Widen(dy), kerneltest.Widen(x), kerneltest.Widen(g), r64, rows, c)
			}
			kerneltest.ULPs(t, what+" y", dst, kerneltest.Narrow(y64), 2)
			for r := range rows {
				large, scale := 0.0, 0.0
				for i := range c {
					large = max(large, math.Abs(float64(x[r*c+i]))*r64[r])
					scale = max(scale, math.Abs(float64(dy[r*c+i])*float64(g[i])))
				}
				for i := range c {
					if d := math.Abs(float64(dx[r*c+i]) - dx64[r*c+i]); !(d <= 0x1p-22*r64[r]*scale*(1+large*large)) {
						t.Fatalf("%s: dx[%d,%d] is off by %g", what, r, i, d)
					}
				}
			}
			kerneltest.Sum{N: rows, K: 4, Scale: 30}.Check(t, what+" dgamma", dg, dg64)
		}
	}
}

func TestRowScaleGradients(t *testing.T) {
	const rows, c, eps = 3, 7, 1e-3
	x, g := make([]float64, rows*c), make([]float64, c)
	kerneltest.Normal(x, 1, 0.5, 1)
	kerneltest.Uniform(g, 2, 0.5, 2)
	w, loss := kerneltest.Weighted(rows*c, 4)
	y, mean, rstd, dx, dg := make([]float64, rows*c), make([]float64, rows), make([]float64, rows), make([]float64, rows*c), make([]float64, c)

	rms := func([]float64) float64 { RMSNormGeneric(y, x, g, rstd, rows, c, eps); return loss(y) }
	rms(nil)
	RMSNormBackwardGeneric(dx, dg, w, x, g, rstd, rows, c)
	kerneltest.Gradient(t, rms, x, dx)
	kerneltest.Gradient(t, rms, g, dg)

	clear(dg)
	simple := func([]float64) float64 { SimpleNormGeneric(y, x, g, mean, rstd, rows, c, eps); return loss(y) }
	simple(nil)
	SimpleNormBackwardGeneric(dx, dg, w, x, g, mean, rstd, rows, c)
	kerneltest.Gradient(t, simple, x, dx)
	kerneltest.Gradient(t, simple, g, dg)
}
