package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/report"
)

// summary is summary.json. Accuracies and shares are 0..1; what is undefined
// is null.
type summary struct {
	Data        string                  `json:"data"`
	Classes     []string                `json:"classes"`
	TrainImages int                     `json:"train_images"`
	HeldOut     int                     `json:"held_out_images"`
	TestImages  int                     `json:"test_images"`
	Models      map[string]modelSummary `json:"models"`
	Best        string                  `json:"best"`         // by accuracy on the held-out images
	BestWeights string                  `json:"best_weights"` // "raw" or "ema"
	Temperature float64                 `json:"temperature"`
	ECEBefore   *float64                `json:"ece_before"` // on the test images
	ECEAfter    *float64                `json:"ece_after"`
	OOD         oodSummary              `json:"ood"`
	Prelabel    *prelabelSummary        `json:"prelabel"` // null without CLIP
}

// prelabelSummary is about the labels that CLIP proposed for raw images, and
// what a model learns from those that were kept.
type prelabelSummary struct {
	RawImages    int             `json:"raw_images"`
	Sample       int             `json:"sample_images"` // labelled by hand, not among the raw ones
	AccuracyAll  *float64        `json:"accuracy_all"`
	KeptFraction *float64        `json:"kept_fraction"`
	AccuracyKept *float64        `json:"accuracy_kept"`
	KeptByClass  map[string]int  `json:"kept_by_class"`
	Precision    float64         `json:"precision_wanted"`
	Thresholds   clip.Thresholds `json:"thresholds"`
	Warnings     []string        `json:"warnings"` // about the prompts
	// Accuracies on the test images: of CLIP itself, of the model trained on
	// kept labels and the sample, and of the same model trained on true labels
	// of all.
	ZeroShot  *float64 `json:"zero_shot_test_accuracy"`
	Kept      *float64 `json:"kept_labels_test_accuracy"`
	TrueLabel *float64 `json:"true_labels_test_accuracy"`
}

type modelSummary struct {
	Params       int     `json:"params"`
	MACs         int64   `json:"macs"`
	Epochs       int     `json:"epochs"`
	TestAccuracy float64 `json:"test_accuracy"`
	EMAAccuracy  float64 `json:"ema_test_accuracy"`
	// MeanClass is of the weights that are better on the held-out images.
	MeanClass *float64 `json:"mean_class_accuracy"`
	HeldOut   float64  `json:"held_out_accuracy"`
	Seconds   float64  `json:"seconds"` // of training, evaluation not counted

	LossCurve     []float64 `json:"loss_curve"`     // mean training loss of each epoch
	AccuracyCurve []float64 `json:"accuracy_curve"` // on the held-out images
	EMACurve      []float64 `json:"ema_accuracy_curve"`
	StepLosses    []float64 `json:"step_losses"`
}

// oodSummary is measured on the test images and the strangers; the threshold
// is from the held-out images.
type oodSummary struct {
	AUROC     *float64 `json:"auroc"`
	FPR95     *float64 `json:"fpr95"`
	Threshold float64  `json:"threshold"`
	Kept      *float64 `json:"kept_known"`
	Refused   *float64 `json:"refused_unknown"`
}

func (v *verdict) summary() (summary, error) {
	s := summary{
		Data: v.data.name, Classes: v.data.classes,
		TrainImages: v.data.train.Len(), HeldOut: v.data.held.Len(), TestImages: v.data.test.Len(),
		Models: map[string]modelSummary{}, Best: v.best.name, BestWeights: v.best.best().name,
		Temperature: v.decision.Temperature, ECEBefore: orNull(v.before.ECE()), ECEAfter: orNull(v.after.ECE()),
		OOD: oodSummary{Threshold: v.decision.Threshold, Kept: orNull(v.row.Coverage), Refused: orNull(v.row.Stopped)},
	}
	if v.ood != nil {
		s.OOD.AUROC, s.OOD.FPR95 = orNull(v.ood.AUROC), orNull(v.ood.FPR95)
	}
	if p := v.pre; p != nil {
		s.Prelabel = &prelabelSummary{
			RawImages: p.raw, Sample: p.sample.Len(), KeptByClass: map[string]int{}, AccuracyAll: orNull(p.accuracyAll), KeptFraction: orNull(p.keptShare), AccuracyKept: orNull(p.accuracy),
			Precision: p.fit.Precision, Thresholds: p.fit.Thresholds, Warnings: p.report.Warnings,
			ZeroShot: orNull(p.zeroShot), TrueLabel: orNull(v.best.best().test.Accuracy()),
		}
		for k, n := range dataset.Counts(p.kept) {
			s.Prelabel.KeptByClass[v.data.classes[k]] = n
		}
		if p.model != nil {
			s.Prelabel.Kept = orNull(p.model.best().test.Accuracy())
		}
	}
	for _, c := range v.runs {
		cm, err := confusion(v.data.classes, c.best().test)
		if err != nil {
			return s, err
		}
		m := modelSummary{
			Params: nn.Count(c.model), MACs: c.macs, Epochs: len(c.epochs),
			TestAccuracy: c.raw.test.Accuracy(), EMAAccuracy: c.ema.test.Accuracy(), MeanClass: orNull(cm.MeanClassAccuracy()),
			HeldOut: c.best().accuracy, Seconds: c.time.Seconds(),
		}
		for _, e := range c.epochs {
			m.LossCurve = append(m.LossCurve, e.Loss)
			m.AccuracyCurve = append(m.AccuracyCurve, e.Validation.Accuracy())
			m.EMACurve = append(m.EMACurve, e.Averaged.Accuracy())
			m.StepLosses = append(m.StepLosses, e.Losses...)
		}
		s.Models[c.name] = m
	}
	return s, nil
}

// save writes all results but the model into a folder.
func (v *verdict) save(dir string) error {
	s, err := v.summary()
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	title := v.data.name
	for _, f := range []struct {
		name  string
		write func(io.Writer) error
	}{
		{"summary.json", func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err }},
		{"curves.png", func(w io.Writer) error { return report.Curves(w, title, v.curves()...) }},
		{"confusion.png", func(w io.Writer) error { return report.Confusion(w, title+": "+v.best.title, v.confusion) }},
		{"confusion.txt", func(w io.Writer) error { _, err := v.confusion.WriteTo(w); return err }},
		{"reliability.png", func(w io.Writer) error {
			return report.Reliability(w, title+": test images",
				report.Calibration{Name: "before", Bins: v.before.Reliability(0)},
				report.Calibration{Name: "after", Bins: v.after.Reliability(0)})
		}},
		{"sweep.png", func(w io.Writer) error { return report.Sweep(w, title+": what refusing costs", v.table, v.row) }},
		{"sweep.txt", func(w io.Writer) error { _, err := v.table.WriteTo(w); return err }},
		{"sweep.csv", v.table.WriteCSV},
		{"prelabel.txt", func(w io.Writer) error {
			if v.pre == nil {
				return nil
			}
			_, err := v.pre.report.WriteTo(w)
			return err
		}},
	} {
		var b bytes.Buffer
		if err := f.write(&b); err != nil {
			return err
		}
		if b.Len() == 0 { // a stage that was left out
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, f.name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// curves has every step's loss at its fraction of an epoch, and accuracies at
// the epochs' ends.
func (v *verdict) curves() []report.Run {
	var runs []report.Run
	for _, c := range v.runs {
		r := report.Run{Name: c.title}
		for i, e := range c.epochs {
			for j, loss := range e.Losses {
				r.Loss.X = append(r.Loss.X, float64(i)+float64(j+1)/float64(len(e.Losses)))
				r.Loss.Y = append(r.Loss.Y, loss)
			}
			r.Accuracy.Y = append(r.Accuracy.Y, e.Validation.Accuracy())
			r.EMAAccuracy.Y = append(r.EMAAccuracy.Y, e.Averaged.Accuracy())
		}
		runs = append(runs, r)
	}
	return runs
}
