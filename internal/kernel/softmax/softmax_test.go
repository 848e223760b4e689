package softmax

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

func lengths() []int {
	var ns []int
	for n := range kerneltest.MaxLength + 1 {
		ns = append(ns, n)
	}
	return append(ns, 577, 1000)
}

func TestSoftmaxMatchesFloat64(t *testing.T) {
	const rows = 10
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for _, c := range lengths() {
			for _, spread := range []float64{0.01, 3, 40} {
				x, dst := kerneltest.Guarded(t, rows*c), kerneltest.GuardedFront(t, rows*c)
				kerneltest.Normal(x, uint64(c), 10, spread)
				Softmax(dst, x, rows, c)
				want := make([]float64, rows*c)
				SoftmaxGeneric(want, kerneltest.Widen(x), rows, c)
				for i, p := range dst {
					gap := largest(x[i/c*c:][:c]) - float64(x[i])
					e := math.Abs(float64(p)-want[i]) / (want[i]*(gap+math.Sqrt(float64(c))+8)*0x1p-24 + 0x1p-126)
					if worst = max(worst, e); !(e <= 1) {
						t.Fatalf("c=%d spread=%g: probability %d is %v, want %v", c, spread, i, p, want[i])
					}
				}
				Softmax(x, x, rows, c)
				kerneltest.Equal(t, "in place", x, dst)
			}
		}
		t.Logf("worst error: %.2f of the bound", worst)
	})
}

// A row's result must not depend on its number, nor on which rows share a call.
func TestRowsDoNotDependOnHowTheyAreSplit(t *testing.T) {
	const rows = 21
	eachVariant(t, func(t *testing.T) {
		for _, c := range []int{1, 5, 16, 50, 64, 65, 300} {
			x, want := make([]float32, rows*c), make([]float32, rows*c)
			kerneltest.Normal(x, uint64(c), 0, 30)
			x[3*c+c/2], x[12*c] = float32(math.NaN()), float32(math.Inf(1))
			Softmax(want, x, rows, c)
			for _, size := range []int{1, 3, 7, 8, 9, 16} {
				got := make([]float32, rows*c)
				for lo := 0; lo < rows; lo += size {
					n := min(size, rows-lo)
					Softmax(got[lo*c:], x[lo*c:], n, c)
				}
				kerneltest.Equal(t, fmt.Sprintf("c=%d in pieces of %d", c, size), got, want)
			}
			for i, p := range want {
				if r := i / c; (p != p) != (r == 3 || r == 12) {
					t.Fatalf("c=%d: row %d has probability %v", c, r, p)
				}
			}
		}
	})
}

func TestSpecialRows(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	const maxF = math.MaxFloat32
	eachVariant(t, func(t *testing.T) {
		for _, c := range []struct {
			name      string
			x, want   []float32
			logSumExp float32
		}{
			{"one", []float32{-1e30}, []float32{1}, -1e30},
			{"equal", []float32{5, 5}, []float32{0.5, 0.5}, 5 + math.Ln2},
			{"huge", []float32{maxF, maxF, -maxF}, []float32{0.5, 0.5, 0}, maxF},
			{"-Inf has no probability", []float32{0, -inf, 0}, []float32{0.5, 0, 0.5}, math.Ln2},
			{"+Inf", []float32{0, inf, 0}, []float32{nan, nan, nan}, inf},
			{"NaN", []float32{0, nan, 0}, []float32{nan, nan, nan}, nan},
			{"only -Inf", []float32{-inf, -inf}, []float32{nan, nan}, -inf},
		} {
			for _, pad := range []int{0, 20} { // as the last of many elements too
				x, want := make([]float32, 0, 30), make([]float32, 0, 30)
				for range pad {
					fill, w := -inf, float32(0)
					if c.want[0] != c.want[0] {
						w = nan
					}
					x, want = append(x, fill), append(want, w)
				}
				x, want = append(x, c.x...), append(want, c.want...)
				dst := make([]float32, len(x))
				Softmax(dst, x, 1, len(x))
				what := fmt.Sprintf("%s pad=%d", c.name, pad)
				kerneltest.ULPs(t, what, dst, want, 2)
				got := make([]float32, 1)
				LogSumExp(got, x, 1, len(x))
				LogSoftmax(dst, x, 1, len(x))
				for i, p := range want {
					if l := float64(dst[i]); (l != l) != (p != p) || math.Abs(math.Exp(l)-float64(p)) > 1e-6 {
						t.Errorf("%s: log-softmax %d is %v, its probability %v", what, i, l, p)
					}
				}
				kerneltest.ULPs(t, what+" log-sum-exp", got, []float32{c.logSumExp}, 0)
			}
		}
	})
}

func TestLogSoftmaxIsTheLogarithm(t *testing.T) {
	const rows, c = 4, 13
	x, got, lse := make([]float32, rows*c), make([]float32, rows*c), make([]float32, rows)
	kerneltest.Normal(x, 1, -300, 5)
	p := make([]float64, rows*c)
	SoftmaxGeneric(p, kerneltest.Widen(x), rows, c)
	LogSoftmax(got, x, rows, c)
	LogSumExp(lse, x, rows, c)
	for i, v := range got {
		if want := math.Log(p[i]); math.Abs(float64(v)-want) > 0x1p-24*math.Abs(want)+1e-13 {
			t.Errorf("log-softmax %d is %v, want %v", i, v, want)
		}
		if want := float64(x[i]) - math.Log(p[i]); math.Abs(float64(lse[i/c])-want) > 0x1p-24*math.Abs(want)+1e-13 {
			t.Errorf("log-sum-exp of row %d is %v, want %v", i/c, lse[i/c], want)
		}
	}
	LogSumExp(lse[:1], nil, 1, 0)
	if !math.IsInf(float64(lse[0]), -1) {
		t.Errorf("log-sum-exp of nothing is %v", lse[0])
	}
}

func TestSoftmaxBackwardMatchesFloat64(t *testing.T) {
	const rows = 3
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for _, c := range lengths() {
			y, dy, dx := kerneltest.Guarded(t, rows*c), kerneltest.Guarded(t, rows*c), kerneltest.GuardedFront(t, rows*c)
			kerneltest.Normal(y, uint64(c), 0, 1)
			SoftmaxGeneric(y, y, rows, c)
			kerneltest.Normal(dy, uint64(c)+1, 0.5, 1)
			want := make([]float64, rows*c)
			SoftmaxBackwardGeneric(want, kerneltest.Widen(dy), kerneltest.Widen(y), rows, c)
			SoftmaxBackward(dx, dy, y, rows, c)
			scales := kerneltest.Widen(y)
			for i := range scales {
				scales[i] = scales[i]*8 + 1e-30
			}
			worst = max(worst, kerneltest.Sum{N: c, K: 1, Scales: scales}.Check(t, fmt.Sprintf("c=%d", c), dx, want))
			again := append([]float32(nil), dy...)
			SoftmaxBackward(again, again, y, rows, c)
			kerneltest.Equal(t, fmt.Sprintf("c=%d in place of dy", c), again, dx)
			SoftmaxBackward(y, dy, y, rows, c)
			kerneltest.Equal(t, fmt.Sprintf("c=%d in place of y", c), y, dx)
		}
		t.Logf("worst error: %.2f of the bound", worst)
	})
}

func TestSoftmaxGradient(t *testing.T) {
	const rows, c = 3, 7
	x, y, dx := make([]float64, rows*c), make([]float64, rows*c), make([]float64, rows*c)
	kerneltest.Normal(x, 1, 3, 2)
	w, loss := kerneltest.Weighted(rows*c, 2)
	f := func([]float64) float64 { SoftmaxGeneric(y, x, rows, c); return loss(y) }
	f(nil)
	SoftmaxBackwardGeneric(dx, w, y, rows, c)
	kerneltest.Gradient(t, f, x, dx)
}
