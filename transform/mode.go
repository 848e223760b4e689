package transform

import (
	"image"
	"math"
)

// ownMode is Prepare for Convert == AfterCrop: Pillow's resize, by the mode that
// the picture has there. Channels do not mix in it, so where there are four, the
// fourth travels in a picture of its own.
func (c Config) ownMode(img image.Image, fill [3]uint8) (*RGB, error) {
	switch m := img.(type) {
	case *image.Paletted: // P, 1
		if len(m.Palette) > 0 && c.Crop != Border {
			set(fill[:], m.Palette[0]) // number 0 is what the frame is made of
		}
		return c.square(ToRGB(m), Nearest, fill)
	case *image.CMYK:
		return c.cmyk(m, fill)
	case *image.Gray16: // I
		return c.deepGrey(m, fill)
	case *image.NRGBA, *image.NRGBA64, *image.RGBA, *image.RGBA64, *image.NYCbCrA: // RGBA, LA
		b := img.Bounds()
		w, h, err := c.scaled(b.Dx(), b.Dy())
		if err != nil {
			return nil, err
		}
		alpha := alphaOf(img)
		if alpha != nil && c.Interpolation != Nearest && (w != b.Dx() || h != b.Dy()) {
			return c.premultiplied(ToRGB(img), alpha, fill)
		}
	}
	return c.square(ToRGB(img), c.Interpolation, fill)
}

// alphaOf is a picture whose three channels are img's alpha, nil if it is
// opaque.
func alphaOf(img image.Image) *RGB {
	b := img.Bounds()
	a := NewRGB(b.Dx(), b.Dy())
	opaque := true
	for y := range a.H {
		for x := range a.W {
			var v uint8
			switch m := img.(type) {
			case *image.NRGBA:
				v = m.Pix[m.PixOffset(b.Min.X+x, b.Min.Y+y)+3]
			case *image.NRGBA64:
				v = m.Pix[m.PixOffset(b.Min.X+x, b.Min.Y+y)+6]
			default:
				_, _, _, deep := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
				v = uint8(deep >> 8)
			}
			opaque = opaque && v == 255
			i := 3 * (y*a.W + x)
			a.Pix[i], a.Pix[i+1], a.Pix[i+2] = v, v, v
		}
	}
	if opaque {
		return nil
	}
	return a
}

// premultiplied resizes colours multiplied by their alpha, the modes RGBa and
// La, and divides by the alpha that comes out.
func (c Config) premultiplied(p, alpha *RGB, fill [3]uint8) (*RGB, error) {
	p = p.Clone()
	for i, v := range p.Pix {
		p.Pix[i] = uint8(mulDiv255(uint32(v), uint32(alpha.Pix[i])))
	}
	alphaFill := [3]uint8{}
	if fill != alphaFill {
		alphaFill = [3]uint8{255, 255, 255}
	}
	p, err := c.square(p, c.Interpolation, fill)
	if err != nil {
		return nil, err
	}
	if alpha, err = c.square(alpha, c.Interpolation, alphaFill); err != nil {
		return nil, err
	}
	for i, a := range alpha.Pix {
		if a != 0 && a != 255 {
			p.Pix[i] = uint8(min(255*uint32(p.Pix[i])/uint32(a), 255))
		}
	}
	return p, nil
}

// cmyk resizes the four inks. A frame has none of them and is white.
func (c Config) cmyk(m *image.CMYK, fill [3]uint8) (*RGB, error) {
	b := m.Bounds()
	inks, key := NewRGB(b.Dx(), b.Dy()), NewRGB(b.Dx(), b.Dy())
	for y := range inks.H {
		o := m.PixOffset(b.Min.X, b.Min.Y+y)
		for x := range inks.W {
			s, i := m.Pix[o+4*x:o+4*x+4], 3*(y*inks.W+x)
			copy(inks.Pix[i:i+3], s)
			key.Pix[i], key.Pix[i+1], key.Pix[i+2] = s[3], s[3], s[3]
		}
	}
	if c.Crop == Border {
		for i, v := range fill {
			fill[i] = 255 - v
		}
	}
	inks, err := c.square(inks, c.Interpolation, fill)
	if err != nil {
		return nil, err
	}
	if key, err = c.square(key, c.Interpolation, [3]uint8{}); err != nil {
		return nil, err
	}
	dst := image.NewCMYK(inks.Bounds())
	for i := range inks.W * inks.H {
		copy(dst.Pix[4*i:4*i+3], inks.Pix[3*i:3*i+3])
		dst.Pix[4*i+3] = key.Pix[3*i]
	}
	return ToRGB(dst), nil
}

// deepGrey resizes 16-bit grey with all its bits, the mode I: weights are not
// rounded, values are, to the nearest after each pass. Conversion to RGB then
// cuts off at 0 and 255.
func (c Config) deepGrey(m *image.Gray16, fill [3]uint8) (*RGB, error) {
	b := m.Bounds()
	w, h, err := c.scaled(b.Dx(), b.Dy())
	if err != nil {
		return nil, err
	}
	if _, err := checkResize(b.Dx(), b.Dy(), w, h, c.Interpolation); err != nil {
		return nil, err
	}
	values := make([]int32, b.Dx()*b.Dy())
	for i := range values {
		o := m.PixOffset(b.Min.X+i%b.Dx(), b.Min.Y+i/b.Dx())
		values[i] = int32(m.Pix[o])<<8 | int32(m.Pix[o+1])
	}
	// A pass goes along the rows and turns the picture, so that the second one
	// turns it back.
	values = deepPass(values, b.Dx(), b.Dy(), w, c.Interpolation)
	values = deepPass(values, b.Dy(), w, h, c.Interpolation)
	p := NewRGB(w, h)
	for i, v := range values {
		p.Pix[3*i] = clip(v)
		p.Pix[3*i+1], p.Pix[3*i+2] = p.Pix[3*i], p.Pix[3*i]
	}
	return c.crop(p, fill), nil
}

// deepPass resizes the rows of a picture of in x rows to out and returns it
// transposed, [out,rows].
func deepPass(src []int32, in, rows, out int, how Interpolation) []int32 {
	dst := make([]int32, out*rows)
	if in == out || how == Nearest {
		for x, sx := range nearestSteps(in, out) {
			for y := range rows {
				dst[x*rows+y] = src[y*in+sx]
			}
		}
		return dst
	}
	t := exactTaps(in, out, how)
	for x := range out {
		lo := int(t.first[x])
		weight := t.weight[x*t.size : x*t.size+int(t.count[x])]
		for y := range rows {
			sum := 0.0
			for k, w := range weight {
				sum += float64(float64(src[y*in+lo+k]) * w)
			}
			dst[x*rows+y] = int32(math.Round(sum)) // halves away from zero
		}
	}
	return dst
}
