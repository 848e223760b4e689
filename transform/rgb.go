package transform

import (
	"image"
	"image/color"
)

// RGB is a picture of 8-bit red, green, blue: W pixels wide, H high, the three
// values of a pixel side by side, rows without gaps. It is an [image.Image].
type RGB struct {
	W, H int
	Pix  []uint8 // [H,W,3], 0-255
}

// NewRGB makes a black picture. It panics when a side is negative.
func NewRGB(w, h int) *RGB { return &RGB{W: w, H: h, Pix: make([]uint8, 3*w*h)} }

// ColorModel is color.RGBAModel: the colours are opaque.
func (p *RGB) ColorModel() color.Model { return color.RGBAModel }

// Bounds is (0,0)-(W,H).
func (p *RGB) Bounds() image.Rectangle { return image.Rect(0, 0, p.W, p.H) }

// At returns a [color.RGBA]; outside the bounds it is transparent black.
func (p *RGB) At(x, y int) color.Color {
	if x < 0 || y < 0 || x >= p.W || y >= p.H {
		return color.RGBA{}
	}
	s := p.Pix[(y*p.W+x)*3:]
	return color.RGBA{s[0], s[1], s[2], 255}
}

// Opaque is true; encoders write files without alpha then.
func (p *RGB) Opaque() bool { return true }

// Clone returns a copy with memory of its own.
func (p *RGB) Clone() *RGB {
	return &RGB{W: p.W, H: p.H, Pix: append([]uint8(nil), p.Pix[:3*p.W*p.H]...)}
}

// shape makes the picture w x h, reusing its memory where that suffices. The
// pixels are whatever was there.
func (p *RGB) shape(w, h int) {
	p.W, p.H = w, h
	if n := 3 * w * h; cap(p.Pix) < n {
		p.Pix = make([]uint8, n)
	} else {
		p.Pix = p.Pix[:n]
	}
}

// set makes the picture a copy of src.
func (p *RGB) set(src *RGB) {
	p.shape(src.W, src.H)
	copy(p.Pix, src.Pix)
}

// black makes the picture w x h and black.
func (p *RGB) black(w, h int) {
	p.shape(w, h)
	clear(p.Pix)
}
