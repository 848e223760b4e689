package metrics

import (
	"math"
	"sort"
)

// Bins is the usual number of bins of the calibration error.
const Bins = 15

// Bin is one bar of a reliability diagram: the samples whose confidence, the
// probability of the predicted class, lies in (Lo, Hi].
type Bin struct {
	Lo, Hi     float64
	Count      int
	Accuracy   float64 // share of them that were right, NaN when Count is 0
	Confidence float64 // their mean confidence, NaN when Count is 0
}

// Reliability sorts the samples by confidence into n bins of equal width over
// 0..1, n below 1 meaning [Bins]. The upper edge of a bin belongs to it, as in
// the authors' code; torchmetrics' bins own their lower edge instead. A
// confidence of 0 falls into the first bin.
func (p *Predictions) Reliability(n int) []Bin {
	if n < 1 {
		n = Bins
	}
	bins := make([]Bin, n)
	for i := range bins {
		bins[i].Lo, bins[i].Hi = float64(i)/float64(n), float64(i+1)/float64(n)
	}
	hits := make([]int, n)
	sums := make([]float64, n)
	for i, c := range p.confidence {
		at := sort.Search(n-1, func(j int) bool { return c <= bins[j].Hi })
		bins[at].Count++
		sums[at] += c
		if p.rank[i] == 0 {
			hits[at]++
		}
	}
	for i := range bins {
		bins[i].Accuracy = share(hits[i], bins[i].Count)
		bins[i].Confidence = sums[i] / float64(bins[i].Count)
	}
	return bins
}

// ECE is the expected calibration error over [Bins] bins: the mean over
// samples of |accuracy - confidence| of the bin they fall in (Guo et al.,
// 2017, arXiv:1706.04599, eq. 5). 0..1, 0 is perfect. NaN without samples.
func (p *Predictions) ECE() float64 { return ECE(p.Reliability(Bins)) }

// MCE is the largest |accuracy - confidence| of the [Bins] bins (eq. 6); one
// sample alone in a bin can decide it. NaN without samples.
func (p *Predictions) MCE() float64 { return MCE(p.Reliability(Bins)) }

// ECE is the expected calibration error of given bins.
func ECE(bins []Bin) float64 {
	var sum float64
	n := 0
	for _, b := range bins {
		if b.Count > 0 {
			sum += float64(b.Count) * math.Abs(b.Accuracy-b.Confidence)
			n += b.Count
		}
	}
	return sum / float64(n)
}

// MCE is the largest calibration error of given bins.
func MCE(bins []Bin) float64 {
	worst := math.NaN()
	for _, b := range bins {
		if b.Count > 0 {
			if d := math.Abs(b.Accuracy - b.Confidence); !(d <= worst) {
				worst = d
			}
		}
	}
	return worst
}
