package dataset

import (
	"fmt"
	"image"

	"github.com/winnow-go/winnow/transform"
)

// Pixels is a Set of pictures of one size that are held as bytes, as CIFAR and
// IDX files have them.
type Pixels struct {
	classes  []string
	w, h     int
	channels int     // 1: grey, 3: planes of red, green, blue
	stride   int     // bytes from one picture to the next
	skip     int     // bytes before the pixels of one
	data     []uint8 // N x stride
	labels   []uint8 // nil: not known
	files    []part  // in ascending order of first
	bad      []BadFile
}

// part is the run of pictures that came from one file.
type part struct {
	name  string
	first int
}

// Len is the number of pictures.
func (p *Pixels) Len() int { return len(p.data) / p.stride }

// Classes are the names of the classes.
func (p *Pixels) Classes() []string { return p.classes }

// Size is width and height of every picture, in pixels.
func (p *Pixels) Size() (w, h int) { return p.w, p.h }

// Bad lists the files left out in quarantine.
func (p *Pixels) Bad() []BadFile { return p.bad }

// Label is the class of picture i; -1 where there are no labels.
func (p *Pixels) Label(i int) int {
	if p.labels == nil {
		_ = p.data[i*p.stride]
		return -1
	}
	return int(p.labels[i])
}

// Name is the file and the picture's number in it, from 0: "train.bin#17".
func (p *Pixels) Name(i int) string {
	_ = p.data[i*p.stride]
	f := part{}
	for _, g := range p.files {
		if g.first <= i {
			f = g
		}
	}
	return fmt.Sprintf("%s#%d", f.name, i-f.first)
}

// Image returns a new *transform.RGB; grey pictures have three equal channels.
func (p *Pixels) Image(i int) (image.Image, error) {
	img, _, err := p.pixels(i, nil, new(transform.RGB))
	return img, err
}

func (p *Pixels) pixels(i int, _ *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	n := p.w * p.h
	src := p.data[i*p.stride+p.skip : (i+1)*p.stride]
	if cap(buf.Pix) < 3*n {
		buf.Pix = make([]uint8, 3*n)
	}
	buf.W, buf.H, buf.Pix = p.w, p.h, buf.Pix[:3*n]
	if p.channels == 1 {
		grey := src[:n]
		dst := buf.Pix
		for _, v := range grey {
			d := dst[:3:3]
			d[0], d[1], d[2] = v, v, v
			dst = dst[3:]
		}
		return buf, false, nil
	}
	r, g, b := src[:n], src[n:2*n], src[2*n:3*n]
	dst := buf.Pix
	for j := range r {
		d := dst[:3:3]
		d[0], d[1], d[2] = r[j], g[j], b[j]
		dst = dst[3:]
	}
	return buf, false, nil
}
