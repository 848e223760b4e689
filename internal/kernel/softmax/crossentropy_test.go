package softmax

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// naive is a row's loss from the formula in CrossEntropy's documentation.
func naive(x []float64, label int, targets, w []float64, ε float64) float64 {
	p := make([]float64, len(x))
	SoftmaxGeneric(p, x, 1, len(x))
	loss := 0.0
	for j, pj := range p {
		wj := 1.0
		if w != nil {
			wj = w[j]
		}
		t := ε / float64(len(x))
		if targets != nil {
			t += (1 - ε) * targets[j]
		} else if j == label {
			t += 1 - ε
		}
		loss -= wj * t * math.Log(pj)
	}
	return loss
}

func TestCrossEntropyByDefinition(t *testing.T) {
	const rows, k = 5, 6
	logits, targets, weights, upstream := make([]float32, rows*k), make([]float32, rows*k), make([]float32, k), make([]float32, rows)
	kerneltest.Normal(logits, 1, 2, 3)
	kerneltest.Uniform(targets, 2, 0, 0.4)
	kerneltest.Uniform(weights, 3, 0.2, 2)
	kerneltest.Normal(upstream, 4, 0, 1)
	labels := []int32{3, -100, 0, 5, 5}
	for _, soft := range []bool{false, true} {
		for _, weighted := range []bool{false, true} {
			for _, ε := range []float64{0, 0.1} {
				for _, reduction := range []Reduction{Mean, Sum, None} {
					name := fmt.Sprintf("soft=%v/weighted=%v/smoothing=%v/reduction=%d", soft, weighted, ε, reduction)
					t.Run(name, func(t *testing.T) {
						o := CrossEntropy{Smoothing: ε, Reduction: reduction}
						var t64, w64 []float64
						if soft {
							o.Targets, t64 = targets, kerneltest.Widen(targets)
						} else {
							o.Labels = labels
						}
						if weighted {
							o.Weights, w64 = weights, kerneltest.Widen(weights)
						}
						if reduction == None {
							o.Upstream = upstream
						}
						x := kerneltest.Widen(logits)
						value := func(x []float64, up bool) (float64, []float64) {
							var sum, divisor float64
							each := make([]float64, rows)
							for r := range rows {
								if !soft && labels[r] < 0 {
									continue
								}
								if soft {
									each[r] = naive(x[r*k:][:k], -1, t64[r*k:][:k], w64, ε)
									divisor++
								} else {
									each[r] = naive(x[r*k:][:k], int(labels[r]), nil, w64, ε)
									if weighted {
										divisor += w64[labels[r]]
									} else {
										divisor++
									}
								}
								if up && reduction == None {
									sum += float64(upstream[r]) * each[r]
								} else {
									sum += each[r]
								}
							}
							if reduction == Mean {
								sum /= divisor
							}
							return sum, each
						}
						dlogits, each := make([]float32, rows*k), make([]float32, rows)
						loss := o.Loss(dlogits, each, logits, rows, k)
						want, wantEach := value(x, false)
						if math.Abs(loss-want) > 1e-12*want {
							t.Errorf("loss %v, want %v", loss, want)
						}
						kerneltest.ULPs(t, "rows' losses", each, kerneltest.Narrow(wantEach), 0)

						grad := make([]float64, rows*k)
						var up64 []float64
						if reduction == None {
							up64 = kerneltest.Widen(upstream)
						}
						crossEntropy(o.Labels, t64, w64, up64, ε, reduction, grad, nil, x, rows, k)
						kerneltest.Gradient(t, func(x []float64) float64 { v, _ := value(x, true); return v }, x, grad)
						kerneltest.Sum{N: 1, K: 1, Scale: 4}.Check(t, "float32 gradient", dlogits, grad)
						if again := o.Loss(logits[:0:0], nil, logits, 0, k); reduction == Mean && again == again {
							t.Errorf("mean of no rows is %v, want NaN", again)
						}
					})
				}
			}
		}
	}
}

func TestAllIgnoredMeanIsNaNAndItsGradientZero(t *testing.T) {
	logits := []float32{1, 2, 3, 4}
	for _, ε := range []float64{0, 0.1} {
		dlogits, each := []float32{9, 9, 9, 9}, []float32{9, 9}
		loss := CrossEntropy{Labels: []int32{-100, -1}, Smoothing: ε}.Loss(dlogits, each, logits, 2, 2)
		if loss == loss {
			t.Errorf("smoothing %v: loss %v, want NaN", ε, loss)
		}
		kerneltest.Equal(t, "gradient", dlogits, make([]float32, 4))
		kerneltest.Equal(t, "rows' losses", each, make([]float32, 2))
	}
}

func TestImpossibleTargets(t *testing.T) {
	inf := float32(math.Inf(1))
	logits := []float32{0, -inf}
	for _, c := range []struct {
		name string
		loss CrossEntropy
		want float32
	}{
		{"label elsewhere", CrossEntropy{Labels: []int32{0}}, 0},
		{"label there", CrossEntropy{Labels: []int32{1}}, inf},
		{"smoothed", CrossEntropy{Labels: []int32{0}, Smoothing: 0.1}, inf},
		{"target 0 there", CrossEntropy{Targets: []float32{1, 0}}, float32(math.NaN())},
	} {
		kerneltest.Equal(t, c.name, []float32{float32(c.loss.Loss(nil, nil, logits, 1, 2))}, []float32{c.want})
	}
}

func TestGradientInPlaceOfLogits(t *testing.T) {
	x, dx := []float32{1, 5, -3, 0, 0, 0}, make([]float32, 6)
	o := CrossEntropy{Labels: []int32{2, 1}, Smoothing: 0.2}
	a := o.Loss(dx, nil, x, 2, 3)
	if b := o.Loss(x, nil, x, 2, 3); a != b {
		t.Errorf("loss %v in place, %v otherwise", b, a)
	}
	kerneltest.Equal(t, "gradient", x, dx)
}

func TestLabelOutOfRangePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	CrossEntropy{Labels: []int32{3}}.Loss(nil, nil, make([]float32, 3), 1, 3)
}
