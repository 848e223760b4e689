package scenes

import "math/rand/v2"

type rgb struct{ r, g, b uint8 }

// mix goes from c to d by share/256, share in 0..256.
func (c rgb) mix(d rgb, share int) rgb {
	if share >= 256 {
		return d
	}
	return rgb{
		c.r + uint8((int(d.r)-int(c.r))*share>>8),
		c.g + uint8((int(d.g)-int(c.g))*share>>8),
		c.b + uint8((int(d.b)-int(c.b))*share>>8),
	}
}

// scale multiplies by k/256, saturating.
func (c rgb) scale(k int) rgb {
	k = max(k, 0)
	return rgb{
		uint8(min(int(c.r)*k>>8, 255)),
		uint8(min(int(c.g)*k>>8, 255)),
		uint8(min(int(c.b)*k>>8, 255)),
	}
}

// luma is the brightness in 0..255 (weights of ITU-R BT.601).
func (c rgb) luma() int { return (77*int(c.r) + 150*int(c.g) + 29*int(c.b)) >> 8 }

// apart says how well two colours can be told from each other: the difference
// in brightness counts most, since it is what shows a small shape.
func (c rgb) apart(d rgb) int {
	return 2*abs(c.luma()-d.luma()) + (abs(int(c.r)-int(d.r))+abs(int(c.g)-int(d.g))+abs(int(c.b)-int(d.b)))/3
}

// hsv makes a colour of hue 0..1535 (red, yellow, green, cyan, blue, magenta at
// multiples of 256), saturation and value 0..255.
func hsv(h, s, v int) rgb {
	h %= 1536
	f := h & 255
	lo := v * (255 - s) / 255
	up := lo + (v-lo)*f/255
	down := v - (v-lo)*f/255
	var r, g, b int
	switch h >> 8 {
	case 0:
		r, g, b = v, up, lo
	case 1:
		r, g, b = down, v, lo
	case 2:
		r, g, b = lo, v, up
	case 3:
		r, g, b = lo, down, v
	case 4:
		r, g, b = up, lo, v
	default:
		r, g, b = v, lo, down
	}
	return rgb{uint8(r), uint8(g), uint8(b)}
}

// A palette is where the colours of a style come from: ranges of saturation
// and value. Hues are free: no category has a colour of its own.
type palette struct{ sat, val span }

func (p palette) draw(r *rand.Rand) rgb {
	return hsv(r.IntN(1536), p.sat.draw(r), p.val.draw(r))
}

// drawApart draws a colour at least gap away from all of others, or the best of
// a dozen.
func (p palette) drawApart(r *rand.Rand, gap int, others ...rgb) rgb {
	var best rgb
	most := -1
	for range 12 {
		c := p.draw(r)
		d := 1 << 20
		for _, o := range others {
			d = min(d, c.apart(o))
		}
		if d >= gap {
			return c
		}
		if d > most {
			best, most = c, d
		}
	}
	return best
}

// A span is a range of whole numbers, both ends included.
type span struct{ lo, hi int }

func (s span) draw(r *rand.Rand) int {
	if s.hi <= s.lo {
		return s.lo
	}
	return s.lo + r.IntN(s.hi-s.lo+1)
}

func abs[T int | int64](x T) T {
	if x < 0 {
		return -x
	}
	return x
}
