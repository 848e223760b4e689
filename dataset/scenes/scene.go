package scenes

import (
	"image"
	"math/rand/v2"
)

// oversample is how many canvas pixels make one of the picture, each way.
const oversample = 2

// An artist paints one scene at a time and owns the memory for it.
type artist struct {
	size  int // of the picture
	c     *canvas
	small []rgb // the picture before noise
	row   []rgb
}

func newArtist(size int) *artist {
	return &artist{
		size:  size,
		c:     newCanvas(size*oversample, size*oversample),
		small: make([]rgb, size*size),
		row:   make([]rgb, size),
	}
}

// scene paints draw's object in the given manner.
func (a *artist) scene(r *rand.Rand, m *manner, draw func(*pen)) *image.RGBA {
	half := a.c.w * 128 // canvas length of 1000 scene units
	ground := m.ground.draw(r)
	a.background(r, m, ground)

	// Where the light comes from, for objects and for the whole scene.
	sun := r.IntN(turn)

	for range m.clutter.draw(r) {
		a.clutter(r, m, ground, sun)
	}

	size := m.size.draw(r)
	room := (1000 - size) * m.shift / 1000
	around := span{-room, room}
	x, y := around.draw(r), around.draw(r)
	both := func(k int) int { return span{-k, k}.draw(r) }
	v := newView(half+x*half/1000, half+y*half/1000, half*size/1000, degrees(both(m.turn)),
		both(m.stretch), both(m.stretch), both(m.tilt), both(m.tilt), r.IntN(2) == 0)
	p := &pen{c: a.c, r: r, v: v, look: a.look(r, m, sun, ground)}
	if r.IntN(100) < m.shade {
		a.shadow(p)
	}
	draw(p)

	for range m.front.draw(r) {
		a.front(r, m, ground, sun, x, y, size)
	}
	return a.develop(r, m)
}

// look chooses how an object is rendered. Its colours are told from against
// and from each other.
func (a *artist) look(r *rand.Rand, m *manner, sun int, against rgb) *look {
	main := m.things.drawApart(r, m.gap, against)
	second := m.things.drawApart(r, m.gap, main, against)
	third := m.things.drawApart(r, m.gap, main, second)
	l := &look{fill: m.fill.draw(r)}
	ink := m.inks.draw(r)
	if against.luma() < 80 && main.luma() < 110 { // white ink in the dark
		ink = rgb{255 - ink.r, 255 - ink.g, 255 - ink.b}
	}
	shading := r.IntN(60)
	cloth := func(c rgb) paint {
		p := a.shaded(c, sun, shading)
		if r.IntN(100) < m.woven {
			// Textures stay near their colour, so that shapes stay whole.
			p.weave(r, c.mix(m.things.draw(r), 90+r.IntN(90)), a.c.w)
		}
		return p
	}
	l.main, l.second, l.third = cloth(main), cloth(second), cloth(third)
	l.ink = paint{a: ink}
	if r.IntN(100) < m.lined {
		l.outline = m.outline.draw(r) * a.c.w * 256 / 1000
		l.twice = r.IntN(100) < m.twice
	}
	wobble := m.wobble.draw(r)
	l.wobbleX, l.wobbleY = wobble, wobble
	waves := span{150, 400}
	l.waveX, l.waveY = waves.draw(r), waves.draw(r)
	l.waveP, l.waveQ = r.IntN(turn), r.IntN(turn)
	return l
}

// shaded is a plain paint that gets lighter by strength/256 from the middle of
// the picture to its edge in the direction of the sun, darker the other way.
func (a *artist) shaded(c rgb, sun, strength int) paint {
	sin, cos := sincos(sun)
	p := paint{a: c}
	mid := a.c.w / 2
	p.lx, p.ly = cos*strength*256/one/mid, sin*strength*256/one/mid
	p.l0 = 256 - (mid*p.lx+mid*p.ly)>>8
	return p
}

// shadow darkens the ground below the object.
func (a *artist) shadow(p *pen) {
	black := paint{a: rgb{10, 10, 20}}
	l := p.look
	p.look = &look{fill: p.in(50, 110)}
	p.ellipse(black, p.in(-250, 250), p.in(850, 950), p.in(700, 950), p.in(90, 200))
	p.look = l
}

// develop makes the picture: light, averaging, blur, noise.
func (a *artist) develop(r *rand.Rand, m *manner) *image.RGBA {
	n := a.size
	tint := m.tints[r.IntN(len(m.tints))]
	level := m.light.draw(r)
	sin, cos := sincos(r.IntN(turn))
	slope := r.IntN(m.slope + 1)
	for y := range n {
		up := a.c.pix[2*y*a.c.w:][:2*n]
		down := a.c.pix[(2*y+1)*a.c.w:][:2*n]
		for x := range n {
			p, q, s, t := up[2*x], up[2*x+1], down[2*x], down[2*x+1]
			// 2^-8 light, 2^-8 tint, a quarter for the mean of four.
			k := level + slope*((2*x-n)*cos+(2*y-n)*sin)/(one*n)
			shine := func(sum int, tint uint8) uint8 { return uint8(min(sum*k*int(tint)>>18, 255)) }
			a.small[y*n+x] = rgb{
				shine(int(p.r)+int(q.r)+int(s.r)+int(t.r), tint.r),
				shine(int(p.g)+int(q.g)+int(s.g)+int(t.g), tint.g),
				shine(int(p.b)+int(q.b)+int(s.b)+int(t.b), tint.b),
			}
		}
	}
	if k := m.blur.draw(r); k > 8 {
		a.blur(k)
	}
	img := image.NewRGBA(image.Rect(0, 0, n, n))
	amp, key := m.noise.draw(r), int(r.Uint32())
	for i, c := range a.small {
		h := hash(i, key, key)
		common := (int(h&255) + int(h>>8&255) - 255) * amp >> 9
		noisy := func(v uint8, own uint32) uint8 {
			return uint8(min(max(int(v)+common+(int(own&255)-128)*amp>>9, 0), 255))
		}
		img.Pix[4*i] = noisy(c.r, h>>16)
		img.Pix[4*i+1] = noisy(c.g, h>>20)
		img.Pix[4*i+2] = noisy(c.b, h>>24)
		img.Pix[4*i+3] = 255
	}
	return img
}

// blur gives each pixel's two neighbours k/512 each, first along rows, then
// along columns.
func (a *artist) blur(k int) {
	n := a.size
	pass := func(start, step int) {
		for i := range n {
			a.row[i] = a.small[start+i*step]
		}
		for i := range n {
			p, c, q := a.row[max(i-1, 0)], a.row[i], a.row[min(i+1, n-1)]
			soft := func(p, c, q uint8) uint8 {
				return uint8((int(c)*(512-2*k) + (int(p)+int(q))*k + 256) >> 9)
			}
			a.small[start+i*step] = rgb{soft(p.r, c.r, q.r), soft(p.g, c.g, q.g), soft(p.b, c.b, q.b)}
		}
	}
	for i := range n {
		pass(i*n, 1)
	}
	for i := range n {
		pass(i, n)
	}
}
