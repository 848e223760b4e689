package main

import (
	"fmt"
	"io"
	"math"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/transform"
)

// data is what the models learn from and are measured on.
type data struct {
	name      string
	classes   label.Classes
	train     dataset.Set
	held      dataset.Set // part of the training images, kept from training
	test      dataset.Set
	strangers dataset.Set // nil for none
	drawn     bool        // the test images were drawn from the same pile
	ignored   int
	mirror    bool // a mirrored image shows the same class
	transform transform.Config
	small     bool // images are taken at their own, small size
}

// maxSmall is the side in pixels up to which images are taken as they are.
const maxSmall = 40

func open(o options) (*data, error) {
	d := &data{name: o.data, mirror: true}
	var pool dataset.Set
	if o.data == "" {
		if err := d.scenes(o); err != nil {
			return nil, err
		}
		pool = d.train
	} else {
		s, err := dataset.Open(o.data, dataset.Options{Seed: o.seed})
		if err != nil {
			return nil, err
		}
		pool, d.test, d.drawn, d.ignored = s.Train, s.Test, s.Drawn, s.Ignored
		// Digits and letters mean something else in a mirror.
		d.mirror = s.Kind != dataset.IDX
		if o.quick {
			pool, err = fewer(pool, 4000, o.seed)
			if err == nil {
				d.test, err = fewer(d.test, 1000, o.seed)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	if o.strangers != "" {
		pile, err := dataset.OpenUnlabelled(o.strangers, dataset.Options{})
		if err != nil {
			return nil, err
		}
		d.strangers = pile
	}
	var err error
	if d.classes, err = label.NewClasses(pool.Classes()...); err != nil {
		return nil, err
	}
	train, held, err := dataset.HoldOut(pool, o.seed)
	if err != nil {
		return nil, err
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
	n, tests := 10000, 2000
	if o.quick {
		n, tests = 5000, 1000
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

// fewer takes n images of a set, the same share of every class.
func fewer(s dataset.Set, n int, seed uint64) (dataset.Set, error) {
	if s.Len() <= n {
		return s, nil
	}
	_, part, err := dataset.Stratified(s, float64(n)/float64(s.Len()), seed)
	return part, err
}

// measure chooses the input size and finds the mean and deviation of the
// training images' pixels, from 2,000 of them.
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
	var sum, square [3]float64
	n := 0
	r := rng.New(o.seed, rng.Split, 1)
	for _, i := range r.Perm(train.Len())[:min(train.Len(), 2000)] {
		img, err := train.Image(i)
		if err != nil {
			return err
		}
		p, err := d.transform.Prepare(img)
		if err != nil {
			return err
		}
		for j, v := range p.Pix {
			x := float64(v) / 255
			sum[j%3] += x
			square[j%3] += x * x
		}
		n += len(p.Pix) / 3
	}
	for c := range 3 {
		mean := sum[c] / float64(n)
		d.transform.Mean[c] = float32(mean)
		d.transform.Std[c] = float32(max(math.Sqrt(max(square[c]/float64(n)-mean*mean, 0)), 1e-3))
	}
	return nil
}

// augment is what training does to images.
func (d *data) augment() transform.Augment {
	if !d.mirror {
		return transform.Augment{}
	}
	return transform.Augment{Pixels: []transform.Step{
		transform.RandomCrop{Padding: d.transform.Size / 8},
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
	if d.ignored > 0 {
		fmt.Fprintf(w, "%d files are no images of this kind and were ignored.\n", d.ignored)
	}
}
