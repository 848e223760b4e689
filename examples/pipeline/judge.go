package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/metrics"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/ood"
	"github.com/winnow-go/winnow/train"
)

// verdict is everything that is said about the models at the end.
type verdict struct {
	data      *data
	runs      []*contender
	best      *contender
	decision  ood.Decision       // from held-out images
	model     *winnow.Classifier // the better one, as it is saved
	pre       *prelabelling      // nil without CLIP
	row       ood.Row            // what it does to test images and strangers
	ood       *ood.Evaluation
	table     *ood.Table
	confusion *metrics.Confusion
	before    *metrics.Predictions // test images at temperature 1
	after     *metrics.Predictions // at the fitted one
}

// calibrate chooses the better model and fits its temperature and threshold,
// all on the held-out images.
func calibrate(runs []*contender, d *data) (*verdict, error) {
	v := &verdict{data: d, runs: runs, best: choose(runs)}
	chosen := v.best.best()
	var err error
	if v.decision, err = ood.Calibrate(chosen.held.Logits, chosen.held.Labels, ood.Options{Keep: 0.95}); err != nil {
		return nil, err
	}
	v.model, err = winnow.New(v.best.model, chosen.weights, winnow.Info{
		Classes: d.classes, Transform: d.transform, Decision: &v.decision,
	})
	return v, err
}

// judge looks at the test images and the strangers, for the first and only
// time.
func (v *verdict) judge(ctx context.Context, dev *nn.Device) error {
	d, chosen := v.data, v.best.best()
	var err error
	opts := train.PredictOptions{Transform: d.transform, Workers: dev.Threads()}
	var strangers []float32
	for _, c := range v.runs {
		for _, ver := range []*version{&c.raw, &c.ema} {
			if err := nn.Load(c.model, ver.weights, nn.LoadOptions{}); err != nil {
				return err
			}
			run := nn.NewRunner(c.model, dev)
			if ver.test, err = train.Predict(ctx, run, d.test, opts); err != nil {
				return err
			}
			if ver == chosen && d.strangers != nil {
				p, err := train.Predict(ctx, run, d.strangers, opts)
				if err != nil {
					return err
				}
				strangers = p.Logits
			}
		}
	}
	if v.confusion, err = confusion(d.classes, chosen.test); err != nil {
		return err
	}
	if v.before, err = metrics.FromLogits(chosen.test.Logits, chosen.test.Labels, 1); err != nil {
		return err
	}
	if v.after, err = metrics.FromLogits(chosen.test.Logits, chosen.test.Labels, v.decision.Temperature); err != nil {
		return err
	}
	if v.row, err = v.decision.Measure(chosen.test.Logits, chosen.test.Labels, strangers); err != nil {
		return err
	}
	if v.table, err = ood.Sweep(chosen.test.Logits, chosen.test.Labels, strangers, append(ood.Temperatures(), v.decision.Temperature), nil); err != nil {
		return err
	}
	if strangers != nil {
		if v.ood, err = v.evaluate(chosen.test.Logits, strangers); err != nil {
			return err
		}
	}
	return nil
}

func (v *verdict) evaluate(known, strangers []float32) (*ood.Evaluation, error) {
	k, err := ood.Scores(known, len(v.data.classes), v.decision.Score, v.decision.Temperature)
	if err != nil {
		return nil, err
	}
	s, err := ood.Scores(strangers, len(v.data.classes), v.decision.Score, v.decision.Temperature)
	if err != nil {
		return nil, err
	}
	e := ood.Evaluate(k, s)
	return &e, nil
}

func confusion(classes []string, p *train.Predictions) (*metrics.Confusion, error) {
	cm := metrics.NewConfusion(classes...)
	for i, want := range p.Labels {
		if err := cm.AddSample(want, p.Predicted(i), i); err != nil {
			return nil, err
		}
	}
	return cm, nil
}

func (v *verdict) print(w io.Writer) {
	fmt.Fprintln(w, "\nOn the test images, which nothing above has seen:")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "model\tparameters\tMMACs\ttest\taveraged\tmean of classes\ttraining\t")
	for _, c := range v.runs {
		cm, err := confusion(v.data.classes, c.best().test)
		mean := math.NaN()
		if err == nil {
			mean = cm.MeanClassAccuracy()
		}
		fmt.Fprintf(t, "%s\t%d\t%.1f\t%.2f%%\t%.2f%%\t%.2f%%\t%.1f s\t\n", c.title, nn.Count(c.model), float64(c.macs)/1e6,
			100*c.raw.test.Accuracy(), 100*c.ema.test.Accuracy(), 100*mean, c.time.Seconds())
	}
	t.Flush()
	if p := v.pre; p != nil {
		fmt.Fprintf(w, "\nFrom raw images: CLIP itself is right on %.2f%%", 100*p.zeroShot)
		if p.model != nil {
			fmt.Fprintf(w, ", %s trained on the labels that were kept and on the sample on %.2f%%", v.best.title, 100*p.model.best().test.Accuracy())
		}
		fmt.Fprintf(w, "; %s trained on true labels of all on %.2f%%.\n", v.best.title, 100*v.best.best().test.Accuracy())
	}
	chosen := v.best.best()
	kind := "last weights"
	if chosen.name == "ema" {
		kind = "averaged weights"
	}
	fmt.Fprintf(w, "\nThe better one on the held-out images is %s with its %s: %.2f%% there, %.2f%% on the test images.\n\n",
		v.best.title, kind, 100*chosen.accuracy, 100*chosen.test.Accuracy())
	fmt.Fprint(w, v.confusion)
	fmt.Fprintf(w, "\nTemperature %.3f, fitted on held-out images: calibration error on test images %.2f%% before, %.2f%% after.\n",
		v.decision.Temperature, 100*v.before.ECE(), 100*v.after.ECE())
	fmt.Fprintf(w, "Threshold %.4f, which keeps 95%% of the held-out images: it keeps %.1f%% of the test images, %s of those right.\n",
		v.decision.Threshold, 100*v.row.Coverage, percent(v.row.Accuracy))
	if v.ood != nil {
		fmt.Fprintf(w, "Strangers: %.1f%% refused; AUROC %.3f, %.1f%% accepted where 95%% of the test images are.\n",
			100*v.row.Stopped, v.ood.AUROC, 100*v.ood.FPR95)
	}
	fmt.Fprintln(w, "\nWhat other thresholds would do at this temperature:")
	fmt.Fprint(w, at(v.table, v.decision.Temperature))
}

// percent writes a share, a dash for what is undefined.
func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.2f%%", 100*v)
}

// at is the part of a table with one temperature.
func at(t *ood.Table, temperature float64) *ood.Table {
	part := *t
	part.Rows = nil
	for _, r := range t.Rows {
		if r.Temperature == temperature {
			part.Rows = append(part.Rows, r)
		}
	}
	return &part
}
