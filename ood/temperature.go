package ood

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/metrics"
)

// The bounds between which a temperature is sought. Trained networks lie
// between 0.5 and 5; raw cosine similarities need about 0.01.
const (
	MinTemperature = 1e-3
	MaxTemperature = 1e3
)

// FitTemperature returns the temperature T that makes the probabilities
// softmax(logits/T) most likely: the minimum of the mean negative
// log-likelihood (Guo et al., On Calibration of Modern Neural Networks, 2017,
// arXiv:1706.04599, section 4.2). Logits are [N,K], labels N class indices;
// they determine K. The predicted classes do not depend on T.
//
// In the inverse temperature β = 1/T the function is convex, its derivative
// the mean over samples of sum_k p_k z_k - z_label; so there is one minimum,
// and the zero of the derivative is found between the bounds by Newton steps
// in log T with bisection as the safeguard, to the last few bits. No learning
// rate or number of steps can leave it short of the minimum or carry it away.
//
// Some data have no minimum, and the result is a bound:
//   - every label has the largest logit of its row: likelihood grows as T
//     falls, T = [MinTemperature], though probabilities of 1 were only earned
//     on these samples;
//   - the labels' logits are on average no higher than the rows' means, as for
//     a model that is always wrong: T = [MaxTemperature].
//
// Where T changes nothing (one class, rows of equal logits) it is 1.
//
// No labels, lengths that do not fit, a label outside 0..K-1, or a logit that
// is NaN or infinite (wrapping [metrics.ErrNotFinite]) are errors.
func FitTemperature(logits []float32, labels []int) (float64, error) {
	if _, err := checkRows(logits, labels); err != nil {
		return 0, err
	}
	return fitTemperature(logits, labels), nil
}

func fitTemperature(logits []float32, labels []int) float64 {
	k := len(logits) / len(labels)
	// slope and curvature of the NLL in β at u = log β
	at := func(u float64) (slope, curvature float64) {
		β := math.Exp(u)
		for i, label := range labels {
			row := logits[i*k : (i+1)*k]
			top := row[0]
			for _, z := range row {
				top = max(top, z)
			}
			// Everything is relative to the largest logit, which keeps the
			// sums exact where the label is the largest and the rest tiny.
			var s0, s1, s2 float64
			for _, z := range row {
				d := float64(z) - float64(top)
				e := math.Exp(β * d)
				s0 += e
				s1 += e * d
				s2 += e * d * d
			}
			mean := s1 / s0
			slope += mean - (float64(row[label]) - float64(top))
			curvature += s2/s0 - mean*mean
		}
		return slope, curvature
	}
	if flat(logits, k) {
		return 1
	}
	lo, hi := -math.Log(MaxTemperature), -math.Log(MinTemperature)
	if separable(logits, labels) {
		return MinTemperature
	}
	if s, _ := at(lo); s >= 0 {
		return MaxTemperature
	}
	if s, _ := at(hi); s <= 0 {
		return MinTemperature
	}
	u := 0.0 // T = 1
	for range 200 {
		s, c := at(u)
		if s == 0 {
			break
		}
		if s < 0 {
			lo = u
		} else {
			hi = u
		}
		next := u - s/(c*math.Exp(u)) // d slope / d u = β curvature
		if !(next > lo && next < hi) {
			next = lo + (hi-lo)/2
		}
		if next == u || math.Abs(next-u) < 1e-15*max(1, math.Abs(u)) {
			u = next
			break
		}
		u = next
	}
	return math.Exp(-u)
}

// flat reports whether all rows consist of equal logits.
func flat(logits []float32, k int) bool {
	for i, z := range logits {
		if z != logits[i/k*k] {
			return false
		}
	}
	return true
}

// separable reports whether every label has the largest logit of its row.
func separable(logits []float32, labels []int) bool {
	k := len(logits) / len(labels)
	for i, label := range labels {
		row := logits[i*k : (i+1)*k]
		for _, z := range row {
			if z > row[label] {
				return false
			}
		}
	}
	return true
}

// checkRows returns K of logits [N,K] and N labels.
func checkRows(logits []float32, labels []int) (classes int, err error) {
	n := len(labels)
	if n == 0 || len(logits) == 0 || len(logits)%n != 0 {
		return 0, fmt.Errorf("ood: %d logits for %d labels: want K for each", len(logits), n)
	}
	k := len(logits) / n
	for i, label := range labels {
		if label < 0 || label >= k {
			return 0, fmt.Errorf("ood: label %d of sample %d: there are %d classes", label, i, k)
		}
	}
	return k, checkFinite(logits, k)
}

func checkFinite(logits []float32, k int) error {
	for i, z := range logits {
		if math.IsNaN(float64(z)) || math.IsInf(float64(z), 0) {
			return fmt.Errorf("ood: logit of sample %d, class %d is %v: %w", i/k, i%k, z, metrics.ErrNotFinite)
		}
	}
	return nil
}
