package metrics

import (
	"errors"
	"fmt"
	"math"
)

// ErrNotFinite is wrapped where a logit or probability is NaN or infinite: the
// model has diverged, and no measure of it means anything.
var ErrNotFinite = errors.New("not a finite number")

// Predictions judges probabilities against the right answers. It keeps a few
// numbers per sample, not the probabilities, so K does not matter for memory.
// Create one with [FromLogits], [FromProbs] or [NewPredictions].
type Predictions struct {
	classes     int
	temperature float64
	confidence  []float64 // probability of the predicted class
	rank        []int32   // how many classes come before the right one; 0 is a correct answer
	nll, brier  float64   // sums
	buf         []float64
}

// NewPredictions returns an empty collection over K classes whose logits are
// divided by the temperature, 0 meaning 1.
func NewPredictions(classes int, temperature float64) (*Predictions, error) {
	if classes < 1 {
		return nil, fmt.Errorf("metrics: predictions: %d classes", classes)
	}
	if temperature == 0 {
		temperature = 1
	}
	if !(temperature > 0) || math.IsInf(temperature, 1) {
		return nil, fmt.Errorf("metrics: predictions: temperature %v: want a positive number", temperature)
	}
	return &Predictions{classes: classes, temperature: temperature}, nil
}

// FromLogits collects N samples at once: logits [N,K] and N labels, which
// determine K. It keeps neither slice. No labels, lengths that do not fit, a
// label outside 0..K-1, or a logit that is NaN or infinite are errors.
func FromLogits(logits []float32, labels []int, temperature float64) (*Predictions, error) {
	return collect(logits, labels, temperature, (*Predictions).Add)
}

// FromProbs is [FromLogits] for probabilities [N,K].
func FromProbs(probs []float64, labels []int) (*Predictions, error) {
	return collect(probs, labels, 1, (*Predictions).AddProbs)
}

func collect[T float32 | float64](rows []T, labels []int, temperature float64, add func(*Predictions, []T, int) error) (*Predictions, error) {
	n := len(labels)
	if n == 0 || len(rows) == 0 || len(rows)%n != 0 {
		return nil, fmt.Errorf("metrics: predictions: %d values for %d labels: want K for each", len(rows), n)
	}
	k := len(rows) / n
	p, err := NewPredictions(k, temperature)
	if err != nil {
		return nil, err
	}
	p.confidence = make([]float64, 0, n)
	p.rank = make([]int32, 0, n)
	for i, label := range labels {
		if err := add(p, rows[i*k:(i+1)*k], label); err != nil {
			return nil, fmt.Errorf("%w (sample %d)", err, i)
		}
	}
	return p, nil
}

// Add counts one sample: its row of K logits and its label. A row of another
// length, a label outside 0..K-1, or a logit that is NaN or infinite (an error
// that wraps [ErrNotFinite]) count nothing.
func (p *Predictions) Add(logits []float32, label int) error {
	if err := p.check(len(logits), label); err != nil {
		return err
	}
	for k, z := range logits {
		if math.IsNaN(float64(z)) || math.IsInf(float64(z), 0) {
			return fmt.Errorf("metrics: predictions: logit of class %d is %v: %w", k, z, ErrNotFinite)
		}
	}
	if cap(p.buf) < p.classes {
		p.buf = make([]float64, p.classes)
	}
	p.buf = p.buf[:p.classes]
	shift, logSum := softmax(p.buf, logits, p.temperature)
	p.nll += logSum - (float64(logits[label])-shift)/p.temperature
	add(p, logits, label)
	return nil
}

// AddProbs is [Predictions.Add] for a row of K probabilities, which the
// temperature leaves alone. They are taken as they are: a row need not sum to
// 1. A right answer of probability 0 makes the log loss +Inf. A probability
// outside 0..1, or NaN, is an error.
func (p *Predictions) AddProbs(probs []float64, label int) error {
	if err := p.check(len(probs), label); err != nil {
		return err
	}
	for k, v := range probs {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("metrics: predictions: probability of class %d is %v: %w", k, v, ErrNotFinite)
		}
		if v < 0 || v > 1 {
			return fmt.Errorf("metrics: predictions: probability of class %d is %v: want 0..1", k, v)
		}
	}
	p.buf = append(p.buf[:0], probs...)
	p.nll -= math.Log(probs[label])
	add(p, probs, label)
	return nil
}

func (p *Predictions) check(n, label int) error {
	if n != p.classes {
		return fmt.Errorf("metrics: predictions: a row of %d values, want %d classes", n, p.classes)
	}
	if label < 0 || label >= p.classes {
		return fmt.Errorf("metrics: predictions: label %d: there are %d classes", label, p.classes)
	}
	return nil
}

// add counts the sample whose probabilities are in p.buf. Ranks come from the
// values as given, which have fewer ties than their exponentials.
func add[T float32 | float64](p *Predictions, values []T, label int) {
	best, rank := 0, int32(0)
	for k, v := range values {
		if v > values[best] {
			best = k
		}
		if v > values[label] || v == values[label] && k < label {
			rank++
		}
	}
	var brier float64
	for k, q := range p.buf {
		if k == label {
			q--
		}
		brier += q * q
	}
	p.brier += brier
	p.confidence = append(p.confidence, p.buf[best])
	p.rank = append(p.rank, rank)
}

// Merge adds the samples of another collection over the same number of
// classes, after those already there.
func (p *Predictions) Merge(other *Predictions) error {
	if p.classes != other.classes {
		return fmt.Errorf("metrics: predictions: merge: %d and %d classes", p.classes, other.classes)
	}
	p.confidence = append(p.confidence, other.confidence...)
	p.rank = append(p.rank, other.rank...)
	p.nll += other.nll
	p.brier += other.brier
	return nil
}

// N is the number of samples.
func (p *Predictions) N() int { return len(p.rank) }

// Accuracy is the share of samples whose right class has the highest
// probability, NaN when there are none.
func (p *Predictions) Accuracy() float64 { return p.TopK(1) }

// TopK is the share of samples whose right class is among the k of highest
// probability. Ties are broken by index: of equal ones the lower comes first.
// It is 0 for k below 1, 1 for k of K or more, NaN without samples.
func (p *Predictions) TopK(k int) float64 {
	hits := 0
	for _, r := range p.rank {
		if int(r) < k {
			hits++
		}
	}
	return share(hits, len(p.rank))
}

// NLL is the mean negative log-likelihood of the right class in nats, also
// called log loss or cross-entropy: 0 is perfect, log K is guessing. From
// logits it is exact however small the probability; scikit-learn clips
// probabilities at 1e-15. NaN without samples.
func (p *Predictions) NLL() float64 { return p.nll / float64(len(p.rank)) }

// Brier is the mean over samples of the squared distance between the
// probabilities and the truth, summed over classes (Brier, 1950): 0 is
// perfect, 2 the worst. Some divide it by K; in the case of two classes
// scikit-learn's brier_score_loss is half of it. NaN without samples.
func (p *Predictions) Brier() float64 { return p.brier / float64(len(p.rank)) }
