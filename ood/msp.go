package ood

import "math"

// MSP is the maximum softmax probability of one row of logits at a
// temperature: max_k exp(z_k/T) / sum_j exp(z_j/T). It is the confidence in
// the predicted class and lies in 1/K..1.
//
// It is NaN for no logits, a logit that is NaN or +Inf, or a temperature that
// is not above 0. It reaches 1 exactly once the largest logit leads by about
// 37 temperatures.
//
// Hendrycks and Gimpel, A Baseline for Detecting Misclassified and
// Out-of-Distribution Examples in Neural Networks, 2017, arXiv:1610.02136.
func MSP(logits []float32, temperature float64) float64 {
	if len(logits) == 0 || !(temperature > 0) {
		return math.NaN()
	}
	top := math.Inf(-1)
	for _, z := range logits {
		top = max(top, float64(z)) // NaN stays
	}
	var sum float64
	for _, z := range logits {
		sum += math.Exp((float64(z) - top) / temperature)
	}
	return 1 / sum
}
