package scenes

import "math/rand/v2"

type texture uint8

const (
	plain texture = iota
	stripes
	checks
	dots
	grain
	fade // from a to b along the direction
)

// A paint gives every pixel of the canvas a colour: one or two colours in a
// texture, brighter on the side that faces the light.
type paint struct {
	kind   texture
	a, b   rgb
	ux, uy int // direction of the texture: 65536 is one period a pixel
	phase  int // 65536 is one period
	duty   int // 0..256: how much of the texture is b
	lx, ly int // how the brightness changes, 1/65536 a pixel
	l0     int // brightness at the origin, 256 is neutral; 0 means no shading
}

func (p *paint) at(x, y int) rgb {
	c := p.a
	if p.kind == grain {
		c = c.mix(p.b, int(hash(x, y, p.phase)&255)*p.duty>>8)
	} else if p.kind != plain {
		u, v := (x*p.ux+y*p.uy+p.phase)>>8, (y*p.ux-x*p.uy+p.phase)>>8
		switch p.kind {
		case stripes:
			if u&255 < p.duty {
				c = p.b
			}
		case checks:
			if u&128 != v&128 {
				c = p.b
			}
		case dots:
			u, v = u&255-128, v&255-128
			if (u*u+v*v)*4 < p.duty*p.duty {
				c = p.b
			}
		case fade:
			c = c.mix(p.b, min(max(u, 0), 256))
		}
	}
	if p.l0 != 0 {
		c = c.scale(p.l0 + (x*p.lx+y*p.ly)>>8)
	}
	return c
}

// weave gives p a second colour and a random texture. size is the canvas's
// width in pixels: textures scale with the picture.
func (p *paint) weave(r *rand.Rand, b rgb, size int) {
	p.b = b
	p.kind = []texture{stripes, stripes, checks, dots, grain}[r.IntN(5)]
	periods := 4 + r.IntN(8) // over the width of the picture
	sin, cos := sincos(r.IntN(turn))
	p.ux, p.uy = cos*4*periods/size, sin*4*periods/size // 2^14 from the sines, 2^2 to go
	p.phase = r.IntN(1 << 16)
	p.duty = 70 + r.IntN(90)
	if p.kind == dots {
		p.duty = 130 + r.IntN(70)
	}
}

// hash is noise: 32 bits that depend on a place and a key.
func hash(x, y, key int) uint32 {
	h := uint32(x)*0x9e3779b1 ^ uint32(y)*0x85ebca77 ^ uint32(key)*0xc2b2ae3d
	h = (h ^ h>>15) * 0x2c1b3c6d
	h = (h ^ h>>12) * 0x297a2d39
	return h ^ h>>15
}
