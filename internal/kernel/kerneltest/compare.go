package kerneltest

import (
	"math"
	"testing"
)

// Distance is the number of float32 values from a to b: 0 for equal ones (both
// zeros are equal, NaN is equal to NaN), 1 for neighbours. Between NaN and a
// number it is the largest integer.
func Distance(a, b float32) int64 {
	na, nb := a != a, b != b
	switch {
	case na && nb:
		return 0
	case na || nb:
		return math.MaxInt64
	}
	d := ordinal(a) - ordinal(b)
	return max(d, -d)
}

// ordinal numbers the floats in their order, both zeros being 0.
func ordinal(f float32) int64 {
	u := math.Float32bits(f)
	if u>>31 != 0 {
		return -int64(u & 0x7fffffff)
	}
	return int64(u)
}

// Equal fails the test unless got and want are the same bit by bit; NaN equals
// NaN whatever its payload. -0 differs from +0.
func Equal(t testing.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return
	}
	bad, first := 0, -1
	for i, g := range got {
		w := want[i]
		if math.Float32bits(g) == math.Float32bits(w) || g != g && w != w {
			continue
		}
		if bad++; first < 0 {
			first = i
		}
	}
	if bad > 0 {
		t.Errorf("%s: %d of %d elements differ, first at %d: got %v (%#08x), want %v (%#08x)", what, bad, len(got), first,
			got[first], math.Float32bits(got[first]), want[first], math.Float32bits(want[first]))
	}
}

// ULPs fails the test if some element of got is more than limit float32 values
// away from want, see [Distance]. It returns the largest distance found.
func ULPs(t testing.TB, what string, got, want []float32, limit int64) int64 {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return math.MaxInt64
	}
	worst, at := int64(0), -1
	for i, g := range got {
		if d := Distance(g, want[i]); d > worst {
			worst, at = d, i
		}
	}
	if worst > limit {
		t.Errorf("%s: element %d is %d ULPs off, bound %d: got %v, want %v", what, at, worst, limit, got[at], want[at])
	}
	return worst
}

// Sum is the bound for results that add up N terms in float32:
//
//	|got - want| <= K · √N · 2⁻²⁴ · scale
//
// Scale says how large the terms are, typically the root of their sum of
// squares over √N or their largest absolute value; Scales says it for each
// element and goes before Scale. K is the constant in the kernel's doc.go.
type Sum struct {
	N      int
	K      float64
	Scale  float64
	Scales []float64
}

// Check fails the test if some element of got lies further from want than the
// bound allows, and reports the one that exceeds it most. It returns the
// largest error in units of the bound: a suite's worst should come to at least
// a tenth, otherwise K is too generous.
func (s Sum) Check(t testing.TB, what string, got []float32, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d elements, want %d", what, len(got), len(want))
		return math.Inf(1)
	}
	unit := s.K * math.Sqrt(float64(max(s.N, 1))) * 0x1p-24
	worst, at := 0.0, -1
	for i, g := range got {
		bound := unit * s.Scale
		if s.Scales != nil {
			bound = unit * s.Scales[i]
		}
		if r := excess(float64(g), want[i], bound); r > worst {
			worst, at = r, i
		}
	}
	if worst > 1 {
		t.Errorf("%s: element %d of %d is off by %.3g times the bound (k=%g, n=%d): got %v, want %v",
			what, at, len(got), worst, s.K, s.N, got[at], want[at])
	}
	return worst
}

// excess is the error in units of bound.
func excess(got, want, bound float64) float64 {
	switch {
	case got == want || math.IsNaN(got) && math.IsNaN(want):
		return 0
	case math.IsNaN(got) || math.IsNaN(want) || math.IsInf(got, 0) || math.IsInf(want, 0) || bound == 0:
		return math.Inf(1)
	}
	return math.Abs(got-want) / bound
}
