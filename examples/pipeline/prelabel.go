package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/clip/tiny"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
)

// sampleSize is how many raw images somebody labels by hand: thresholds are
// fitted on them, and they are learned from as well.
const sampleSize = 600

// prelabelling is the first half of the method: CLIP proposes labels for raw
// images, what it is sure of is kept, and a model is trained on that. The true
// labels of the raw images but for the sample, which are known here, only judge
// it.
type prelabelling struct {
	raw         int         // images without a label
	sample      dataset.Set // images that somebody labelled
	accuracyAll float64     // of all proposed labels
	kept        dataset.Set // with proposed labels
	keptShare   float64
	accuracy    float64 // of the kept labels
	fit         *clip.Fit
	report      *clip.Report
	classifier  *clip.ZeroShot
	zeroShot    float64    // CLIP's own accuracy on the test images
	model       *contender // trained on the kept labels and the sample
}

// prelabel proposes labels for the training images as if nobody had labelled
// them, but for a sample.
func prelabel(ctx context.Context, d *data, dev *nn.Device, o options, w io.Writer) (*prelabelling, error) {
	m, prompts, err := openCLIP(d, dev, o)
	if err != nil || m == nil {
		return nil, err
	}
	zs, err := m.ZeroShot(ctx, prompts.Classes, prompts.Templates...)
	if err != nil {
		return nil, err
	}
	p := &prelabelling{classifier: zs}
	sampled, err := p.draw(d, o.seed)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(w, "\nPre-labelling %d raw images with CLIP, thresholds from a sample of %d labelled by hand\n", d.pool.Len()-len(sampled), len(sampled))
	judged, err := zs.Judge(ctx, p.sample)
	if err != nil {
		return nil, err
	}
	if p.report, err = judged.Report(ctx, clip.FitOptions{Precision: o.precision}); err != nil {
		return nil, err
	}
	p.fit = p.report.Fit
	fmt.Fprintf(w, "  of the sample %.1f%% are named right; at least %.0f%% of the kept labels should be\n", 100*p.report.Accuracy, 100*o.precision)
	for _, warning := range p.report.Warnings {
		fmt.Fprintf(w, "  WARNING: %s\n", warning)
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
	view, err := dataset.Subset(d.pool, index)
	if err != nil {
		return nil, err
	}
	if p.kept, err = dataset.Relabel(view, d.classes, labels); err != nil {
		return nil, err
	}
	if len(index) == 0 {
		fmt.Fprintf(w, "  %.1f%% of the proposed labels are right; none is kept\n", 100*p.accuracyAll)
		return p, nil
	}
	fmt.Fprintf(w, "  %.1f%% of the proposed labels are right; %.1f%% are kept, and of those %.2f%% are right\n  kept:",
		100*p.accuracyAll, 100*p.keptShare, 100*p.accuracy)
	for k, n := range dataset.Counts(p.kept) {
		fmt.Fprintf(w, " %s %d", d.classes[k], n)
	}
	fmt.Fprintln(w)
	return p, nil
}

// draw takes the sample, at random and without a look at labels, and reports
// which images of the pool it has.
func (p *prelabelling) draw(d *data, seed uint64) (map[int]bool, error) {
	unseen := make([]int, d.pool.Len())
	for i := range unseen {
		unseen[i] = -1
	}
	raw, err := dataset.Relabel(d.pool, d.classes, unseen)
	if err != nil {
		return nil, err
	}
	sample := dataset.Limit(raw, min(sampleSize, d.pool.Len()/4), seed)
	index, sampled := make([]int, sample.Len()), map[int]bool{}
	for i := range index {
		_, index[i] = sample.Source(i)
		sampled[index[i]] = true
	}
	p.sample, err = dataset.Subset(d.pool, index)
	return sampled, err
}

// openCLIP opens the model of -clip, or the embedded one for the drawn scenes;
// nil if there is none.
func openCLIP(d *data, dev *nn.Device, o options) (*clip.Model, clip.Prompts, error) {
	prompts := clip.Prompts{Classes: clip.Named(d.classes...)}
	own := o.prelabel && o.data == ""
	if o.clip == "" && !own {
		if o.prompts != "" {
			return nil, prompts, errors.New("-prompts describes classes to a CLIP, and there is none: -clip names one")
		}
		return nil, prompts, nil
	}
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
	if o.clip != "" {
		m, err := clip.Open(o.clip, clip.Options{Device: dev})
		return m, prompts, err
	}
	m, err := tiny.Open()
	if err == nil {
		m.SetDevice(dev)
	}
	return m, prompts, err
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

// trainOnKept trains the recipe of the better model on the kept labels and on
// most of the sample, whose labels are paid for. The rest of the sample is held
// out for choosing between its two versions; the true labels of the test images
// come in at the very end.
func (p *prelabelling) trainOnKept(ctx context.Context, r recipe, d *data, dev *nn.Device, o options, w io.Writer) error {
	if p.kept.Len() < 100 {
		fmt.Fprintf(w, "\nWith %d kept labels there is nothing to train on.\n", p.kept.Len())
		return nil
	}
	checked, held, err := dataset.Stratified(p.sample, 0.25, o.seed)
	if err != nil {
		return err
	}
	all, err := dataset.Concat(p.kept, checked)
	if err != nil {
		return err
	}
	once, err := dataset.Prepare(all, d.transform, 0)
	if err != nil {
		return err
	}
	pseudo := *d
	if pseudo.train, err = dataset.Subset(once, evened(dataset.Labels(once), len(d.classes))); err != nil {
		return err
	}
	if pseudo.held, err = dataset.Prepare(held, d.transform, 0); err != nil {
		return err
	}
	// As many steps as with true labels: fewer images, more epochs.
	o.epochs = max((epochs(o, d)*d.train.Len()+pseudo.train.Len()/2)/pseudo.train.Len(), 1)
	r.title += " on kept labels"
	p.model, err = compete(ctx, r, &pseudo, dev, o, w)
	return err
}

// evened repeats images, given by their labels, where their class has few: one
// of a class with a quarter of the images that the largest has is shown twice,
// by the square root. CLIP is sure of some classes more often than of others, and
// a model that hardly saw a class would never name it. The result are places in
// labels.
func evened(labels []int, classes int) []int {
	counts := make([]int, classes)
	for _, k := range labels {
		counts[k]++
	}
	most := float64(slices.Max(counts))
	seen, shown := make([]int, classes), make([]int, classes)
	var index []int
	for i, k := range labels {
		seen[k]++
		due := int(float64(seen[k]) * math.Sqrt(most/float64(counts[k])))
		for ; shown[k] < due; shown[k]++ {
			index = append(index, i)
		}
	}
	return index
}

// judge measures CLIP and the model of the kept labels on the test images.
func (p *prelabelling) judge(ctx context.Context, d *data, dev *nn.Device) error {
	var err error
	if p.zeroShot, err = accuracyOf(ctx, p.classifier, d.full); err != nil || p.model == nil {
		return err
	}
	v := p.model.best()
	if err := nn.Load(p.model.model, v.weights, nn.LoadOptions{}); err != nil {
		return err
	}
	v.test, err = train.Predict(ctx, nn.NewRunner(p.model.model, dev), d.test, train.PredictOptions{Transform: d.transform, Workers: dev.Threads()})
	return err
}
