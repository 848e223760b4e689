package ood

import (
	"fmt"
	"math"
	"slices"
)

// Threshold returns the largest threshold that keeps at least the share keep
// of the scores, 0 < keep <= 1. An image is kept when its score is the
// threshold or above, so the threshold is itself one of the scores.
//
// At least means: the number kept, divided by the number of scores in float64,
// is keep or more; 0.95 of 20 is 19, of 21 it is 20. Scores equal to the
// threshold are all kept, so with ties more than asked for may be.
//
// No scores, a score that is NaN, or a keep out of range are errors.
func Threshold(scores []float64, keep float64) (float64, error) {
	if !(keep > 0 && keep <= 1) {
		return 0, fmt.Errorf("ood: threshold: keep %v of the known images: want a share above 0, at most 1", keep)
	}
	n := len(scores)
	if n == 0 {
		return 0, fmt.Errorf("ood: threshold: no scores")
	}
	if i := slices.IndexFunc(scores, math.IsNaN); i >= 0 {
		return 0, fmt.Errorf("ood: threshold: score %d is NaN", i)
	}
	sorted := slices.Clone(scores)
	slices.Sort(sorted)
	kept := min(n, int(math.Ceil(keep*float64(n)))) // within one of the answer
	for kept > 1 && float64(kept-1)/float64(n) >= keep {
		kept--
	}
	for kept < n && float64(kept)/float64(n) < keep {
		kept++
	}
	return sorted[n-max(kept, 1)], nil
}
