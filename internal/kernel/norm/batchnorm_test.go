package norm

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// moments64 is mean and variance of each channel in two passes.
func moments64(x []float64, rows, c int) (mean, variance []float64) {
	mean, variance = make([]float64, c), make([]float64, c)
	for j := range c {
		for r := range rows {
			mean[j] += x[r*c+j]
		}
		mean[j] /= float64(rows)
		for r := range rows {
			d := x[r*c+j] - mean[j]
			variance[j] += d * d
		}
		variance[j] /= float64(rows)
	}
	return mean, variance
}

func TestMomentsMatchTwoPasses(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range lengths() {
			for _, rows := range []int{0, 1, 2, 7, 64} {
				if rows == 64 && c > 40 {
					continue
				}
				for _, mean := range []float64{0, 1e3, -1e6} {
					x := kerneltest.Guarded(t, rows*c)
					kerneltest.Normal(x, uint64(c*100+rows), mean, 1)
					μ, m2 := kerneltest.GuardedOf[float64](t, c), kerneltest.GuardedFrontOf[float64](t, c)
					Moments(μ, m2, x, rows, c)
					if rows == 0 {
						if c > 0 && (slices.Max(μ) != 0 || slices.Max(m2) != 0) {
							t.Fatalf("no rows: %v %v", μ, m2)
						}
						continue
					}
					wantμ, wantVar := moments64(kerneltest.Widen(x), rows, c)
					for j := range c {
						if math.Abs(μ[j]-wantμ[j]) > 1e-13*(math.Abs(wantμ[j])+1) {
							t.Fatalf("rows=%d c=%d mean=%g: mean of channel %d is %v, want %v", rows, c, mean, j, μ[j], wantμ[j])
						}
						if v := m2[j] / float64(rows); math.Abs(v-wantVar[j]) > 0x1p-40*wantVar[j]+1e-20 {
							t.Fatalf("rows=%d c=%d mean=%g: variance of channel %d is %v, want %v", rows, c, mean, j, v, wantVar[j])
						}
					}
				}
			}
		}
	})
}

func TestConstantChannelHasNoVariance(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		const rows, c = 37, 13
		x := make([]float32, rows*c)
		for i := range x {
			x[i] = 0.1 + float32(i%c)
		}
		mean, m2 := make([]float64, c), make([]float64, c)
		Moments(mean, m2, x, rows, c)
		for j := range c {
			if m2[j] != 0 || mean[j] != float64(x[j]) {
				t.Errorf("channel %d of %v: mean %v, m2 %v", j, x[j], mean[j], m2[j])
			}
		}
	})
}

func TestMomentsKeepSpecialValuesInTheirChannel(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		const rows, c = 5, 21
		for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
			for row := range rows {
				x := make([]float32, rows*c)
				kerneltest.Normal(x, 3, 0, 1)
				x[row*c+11] = v
				mean, m2 := make([]float64, c), make([]float64, c)
				Moments(mean, m2, x, rows, c)
				for j := range c {
					if bad := m2[j] != m2[j] || math.IsInf(m2[j], 0); bad != (j == 11) {
						t.Errorf("%v in row %d: channel %d has mean %v, m2 %v", v, row, j, mean[j], m2[j])
					}
				}
			}
		}
	})
}

func TestCombineAgreesWithOneChunk(t *testing.T) {
	const rows, c = 100, 5
	x := make([]float32, rows*c)
	kerneltest.Normal(x, 1, 1e3, 1)
	wantMean, wantVar := moments64(kerneltest.Widen(x), rows, c)
	for _, size := range []int{1, 7, 33, 100, 1000} {
		var means, m2s []float64
		var counts []int
		for lo := 0; lo < rows; lo += size {
			n := min(size, rows-lo)
			mean, m2 := make([]float64, c), make([]float64, c)
			Moments(mean, m2, x[lo*c:], n, c)
			means, m2s, counts = append(means, mean...), append(m2s, m2...), append(counts, n)
		}
		means, m2s, counts = append(means, make([]float64, c)...), append(m2s, make([]float64, c)...), append(counts, 0)
		mean, variance := make([]float32, c), make([]float32, c)
		Combine(mean, variance, means, m2s, counts, c)
		what := fmt.Sprintf("chunks of %d", size)
		kerneltest.ULPs(t, what+" mean", mean, kerneltest.Narrow(wantMean), 0)
		kerneltest.ULPs(t, what+" variance", variance, kerneltest.Narrow(wantVar), 0)
	}
	mean, variance := make([]float32, c), make([]float32, c)
	Combine(mean, variance, make([]float64, c), make([]float64, c), []int{0}, c)
	for j := range c {
		if mean[j] == mean[j] || variance[j] == variance[j] {
			t.Errorf("no rows: mean %v, variance %v, want NaN", mean[j], variance[j])
		}
	}
}

func TestBatchNormBackwardMatchesFloat64(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for _, c := range lengths() {
			for _, rows := range []int{1, 3, 5, 16, 39} {
				if rows > 1 && c > 100 && c%16 > 1 || rows > 16 && c > 40 && c < 768 {
					continue
				}
				x, dy, dx := kerneltest.Guarded(t, rows*c), kerneltest.GuardedFront(t, rows*c), kerneltest.Guarded(t, rows*c)
				mean, rstd, gamma := kerneltest.Guarded(t, c), kerneltest.Guarded(t, c), kerneltest.Guarded(t, c)
				sdy, sdyx := kerneltest.Guarded(t, c), kerneltest.Guarded(t, c)
				kerneltest.Normal(x, uint64(c), 1, 2)
				kerneltest.Normal(dy, uint64(c)+1, 0, 1)
				kerneltest.Normal(mean, 3, 1, 0.1)
				kerneltest.Uniform(rstd, 4, 0.4, 0.6)
				kerneltest.Normal(gamma, 5, 0, 1)
				kerneltest.Normal(sdy, 6, 0, 1)
				kerneltest.Normal(sdyx, 7, 0, 1)
				x64, dy64, μ, ρ, γ := kerneltest.Widen(x), kerneltest.Widen(dy), kerneltest.Widen(mean), kerneltest.Widen(rstd), kerneltest.Widen(gamma)
				want, wantSdy, wantSdyx := make([]float64, rows*c), kerneltest.Widen(sdy), kerneltest.Widen(sdyx)
				BatchNormBackwardSumsGeneric(wantSdy, wantSdyx, dy64, x64, μ, ρ, rows, c)
				y, masked := kerneltest.Guarded(t, rows*c), kerneltest.Guarded(t, rows*c)
				kerneltest.Normal(y, 8, 0, 1)
				activation.ReLUBackwardFromOutputGeneric(masked, dy, y)
				wantSum, wantDot := slices.Clone(sdy), slices.Clone(sdyx)
				BatchNormBackwardSums(wantSum, wantDot, masked, x, nil, mean, rstd, rows, c)
				passed, sum, dot := slices.Clone(dy), slices.Clone(sdy), slices.Clone(sdyx)
				BatchNormBackwardSums(sum, dot, passed, x, y, mean, rstd, rows, c)
				BatchNormBackwardSums(sdy, sdyx, dy, x, nil, mean, rstd, rows, c)
				what := fmt.Sprintf("rows=%d c=%d", rows, c)
				kerneltest.Equal(t, what+" dy behind ReLU", passed, masked)
				kerneltest.Equal(t, what+" sdy behind ReLU", sum, wantSum)
				kerneltest.Equal(t, what+" sdyx behind ReLU", dot, wantDot)
				worst = max(worst, kerneltest.Sum{N: rows, K: 4, Scale: 6}.Check(t, what+" sdy", sdy, wantSdy))
				worst = max(worst, kerneltest.Sum{N: rows, K: 4, Scale: 8}.Check(t, what+" sdyx", sdyx, wantSdyx))

				BatchNormBackwardGeneric(want, dy64, x64, μ, ρ, γ, kerneltest.Widen(sdy), kerneltest.Widen(sdyx), rows, c, 40)
				BatchNormBackward(dx, dy, x, mean, rstd, gamma, sdy, sdyx, rows, c, 40)
				kerneltest.Sum{N: 1, K: 4, Scale: 4}.Check(t, what+" dx", dx, want)
				over := slices.Clone(x)
				BatchNormBackward(over, dy, over, mean, rstd, gamma, sdy, sdyx, rows, c, 40)
				kerneltest.Equal(t, what+" dx over x", over, dx)
				BatchNormBackwardGeneric(want, dy64, x64, μ, ρ, nil, kerneltest.Widen(sdy), kerneltest.Widen(sdyx), rows, c, 40)
				BatchNormBackward(dy, dy, x, mean, rstd, nil, sdy, sdyx, rows, c, 40)
				kerneltest.Sum{N: 1, K: 4, Scale: 4}.Check(t, what+" dx without gamma, in place", dy, want)
			}
		}
		t.Logf("worst error: %.2f of the bound", worst)
	})
}

func TestBatchNormGradient(t *testing.T) {
	const rows, c = 7, 3
	x, gamma := make([]float64, rows*c), make([]float64, c)
	kerneltest.Normal(x, 1, 0.5, 2)
	kerneltest.Normal(gamma, 2, 1, 0.3)
	w, loss := kerneltest.Weighted(rows*c, 4)
	mean, rstd := make([]float64, c), make([]float64, c)
	f := func([]float64) float64 {
		var v []float64
		mean, v = moments64(x, rows, c)
		y := make([]float64, rows*c)
		for i := range y {
			rstd[i%c] = 1 / math.Sqrt(v[i%c]+1e-5)
			y[i] = (x[i] - mean[i%c]) * rstd[i%c] * gamma[i%c]
		}
		return loss(y)
	}
	f(nil)
	dx, sdy, sdyx := make([]float64, rows*c), make([]float64, c), make([]float64, c)
	BatchNormBackwardSumsGeneric(sdy, sdyx, w, x, mean, rstd, 4, c)
	BatchNormBackwardSumsGeneric(sdy, sdyx, w[4*c:], x[4*c:], mean, rstd, rows-4, c)
	BatchNormBackwardGeneric(dx, w, x, mean, rstd, gamma, sdy, sdyx, rows, c, rows)
	kerneltest.Gradient(t, f, x, dx)
	kerneltest.Gradient(t, f, gamma, sdyx)
}
