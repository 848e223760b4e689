package metrics

import "math"

// Softmax returns the probabilities of one row of logits at a temperature,
// p_k = exp(z_k/T) / sum_j exp(z_j/T), in dst, which is grown as needed and
// may be nil. A temperature above 1 flattens, below 1 sharpens. They sum to 1
// within rounding. All are NaN if a logit is NaN or +Inf, if all are -Inf, or
// if the temperature is not above 0; a logit of -Inf alone has probability 0.
// No logits give an empty slice.
//
// The largest logit is subtracted first, so large logits do not overflow.
func Softmax(dst []float64, logits []float32, temperature float64) []float64 {
	if cap(dst) < len(logits) {
		dst = make([]float64, len(logits))
	}
	dst = dst[:len(logits)]
	softmax(dst, logits, temperature)
	return dst
}

// softmax fills p and returns what turns logits into log-probabilities:
// log p_k = (z_k - shift)/T - logSum.
func softmax(p []float64, logits []float32, temperature float64) (shift, logSum float64) {
	shift = math.Inf(-1)
	for _, z := range logits {
		shift = max(shift, float64(z)) // NaN stays
	}
	if !(temperature > 0) {
		shift = math.NaN()
	}
	var sum float64
	for i, z := range logits {
		p[i] = math.Exp((float64(z) - shift) / temperature)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return shift, math.Log(sum)
}
