package norm

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// eachVariant runs f with every variant switched on in turn.
func eachVariant(t *testing.T, f func(t *testing.T)) {
	was := chosen
	t.Cleanup(func() { chosen = was })
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		chosen = v
		f(t)
	})
}

// lengths are all up to 257 and a few of networks.
func lengths() []int {
	var ns []int
	for n := range kerneltest.MaxLength + 1 {
		ns = append(ns, n)
	}
	return append(ns, 384, 511, 768, 1000)
}

// layerNormScales is |γ| max|x̂| + |β| of each element's row and column.
func layerNormScales(y, gamma, beta []float64, rows, c int) []float64 {
	s := make([]float64, rows*c)
	for r := range rows {
		m := 0.0
		for i := range c {
			m = max(m, math.Abs((y[r*c+i]-at(beta, i, 0))/at(gamma, i, 1)))
		}
		for i := range c {
			s[r*c+i] = math.Abs(at(gamma, i, 1))*m + math.Abs(at(beta, i, 0))
		}
	}
	return s
}

func at(s []float64, i int, otherwise float64) float64 {
	if s == nil {
		return otherwise
	}
	return s[i]
}

func TestLayerNormMatchesFloat64(t *testing.T) {
	const rows = 11
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for _, c := range lengths() {
			for _, mean := range []float64{0, 1000} {
				for with := range 4 {
					if with < 3 && c > 40 {
						continue
					}
					x, dst := kerneltest.Guarded(t, rows*c), kerneltest.GuardedFront(t, rows*c)
					mu, rstd := kerneltest.Guarded(t, rows), kerneltest.GuardedFront(t, rows)
					kerneltest.Normal(x, uint64(c), mean, 1)
					var gamma, beta []float32
					if with&1 != 0 {
						gamma = kerneltest.Guarded(t, c)
						kerneltest.Uniform(gamma, 1, 0.5, 2)
					}
					if with&2 != 0 {
						beta = kerneltest.Guarded(t, c)
						kerneltest.Normal(beta, 2, 0, 1)
					}
					LayerNorm(dst, x, gamma, beta, mu, rstd, rows, c, 1e-6)
					want, wantMu, wantRstd := make([]float64, rows*c), make([]float64, rows), make([]float64, rows)
					γ, β := kerneltest.Widen(gamma), kerneltest.Widen(beta)
					if c == 0 {
						continue
					}
					LayerNormGeneric(want, kerneltest.Widen(x), γ, β, wantMu, wantRstd, rows, c, float64(float32(1e-6)))
					what := fmt.Sprintf("c=%d mean=%g with=%d", c, mean, with)
					if c == 1 { // x - μ is 0, whatever ρ
						kerneltest.ULPs(t, what, dst, kerneltest.Narrow(want), 0)
					} else {
						worst = max(worst, kerneltest.Sum{N: c, K: 4, Scales: layerNormScales(want, γ, β, rows, c)}.Check(t, what, dst, want))
					}
					kerneltest.Sum{N: 1, K: 1, Scale: mean + 1}.Check(t, what+" mean", mu, wantMu)
					kerneltest.Sum{N: c, K: 2, Scales: wantRstd}.Check(t, what+" rstd", rstd, wantRstd)

					again := kerneltest.Guarded(t, rows*c)
					LayerNorm(again, x, gamma, beta, nil, nil, rows, c, 1e-6)
					kerneltest.Equal(t, what+" without statistics", again, dst)
					LayerNorm(x, x, gamma, beta, nil, nil, rows, c, 1e-6)
					kerneltest.Equal(t, what+" in place", x, dst)
				}
			}
		}
		t.Logf("worst error: %.2f of the bound", worst)
	})
}

func TestLayerNormByHand(t *testing.T) {
	// mean 2, variance 2/3; with ε = 1/3 the deviation is exactly 1.
	eachVariant(t, func(t *testing.T) {
		dst, mean, rstd := make([]float32, 6), make([]float32, 2), make([]float32, 2)
		LayerNorm(dst, []float32{1, 2, 3, 7, 7, 7}, []float32{2, 3, 4}, []float32{10, 20, 30}, mean, rstd, 2, 3, 1.0/3)
		kerneltest.ULPs(t, "y", dst, []float32{8, 20, 34, 10, 20, 30}, 1)
		kerneltest.Equal(t, "mean", mean, []float32{2, 7})
		kerneltest.ULPs(t, "rstd", rstd, []float32{1, float32(math.Sqrt(3))}, 1)
	})
}

func TestLayerNormRowDoesNotDependOnItsPlace(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range []int{5, 16, 96, 100} {
			const rows = 13
			x, dst, one := make([]float32, rows*c), make([]float32, rows*c), make([]float32, c)
			gamma := make([]float32, c)
			kerneltest.Normal(gamma, 4, 0, 1)
			for r := range rows {
				kerneltest.Normal(x[r*c:][:c], 9, 0, 1)
			}
			LayerNorm(dst, x, gamma, nil, nil, nil, rows, c, 1e-5)
			LayerNorm(one, x[:c], gamma, nil, nil, nil, 1, c, 1e-5)
			for r := range rows {
				kerneltest.Equal(t, fmt.Sprintf("c=%d row %d", c, r), dst[r*c:][:c], one)
			}
		}
	})
}

func TestLayerNormKeepsSpecialValuesInTheirRow(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range []int{1, 7, 8, 33, 96} {
			for _, v := range kerneltest.Specials() {
				x, dst := make([]float32, 3*c), make([]float32, 3*c)
				kerneltest.Normal(x, 5, 0, 1)
				x[c+c/2] = v
				LayerNorm(dst, x, nil, nil, nil, nil, 3, c, 1e-6)
				finite := !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0)
				for i, y := range dst {
					switch {
					case i/c != 1 && y != y:
						t.Fatalf("c=%d %v: element %d of another row is %v", c, v, i, y)
					case i/c == 1 && !finite && y == y:
						t.Fatalf("c=%d %v: element %d is %v, want NaN", c, v, i, y)
					case i/c == 1 && math.Abs(float64(v)) < 1e30 && y != y:
						t.Fatalf("c=%d %v: element %d is NaN", c, v, i)
					}
				}
			}
		}
	})
}

func TestLayerNormBackwardMatchesFloat64(t *testing.T) {
	const rows = 11
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for _, c := range lengths() {
			x, dy, dx := kerneltest.Guarded(t, rows*c), kerneltest.Guarded(t, rows*c), kerneltest.GuardedFront(t, rows*c)
			mean, rstd := kerneltest.Guarded(t, rows), kerneltest.Guarded(t, rows)
			gamma, dgamma, dbeta := kerneltest.Guarded(t, c), kerneltest.Guarded(t, c), kerneltest.Guarded(t, c)
			kerneltest.Normal(x, uint64(c), 1, 2)
			kerneltest.Normal(dy, uint64(c)+1000, 0.2, 1)
			kerneltest.Uniform(gamma, 3, 0.5, 2)
			kerneltest.Normal(dgamma, 6, 0, 1)
			kerneltest.Normal(dbeta, 7, 0, 1)
			LayerNorm(dx, x, nil, nil, mean, rstd, rows, c, 1e-3)
			wantDx, wantDγ, wantDβ := make([]float64, rows*c), kerneltest.Widen(dgamma), kerneltest.Widen(dbeta)
			γ, μ, ρ := kerneltest.Widen(gamma), kerneltest.Widen(mean), kerneltest.Widen(rstd)
			if c == 0 {
				LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, c)
				continue
			}
			LayerNormBackwardGeneric(wantDx, wantDγ, wantDβ, kerneltest.Widen(dy), kerneltest.Widen(x), γ, μ, ρ, rows, c)
			plain := make([]float64, rows*c)
			LayerNormBackwardGeneric(plain, nil, nil, kerneltest.Widen(dy), kerneltest.Widen(x), nil, μ, ρ, rows, c)
			LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, c)

			what := fmt.Sprintf("c=%d", c)
			var g, xh []float64
			for i := range wantDx {
				g = append(g, float64(dy[i])*γ[i%c])
				xh = append(xh, (float64(x[i])-μ[i/c])*ρ[i/c])
			}
			bound := kerneltest.Sum{N: c, K: 4, Scale: maxAbs(ρ) * maxAbs(g) * (1 + maxAbs(xh)) / 2}
			worst = max(worst, bound.Check(t, what+" dx", dx, wantDx))
			kerneltest.Sum{N: rows, K: 4, Scale: maxAbs(xh) * maxAbs(kerneltest.Widen(dy))}.Check(t, what+" dgamma", dgamma, wantDγ)
			kerneltest.Sum{N: rows, K: 4, Scale: maxAbs(kerneltest.Widen(dy))}.Check(t, what+" dbeta", dbeta, wantDβ)

			again := kerneltest.Guarded(t, rows*c)
			LayerNormBackward(again, nil, nil, dy, x, gamma, mean, rstd, rows, c)
			kerneltest.Equal(t, what+" dx alone", again, dx)
			for _, only := range []bool{true, false} {
				d := make([]float32, c)
				a, b := d, []float32(nil)
				if only {
					a, b = nil, d
				}
				LayerNormBackward(again, a, b, dy, x, gamma, mean, rstd, rows, c)
				kerneltest.Equal(t, what+" dx with one of dgamma, dbeta", again, dx)
				if c > 1 && d[0] == 0 {
					t.Errorf("%s: a lone gradient was not added to", what)
				}
			}
			LayerNormBackward(dy, nil, nil, dy, x, nil, mean, rstd, rows, c)
			bound.Check(t, what+" dx without gamma, in place", dy, plain)
		}
		t.Logf("worst error: %.2f of the bound", worst)
	})
}

func maxAbs(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, math.Abs(v))
	}
	return m
}

func TestLayerNormGradient(t *testing.T) {
	const rows, c = 3, 11
	x, gamma, beta := make([]float64, rows*c), make([]float64, c), make([]float64, c)
	kerneltest.Normal(x, 1, 0.5, 2)
	kerneltest.Normal(gamma, 2, 1, 0.3)
	kerneltest.Normal(beta, 3, 0, 1)
	w, loss := kerneltest.Weighted(rows*c, 4)
	mean, rstd, y := make([]float64, rows), make([]float64, rows), make([]float64, rows*c)
	f := func([]float64) float64 {
		LayerNormGeneric(y, x, gamma, beta, mean, rstd, rows, c, 1e-5)
		return loss(y)
	}
	f(nil)
	dx, dgamma, dbeta := make([]float64, rows*c), make([]float64, c), make([]float64, c)
	LayerNormBackwardGeneric(dx, dgamma, dbeta, w, x, gamma, mean, rstd, rows, c)
	kerneltest.Gradient(t, f, x, dx)
	kerneltest.Gradient(t, f, gamma, dgamma)
	kerneltest.Gradient(t, f, beta, dbeta)
}

func TestWrongLengthsPanic(t *testing.T) {
	s := make([]float32, 8)
	for name, f := range map[string]func(){
		"dst":   func() { LayerNorm(s[:7], s, nil, nil, nil, nil, 2, 4, 0) },
		"gamma": func() { LayerNorm(s, s, s[:3], nil, nil, nil, 2, 4, 0) },
		"rstd":  func() { LayerNorm(s, s, nil, nil, nil, s[:1], 2, 4, 0) },
		"rows":  func() { LayerNorm(s, s, nil, nil, nil, nil, -1, 4, 0) },
		"mean":  func() { LayerNormBackward(s, nil, nil, s, s, nil, nil, s, 2, 4) },
		"total": func() { BatchNormBackward(s, s, s, s, s, nil, s, s, 2, 4, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
