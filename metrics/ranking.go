package metrics

import (
	"math"
	"slices"
)

// Ranking holds two groups of scores in order, to tell how well a threshold
// separates them: samples of a class from others, known images from strangers.
// Create one with [Rank].
type Ranking struct {
	points             []Point
	positive, negative int
	undefined          bool // a score was NaN
}

// Point is one threshold: everything that scores at least Threshold is called
// positive.
type Point struct {
	Threshold float64
	TruePos   int     // positives called positive
	FalsePos  int     // negatives called positive
	TPR       float64 // TruePos as a share of the positives, also called recall
	FPR       float64 // FalsePos as a share of the negatives
}

// Rank orders the scores of positive and negative samples, higher meaning more
// positive. It keeps neither slice. Where a score is NaN nothing can be said
// and every measure is NaN; without positives or without negatives, those that
// need them are.
func Rank(positive, negative []float64) *Ranking {
	r := &Ranking{positive: len(positive), negative: len(negative)}
	for _, list := range [2][]float64{positive, negative} {
		r.undefined = r.undefined || slices.ContainsFunc(list, math.IsNaN)
	}
	if r.undefined {
		return r
	}
	pos, neg := slices.Clone(positive), slices.Clone(negative)
	slices.Sort(pos)
	slices.Sort(neg)
	i, j := len(pos), len(neg)
	for i > 0 || j > 0 {
		var t float64
		switch {
		case i == 0:
			t = neg[j-1]
		case j == 0:
			t = pos[i-1]
		default:
			t = max(pos[i-1], neg[j-1])
		}
		for i > 0 && pos[i-1] >= t {
			i--
		}
		for j > 0 && neg[j-1] >= t {
			j--
		}
		tp, fp := len(pos)-i, len(neg)-j
		r.points = append(r.points, Point{t, tp, fp, share(tp, len(pos)), share(fp, len(neg))})
	}
	return r
}

// Points returns every distinct score as a threshold, the highest first: the
// ROC curve without its point (0, 0). Nil where a score was NaN. The slice is
// a copy.
func (r *Ranking) Points() []Point { return slices.Clone(r.points) }

// AUROC is the area under the ROC curve: the probability that a positive
// scores higher than a negative, a tie counting half. 0.5 is chance. It is
// exact: the area is summed in whole numbers.
func (r *Ranking) AUROC() float64 {
	if r.undefined || r.positive == 0 || r.negative == 0 {
		return math.NaN()
	}
	var twice uint64 // twice the number of pairs in order
	tp, fp := 0, 0
	for _, p := range r.points {
		twice += uint64(p.FalsePos-fp) * uint64(p.TruePos+tp)
		tp, fp = p.TruePos, p.FalsePos
	}
	return float64(twice) / 2 / float64(r.positive) / float64(r.negative)
}

// AveragePrecision is the area under the precision-recall curve as a sum of
// steps: the precision at each threshold times the recall it adds, without
// interpolation. Chance is the share of positives.
func (r *Ranking) AveragePrecision() float64 {
	if r.undefined || r.positive == 0 {
		return math.NaN()
	}
	var sum float64
	tp := 0
	for _, p := range r.points {
		gain := float64(p.TruePos-tp) / float64(r.positive)
		sum += float64(gain * share(p.TruePos, p.TruePos+p.FalsePos)) // not fused: the same on every machine
		tp = p.TruePos
	}
	return sum
}

// AtTPR is the highest threshold that calls at least the share tpr of the
// positives positive, 0 < tpr <= 1; [Point.FPR] of it with tpr 0.95 is the
// FPR95 of the literature. Shares are compared in float64: TruePos/positives >=
// tpr, so 0.95 of 20 is 19. All fields that are undefined are NaN; where no
// threshold qualifies (no positives, a tpr above 1 or NaN) so is the threshold.
func (r *Ranking) AtTPR(tpr float64) Point {
	if tpr > 0 {
		for _, p := range r.points {
			if p.TPR >= tpr {
				return p
			}
		}
	}
	return Point{Threshold: math.NaN(), TPR: math.NaN(), FPR: math.NaN()}
}

// DetectionError is the smallest mean of the two error rates over all
// thresholds, (1-TPR)/2 + FPR/2: 0 is perfect, 0.5 is chance.
func (r *Ranking) DetectionError() float64 {
	if r.undefined || r.positive == 0 || r.negative == 0 {
		return math.NaN()
	}
	least := 0.5 // nothing is called positive
	for _, p := range r.points {
		least = min(least, (1-p.TPR)/2+p.FPR/2)
	}
	return least
}
