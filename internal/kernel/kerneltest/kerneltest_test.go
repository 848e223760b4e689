package kerneltest

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
)

// recorder is a TB that remembers failures instead of failing.
type recorder struct {
	testing.TB
	failures []string
	cleanup  []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanup = append(r.cleanup, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) end() {
	for i := len(r.cleanup) - 1; i >= 0; i-- {
		r.cleanup[i]()
	}
	r.cleanup = nil
}

func TestGuardedSlicesHaveTheirLengthAndAreZero(t *testing.T) {
	for _, n := range []int{0, 1, 7, 257, 1024, 1025, 5000} {
		for _, s := range [][]float32{Guarded(t, n), GuardedFront(t, n)} {
			if len(s) != n || cap(s) != n {
				t.Fatalf("n=%d: length %d, capacity %d", n, len(s), cap(s))
			}
			for i := range s {
				if s[i] != 0 {
					t.Fatalf("n=%d: element %d is %v", n, i, s[i])
				}
				s[i] = 1
			}
		}
	}
	if b := GuardedOf[int8](t, 13); len(b) != 13 {
		t.Fatalf("length %d", len(b))
	}
}

func TestBrokenPatternIsReported(t *testing.T) {
	side := []byte{canary, canary, canary, canary}
	if broken(side, true) != 0 || broken(side, false) != 0 || broken(nil, true) != 0 {
		t.Fatal("an intact pattern is reported")
	}
	side[1] = 0
	if i := broken(side, true); i != 3 {
		t.Errorf("from the back: %d, want 3", i)
	}
	if i := broken(side, false); i != 2 {
		t.Errorf("from the front: %d, want 2", i)
	}
	r := &recorder{TB: t}
	all := Guarded(r, 8)
	_ = all
	if len(r.cleanup) == 0 {
		t.Fatal("nothing is checked at the end")
	}
	r.end()
	if len(r.failures) != 0 {
		t.Fatalf("failures without a cause: %v", r.failures)
	}
}

// TestReadingPastTheEndFaults starts itself again, because a fault ends the
// process.
func TestReadingPastTheEndFaults(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("guard pages exist on linux only")
	}
	if where := os.Getenv("KERNELTEST_FAULT"); where != "" {
		fault(t, where)
		return
	}
	for _, where := range []string{"end", "front"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestReadingPastTheEndFaults$")
		cmd.Env = append(os.Environ(), "KERNELTEST_FAULT="+where)
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "unexpected fault address") {
			t.Errorf("%s: err %v, output %s", where, err, out)
		}
	}
}

func TestEachVariantRunsGenericFirst(t *testing.T) {
	var got []cpu.Variant
	EachVariant(t, func(t *testing.T, v cpu.Variant) {
		if !strings.HasSuffix(t.Name(), "/impl="+string(v)) {
			t.Errorf("name %s for %s", t.Name(), v)
		}
		got = append(got, v)
	})
	if len(got) == 0 || got[0] != cpu.Generic || len(got) != len(cpu.Variants()) {
		t.Fatalf("ran %v of %v", got, cpu.Variants())
	}
}

func TestDistanceCountsFloats(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	negZero := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		a, b float32
		want int64
	}{
		{1, 1, 0}, {1, 1 + 0x1p-23, 1}, {1, 1 - 0x1p-24, 1}, {0, negZero, 0},
		{math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 2},
		{inf, math.MaxFloat32, 1}, {nan, nan, 0}, {nan, 1, math.MaxInt64},
	} {
		if got := Distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%v, %v) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestComparisonsReportWhatTheyShould(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	negZero := float32(math.Copysign(0, -1))
	for _, c := range []struct {
		name string
		run  func(t testing.TB)
		fail bool
	}{
		{"equal", func(t testing.TB) { Equal(t, "x", []float32{1, nan, inf}, []float32{1, nan, inf}) }, false},
		{"equal sign of zero", func(t testing.TB) { Equal(t, "x", []float32{0}, []float32{negZero}) }, true},
		{"equal length", func(t testing.TB) { Equal(t, "x", nil, []float32{1}) }, true},
		{"ulps within", func(t testing.TB) { ULPs(t, "x", []float32{1, nan}, []float32{1 + 0x1p-23, nan}, 1) }, false},
		{"ulps beyond", func(t testing.TB) { ULPs(t, "x", []float32{1}, []float32{1 + 0x1p-22}, 1) }, true},
		{"ulps NaN", func(t testing.TB) { ULPs(t, "x", []float32{nan}, []float32{1}, 1<<40) }, true},
		{"sum within", func(t testing.TB) {
			Sum{N: 4, K: 1, Scale: 1}.Check(t, "x", []float32{1 + 0x1p-23}, []float64{1})
		}, false},
		{"sum beyond", func(t testing.TB) {
			Sum{N: 1, K: 1, Scale: 1}.Check(t, "x", []float32{1 + 0x1p-23}, []float64{1})
		}, true},
		{"sum by element", func(t testing.TB) {
			Sum{N: 1, K: 1, Scales: []float64{2}}.Check(t, "x", []float32{1 + 0x1p-23}, []float64{1})
		}, false},
		{"sum NaN", func(t testing.TB) { Sum{N: 1, K: 1, Scale: 1}.Check(t, "x", []float32{nan}, []float64{1}) }, true},
		{"sum infinities", func(t testing.TB) {
			Sum{N: 1, K: 1, Scale: 1}.Check(t, "x", []float32{inf}, []float64{math.Inf(-1)})
		}, true},
		{"gradient right", func(t testing.TB) {
			Gradient(t, func(x []float64) float64 { return x[0] * x[0] * x[1] }, []float64{2, 3}, []float64{12, 4})
		}, false},
		{"gradient wrong", func(t testing.TB) {
			Gradient(t, func(x []float64) float64 { return x[0] * x[0] }, []float64{2}, []float64{4.0001})
		}, true},
		{"gradient NaN", func(t testing.TB) {
			Gradient(t, func(x []float64) float64 { return x[0] }, []float64{2}, []float64{math.NaN()})
		}, true},
	} {
		r := &recorder{TB: t}
		c.run(r)
		if failed := len(r.failures) > 0; failed != c.fail {
			t.Errorf("%s: failures %v, want any: %v", c.name, r.failures, c.fail)
		}
	}
}

func TestFillersRepeatForTheSameSeed(t *testing.T) {
	a, b := make([]float32, 100), make([]float32, 100)
	Normal(a, 3, 5, 2)
	Normal(b, 3, 5, 2)
	Equal(t, "normal", a, b)
	Sprinkle(a, 4, 5)
	Sprinkle(b, 4, 5)
	Equal(t, "sprinkled", a, b)
	Distinct(a, 1, 0.01)
	for i := range a {
		for j := range i {
			if math.Abs(float64(a[i]-a[j])) < 0.009 {
				t.Fatalf("elements %d and %d are %v and %v", i, j, a[i], a[j])
			}
		}
	}
}
