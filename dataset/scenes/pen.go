package scenes

import (
	"math"
	"math/rand/v2"
)

// A pen draws one object on a canvas, in the object's own coordinates (a box
// of ±1000, y downwards). Whole numbers only: the same seed gives the same
// bytes on every machine, whatever it does with floating point.
type pen struct {
	c    *canvas
	r    *rand.Rand
	v    view
	look *look
	path []point // local coordinates of the contours being built
	ends []int   // where each contour ends in path
}

type point struct{ x, y int }

// look is how one object is rendered: its colours and the hand that draws it.
type look struct {
	main, second, third paint // body, parts, details: told apart by brightness or hue
	ink                 paint
	outline             int  // width in canvas 1/256 pixels, 0 for none
	twice               bool // a second, shifted outline: a sketch
	fill                int  // opacity of fills, 0..256
	wobbleX, wobbleY    int  // how far lines stray
	waveX, waveY        int  // how fast
	waveP, waveQ        int  // phases
}

func (p *pen) in(lo, hi int) int      { return span{lo, hi}.draw(p.r) }
func (p *pen) maybe(percent int) bool { return p.r.IntN(100) < percent }

// part runs draw with a pen whose box sits at (x,y) of this one's, permille of
// its size, turned by angle.
func (p *pen) part(x, y, permille, angle int, draw func()) {
	v := p.v
	p.v = v.inside(x, y, permille, angle)
	draw()
	p.v = v
}

func (p *pen) to(x, y int) { p.path = append(p.path, point{x, y}) }

// curve continues to (x,y) along a parabola with control point (cx,cy).
func (p *pen) curve(cx, cy, x, y int) {
	const steps = 6
	from := p.path[len(p.path)-1]
	for i := 1; i <= steps; i++ {
		j := steps - i
		p.to((from.x*j*j+2*cx*i*j+x*i*i)/(steps*steps), (from.y*j*j+2*cy*i*j+y*i*i)/(steps*steps))
	}
}

func (p *pen) close() { p.ends = append(p.ends, len(p.path)) }

// arc continues along an ellipse from one angle to another, both ends
// included.
func (p *pen) arc(cx, cy, rx, ry, from, to int) {
	steps := max(abs(to-from)/52, 2)
	for i := 0; i <= steps; i++ {
		sin, cos := sincos(from + (to-from)*i/steps)
		p.to(cx+rx*cos/one, cy+ry*sin/one)
	}
}

// poly fills a polygon given as x, y, x, y, ...
func (p *pen) poly(with paint, xy ...int) {
	for i := 0; i+1 < len(xy); i += 2 {
		p.to(xy[i], xy[i+1])
	}
	p.fill(with)
}

func (p *pen) rect(with paint, x0, y0, x1, y1 int) {
	p.poly(with, x0, y0, x1, y0, x1, y1, x0, y1)
}

func (p *pen) ellipse(with paint, cx, cy, rx, ry int) {
	p.arc(cx, cy, rx, ry, 0, turn-52)
	p.fill(with)
}

// oval is an ellipse turned by angle about its centre.
func (p *pen) oval(with paint, cx, cy, rx, ry, angle int) {
	sin, cos := sincos(angle)
	for a := 0; a < turn; a += 48 {
		s, c := sincos(a)
		x, y := rx*c/one, ry*s/one
		p.to(cx+(x*cos-y*sin)/one, cy+(x*sin+y*cos)/one)
	}
	p.fill(with)
}

// lumps fills an ellipse whose edge has bumps of the given depth in 1/1000.
func (p *pen) lumps(with paint, cx, cy, rx, ry, bumps, depth int) {
	phase := p.r.IntN(turn)
	for a := 0; a < turn; a += 24 {
		s, c := sincos(a)
		k := 1000 + depth*sine(a*bumps+phase)/one
		p.to(cx+rx*c/one*k/1000, cy+ry*s/one*k/1000)
	}
	p.fill(with)
}

// line draws a stroke of the given width through x, y, x, y, ... It has no
// outline.
func (p *pen) line(with paint, width int, xy ...int) {
	for i := 0; i+1 < len(xy); i += 2 {
		p.to(xy[i], xy[i+1])
	}
	p.stroke(with, width)
}

// thinnest is the least width of a stroke, in 1/256 of a canvas pixel: a
// thinner one would vanish.
const thinnest = 180

// stroke draws the path as a line instead of filling it.
func (p *pen) stroke(with paint, width int) {
	w := max(p.v.length(width), thinnest)
	pts := p.bend(p.path)
	for i := 1; i < len(pts); i++ {
		p.segment(pts[i-1], pts[i], w)
	}
	p.c.fill(&with, 256)
	p.path, p.ends = p.path[:0], p.ends[:0]
}

// fill paints the contours built so far, and their outline.
func (p *pen) fill(with paint) {
	if len(p.ends) == 0 || p.ends[len(p.ends)-1] != len(p.path) {
		p.close()
	}
	start := 0
	for _, end := range p.ends {
		pts := p.bend(p.path[start:end])
		start = end
		for i, q := range pts {
			o := pts[(i+1)%len(pts)]
			p.c.edge(q.x, q.y, o.x, o.y)
		}
	}
	p.c.fill(&with, p.look.fill)
	if p.look.outline > 0 {
		p.trace(0)
		if p.look.twice {
			p.trace(p.look.outline)
		}
	}
	p.path, p.ends = p.path[:0], p.ends[:0]
}

// trace inks the contours, shifted on the canvas by at most stray.
func (p *pen) trace(stray int) {
	dx, dy := p.in(-stray, stray), p.in(-stray, stray)
	start := 0
	for _, end := range p.ends {
		pts := p.bend(p.path[start:end])
		start = end
		for i := range pts {
			pts[i].x, pts[i].y = pts[i].x+dx, pts[i].y+dy
		}
		for i, q := range pts {
			p.segment(q, pts[(i+1)%len(pts)], p.look.outline)
		}
	}
	p.c.fill(&p.look.ink, 256)
}

// bend carries points to the canvas, through the wobble of the hand.
func (p *pen) bend(pts []point) []point {
	out := make([]point, len(pts))
	l := p.look
	for i, q := range pts {
		x := q.x + l.wobbleX*sine(q.y*l.waveY/1000+l.waveP)/one
		y := q.y + l.wobbleY*sine(q.x*l.waveX/1000+l.waveQ)/one
		out[i].x, out[i].y = p.v.apply(x, y)
	}
	return out
}

// segment adds a straight stroke from a to b, in canvas coordinates, with ends
// that overlap the next one's.
func (p *pen) segment(a, b point, width int) {
	dx, dy := b.x-a.x, b.y-a.y
	// Exact: IEEE 754 leaves a square root one result.
	n := int(math.Sqrt(float64(int64(dx)*int64(dx) + int64(dy)*int64(dy))))
	if n == 0 {
		return
	}
	ex, ey := dx*width/(4*n), dy*width/(4*n) // a quarter of the width beyond each end
	ox, oy := -dy*width/(2*n), dx*width/(2*n)
	ax, ay, bx, by := a.x-ex, a.y-ey, b.x+ex, b.y+ey
	p.c.edge(ax+ox, ay+oy, ax-ox, ay-oy)
	p.c.edge(ax-ox, ay-oy, bx-ox, by-oy)
	p.c.edge(bx-ox, by-oy, bx+ox, by+oy)
	p.c.edge(bx+ox, by+oy, ax+ox, ay+oy)
}
