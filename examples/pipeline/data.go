package main

import (
	"context"
	"fmt"
	"io"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/transform"
)

// data is what the models learn from and are measured on.
type data struct {
	name      string
	classes   label.Classes
	pool      dataset.Set // all images but those for testing
	train     dataset.Set
	held      dataset.Set // part of the training images, kept from training
	test      dataset.Set
	full      dataset.Set // the test images at their own size, for CLIP
	strangers dataset.Set // nil for none
	drawn     bool        // the test images were drawn from the same pile
	val       bool        // the held-out images are the data's own part for that
	ignored   int
	mirror    bool // a mirrored image shows the same class
	transform transform.Config
	small     bool // images are taken at their own, small size
}

// maxSmall is the side in pixels up to which images are taken as they are.
const maxSmall = 40

func open(o options) (*data, error) {
	d := &data{name: o.data, mirror: !o.noMirror}
	var pool, val dataset.Set
	if o.data == "" {
		if err := d.scenes(o); err != nil {
			return nil, err
		}
		pool = d.train
	} else {
		s, err := dataset.Open(o.data, dataset.Options{Seed: o.seed, Workers: o.threads})
		if err != nil {
			return nil, err
		}
		pool, val, d.test, d.drawn, d.ignored = s.Train, s.Val, s.Test, s.Drawn, s.Ignored
		// IDX files are digits and letters, which mean something else in a mirror.
		d.mirror = d.mirror && s.Kind != dataset.IDX
		if o.quick {
			pool, d.test = dataset.Limit(pool, 4000, o.seed), dataset.Limit(d.test, 1000, o.seed)
		}
	}
	if o.strangers != "" {
		pile, err := dataset.OpenUnlabelled(o.strangers, dataset.Options{Workers: o.threads})
		if err != nil {
			return nil, err
		}
		d.strangers = pile
	}
	var err error
	if d.classes, err = label.NewClasses(pool.Classes()...); err != nil {
		return nil, err
	}
	d.pool, d.full = pool, d.test
	train, held := pool, val
	if d.val = held != nil; !d.val {
		if train, held, err = dataset.HoldOut(pool, o.seed); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	if err := d.measure(train, o); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		to   *dataset.Set
		from dataset.Set
	}{{&d.train, train}, {&d.held, held}, {&d.test, d.test}, {&d.strangers, d.strangers}} {
		if s.from == nil {
			continue
		}
		if *s.to, err = dataset.Prepare(s.from, d.transform, 0); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// scenes draws the default data.
func (d *data) scenes(o options) error {
	n, tests := 12000, 2000
	if o.quick {
		n, tests = 4000, 1000
	}
	d.name = "drawn scenes"
	var err error
	draw := func(to *dataset.Set, make func(scenes.Options) (*scenes.Set, error), o scenes.Options) {
		if err == nil {
			*to, err = make(o)
		}
	}
	draw(&d.train, scenes.New, scenes.Options{Seed: o.seed, N: n})
	draw(&d.test, scenes.New, scenes.Options{Seed: o.seed, N: tests, Style: scenes.Testing})
	if o.strangers == "" {
		draw(&d.strangers, scenes.Strangers, scenes.Options{Seed: o.seed, N: tests / 2, Style: scenes.Testing})
	}
	return err
}

// measure chooses the input size and finds the mean and deviation of the
// training images' pixels.
func (d *data) measure(train dataset.Set, o options) error {
	first, err := train.Image(0)
	if err != nil {
		return err
	}
	side := max(first.Bounds().Dx(), first.Bounds().Dy())
	size := o.size
	if size == 0 {
		size = 64
		if side <= maxSmall {
			size = side
		}
	}
	d.small = size <= maxSmall
	d.transform = transform.Native(size)
	d.transform.Mean, d.transform.Std, err = dataset.Statistics(train, d.transform, 0, o.seed)
	return err
}

// check decodes everything that is looked at after training only, so that a
// damaged file is found before hours of it, and not after.
func (d *data) check(ctx context.Context, o options) error {
	for _, s := range []dataset.Set{d.held, d.test, d.strangers} {
		if s == nil {
			continue
		}
		for _, err := range dataset.Batches(ctx, s, dataset.LoadOptions{Transform: d.transform, Workers: o.threads}) {
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// augment is what training does to images.
func (d *data) augment() transform.Augment {
	if !d.mirror {
		return transform.Augment{}
	}
	return transform.Augment{Pixels: []transform.Step{
		transform.RandomCrop{Padding: max(d.transform.Size/8, 1)},
		transform.HorizontalFlip{},
	}}
}

func (d *data) describe(w io.Writer) {
	fmt.Fprintf(w, "Data: %s, %d classes: %d images to train on, %d held out, %d to test", d.name, len(d.classes), d.train.Len(), d.held.Len(), d.test.Len())
	if d.strangers != nil {
		fmt.Fprintf(w, ", %d strangers", d.strangers.Len())
	}
	fmt.Fprintf(w, "; %dx%d pixels\n", d.transform.Size, d.transform.Size)
	if d.drawn {
		fmt.Fprintln(w, "Nothing in the names tells test images from training images: a fifth was drawn at random. Expect less under other conditions.")
	}
	if d.val {
		fmt.Fprintln(w, "The held-out images are the data's own val/.")
	}
	if n := d.held.Len(); n < 100 {
		fmt.Fprintf(w, "With %d held-out images temperature and threshold are guesses.\n", n)
	}
	for k, n := range dataset.Counts(d.test) {
		if n == 0 {
			fmt.Fprintf(w, "Class %s has no test image.\n", d.classes[k])
		}
	}
	if d.mirror {
		fmt.Fprintf(w, "Training shifts images by up to %d pixels and mirrors half of them (-mirror=false where left and right matter).\n", max(d.transform.Size/8, 1))
	} else {
		fmt.Fprintln(w, "Training takes images as they are.")
	}
	if d.ignored > 0 {
		fmt.Fprintf(w, "%d files are no images of this kind and were ignored.\n", d.ignored)
	}
}
