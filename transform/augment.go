package transform

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
)

// Step is one random change of a picture.
type Step interface {
	// Apply writes the changed src to dst, whose size and memory it sets as
	// it needs; the two never share memory. Every random draw comes from r.
	Apply(dst, src *RGB, r *rand.Rand) error
}

// Augment is what training does to a picture before normalising it. The zero
// value does nothing. It is safe for concurrent use as long as its steps are;
// those of this package are.
type Augment struct {
	// Picture are the steps on the decoded picture, in its own size, before
	// Config's resize and crop: RandomResizedCrop belongs here.
	Picture []Step
	// Pixels are the steps on the Size x Size picture that Config made:
	// RandomCrop and HorizontalFlip.
	Pixels []Step
}

// None tells whether there is nothing to do.
func (a Augment) None() bool { return len(a.Picture) == 0 && len(a.Pixels) == 0 }

// CIFAR is the augmentation of the CIFAR recipes (He et al. 2016,
// arXiv:1512.03385, section 4.2): 4 pixels of black around, a random crop of
// the old size, and every other picture mirrored.
func CIFAR() Augment {
	return Augment{Pixels: []Step{RandomCrop{Padding: 4}, HorizontalFlip{}}}
}

// ImageNetTrain is the augmentation of the ImageNet recipes: a random part of
// the picture (8% to 100%) scaled to size, and every other picture mirrored.
func ImageNetTrain(size int, how Interpolation) Augment {
	return Augment{
		Picture: []Step{RandomResizedCrop{Size: size, Interpolation: how}},
		Pixels:  []Step{HorizontalFlip{}},
	}
}

// Scratch is memory that Augment.Apply works in. The zero value is ready. It
// is for one goroutine at a time.
type Scratch struct{ buf [2]RGB }

// run applies steps to src, which is not changed. The result is src or lies in
// s, until the next call.
func (s *Scratch) run(steps []Step, src *RGB, r *rand.Rand) (*RGB, error) {
	for _, step := range steps {
		dst := &s.buf[0]
		if src == dst {
			dst = &s.buf[1]
		}
		if err := step.Apply(dst, src, r); err != nil {
			return nil, err
		}
		src = dst
	}
	return src, nil
}

// Apply makes the Size x Size picture of img: Picture steps, c's resize and
// crop, Pixels steps. With no steps it is c.Prepare. The result may be img
// itself or lie in s, where it is good until the next call; img is not changed.
func (a Augment) Apply(c Config, img image.Image, s *Scratch, r *rand.Rand) (*RGB, error) {
	if len(a.Picture) > 0 {
		p, err := s.run(a.Picture, ToRGB(img), r)
		if err != nil {
			return nil, err
		}
		img = p
	}
	p, err := c.Prepare(img)
	if err != nil {
		return nil, err
	}
	return a.ApplyPixels(p, s, r)
}

// ApplyPixels is the last part of Apply: the Pixels steps on a picture that
// Config.Prepare made.
func (a Augment) ApplyPixels(p *RGB, s *Scratch, r *rand.Rand) (*RGB, error) {
	return s.run(a.Pixels, p, r)
}

// RandomCrop moves the picture: Padding black pixels are put around it and a
// window of the old size is taken from anywhere, every place being as likely.
// Black is pixel value 0, not the mean. Padding 0 means 4.
type RandomCrop struct{ Padding int }

// Apply draws the column, then the row.
func (c RandomCrop) Apply(dst, src *RGB, r *rand.Rand) error {
	pad := c.Padding
	if pad == 0 {
		pad = 4
	}
	if pad < 0 || pad > maxSide {
		return fmt.Errorf("transform: random crop: padding %d", pad)
	}
	x, y := r.IntN(2*pad+1)-pad, r.IntN(2*pad+1)-pad
	if abs(x) >= src.W || abs(y) >= src.H {
		dst.black(src.W, src.H)
		return nil
	}
	dst.black(src.W, src.H)
	dst.paste(src, x, y)
	return nil
}

func abs(x int) int { return max(x, -x) }

// HorizontalFlip mirrors the picture, left for right, with probability P.
// P 0 means 0.5; leave the step out for never.
type HorizontalFlip struct{ P float64 }

// Apply draws one number.
func (f HorizontalFlip) Apply(dst, src *RGB, r *rand.Rand) error {
	p := f.P
	if p == 0 {
		p = 0.5
	}
	if !(p > 0 && p <= 1) {
		return fmt.Errorf("transform: flip: probability %v is not in (0, 1]", p)
	}
	if r.Float64() >= p {
		dst.set(src)
		return nil
	}
	dst.shape(src.W, src.H)
	n := 3 * src.W
	for y := range src.H {
		in, out := src.Pix[y*n:(y+1)*n], dst.Pix[y*n:(y+1)*n]
		for i, j := 0, n-3; i < n; i, j = i+3, j-3 {
			out[j], out[j+1], out[j+2] = in[i], in[i+1], in[i+2]
		}
	}
	return nil
}

// RandomResizedCrop takes a random part of the picture and scales it to
// Size x Size (Szegedy et al. 2015, arXiv:1409.4842, section 6; ranges and
// fall-back of torchvision). The part has a random share of the area and a
// random proportion; where ten draws do not fit into the picture it is the
// middle, as large as the proportions allow.
type RandomResizedCrop struct {
	// Size is the side of the result in pixels, 1 or more.
	Size int
	// MinArea and MaxArea bound the share of the area, uniform; zeros mean
	// 0.08 and 1.
	MinArea, MaxArea float64
	// MinRatio and MaxRatio bound width over height, uniform in the logarithm;
	// zeros mean 3/4 and 4/3.
	MinRatio, MaxRatio float64
	// Interpolation is the resampling; zero is Bilinear.
	Interpolation Interpolation
}

func (c RandomResizedCrop) withDefaults() RandomResizedCrop {
	if c.MinArea == 0 {
		c.MinArea = 0.08
	}
	if c.MaxArea == 0 {
		c.MaxArea = 1
	}
	if c.MinRatio == 0 {
		c.MinRatio = 3. / 4
	}
	if c.MaxRatio == 0 {
		c.MaxRatio = 4. / 3
	}
	return c
}

var errRange = errors.New("transform: random resized crop: bad range")

// Apply draws area and proportion up to ten times, then column and row.
func (c RandomResizedCrop) Apply(dst, src *RGB, r *rand.Rand) error {
	c = c.withDefaults()
	if !(c.MinArea > 0 && c.MinArea <= c.MaxArea && c.MaxArea <= 1) || !(c.MinRatio > 0 && c.MinRatio <= c.MaxRatio) {
		return fmt.Errorf("%w: area %v to %v, ratio %v to %v", errRange, c.MinArea, c.MaxArea, c.MinRatio, c.MaxRatio)
	}
	x, y, w, h := c.window(src.W, src.H, r)
	part := src
	if w != src.W || h != src.H {
		part = NewRGB(w, h)
		part.paste(src, -x, -y)
	}
	p, err := Resize(part, c.Size, c.Size, c.Interpolation)
	if err != nil {
		return err
	}
	dst.set(p)
	return nil
}

func (c RandomResizedCrop) window(w, h int, r *rand.Rand) (x, y, ww, hh int) {
	lo, hi := math.Log(c.MinRatio), math.Log(c.MaxRatio)
	for range 10 {
		area := float64(w) * float64(h) * (c.MinArea + r.Float64()*(c.MaxArea-c.MinArea))
		ratio := math.Exp(lo + r.Float64()*(hi-lo))
		ww := int(math.RoundToEven(math.Sqrt(area * ratio)))
		hh := int(math.RoundToEven(math.Sqrt(area / ratio)))
		if ww > 0 && ww <= w && hh > 0 && hh <= h {
			return r.IntN(w - ww + 1), r.IntN(h - hh + 1), ww, hh
		}
	}
	ww, hh = w, h
	switch ratio := float64(w) / float64(h); {
	case ratio < c.MinRatio:
		hh = min(h, max(1, int(math.RoundToEven(float64(w)/c.MinRatio))))
	case ratio > c.MaxRatio:
		ww = min(w, max(1, int(math.RoundToEven(float64(h)*c.MaxRatio))))
	}
	return (w - ww) / 2, (h - hh) / 2, ww, hh
}
