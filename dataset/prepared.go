package dataset

import (
	"image"
	"sync/atomic"

	"github.com/winnow-go/winnow/transform"
)

// Prepared is a Set that remembers its pictures resized and cropped, 3 Size²
// bytes each, so that only the first epoch decodes files. It is itself a Set
// of those pictures, and [Batches] with the same Config takes them as they are.
// Augmentations that need the whole picture go past it, to the set below.
type Prepared struct {
	of     Set
	config transform.Config
	kept   []atomic.Pointer[transform.RGB]
	left   atomic.Int64 // pictures that may still be kept
}

// Prepare remembers pictures of set as far as they fit into maxBytes bytes;
// the others are made anew each time. maxBytes 0 means 1 GiB.
func Prepare(set Set, config transform.Config, maxBytes int64) (*Prepared, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if maxBytes <= 0 {
		maxBytes = 1 << 30
	}
	p := &Prepared{of: set, config: config.WithDefaults(), kept: make([]atomic.Pointer[transform.RGB], set.Len())}
	p.left.Store(maxBytes / int64(p.config.Len()))
	return p, nil
}

// Len is that of the set below.
func (p *Prepared) Len() int { return p.of.Len() }

// Classes are those of the set below.
func (p *Prepared) Classes() []string { return p.of.Classes() }

// Label is that of the set below.
func (p *Prepared) Label(i int) int { return p.of.Label(i) }

// Name is that of the set below.
func (p *Prepared) Name(i int) string { return p.of.Name(i) }

// Image is the Size x Size picture, a *transform.RGB.
func (p *Prepared) Image(i int) (image.Image, error) {
	img, err := p.prepared(i)
	if err != nil {
		return nil, err
	}
	return img, nil
}

func (p *Prepared) prepared(i int) (*transform.RGB, error) {
	if img := p.kept[i].Load(); img != nil {
		return img, nil
	}
	src, img, err := p.make(i)
	if err != nil {
		return nil, err
	}
	if p.left.Add(-1) >= 0 {
		if img == src { // may be the set's own memory, or larger than needed
			img = src.Clone()
		}
		if !p.kept[i].CompareAndSwap(nil, img) {
			p.left.Add(1)
		}
	}
	return img, nil
}

// make prepares picture i; src is what it was made of, which may be itself.
func (p *Prepared) make(i int) (src, img *transform.RGB, err error) {
	src, ready, err := pixels(p.of, i, &p.config, new(transform.RGB))
	if err != nil || ready {
		return src, src, err
	}
	if img, err = p.config.Prepare(src); err != nil {
		return nil, nil, &BadFile{p.of.Name(i), err}
	}
	return src, img, nil
}

func (p *Prepared) pixels(i int, c *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	if c == nil || *c != p.config {
		return pixels(p.of, i, c, buf)
	}
	img, err := p.prepared(i)
	return img, err == nil, err
}
