//go:build !purego

package depthwise

// sevens is the number of rows of seven taps that the registers hold.
const sevens = 3

// slide is run for rows of seven taps on neighbouring columns.
func (w *weightGradient) slide(s *scratch, p part) {
	l := newLayout(w.col, w.lanes)
	leftmost := w.col.phase(0).leftmost()
	width := 7 // the kernel's, better one that leaves no rest
	if w.col.out%8 == 0 {
		width = 8
	}
	// A rest is read with the zeros that follow.
	direct := w.col.padded() && w.col.out%width == 0 && w.c%w.lanes == 0
	groups := s.cut(w.vectors, p, 1)
	rows, plane, yPlane := maxRows(w.row, 4*w.lanes*(l.pitch+w.col.out)), 0, 0
	x, y := tensor(w.c, w.col.src, leftmost), tensor(w.c, w.col.out, 0)
	if !direct {
		plane, yPlane = rows*l.pitch*w.lanes, rows*w.col.out*w.lanes
		x, y = l.place(leftmost), place{4 * w.lanes, 4 * w.lanes * w.col.out, 0}
	}
	taps := w.row.k * seven
	weight := taps * w.lanes
	memory := s.take(plane + yPlane + len(groups)*weight)
	planes, yPlanes, weights := memory[:plane], memory[plane:][:yPlane], memory[plane+yPlane:]
	if !direct {
		l.clearMargins(planes, rows) // and so they stay
	}
	for i, g := range groups {
		g.pack(weights[i*weight:], w.dw, taps, w.c, 1, 0, 0, weight)
	}
	valid := s.valid(w.row)
	t := rowSums{kernels: &w.sums[width-7], cols: w.col.out, x: x, y: y, xRow: w.row.stride * x.row, xTaps: w.row.dil * x.row}
	if w.col.padded() {
		t.how = leftEdge | rightEdge
	}

	listed := chunk{} // the one that s.sums is for
	eachChunk(w.row, p.lo, p.hi, rows, func(k chunk) {
		if k.n == 0 {
			return // lines that see nothing but padding
		}
		if k.first != listed.first || k.end != listed.end {
			w.listRows(s, k, valid, x, y)
			listed = k
		}
		w.fetch(k, p)
		for i, g := range groups {
			if direct {
				t.from = &w.x[k.line/w.row.out*w.row.src*w.col.src*w.c+g.c0]
				t.dy = &w.dy[k.line*w.col.out*w.c+g.c0]
			} else {
				g.packRows(planes, w.x, l, w.col.src, w.c, k.rows, k.rows+k.n, plane)
				g.pack(yPlanes, w.dy[k.line*w.col.out*w.c:], (k.end-k.first)*w.col.out, w.c, 1, 0, 0, yPlane)
				t.from, t.dy = &planes[0], &yPlanes[0]
				t.skip = -x.row * (k.rows % w.row.src)
			}
			t.sum = &weights[i*weight]
			for i := range s.sums {
				t.add(&s.sums[i])
			}
		}
	})
	for i, g := range groups {
		w.unpack(g, weights[i*weight:], weight)
	}
}

// listRows fills s.sums with what a chunk adds up: rows of taps and lines that
// see them all. Pixels are counted from the image's first row.
func (w *weightGradient) listRows(s *scratch, k chunk, valid []span, x, y place) {
	s.sums = s.sums[:0]
	rp := w.row.phase(0)
	for a, rows := 0, 0; a < w.row.k; a += rows {
		rows = min(sevens, w.row.k-a)
		if w.row.k-a == sevens+1 {
			rows = 2 // two and two keep the processor busier than three and one
		}
		for o := k.first; o < k.end; {
			// Lines with the same valid rows of the kernel go together.
			v := valid[o].within(a, a+rows)
			end := o + 1
			for end < k.end && valid[end].within(a, a+rows) == v {
				end++
			}
			if v.lo < v.hi {
				s.sums = append(s.sums, runSums{
					sum:   4 * w.lanes * v.lo * seven,
					x:     x.row*(rp.at0+v.lo*rp.atStep+o*rp.advance) + x.left,
					dy:    y.row * (o - k.first),
					lines: end - o,
					taps:  v.hi - v.lo,
				})
			}
			o = end
		}
	}
}

// rowSums is what the sums of one block of channels have in common; distances
// are in bytes.
type rowSums struct {
	kernels       *[sevens]func(sum, x *float32, from int, dy *float32, cols, rows, pitch, xRow, dyRow, xTaps, how int)
	sum, from, dy *float32
	skip          int // the image begins so far from from
	cols          int
	x, y          place
	xRow          int // from one line to the next
	xTaps         int // from one row of taps to the next
	how           int
}

// add adds up one run, taps being rows of seven. It is not inlined so that
// loops around it can be preempted.
//
//go:noinline
func (t *rowSums) add(r *runSums) {
	t.kernels[r.taps-1](advance(t.sum, r.sum), t.from, t.skip+r.x, advance(t.dy, r.dy), t.cols, r.lines, t.x.pixel, t.xRow, t.y.row, t.xTaps, t.how)
}
