package norm

import (
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func TestGroupNormGradient(t *testing.T) {
	const n, hw, c, groups, eps = 2, 5, 6, 3, 1e-3
	x, g, b := make([]float64, n*hw*c), make([]float64, c), make([]float64, c)
	kerneltest.Normal(x, 1, 0.5, 1)
	kerneltest.Uniform(g, 2, 0.5, 2)
	kerneltest.Normal(b, 3, 0, 1)
	w, loss := kerneltest.Weighted(n*hw*c, 4)
	y, mean, rstd := make([]float64, n*hw*c), make([]float64, n*groups), make([]float64, n*groups)
	dx, dg, db := make([]float64, n*hw*c), make([]float64, c), make([]float64, c)
	f := func([]float64) float64 {
		GroupNormGeneric(y, x, g, b, mean, rstd, n, hw, c, groups, eps)
		return loss(y)
	}
	f(nil)
	GroupNormBackwardGeneric(dx, dg, db, w, x, g, mean, rstd, n, hw, c, groups)
	kerneltest.Gradient(t, f, x, dx)
	kerneltest.Gradient(t, f, g, dg)
	kerneltest.Gradient(t, f, b, db)
}

// With one group over a single pixel GroupNorm is LayerNorm.
func TestGroupNormOfOnePixelIsLayerNorm(t *testing.T) {
	const n, c = 3, 8
	x, g, b := make([]float64, n*c), make([]float64, c), make([]float64, c)
	kerneltest.Normal(x, 1, 0, 1)
	kerneltest.Normal(g, 2, 1, 1)
	kerneltest.Normal(b, 3, 0, 1)
	y, want, mean, rstd := make([]float64, n*c), make([]float64, n*c), make([]float64, n), make([]float64, n)
	LayerNormGeneric(want, x, g, b, mean, rstd, n, c, 1e-6)
	GroupNormGeneric(y, x, g, b, mean, rstd, n, 1, c, 1, 1e-6)
	for i := range y {
		if math.Abs(y[i]-want[i]) > 1e-12 {
			t.Fatalf("element %d: %v, want %v", i, y[i], want[i])
		}
	}
}

// The steps that a backend composes GroupNorm of agree with its definition.
func TestGroupStepsMatchTheDefinition(t *testing.T) {
	const hw, c, groups, eps = 37, 12, 4, 1e-5
	x, g, b, dy := make([]float32, hw*c), make([]float32, c), make([]float32, c), make([]float32, hw*c)
	kerneltest.Normal(x, 1, 3, 1)
	kerneltest.Uniform(g, 2, 0.5, 2)
	kerneltest.Normal(b, 3, 0, 1)
	kerneltest.Normal(dy, 4, 0, 1)
	wide := kerneltest.Widen
	y64, mean64, rstd64 := make([]float64, hw*c), make([]float64, groups), make([]float64, groups)
	GroupNormGeneric(y64, wide(x), wide(g), wide(b), mean64, rstd64, 1, hw, c, groups, eps)
	dx64, dg64, db64 := make([]float64, hw*c), make([]float64, c), make([]float64, c)
	GroupNormBackwardGeneric(dx64, dg64, db64, wide(dy), wide(x), wide(g), mean64, rstd64, 1, hw, c, groups)

	means, m2s, counts := make([]float64, 2*c), make([]float64, 2*c), []int{20, hw - 20}
	Moments(means[:c], m2s[:c], x, 20, c)
	Moments(means[c:], m2s[c:], x[20*c:], hw-20, c)
	mean, rstd := make([]float64, groups), make([]float64, groups)
	GroupMoments(mean, rstd, means, m2s, counts, c, groups, eps)
	for i := range groups {
		if math.Abs(mean[i]-mean64[i]) > 1e-12 || math.Abs(rstd[i]-rstd64[i]) > 1e-9 {
			t.Fatalf("group %d: mean %v, 1/σ %v; want %v, %v", i, mean[i], rstd[i], mean64[i], rstd64[i])
		}
	}
	scale, shift := make([]float32, c), make([]float32, c)
	GroupScales(scale, shift, mean, rstd, g, b, c, groups)
	got := make([]float32, hw*c)
	for i, v := range x {
		got[i] = v*scale[i%c] + shift[i%c]
	}
	kerneltest.Sum{N: 1, K: 8, Scale: 30}.Check(t, "y", got, y64)

	m32, r32 := kerneltest.Narrow(mean), kerneltest.Narrow(rstd)
	mc, rc, sdy, sdyx := make([]float32, c), make([]float32, c), make([]float32, c), make([]float32, c)
	for j := range c {
		mc[j], rc[j] = m32[j/3], r32[j/3]
	}
	BatchNormBackwardSums(sdy, sdyx, dy, x, nil, mc, rc, hw, c)
	a, k, d := make([]float32, c), make([]float32, c), make([]float32, c)
	GroupGradients(a, k, d, sdy, sdyx, g, m32, r32, hw, c, groups)
	for i, v := range x {
		got[i] = dy[i]*a[i%c] + v*k[i%c] + d[i%c]
	}
	kerneltest.Sum{N: hw, K: 4, Scale: 10}.Check(t, "dx", got, dx64)
	kerneltest.Sum{N: hw, K: 4, Scale: 10}.Check(t, "dgamma", sdyx, dg64)
	kerneltest.Sum{N: hw, K: 4, Scale: 10}.Check(t, "dbeta", sdy, db64)
}
