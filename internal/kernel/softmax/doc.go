// Package softmax has softmax, its logarithm, log-sum-exp and the
// cross-entropy losses that are built on them, each with its gradient. All
// logarithms are natural; matrices are [R,K], K classes, row major.
//
//	m = max(x)     s = Σ exp(x - m)
//	softmax = exp(x - m) / s      logsumexp = m + log s      logsoftmax = x - logsumexp
//
// Subtracting the largest element first, no row of finite numbers overflows.
// A logit of -Inf has probability 0. A row with NaN or +Inf, or of nothing but
// -Inf, is NaN throughout, as in PyTorch; its log-sum-exp is NaN, +Inf or -Inf.
//
// # Accuracy
//
// Against the float64 definition, with m the largest element of its row, a
// probability is within (|x - m| + √K + 8)·2⁻²⁴ of itself: the rounding of
// x - m becomes a relative error of that size, the sum and the exponential add
// the rest. One below the smallest normal number may be 0. Log-sum-exp,
// log-softmax and the losses are computed in float64 and rounded once. The
// order of additions depends on K alone.
package softmax
