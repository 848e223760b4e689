package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/metrics"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// options are the command line.
type options struct {
	model, arch, config, data, logits string
	batch, threads                    int
}

// scores is what is printed. Shares are in 0-1.
type scores struct {
	N         int     `json:"n"`
	Top1      float64 `json:"top1"`
	Top5      float64 `json:"top5"`
	MeanClass float64 `json:"mean_class_accuracy"`
	NLL       float64 `json:"nll"`
	PerSecond float64 `json:"images_per_second"`
}

// evaluate runs the command. What had to be assumed is said on notes.
func evaluate(ctx context.Context, o options, notes io.Writer) (*scores, error) {
	s, err := open(o, notes)
	if err != nil {
		return nil, err
	}
	var limits transform.Limits
	limits.IgnoreEXIF = !s.upright
	parts, err := dataset.Open(o.data, dataset.Options{Limits: limits})
	if err != nil {
		return nil, err
	}
	set, what := pictures(parts)
	fmt.Fprintf(notes, "evaluate: %d images, %s of %s\n", set.Len(), what, o.data)
	if parts.Kind != dataset.ImageFolder {
		if s.transform, err = native(s.transform, set); err != nil {
			return nil, err
		}
	}
	return s.measure(ctx, set, o, notes)
}

// pictures are those for testing if names tell them, otherwise all, in the order
// of the files.
func pictures(parts *dataset.Splits) (dataset.Set, string) {
	if !parts.Drawn {
		return parts.Test, "the test part"
	}
	for _, part := range []dataset.Set{parts.Train, parts.Test} {
		if v, ok := part.(*dataset.View); ok && v.Len() > 0 {
			all, _ := v.Source(0) // both were drawn from it
			return all, "all"
		}
	}
	return parts.All(), "all"
}

// native leaves images alone that have the model's size.
func native(c transform.Config, set dataset.Set) (transform.Config, error) {
	img, err := set.Image(0) // all are of one size
	if err != nil {
		return c, err
	}
	c = c.WithDefaults()
	if b := img.Bounds(); b.Dx() == c.Size && b.Dy() == c.Size {
		c.Resize, c.Crop = c.Size, transform.Centre
	}
	return c, nil
}

// measure runs the model over set, batch by batch.
func (s *subject) measure(ctx context.Context, set dataset.Set, o options, notes io.Writer) (*scores, error) {
	numbers, err := s.numbering(set.Classes(), notes)
	if err != nil {
		return nil, err
	}
	dev := nn.NewDevice(nn.DeviceOptions{Threads: o.threads})
	run := nn.NewRunner(s.model, dev)
	t := tally{set: set, numbers: numbers, file: o.logits}
	defer t.close()

	load := dataset.LoadOptions{Batch: o.batch, Transform: s.transform, Workers: dev.Threads()}
	start := time.Now()
	var logits []float32
	for batch, err := range dataset.Batches(ctx, set, load) {
		if err != nil {
			return nil, err
		}
		x, shape, err := nn.Floats(batch.X)
		if err != nil {
			return nil, err
		}
		classes := 0
		if logits, classes, err = run.PredictFloats(logits[:0], x, shape...); err != nil {
			return nil, err
		}
		if err := t.add(logits, classes, batch); err != nil {
			return nil, err
		}
	}
	return t.scores(time.Since(start))
}

// numbering maps the data's classes to the model's: by name where the model has
// names, by position otherwise.
func (s *subject) numbering(data []string, notes io.Writer) ([]int, error) {
	numbers := make([]int, len(data))
	var strange []string
	for i, name := range data {
		numbers[i] = i
		if s.classes == nil {
			continue
		}
		if numbers[i] = slices.Index(s.classes, name); numbers[i] < 0 {
			strange = append(strange, name)
		}
	}
	switch {
	case len(strange) == 0:
		return numbers, nil
	case len(strange) == len(data) && len(data) == len(s.classes):
		fmt.Fprintf(notes, "evaluate: the classes of the data are called %q, those of the model %q: they are taken by position\n", short(data), short(s.classes))
		for i := range numbers {
			numbers[i] = i
		}
		return numbers, nil
	}
	return nil, fmt.Errorf("the model knows no class %q; it knows %q", short(strange), short(s.classes))
}

// short is at most ten of them.
func short(classes label.Classes) label.Classes {
	if len(classes) > 10 {
		return append(slices.Clone(classes[:10]), "...")
	}
	return classes
}

// tally counts answers as they come.
type tally struct {
	set     dataset.Set
	numbers []int  // class of the data -> class of the model
	file    string // for logits, "" for none

	predictions  *metrics.Predictions
	right, total []int // per class of the model
	out          *logitsFile
}

// add counts a batch's logits, [N,K].
func (t *tally) add(logits []float32, classes int, batch dataset.Batch) error {
	if t.predictions == nil {
		if err := t.begin(classes); err != nil {
			return err
		}
	}
	for i, at := range batch.Index {
		row := logits[i*classes : (i+1)*classes]
		want, err := t.label(at, classes)
		if err != nil {
			return err
		}
		if err := t.predictions.Add(row, want); err != nil {
			return fmt.Errorf("%s: %w", t.set.Name(at), err)
		}
		t.total[want]++
		if slices.Index(row, slices.Max(row)) == want {
			t.right[want]++
		}
	}
	if t.out != nil {
		return t.out.write(logits)
	}
	return nil
}

func (t *tally) begin(classes int) (err error) {
	if t.predictions, err = metrics.NewPredictions(classes, 1); err != nil {
		return err
	}
	t.right, t.total = make([]int, classes), make([]int, classes)
	if t.file == "" {
		return nil
	}
	t.out, err = newLogitsFile(t.file, t.set.Len(), classes, func(i int) (int, error) { return t.label(i, classes) })
	return err
}

// label is the model's number of picture i's class.
func (t *tally) label(i, classes int) (int, error) {
	l := t.set.Label(i)
	if l < 0 || l >= len(t.numbers) {
		return 0, fmt.Errorf("%s has no label", t.set.Name(i))
	}
	if l = t.numbers[l]; l >= classes {
		return 0, fmt.Errorf("%s is of class %d (%s), the model has %d", t.set.Name(i), l, t.set.Classes()[t.set.Label(i)], classes)
	}
	return l, nil
}

func (t *tally) scores(took time.Duration) (*scores, error) {
	if t.out != nil {
		if err := t.out.commit(); err != nil {
			return nil, err
		}
	}
	mean, present := 0.0, 0
	for k, n := range t.total {
		if n > 0 {
			mean += float64(t.right[k]) / float64(n)
			present++
		}
	}
	p := t.predictions
	return &scores{
		N: p.N(), Top1: p.Accuracy(), Top5: p.TopK(5), MeanClass: mean / float64(present), NLL: p.NLL(),
		PerSecond: float64(p.N()) / math.Max(took.Seconds(), 1e-9),
	}, nil
}

// close removes a file of logits that was not finished.
func (t *tally) close() {
	if t.out != nil {
		t.out.discard()
	}
}
