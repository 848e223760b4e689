package transform

import "image"

// chroma makes full rows of Cb and Cr out of planes that are smaller than the
// picture. Between samples it is libjpeg's triangle filter ("fancy upsampling"):
// a value is 3/4 of the nearer sample and 1/4 of the next one, in each direction
// that is halved; other ratios, and planes of one or two columns, repeat the
// samples. Go's own conversion repeats them always, which differs from other
// programs by up to 85 levels at the edges of colours.
type chroma struct {
	m         *image.YCbCr
	w, cw, ch int // columns of the picture; columns and rows of the planes
	fancy     bool
	cb, cr    []uint8 // the row, at least w long
}

func newChroma(m *image.YCbCr) *chroma {
	b := m.Rect
	c := &chroma{m: m, w: b.Dx(), cw: b.Dx(), ch: b.Dy()}
	switch m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		c.cw, c.ch = (c.cw+1)/2, (c.ch+1)/2
		c.fancy = c.cw > 2
	case image.YCbCrSubsampleRatio422:
		c.cw = (c.cw + 1) / 2
		c.fancy = c.cw > 2
	case image.YCbCrSubsampleRatio440:
		c.ch = (c.ch + 1) / 2
		c.fancy = true
	}
	if b.Min.X%2 != 0 || b.Min.Y%2 != 0 { // a part cut out between samples
		c.fancy = false
	}
	c.cb, c.cr = make([]uint8, 2*c.cw+c.w), make([]uint8, 2*c.cw+c.w)
	return c
}

// row returns Cb and Cr of row y, counted from the top of the picture. They are
// good until the next call.
func (c *chroma) row(y int) (cb, cr []uint8) {
	m, b := c.m, c.m.Rect
	switch {
	case m.SubsampleRatio == image.YCbCrSubsampleRatio444:
		o := m.COffset(b.Min.X, b.Min.Y+y)
		return m.Cb[o : o+c.w], m.Cr[o : o+c.w]
	case !c.fancy:
		for x := range c.w {
			o := m.COffset(b.Min.X+x, b.Min.Y+y)
			c.cb[x], c.cr[x] = m.Cb[o], m.Cr[o]
		}
		return c.cb[:c.w], c.cr[:c.w]
	}
	c.plane(c.cb, m.Cb, y)
	c.plane(c.cr, m.Cr, y)
	return c.cb[:c.w], c.cr[:c.w]
}

func (c *chroma) plane(dst, plane []uint8, y int) {
	first := c.m.COffset(c.m.Rect.Min.X, c.m.Rect.Min.Y)
	line := func(k int) []uint8 {
		k = first + min(max(k, 0), c.ch-1)*c.m.CStride
		return plane[k : k+c.cw]
	}
	switch c.m.SubsampleRatio {
	case image.YCbCrSubsampleRatio420:
		tent2(dst, line(y/2), line(y/2-1+y%2*2))
	case image.YCbCrSubsampleRatio422:
		tent(dst, line(y))
	case image.YCbCrSubsampleRatio440:
		near, far := line(y/2), line(y/2-1+y%2*2)
		round := uint32(1 + y%2)
		for x, v := range near {
			dst[x] = uint8((3*uint32(v) + uint32(far[x]) + round) >> 2)
		}
	}
}

// tent doubles a row. Rounding alternates, so that errors do not add up.
func tent(dst, in []uint8) {
	n := len(in)
	dst[0] = in[0]
	for i := range n - 1 {
		a, b := uint32(in[i]), uint32(in[i+1])
		dst[2*i+1] = uint8((3*a + b + 2) >> 2)
		dst[2*i+2] = uint8((3*b + a + 1) >> 2)
	}
	dst[2*n-1] = in[n-1]
}

// tent2 is tent in both directions: near is the nearer row of samples, far the
// one on the other side.
func tent2(dst, near, far []uint8) {
	n := len(near)
	far = far[:n]
	this := 3*uint32(near[0]) + uint32(far[0])
	dst[0] = uint8((4*this + 8) >> 4)
	for i := range n - 1 {
		next := 3*uint32(near[i+1]) + uint32(far[i+1])
		dst[2*i+1] = uint8((3*this + next + 7) >> 4)
		dst[2*i+2] = uint8((3*next + this + 8) >> 4)
		this = next
	}
	dst[2*n-1] = uint8((4*this + 7) >> 4)
}
