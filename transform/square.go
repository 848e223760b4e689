package transform

import (
	"fmt"
	"math"
)

// square scales src and cuts the Size x Size picture out of it, or puts it onto
// one of the colour fill. c has its defaults.
func (c Config) square(src *RGB, how Interpolation, fill [3]uint8) (*RGB, error) {
	w, h, err := c.scaled(src.W, src.H)
	if err != nil {
		return nil, err
	}
	scaled, err := Resize(src, w, h, how)
	if err != nil {
		return nil, err
	}
	return c.crop(scaled, fill), nil
}

// scaled is the size of a w x h picture before the crop.
func (c Config) scaled(w, h int) (int, int, error) {
	switch c.Crop {
	case Squash:
		return c.Resize, c.Resize, nil
	case Border:
		ratio := float64(max(w, h)) / float64(c.Resize)
		side := func(n int) int { return max(1, int(math.RoundToEven(float64(n)/ratio))) }
		return side(w), side(h), nil
	}
	sw, sh := shorterSide(w, h, c.Resize)
	if max(sw, sh) > maxSide {
		return 0, 0, fmt.Errorf("%w: %dx%d with its shorter side scaled to %d", ErrTooLarge, w, h, c.Resize)
	}
	return sw, sh, nil
}

// shorterSide is the size of torchvision's Resize(size).
func shorterSide(w, h, size int) (int, int) {
	if w <= h {
		return size, int(float64(size) * float64(h) / float64(w))
	}
	return int(float64(size) * float64(w) / float64(h)), size
}

// crop is torchvision's CenterCrop and timm's CenterCropOrPad: where the picture
// is smaller it gets a frame.
func (c Config) crop(src *RGB, fill [3]uint8) *RGB {
	if src.W == c.Size && src.H == c.Size {
		return src
	}
	dst := NewRGB(c.Size, c.Size)
	if fill != [3]uint8{} && (src.W < c.Size || src.H < c.Size) {
		for i := 0; i < len(dst.Pix); i += 3 {
			copy(dst.Pix[i:i+3], fill[:])
		}
	}
	dst.paste(src, c.corner(src.W), c.corner(src.H))
	return dst
}

// corner is where a side of n pixels begins in the square: left of it, so not
// above 0, where it is longer.
func (c Config) corner(n int) int {
	switch {
	case n < c.Size && c.Rounding == Down:
		return (c.Size - n + 1) / 2
	case n < c.Size: // the odd pixel of the frame to the right and below
		return (c.Size - n) / 2
	case c.Rounding == Down:
		return -((n - c.Size) / 2)
	}
	return -half(n - c.Size)
}

// half is n/2, rounded half to even.
func half(n int) int { return int(math.RoundToEven(float64(n) / 2)) }

// paste copies src over p with its corner at (x, y); what does not fit is left
// out.
func (p *RGB) paste(src *RGB, x, y int) {
	from, to := max(0, -x), min(src.W, p.W-x)
	if from >= to {
		return
	}
	for sy := max(0, -y); sy < min(src.H, p.H-y); sy++ {
		copy(p.Pix[((sy+y)*p.W+x+from)*3:], src.Pix[(sy*src.W+from)*3:(sy*src.W+to)*3])
	}
}
