package golden

import (
	"math"
	"strings"
	"testing"
)

var (
	nan = math.NaN()
	inf = math.Inf(1)
)

func TestBoundIsTheStatedOne(t *testing.T) {
	for _, c := range []struct {
		name   string
		got    []float64
		want64 []float64
		want32 []float32
		ok     bool
	}{
		{"both, within 4 gap", []float64{1.0 + 4*0.125 - 1e-9, 8}, []float64{1, 8}, []float32{1, 8.125}, true},
		{"both, beyond 4 gap", []float64{1.0 + 4*0.125 + 1e-9, 8}, []float64{1, 8}, []float32{1, 8.125}, false},
		{"both equal, within 1e-6 of the largest", []float64{1 + 7.9e-6, 8}, []float64{1, 8}, []float32{1, 8}, true},
		{"both equal, beyond", []float64{1 + 8.1e-6, 8}, []float64{1, 8}, []float32{1, 8}, false},
		{"float64 alone, within", []float64{-8 + 7.9e-6, 0}, []float64{-8, 0}, nil, true},
		{"float64 alone, beyond", []float64{-8 + 8.1e-6, 0}, []float64{-8, 0}, nil, false},
		{"float32 alone, within 1e-5", []float64{1 + 79e-6, 8}, nil, []float32{1, 8}, true},
		{"float32 alone, beyond", []float64{1 + 81e-6, 8}, nil, []float32{1, 8}, false},
		{"no reference", []float64{1}, nil, nil, false},
		{"nothing", []float64{}, []float64{}, nil, false},
		{"too short", []float64{1}, []float64{1, 2}, nil, false},
		{"too long", []float64{1, 2, 3}, []float64{1, 2}, nil, false},
		{"references of two lengths", []float64{1, 2}, []float64{1, 2}, []float32{1}, false},
		{"zeros", []float64{0, 0}, []float64{0, 0}, []float32{0, 0}, true},
		{"not quite zero", []float64{0, 1e-30}, []float64{0, 0}, []float32{0, 0}, false},
		{"NaN", []float64{nan, 1}, []float64{1, 1}, nil, false},
		{"NaN against infinity", []float64{nan}, []float64{inf}, nil, false},
		{"NaN in the reference", []float64{1, 1}, []float64{nan, 1}, nil, false},
		{"NaN on both sides", []float64{nan, 1}, []float64{nan, 1}, []float32{float32(nan), 1}, false},
		{"NaN in float32", []float64{1, 1}, []float64{1, 1}, []float32{float32(nan), 1}, false},
		{"equal infinities", []float64{inf, -inf, 1}, []float64{inf, -inf, 1}, []float32{float32(inf), float32(-inf), 1}, true},
		{"opposite infinities", []float64{inf, 1}, []float64{-inf, 1}, nil, false},
		{"finite for infinite", []float64{1e300, 1}, []float64{inf, 1}, nil, false},
		{"infinite for finite", []float64{inf, 1}, []float64{1, 1}, nil, false},
		{"an infinity hides nothing", []float64{inf, 1.1}, []float64{inf, 1}, nil, false},
		{"float32 overflows", []float64{1e300}, []float64{1e300}, []float32{float32(inf)}, false},
	} {
		if err := check(c.got, c.want64, c.want32); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestKnownGapWidensTheBoundFourfold(t *testing.T) {
	for _, c := range []struct {
		got, gap float64
		ok       bool
	}{{1 + 3.9e-3, 1e-3, true}, {1 + 4.1e-3, 1e-3, false}, {1 + 0.9e-6, 0, true}, {1 + 1.1e-6, 0, false}, {1, nan, false}, {1, -1, false}, {1, inf, false}} {
		if err := checkGap([]float64{c.got}, []float64{1}, c.gap); (err == nil) != c.ok {
			t.Errorf("%v with gap %v: %v", c.got, c.gap, err)
		}
	}
}

func TestFailureReportsTheWorstElement(t *testing.T) {
	_, failed := run(t, func(t testing.TB) {
		Compare(t, "train.logits", []float32{1, 2.5, 3.25}, []float64{1, 2, 3}, nil)
	})
	for _, part := range []string{"train.logits", "2 of 3", "element 1", "2.5", "want 2", "differs by 0.5", "bound 3e-06"} {
		if !strings.Contains(failed, part) {
			t.Errorf("%q does not say %q", failed, part)
		}
	}
	if _, failed := run(t, func(t testing.TB) { CompareWithin(t, "x", []float32{1, 4}, []float32{1.00007, 4}, 2e-5) }); failed != "" {
		t.Errorf("within 2e-5 of 4: %s", failed)
	}
	if _, failed := run(t, func(t testing.TB) { CompareWithin(t, "x", []float32{1, 4}, []float32{1.00009, 4}, 2e-5) }); failed == "" {
		t.Error("beyond 2e-5 of 4: no failure")
	}
}

func TestNormsAreHeldToTheirBounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		got     []float64
		l2, gap float64
		ok      bool
	}{
		{"exact", []float64{3, 4}, 5, 0, true},
		{"within 1e-5", []float64{3, 4}, 5.00004, 0, true},
		{"beyond 1e-5", []float64{3, 4}, 5.00006, 0, false},
		{"within 4 gap √n", []float64{3, 4}, 5 + 4e-3*1.41, 1e-3, true},
		{"beyond 4 gap √n", []float64{3, 4}, 5 + 4e-3*1.42, 1e-3, false},
		{"NaN", []float64{nan}, 5, 0, false},
		{"NaN reference", []float64{1}, nan, 0, false},
		{"infinite", []float64{inf}, 5, 0, false},
		{"none", nil, 0, 0, false},
	} {
		if err := checkNorm(c.got, c.l2, c.gap); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, c := range []struct {
		name      string
		got, want []float64
		ok        bool
	}{
		{"equal", []float64{3, 4}, []float64{3, 4}, true},
		{"within", []float64{3, 4.049}, []float64{3, 4}, true},
		{"beyond", []float64{3, 4.051}, []float64{3, 4}, false},
		{"zeros", []float64{0}, []float64{0}, true},
		{"not zero", []float64{1e-9}, []float64{0}, false},
		{"NaN", []float64{nan, 4}, []float64{3, 4}, false},
		{"NaN reference", []float64{3, 4}, []float64{nan, 4}, false},
		{"infinite reference", []float64{3, 4}, []float64{inf, 4}, false},
		{"lengths", []float64{3}, []float64{3, 4}, false},
		{"none", nil, nil, false},
	} {
		if err := checkDirection(c.got, c.want, 1e-2); (err == nil) != c.ok {
			t.Errorf("direction, %s: %v", c.name, err)
		}
	}
}

func TestWholeNumbersMustBeEqual(t *testing.T) {
	if err := checkInts([]int{1, 2}, []int64{1, 2}); err != nil {
		t.Error(err)
	}
	if err := checkInts([]int{1, 2}, []int64{1, 3}); err == nil || !strings.Contains(err.Error(), "element 1 is 2, want 3") {
		t.Errorf("%v", err)
	}
	if checkInts([]int{1}, []int64{1, 3}) == nil || checkInts([]int(nil), []int64{}) == nil {
		t.Error("lengths are not compared")
	}
}
