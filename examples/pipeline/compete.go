package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/metrics"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
	"github.com/winnow-go/winnow/weights"
)

// contender is a trained model with its history.
type contender struct {
	recipe
	model  nn.Model
	macs   int64 // multiply-adds of one image
	epochs []train.Epoch
	time   time.Duration // training alone
	raw    version
	ema    version
}

// version is one set of weights of a contender.
type version struct {
	name     string // "raw" or "ema"
	weights  weights.Source
	held     *train.Predictions
	accuracy float64 // on the held-out images
	nll      float64

	test *train.Predictions // filled at the very end
}

// compete trains one model.
func compete(ctx context.Context, r recipe, d *data, dev *nn.Device, o options, w io.Writer) (*contender, error) {
	m, err := r.build()
	if err != nil {
		return nil, err
	}
	t := nn.NewTape(nn.Training, dev)
	m.Forward(t, t.Describe(1, d.transform.Size, d.transform.Size, 3))
	c := &contender{recipe: r, model: m, macs: t.MACs()}
	if err := t.Err(); err != nil {
		return nil, err
	}
	average := &ema.Average{Decay: 0.998}
	bar := newBar(w)
	run, err := train.New(m, d.train, train.Options{
		Epochs: epochs(o, d), Batch: batchSize(o, d),
		Optimizer: r.optimizer, Schedule: train.Cosine{Peak: r.peak, Warmup: 0.05},
		Smoothing: 0.1, EMA: average,
		Transform: d.transform, Augment: d.augment(), Validation: d.held,
		Seed: o.seed, Device: dev, Workers: o.threads,
		OnStep: bar.step,
	})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "\n%s: %d parameters, %.1f million multiply-adds an image\n", r.title, nn.Count(m), float64(c.macs)/1e6)
	for e, err := range run.Epochs(ctx) {
		bar.done()
		if err != nil {
			return nil, err
		}
		c.epochs = append(c.epochs, e)
		c.time += e.Train
		fmt.Fprintf(w, "  epoch %2d  loss %.3f  held out: %.2f%%, averaged weights %.2f%%  (%.1f s)\n",
			e.Number, e.Loss, 100*e.Validation.Accuracy(), 100*e.Averaged.Accuracy(), e.Train.Seconds())
	}
	last := c.epochs[len(c.epochs)-1]
	raw, err := nn.Clone(m)
	if err != nil {
		return nil, err
	}
	if c.raw, err = newVersion("raw", raw, last.Validation); err != nil {
		return nil, err
	}
	c.ema, err = newVersion("ema", average, last.Averaged)
	return c, err
}

func newVersion(name string, src weights.Source, held *train.Predictions) (version, error) {
	p, err := metrics.FromLogits(held.Logits, held.Labels, 1)
	if err != nil {
		return version{}, err
	}
	return version{name: name, weights: src, held: held, accuracy: p.Accuracy(), nll: p.NLL()}, nil
}

// better compares versions on the held-out images.
func (v *version) better(other *version) bool {
	if v.accuracy != other.accuracy {
		return v.accuracy > other.accuracy
	}
	return v.nll < other.nll
}

// best is the better of a contender's two versions.
func (c *contender) best() *version {
	if c.ema.better(&c.raw) {
		return &c.ema
	}
	return &c.raw
}

// choose picks the contender that is best on the held-out images.
func choose(runs []*contender) *contender {
	best := runs[0]
	for _, c := range runs[1:] {
		if c.best().better(best.best()) {
			best = c
		}
	}
	return best
}

func orNull(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
