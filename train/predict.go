package train

import (
	"context"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// Predictions are a model's logits on a set, for the caller to score.
type Predictions struct {
	Logits  []float32 // [N,K]
	Classes int       // K
	Labels  []int     // [N], -1 where unknown
}

// Len is N.
func (p *Predictions) Len() int { return len(p.Labels) }

// Predicted is the class of row i's largest logit; of equal ones the first. It
// is -1 if a logit is NaN.
func (p *Predictions) Predicted(i int) int {
	row := p.Logits[i*p.Classes : (i+1)*p.Classes]
	best := 0
	for c, v := range row {
		if v != v {
			return -1
		}
		if v > row[best] {
			best = c
		}
	}
	return best
}

// Accuracy is the share of the labelled rows whose prediction is the label, NaN
// if there are none.
func (p *Predictions) Accuracy() float64 {
	right, n := 0, 0
	for i, want := range p.Labels {
		if want < 0 {
			continue
		}
		n++
		if p.Predicted(i) == want {
			right++
		}
	}
	return float64(right) / float64(n)
}

// PredictOptions say how a set is read.
type PredictOptions struct {
	Transform transform.Config
	Batch     int // 0 means 64
	Workers   int // decoders; 0 means GOMAXPROCS
}

// Predict runs a model over a set, in order.
func Predict(ctx context.Context, run *nn.Runner, set dataset.Set, o PredictOptions) (*Predictions, error) {
	p := &Predictions{}
	load := dataset.LoadOptions{Batch: o.Batch, Transform: o.Transform, Workers: o.Workers}
	for batch, err := range dataset.Batches(ctx, set, load) {
		if err != nil {
			return nil, err
		}
		x, shape, err := nn.Floats(batch.X)
		if err != nil {
			return nil, err
		}
		if p.Logits, p.Classes, err = run.PredictFloats(p.Logits, x, shape...); err != nil {
			return nil, err
		}
		p.Labels = append(p.Labels, batch.Labels...)
	}
	return p, nil
}
