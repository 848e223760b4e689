// Package metrics measures a classifier: a confusion matrix and what follows
// from it, the quality of its probabilities, and how well a score ranks.
//
// The usual case is a confusion matrix:
//
//	cm := metrics.NewConfusion(classes...)
//	for i := range labels {
//		if err := cm.Add(labels[i], predicted[i]); err != nil {
//			return err
//		}
//	}
//	cm.WriteTo(os.Stdout)
//
// There are three accumulators. [Confusion] counts right and wrong answers,
// [Predictions] collects what is needed to judge probabilities (log loss,
// Brier score, calibration error, top-k), and [Ranking] orders two groups of
// scores (AUROC, average precision, false positive rate at a given true
// positive rate). Each counts first and derives after, so the same counts
// answer every later question.
//
// # Conventions
//
// Logits are rows of a [N,K] slice, N samples times K classes, one row after
// the other; labels and predictions are class indices 0..K-1. Probabilities
// are computed in float64 from float32 logits: float32 saturates at 1 for a
// third of a good network's answers, and ties then spoil every ranking.
// Logarithms are natural. Where several classes have the same score, the one
// with the lowest index is the predicted one.
//
// # Undefined is NaN
//
// A share of nothing is NaN here: the precision of a class that was never
// predicted, the recall of a class without samples, the accuracy of an empty
// matrix. An average over classes ([Confusion.Macro], [Confusion.Weighted],
// [Confusion.MeanClassAccuracy]) runs over the classes for which the value is
// defined. scikit-learn takes 0 for an undefined precision, recall or F1
// (zero_division=0 is its default) and lets that 0 into its averages; its
// zero_division=nan does what is done here.
//
// # Limits
//
// Accumulators are not safe for concurrent use; give each goroutine its own
// and merge them.
package metrics
