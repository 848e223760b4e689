package main

import (
	"context"
	"fmt"
	"io"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/metrics"
)

// judge prints how often the model names unseen scenes of the ten categories
// right, asked in several ways.
func judge(ctx context.Context, m *clip.Model, o options, w io.Writer) error {
	set, err := scenes.New(scenes.Options{Seed: testSeeds + o.seed, N: o.tests, Size: side})
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "Zero-shot accuracy on %d unseen scenes of the training style:\n", o.tests)
	var last *metrics.Confusion
	for _, ask := range []struct {
		name      string
		templates []string
	}{
		{"by the name alone", clip.TemplatePlain},
		{"templates about drawings", clip.TemplatesDrawn},
		{"templates about photographs", clip.Templates},
	} {
		z, err := m.ZeroShot(ctx, clip.Named(scenes.Classes()...), ask.templates...)
		if err != nil {
			return err
		}
		c, err := confusion(ctx, z, set)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %-28s %5.1f %%\n", ask.name, 100*c.Accuracy())
		last = c
	}
	fmt.Fprintln(w, "With the last of them, by class:")
	for _, s := range last.PerClass() {
		fmt.Fprintf(w, "  %-10s %5.1f %% of %d found, %5.1f %% of its labels right\n", s.Name, 100*s.Recall, s.Support, 100*s.Precision)
	}
	fmt.Fprintln(w, "Most often confused:")
	for _, p := range last.MostConfused(5) {
		fmt.Fprintf(w, "  %s taken for %s: %d\n", last.Classes()[p.Want], last.Classes()[p.Got], p.Count)
	}
	return nil
}

func confusion(ctx context.Context, z *clip.ZeroShot, set *scenes.Set) (*metrics.Confusion, error) {
	c := metrics.NewConfusion(z.Classes()...)
	for r, err := range z.Each(ctx, set) {
		if err != nil {
			return nil, err
		}
		if r.Err != nil {
			return nil, r.Err
		}
		if err := c.Add(set.Label(r.Picture), r.Index); err != nil {
			return nil, err
		}
	}
	return c, nil
}
