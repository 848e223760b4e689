package transform

import (
	"image"
	"image/color"
)

// ToRGB converts a picture to RGB. An *RGB is returned as it is; anything else
// gives a new picture whose corner (0,0) is img's Bounds().Min.
//
// It does what Pillow's convert("RGB") does: grey becomes three equal
// channels; alpha is dropped and the colour below it shows, whatever the
// alpha; palettes are looked up; YCbCr
// is JFIF's, its colours smoothed like libjpeg does; CMYK is reduced by (255-C)(255-K)/255; 16-bit
// colour keeps its high byte. 16-bit grey without alpha is cut off at 255, so
// that most such pictures come out white: that is what Pillow does and what a
// model trained with it saw. Convert to [image.Gray] first where the high byte
// is meant. Colours with alpha already multiplied in (image.RGBA) are divided
// by it; fully transparent ones are black.
func ToRGB(img image.Image) *RGB {
	switch m := img.(type) {
	case *RGB:
		return m
	case *image.YCbCr:
		return fromYCbCr(m)
	case *image.NYCbCrA:
		return fromYCbCr(&m.YCbCr)
	}
	b := img.Bounds()
	dst := NewRGB(b.Dx(), b.Dy())
	w := dst.W
	for y := range dst.H {
		row := dst.Pix[y*w*3 : (y+1)*w*3]
		at := b.Min.Y + y
		switch m := img.(type) {
		case *image.Gray:
			o := m.PixOffset(b.Min.X, at)
			for x, v := range m.Pix[o : o+w] {
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		case *image.Gray16:
			o := m.PixOffset(b.Min.X, at)
			for x := range w {
				v := m.Pix[o+2*x+1]
				if m.Pix[o+2*x] != 0 {
					v = 255
				}
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		case *image.NRGBA:
			o := m.PixOffset(b.Min.X, at)
			for x := range w {
				copy(row[3*x:3*x+3], m.Pix[o+4*x:o+4*x+3])
			}
		case *image.NRGBA64:
			o := m.PixOffset(b.Min.X, at)
			for x := range w {
				s := m.Pix[o+8*x:]
				row[3*x], row[3*x+1], row[3*x+2] = s[0], s[2], s[4]
			}
		case *image.RGBA:
			o := m.PixOffset(b.Min.X, at)
			for x := range w {
				s := m.Pix[o+4*x : o+4*x+4 : o+4*x+4]
				if s[3] == 255 {
					copy(row[3*x:3*x+3], s[:3])
				} else {
					set(row[3*x:], color.RGBA{s[0], s[1], s[2], s[3]})
				}
			}
		case *image.RGBA64:
			o := m.PixOffset(b.Min.X, at)
			for x := range w {
				s := m.Pix[o+8*x:]
				if s[6] == 255 && s[7] == 255 {
					row[3*x], row[3*x+1], row[3*x+2] = s[0], s[2], s[4]
				} else {
					set(row[3*x:], m.RGBA64At(b.Min.X+x, at))
				}
			}
		case *image.CMYK:
			o := m.PixOffset(b.Min.X, at)
			for x := range w {
				s := m.Pix[o+4*x : o+4*x+4 : o+4*x+4]
				k := 255 - uint32(s[3])
				for c := range 3 {
					row[3*x+c] = uint8(k - mulDiv255(uint32(s[c]), k))
				}
			}
		case *image.Paletted:
			rowPaletted(row, m, b.Min.X, at)
		default:
			for x := range w {
				set(row[3*x:], img.At(b.Min.X+x, at))
			}
		}
	}
	return dst
}

func fromYCbCr(m *image.YCbCr) *RGB {
	b := m.Rect
	dst := NewRGB(b.Dx(), b.Dy())
	if b.Empty() {
		return dst
	}
	c := newChroma(m)
	for y := range dst.H {
		cb, cr := c.row(y)
		o := m.YOffset(b.Min.X, b.Min.Y+y)
		rowYCbCr(dst.Pix[y*dst.W*3:(y+1)*dst.W*3], m.Y[o:o+dst.W], cb, cr)
	}
	return dst
}

// mulDiv255 is a*b/255, rounded, for a, b in 0-255.
func mulDiv255(a, b uint32) uint32 {
	t := a*b + 128
	return (t>>8 + t) >> 8
}

func set(dst []uint8, c color.Color) {
	switch c := c.(type) {
	case color.NRGBA:
		dst[0], dst[1], dst[2] = c.R, c.G, c.B
	default:
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		dst[0], dst[1], dst[2] = n.R, n.G, n.B
	}
}

func rowPaletted(row []uint8, m *image.Paletted, x0, y int) {
	var table [256][3]uint8
	for i, c := range m.Palette {
		if i < len(table) {
			set(table[i][:], c)
		}
	}
	o := m.PixOffset(x0, y)
	for x, v := range m.Pix[o : o+len(row)/3] {
		copy(row[3*x:3*x+3], table[v][:])
	}
}

// rowYCbCr converts one row with the 16-bit fixed point of JFIF's inverse
// (ITU-T T.871, section 7) that libjpeg uses.
func rowYCbCr(row, luma, blue, red []uint8) {
	blue, red = blue[:len(luma)], red[:len(luma)]
	for x, y := range luma {
		yy, cb, cr := int32(y), int32(blue[x])-128, int32(red[x])-128
		d := row[:3:3]
		// 1.402, 0.34414, 0.71414, 1.772 times 2^16
		d[0] = clip(yy + (91881*cr+1<<15)>>16)
		d[1] = clip(yy + (-22554*cb-46802*cr+1<<15)>>16)
		d[2] = clip(yy + (116130*cb+1<<15)>>16)
		row = row[3:]
	}
}

func clip(v int32) uint8 {
	if uint32(v) <= 255 {
		return uint8(v)
	}
	if v < 0 {
		return 0
	}
	return 255
}
