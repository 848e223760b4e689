package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/clip/tiny"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
)

// sampleSize is how many raw images somebody labels by hand, for thresholds.
const sampleSize = 400

// prelabelling is the first half of the method: CLIP proposes labels for raw
// images, what it is sure of is kept, and a model is trained on that. The true
// labels of the raw images, which are known here, only judge it.
type prelabelling struct {
	raw         int     // images
	accuracyAll float64 // of all proposed labels
	kept        dataset.Set
	keptShare   float64
	accuracy    float64 // of the kept labels
	fit         *clip.Fit
	report      *clip.Report
	zeroShot    float64    // CLIP's own accuracy on the test images
	model       *contender // trained on the kept labels
}

// prelabel proposes labels for the training images as if nobody had labelled
// them, but for a sample.
func prelabel(ctx context.Context, d *data, dev *nn.Device, o options, w io.Writer) (*prelabelling, error) {
	m, prompts, err := openCLIP(d, dev, o)
	if err != nil || m == nil {
		return nil, err
	}
	fmt.Fprintf(w, "\nPre-labelling %d raw images with CLIP, thresholds from %d labelled ones\n", d.pool.Len()-sampleOf(d.pool), sampleOf(d.pool))
	zs, err := m.ZeroShot(ctx, prompts.Classes, prompts.Templates...)
	if err != nil {
		return nil, err
	}
	sample := dataset.Limit(d.pool, sampleOf(d.pool), o.seed)
	sampled := map[int]bool{}
	for i := range sample.Len() {
		_, at := sample.Source(i)
		sampled[at] = true
	}
	judged, err := zs.Judge(ctx, sample)
	if err != nil {
		return nil, err
	}
	want := clip.FitOptions{Precision: o.precision}
	p := &prelabelling{}
	if p.report, err = judged.Report(ctx, want); err != nil && !errors.Is(err, clip.ErrPrecision) {
		return nil, err
	}
	p.fit = p.report.Fit
	fmt.Fprintf(w, "  of the sample %.1f%% are named right\n", 100*p.report.Accuracy)
	for _, warning := range p.report.Warnings {
		fmt.Fprintf(w, "  %s\n", warning)
	}
	var index, labels []int
	right, rightKept := 0, 0
	opts := clip.PrelabelOptions{Thresholds: p.fit.Thresholds, Skip: func(i int) bool { return sampled[i] }}
	for r, err := range clip.Prelabel(ctx, zs, d.pool, opts) {
		if err != nil {
			return nil, err
		}
		if r.Err != nil {
			return nil, r.Err
		}
		p.raw++
		ok := r.Index == d.pool.Label(r.Picture)
		if ok {
			right++
		}
		if r.Verdict == clip.Keep {
			index, labels = append(index, r.Picture), append(labels, r.Index)
			if ok {
				rightKept++
			}
		}
	}
	p.accuracyAll = float64(right) / float64(p.raw)
	p.keptShare = float64(len(index)) / float64(p.raw)
	p.accuracy = float64(rightKept) / float64(len(index))
	fmt.Fprintf(w, "  %.1f%% of the proposed labels are right; %.1f%% are kept, and of those %s are right\n",
		100*p.accuracyAll, 100*p.keptShare, percent(p.accuracy))
	if p.zeroShot, err = accuracyOf(ctx, zs, d.test); err != nil {
		return nil, err
	}
	view, err := dataset.Subset(d.pool, index)
	if err != nil {
		return nil, err
	}
	p.kept, err = dataset.Relabel(view, d.classes, labels)
	return p, err
}

func sampleOf(pool dataset.Set) int { return min(sampleSize, pool.Len()/4) }

// openCLIP opens the model of -clip, or the embedded one for the drawn scenes;
// nil if none is wanted.
func openCLIP(d *data, dev *nn.Device, o options) (*clip.Model, clip.Prompts, error) {
	prompts := clip.Prompts{Classes: clip.Named(d.classes...)}
	if o.prompts != "" {
		f, err := os.Open(o.prompts)
		if err != nil {
			return nil, prompts, err
		}
		defer f.Close()
		if prompts, err = clip.ReadPrompts(f); err != nil {
			return nil, prompts, fmt.Errorf("%s: %w", o.prompts, err)
		}
		if err := sameClasses(prompts.Classes, d.classes); err != nil {
			return nil, prompts, fmt.Errorf("%s: %w", o.prompts, err)
		}
	}
	switch {
	case o.clip != "":
		m, err := clip.Open(o.clip, clip.Options{Device: dev})
		return m, prompts, err
	case o.prelabel && o.data == "":
		m, err := tiny.Open()
		if err == nil {
			m.SetDevice(dev)
		}
		return m, prompts, err
	}
	if o.prelabel {
		return nil, prompts, errors.New("-prelabel on images of your own needs a model: -clip")
	}
	return nil, prompts, nil
}

// sameClasses wants descriptions of the data's classes, in their order.
func sameClasses(described []clip.Class, classes []string) error {
	if len(described) != len(classes) {
		return fmt.Errorf("%d classes, the data have %d", len(described), len(classes))
	}
	for i, c := range described {
		if c.Name != classes[i] {
			return fmt.Errorf("class %d is %q, in the data it is %q", i+1, c.Name, classes[i])
		}
	}
	return nil
}

// accuracyOf is the share of a set that zero-shot gets right.
func accuracyOf(ctx context.Context, zs *clip.ZeroShot, set dataset.Set) (float64, error) {
	right := 0
	for r, err := range zs.Each(ctx, set) {
		if err != nil {
			return 0, err
		}
		if r.Err == nil && r.Index == set.Label(r.Picture) {
			right++
		}
	}
	return float64(right) / float64(set.Len()), nil
}

// trainOnKept trains the recipe of the better model on the kept labels. Part of
// them is held out for choosing between its two versions; the true labels of
// the test images come in at the very end.
func (p *prelabelling) trainOnKept(ctx context.Context, r recipe, d *data, dev *nn.Device, o options, w io.Writer) error {
	if p.kept.Len() < 100 {
		fmt.Fprintf(w, "\nWith %d kept labels there is nothing to train on.\n", p.kept.Len())
		return nil
	}
	kept, held, err := dataset.HoldOut(p.kept, o.seed)
	if err != nil {
		return err
	}
	pseudo := *d
	if pseudo.train, err = dataset.Prepare(kept, d.transform, 0); err != nil {
		return err
	}
	if pseudo.held, err = dataset.Prepare(held, d.transform, 0); err != nil {
		return err
	}
	// As many steps as with all labels: fewer images, more epochs.
	o.epochs = max(epochs(o, d)*d.train.Len()/kept.Len(), 1)
	r.title += " on kept labels"
	p.model, err = compete(ctx, r, &pseudo, dev, o, w)
	return err
}

// judge measures the model of the kept labels on the test images.
func (p *prelabelling) judge(ctx context.Context, d *data, dev *nn.Device) error {
	if p.model == nil {
		return nil
	}
	v := p.model.best()
	if err := nn.Load(p.model.model, v.weights, nn.LoadOptions{}); err != nil {
		return err
	}
	var err error
	v.test, err = train.Predict(ctx, nn.NewRunner(p.model.model, dev), d.test, train.PredictOptions{Transform: d.transform, Workers: dev.Threads()})
	return err
}
