package conv

import "github.com/winnow-go/winnow/internal/kernel"

// The points of F(4x4) besides 0 and infinity are ±a and ±b.
const a, b = 0.75, 1.5

// The transforms of a line, in place: Bᵀd of source pixels, Aᵀm of products, G g
// of taps, A y of the result's gradient, Gᵀu of the gradient of transformed
// taps, see the package comment. Products are rounded before they are added.

func sourceLine[T kernel.Float](f form, d *[6]T) {
	if f == f2 {
		d[0], d[1], d[2], d[3] = d[0]-d[2], d[1]+d[2], d[2]-d[1], d[1]-d[3]
		return
	}
	t0, t1 := d[4]-T(b*b*d[2]), d[3]-T(b*b*d[1])
	t2, t3 := d[4]-T(a*a*d[2]), d[3]-T(a*a*d[1])
	d[0] = d[4] - T((a*a+b*b)*d[2]) + T(a*a*b*b*d[0])
	d[5] = d[5] - T((a*a+b*b)*d[3]) + T(a*a*b*b*d[1])
	d[1], d[2] = t0+T(a*t1), t0-T(a*t1)
	d[3], d[4] = t2+T(b*t3), t2-T(b*t3)
}

func resultLine[T kernel.Float](f form, m *[6]T) {
	if f == f2 {
		m[0], m[1] = m[0]+m[1]+m[2], m[1]-m[2]-m[3]
		return
	}
	s1, d1, s2, d2 := m[1]+m[2], m[1]-m[2], m[3]+m[4], m[3]-m[4]
	m[0] = m[0] + s1 + s2
	m[1] = T(a*d1) + T(b*d2)
	m[2] = T(a*a*s1) + T(b*b*s2)
	m[3] = m[5] + T(a*a*a*d1) + T(b*b*b*d2)
}

// The factors of G's rows.
const (
	s0 = 1 / (a * a * b * b)
	sa = 1 / (2 * a * a * (a*a - b*b))
	sb = 1 / (2 * b * b * (b*b - a*a))
)

func filterLine[T kernel.Float](f form, g *[6]T) {
	if f == f2 {
		e, o := T(0.5*(g[0]+g[2])), T(0.5*g[1])
		g[1], g[2], g[3] = e+o, e-o, g[2]
		return
	}
	e1, o1 := g[0]+T(a*a*g[2]), T(a*g[1])
	e2, o2 := g[0]+T(b*b*g[2]), T(b*g[1])
	g[5] = g[2]
	g[0] = T(s0 * g[0])
	g[1], g[2] = T(sa*(e1+o1)), T(sa*(e1-o1))
	g[3], g[4] = T(sb*(e2+o2)), T(sb*(e2-o2))
}

func gradientLine[T kernel.Float](f form, y *[6]T) {
	if f == f2 {
		y[1], y[2], y[3] = y[0]+y[1], y[0]-y[1], -y[1]
		return
	}
	e1, o1 := y[0]+T(a*a*y[2]), T(a*y[1])+T(a*a*a*y[3])
	e2, o2 := y[0]+T(b*b*y[2]), T(b*y[1])+T(b*b*b*y[3])
	y[5] = y[3]
	y[1], y[2], y[3], y[4] = e1+o1, e1-o1, e2+o2, e2-o2
}

func sumLine[T kernel.Float](f form, u *[6]T) {
	if f == f2 {
		e, o := T(0.5*(u[1]+u[2])), T(0.5*(u[1]-u[2]))
		u[0], u[1], u[2] = u[0]+e, o, u[3]+e
		return
	}
	s1, d1, s2, d2 := u[1]+u[2], u[1]-u[2], u[3]+u[4], u[3]-u[4]
	u[0] = T(s0*u[0]) + T(sa*s1) + T(sb*s2)
	u[1] = T(sa*a*d1) + T(sb*b*d2)
	u[2] = u[5] + T(sa*a*a*s1) + T(sb*b*b*s2)
}

// square applies a transform to the columns and then to the rows of a square,
// whose rows are six elements apart: from x from values to y to.
func square[T kernel.Float](f form, line func(form, *[6]T), v *[36]T, from, to int) {
	var l [6]T
	for j := range from {
		for i := range from {
			l[i] = v[i*6+j]
		}
		line(f, &l)
		for i := range to {
			v[i*6+j] = l[i]
		}
	}
	for i := range to {
		line(f, (*[6]T)(v[i*6:]))
	}
}

// inputTiles is work of the transform of source tiles, n pixels wide, or of
// tiles of the result's gradient, m pixels wide: element c of pixel (y,x) of
// tile t lies at src[t*srcStep+y*line+x*pixel+c], of part p of the transform at
// dst[t*dstStep+p*part+c].
type inputTiles struct {
	gradient         bool // of the result
	src, dst         []float32
	line, pixel      int
	part             int
	c                int // channels; the result may have up to 7 more
	tiles            int
	srcStep, dstStep int
}

func (w *inputTiles) generic(f form) {
	n, width, line := f.in(), f.in(), sourceLine[float32]
	if w.gradient {
		width, line = f.out(), gradientLine[float32]
	}
	var v [36]float32
	for t := range w.tiles {
		for c := range w.c {
			for i := range width {
				for j := range width {
					v[i*6+j] = w.src[t*w.srcStep+i*w.line+j*w.pixel+c]
				}
			}
			square(f, line, &v, width, n)
			for i := range n {
				for j := range n {
					w.dst[t*w.dstStep+(i*n+j)*w.part+c] = v[i*6+j]
				}
			}
		}
	}
}

// place says where a tile of the result lies: its first pixel, how many lines
// and columns of it the image has.
type place struct{ pixel, rows, cols int }

// outputTiles is work of the transform of products: element c of part p of tile
// t lies at src[p*part+t*step+c], of pixel q of the image at dst[q*pixel+c], the
// lines of which are line apart. Sixteen elements are there, cols are wanted. The epilogue's activation is Identity or
// ReLU, its columns are dst's.
type outputTiles struct {
	src         []float32
	part, step  int
	dst         []float32
	line, pixel int
	cols        int // 1 to 16
	places      []place
	epi         *kernel.Epilogue[float32]
	resLine     int
	resPixel    int
}

func (w *outputTiles) generic(f form) {
	m, n := f.out(), f.in()
	width := w.line / w.pixel
	var v [36]float32
	var tile [16][panel]float32
	for t, at := range w.places {
		for c := range w.cols {
			for i := range n {
				for j := range n {
					v[i*6+j] = w.src[(i*n+j)*w.part+t*w.step+c]
				}
			}
			square(f, resultLine, &v, n, m)
			for i := range m {
				for j := range m {
					tile[i*m+j][c] = v[i*6+j]
				}
			}
		}
		for i := range at.rows {
			for j := range at.cols {
				row := tile[i*m+j][:w.cols]
				q := at.pixel + i*width + j
				w.epi.Row(row, q, 0, w.pixel)
				copy(w.dst[q*w.pixel:], row)
			}
		}
	}
}

// filterRows is work of the transform of filters: element l of tap (y,x) of
// row r lies at src[at+r*srcStep+(3*y+x)*tap+l], of part p of the result at
// dst[r*dstStep+p*part+l], for l from 0 to 15.
type filterRows struct {
	src              []float32
	at, tap          int
	dst              []float32
	part             int
	rows             int
	srcStep, dstStep int
}

func (w *filterRows) generic(f form) {
	n := f.in()
	var v [36]float32
	for r := range w.rows {
		for l := range panel {
			for i := range 3 {
				for j := range 3 {
					v[i*6+j] = w.src[w.at+r*w.srcStep+(3*i+j)*w.tap+l]
				}
			}
			square(f, filterLine, &v, 3, n)
			for i := range n {
				for j := range n {
					w.dst[r*w.dstStep+(i*n+j)*w.part+l] = v[i*6+j]
				}
			}
		}
	}
}

// filterSums is work of the transform back of the gradient of transformed
// filters: element c of part p lies at src[p*part+c], of tap t of the filter's
// gradient at dst[t*tap+c].
type filterSums struct {
	src  []float32
	part int
	dst  []float32
	tap  int
	c    int // channels; the source has up to 7 more
}

func (w *filterSums) generic(f form) {
	n := f.in()
	var v [36]float32
	for c := range w.c {
		for p := range f.parts() {
			v[p/n*6+p%n] = w.src[p*w.part+c]
		}
		square(f, sumLine, &v, n, 3)
		for t := range 9 {
			w.dst[t*w.tap+c] = v[t/3*6+t%3]
		}
	}
}
