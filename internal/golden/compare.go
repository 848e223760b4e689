package golden

import (
	"fmt"
	"math"
	"testing"
)

// Float is what computed values come in.
type Float interface{ float32 | float64 }

// Compare holds computed values to a reference that is stored as float64,
// float32 or both, either being nil otherwise.
//
//	float64 and float32   |got - f64| <= max(4 gap, 1e-6 largest)   gap: the largest |f32 - f64|
//	float64 alone         |got - f64| <= 1e-6 largest
//	float32 alone         |got - f32| <= 1e-5 largest
//
// with largest the largest magnitude of the reference. An element that is NaN on
// either side fails; an infinite one must be infinite the same way. Nothing to
// compare fails too. The test goes on after a failure, whose message has the
// worst element.
func Compare[T Float](t testing.TB, name string, got []T, want64 []float64, want32 []float32) {
	t.Helper()
	report(t, name, check(got, want64, want32))
}

// CompareGap is Compare for a float64 reference whose float32 counterpart is
// known by its largest deviation, max_abs_f32_vs_f64, alone:
// |got - want| <= max(4 gap, 1e-6 largest).
func CompareGap[T Float](t testing.TB, name string, got []T, want []float64, gap float64) {
	t.Helper()
	report(t, name, checkGap(got, want, gap))
}

// CompareWithin is Compare with a bound that an issue states:
// |got - want| <= relative * largest.
func CompareWithin[T, W Float](t testing.TB, name string, got []T, want []W, relative float64) {
	t.Helper()
	ref := wide(want)
	report(t, name, within(got, ref, relative*largest(ref)))
}

// CompareNorm is for a gradient that is not stored: its l2 norm within
// max(4 gap √n, 1e-5 l2) of the reference's, n its number of elements.
func CompareNorm[T Float](t testing.TB, name string, got []T, l2, gap float64) {
	t.Helper()
	report(t, name, checkNorm(got, l2, gap))
}

// CompareDirection holds ||got - want|| to relative * ||want||, the L2 norm over
// all elements: the comparison for gradients behind a ReLU that sits on a tie.
func CompareDirection[T, W Float](t testing.TB, name string, got []T, want []W, relative float64) {
	t.Helper()
	report(t, name, checkDirection(got, wide(want), relative))
}

// CompareInts wants equal whole numbers.
func CompareInts[T, W int | int8 | int16 | int32 | int64 | uint8](t testing.TB, name string, got []T, want []W) {
	t.Helper()
	report(t, name, checkInts(got, want))
}

func report(t testing.TB, name string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func check[T Float](got []T, want64 []float64, want32 []float32) error {
	switch {
	case want64 == nil && want32 == nil:
		return fmt.Errorf("no reference")
	case want64 == nil:
		ref := wide(want32)
		return within(got, ref, 1e-5*largest(ref))
	case want32 == nil:
		return checkGap(got, want64, 0)
	case len(want32) != len(want64):
		return fmt.Errorf("the reference has %d elements in float64 and %d in float32", len(want64), len(want32))
	}
	gap := 0.0
	for i, v := range want64 {
		w := float64(want32[i])
		if v == w {
			continue // infinite ones too
		}
		if d := math.Abs(w - v); !(d <= gap) {
			gap = d // NaN stays and is refused
		}
		if math.IsNaN(gap) {
			break
		}
	}
	return checkGap(got, want64, gap)
}

func checkGap[T Float](got []T, want []float64, gap float64) error {
	if !(gap >= 0) || math.IsInf(gap, 1) {
		return fmt.Errorf("the reference's own gap is %v", gap)
	}
	return within(got, want, max(4*gap, 1e-6*largest(want)))
}

// within is |got - want| <= bound for every element.
func within[T Float](got []T, want []float64, bound float64) error {
	switch {
	case len(got) != len(want):
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	case len(want) == 0:
		return fmt.Errorf("no elements to compare")
	case math.IsNaN(bound) || bound < 0:
		return fmt.Errorf("the bound is %v", bound)
	}
	worst, at, bad := -1.0, 0, 0
	for i, w := range want {
		v := float64(got[i])
		d := math.Abs(v - w)
		switch {
		case math.IsInf(w, 0) && v == w:
			d = 0
		case math.IsNaN(d), math.IsInf(w, 0):
			d = math.Inf(1)
		}
		if !(d <= bound) || math.IsInf(d, 1) {
			bad++
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if bad == 0 {
		return nil
	}
	return fmt.Errorf("%d of %d elements are off; the worst, element %d, is %v, want %v: differs by %.3g, bound %.3g (largest of the reference %.3g)",
		bad, len(want), at, got[at], want[at], math.Abs(float64(got[at])-want[at]), bound, largest(want))
}

// largest is the largest finite magnitude.
func largest(s []float64) float64 {
	m := 0.0
	for _, v := range s {
		if a := math.Abs(v); a > m && !math.IsInf(a, 1) {
			m = a
		}
	}
	return m
}

func checkNorm[T Float](got []T, l2, gap float64) error {
	if len(got) == 0 {
		return fmt.Errorf("no elements to compare")
	}
	if !(l2 >= 0) || !(gap >= 0) || math.IsInf(l2, 1) || math.IsInf(gap, 1) {
		return fmt.Errorf("the reference's norm is %v, its gap %v", l2, gap)
	}
	norm := 0.0
	for _, v := range got {
		norm += float64(v) * float64(v)
	}
	norm = math.Sqrt(norm)
	bound := max(4*gap*math.Sqrt(float64(len(got))), 1e-5*l2)
	if d := math.Abs(norm - l2); !(d <= bound) {
		return fmt.Errorf("l2 norm %v over %d elements, want %v: differs by %.3g, bound %.3g", norm, len(got), l2, d, bound)
	}
	return nil
}

func checkDirection[T Float](got []T, want []float64, relative float64) error {
	switch {
	case len(got) != len(want):
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	case len(want) == 0:
		return fmt.Errorf("no elements to compare")
	}
	diff, norm := 0.0, 0.0
	for i, w := range want {
		d := float64(got[i]) - w
		diff += d * d
		norm += w * w
	}
	diff, norm = math.Sqrt(diff), math.Sqrt(norm)
	if !(diff <= relative*norm) || math.IsInf(norm, 1) {
		return fmt.Errorf("l2 norm of the difference %.3g, of the reference %.3g: ratio %.3g, bound %.3g", diff, norm, diff/norm, relative)
	}
	return nil
}

func checkInts[T, W int | int8 | int16 | int32 | int64 | uint8](got []T, want []W) error {
	switch {
	case len(got) != len(want):
		return fmt.Errorf("%d elements, want %d", len(got), len(want))
	case len(want) == 0:
		return fmt.Errorf("no elements to compare")
	}
	for i, w := range want {
		if int64(got[i]) != int64(w) {
			return fmt.Errorf("element %d is %d, want %d", i, got[i], w)
		}
	}
	return nil
}

func wide[T Float](s []T) []float64 {
	if s == nil {
		return nil
	}
	w := make([]float64, len(s))
	for i, v := range s {
		w[i] = float64(v)
	}
	return w
}
