package scenes

import "math/rand/v2"

// background covers the canvas: a wall, a sky over ground, a gradient, spots.
func (a *artist) background(r *rand.Rand, m *manner, ground rgb) {
	w := a.c.w
	near := func(share int) rgb { return ground.mix(m.ground.draw(r), share) }
	base := paint{a: ground}
	sin, cos := sincos(r.IntN(turn))
	switch r.IntN(5) {
	case 0: // a gradient
		base.b, base.kind = near(150+r.IntN(100)), fade
		base.ux, base.uy = cos*4/w, sin*4/w
		base.phase = 1<<15 - (base.ux+base.uy)*w/2
	case 1: // a patterned wall
		base.weave(r, near(60+r.IntN(80)), w)
	case 2: // grain
		base.b, base.kind, base.duty = near(140), grain, 256
	}
	a.c.flood(&base)

	half := w * 128
	p := &pen{c: a.c, r: r, v: newView(half, half, half, 0, 0, 0, 0, 0, false), look: &look{fill: 256}}
	switch r.IntN(4) {
	case 0: // ground below a horizon, which rolls
		soil := paint{a: near(120 + r.IntN(110))}
		if p.maybe(40) {
			soil.weave(r, near(150), w)
		}
		y := p.in(-100, 700)
		p.to(-1100, y)
		for x := -1100; x < 1100; x += 550 {
			p.curve(x+275, y+p.in(-250, 250), x+550, y+p.in(-60, 60))
		}
		p.to(1100, 1100)
		p.to(-1100, 1100)
		p.fill(soil)
	case 1: // large soft shapes
		for range p.in(2, 5) {
			p.look.fill = p.in(60, 200)
			p.lumps(paint{a: near(200)}, p.in(-1000, 1000), p.in(-1000, 1000), p.in(250, 700), p.in(250, 700), p.in(2, 5), p.in(50, 300))
		}
	}
}

// clutter paints a thing of no category somewhere: the simple shapes of which
// the categories are made as well, so that a wheel or a gable alone says
// little.
func (a *artist) clutter(r *rand.Rand, m *manner, ground rgb, sun int) {
	size := span{110, 340}.draw(r)
	around := span{-1000, 1000}
	a.thing(r, m, ground, sun, around.draw(r), around.draw(r), size)
}

// front paints something over the edge of the object at (x,y).
func (a *artist) front(r *rand.Rand, m *manner, ground rgb, sun, x, y, size int) {
	sin, cos := sincos(r.IntN(turn))
	far := size * span{700, 1050}.draw(r) / 1000
	a.thing(r, m, ground, sun, x+far*cos/one, y+far*sin/one, size*span{180, 360}.draw(r)/1000)
}

func (a *artist) thing(r *rand.Rand, m *manner, ground rgb, sun, x, y, size int) {
	half := a.c.w * 128
	v := newView(half+x*half/1000, half+y*half/1000, half*size/1000, r.IntN(turn), 0, 0, 0, 0, false)
	l := a.look(r, m, sun, ground)
	p := &pen{c: a.c, r: r, v: v, look: l}
	switch r.IntN(11) {
	case 0:
		p.ellipse(l.main, 0, 0, 900, p.in(500, 900))
	case 1:
		p.arc(0, 0, 800, 800, 0, turn)
		p.stroke(l.main, p.in(150, 350))
	case 2:
		p.poly(l.main, -900, 800, p.in(-300, 300), -900, 900, 800)
	case 3:
		h := p.in(300, 900)
		p.rect(l.main, -900, -h, 900, h)
	case 4:
		p.line(l.main, p.in(150, 350), -1400, 0, 0, p.in(-300, 300), 1400, 0)
	case 5: // half a disc
		p.arc(0, 300, 950, 950, turn/2, turn)
		p.fill(l.main)
	case 6: // a cloud or a bush
		p.lumps(l.main, 0, 0, 900, 600, p.in(5, 9), p.in(80, 160))
	case 7: // a star
		n := p.in(4, 7)
		for i := range 2 * n {
			sin, cos := sincos(i * turn / (2 * n))
			k := 950 - i%2*p.in(350, 600)
			p.to(k*cos/one, k*sin/one)
		}
		p.fill(l.main)
	case 8: // a fork of strokes
		for i := -1; i <= 1; i++ {
			p.to(0, 900)
			p.curve(0, 0, i*600, -900)
			p.stroke(l.main, 160)
		}
	case 9: // a disc in a box
		p.rect(l.main, -800, -800, 800, 800)
		p.ellipse(l.second, 0, 0, 500, 500)
	default: // a wedge with a dot
		p.poly(l.main, -900, -p.in(200, 600), 900, -p.in(0, 500), 700, 700, -600, 700)
		p.ellipse(l.third, p.in(-300, 300), 0, 220, 220)
	}
}
