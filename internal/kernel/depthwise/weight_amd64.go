//go:build !purego

package depthwise

import "unsafe"

// weightGradient is the gradient with respect to the weights.
type weightGradient struct {
	*vectors
	dw, dy, x []float32
	c         int
	row, col  axis
}

// run adds a part's contribution, chunk after chunk of its lines, and of each
// group after group of its channels. Every sum stays in registers for a chunk;
// loops are such that its terms come in the order of the output's pixels.
func (w *weightGradient) run(p part) {
	if p.empty() {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if w.sliding(w.col) {
		w.slide(s, p)
		return
	}

	l := newLayout(w.col, w.lanes)
	groups := s.cut(w.vectors, p, w.blocks)
	blocks := groups[0].blocks
	rows := maxRows(w.row, blocks*4*w.lanes*(l.pitch+w.col.out))
	plane := rows * l.pitch * w.lanes
	yPlane := rows * w.col.out * w.lanes
	taps := w.row.k * w.col.k
	weight := taps * w.lanes
	memory := s.take(blocks*(plane+yPlane) + len(groups)*blocks*weight)
	planes, memory := memory[:blocks*plane], memory[blocks*plane:]
	yPlanes, weights := memory[:blocks*yPlane], memory[blocks*yPlane:]
	for b := range blocks {
		l.clearMargins(planes[b*plane:], rows) // and so they stay
	}
	valid := s.valid(w.row)
	for i, g := range groups {
		g.pack(weights[i*blocks*weight:], w.dw, taps, w.c, 1, 0, 0, weight)
	}
	listed := chunk{} // the one that s.sums is for
	eachChunk(w.row, p.lo, p.hi, rows, func(k chunk) {
		if k.n == 0 {
			return // lines that see nothing but padding
		}
		if k.first != listed.first || k.end != listed.end {
			w.list(s, k, l, valid)
			listed = k
		}
		w.fetch(k, p)
		for i, g := range groups {
			g.packRows(planes, w.x, l, w.col.src, w.c, k.rows, k.rows+k.n, plane)
			g.pack(yPlanes, w.dy[k.line*w.col.out*w.c:], (k.end-k.first)*w.col.out, w.c, 1, 0, 0, yPlane)
			t := tapSums{
				group: g, sum: &weights[i*blocks*weight], x: &planes[0], dy: &yPlanes[0],
				xPlane: 4 * plane, dyPlane: 4 * yPlane, weight: 4 * weight,
				xRow: 4 * w.lanes * w.row.stride * l.pitch, dyRow: 4 * w.lanes * w.col.out, cols: w.col.out,
			}
			for i := range s.sums {
				t.add(&s.sums[i])
			}
		}
	})
	for i, g := range groups {
		w.unpack(g, weights[i*blocks*weight:], weight)
	}
}

// runSums is one call of the assembly: some taps, or rows of seven, over lines
// that all see them. Distances are in bytes.
type runSums struct {
	sum, x, dy  int // where they begin
	lines, taps int
	offs        [maxTaps]int
}

// list fills s.sums with what a chunk adds up. Taps share loads of dy: whole
// rows of the kernel, as many as fit, or parts of one row.
func (w *weightGradient) list(s *scratch, k chunk, l layout, valid []span) {
	s.sums = s.sums[:0]
	rows := max(1, min(w.row.k, maxTaps/w.col.k))
	parts := (w.col.k + maxTaps - 1) / maxTaps
	size := (w.col.k + parts - 1) / parts
	rp, cp := w.row.phase(0), w.col.phase(0)
	from := k.rows % w.row.src
	for a := 0; a < w.row.k; a += rows {
		for o := k.first; o < k.end; {
			// Lines with the same valid rows of the kernel go together.
			v := valid[o].within(a, a+rows)
			end := o + 1
			for end < k.end && valid[end].within(a, a+rows) == v {
				end++
			}
			for b := 0; b < w.col.k && v.lo < v.hi; b += size {
				r := runSums{
					sum:   4 * l.lanes * (v.lo*w.col.k + b),
					x:     4 * l.lanes * l.pitch * (rp.at0 + v.lo*rp.atStep + o*rp.advance - from),
					dy:    4 * l.lanes * w.col.out * (o - k.first),
					lines: end - o,
				}
				for i := range v.hi - v.lo {
					for q := b; q < min(b+size, w.col.k); q++ {
						r.offs[r.taps] = 4 * l.lanes * (i*rp.atStep*l.pitch + l.slot(cp.at0+q*cp.atStep))
						r.taps++
					}
				}
				s.sums = append(s.sums, r)
			}
			o = end
		}
	}
}

// tapSums is what the sums of one group of channels have in common; distances are
// in bytes.
type tapSums struct {
	group
	sum, x, dy              *float32
	xPlane, dyPlane, weight int // from one block to the next
	xRow, dyRow             int // from one line to the next
	cols                    int
}

// within is the part of s that lies in [lo,hi).
func (s span) within(lo, hi int) span {
	lo, hi = max(s.lo, lo), min(s.hi, hi)
	return span{lo, max(lo, hi)}
}

// unpack stores the group's sums.
func (w *weightGradient) unpack(g group, sums []float32, weight int) {
	taps := w.row.k * w.col.k
	for b := range g.blocks {
		c0, from := g.c0+b*w.lanes, sums[b*weight:]
		if g.mask == nil {
			g.unpack1(&w.dw[c0], &from[0], taps, 4*w.c)
			continue
		}
		for t := range taps {
			copy(w.dw[t*w.c+c0:][:g.rest], from[t*w.lanes:])
		}
	}
}

// add adds up one run. It is not inlined so that loops around it can be
// preempted.
//
//go:noinline
func (t *tapSums) add(r *runSums) {
	t.gradient[r.taps-1](advance(t.sum, r.sum), advance(t.x, r.x), &r.offs[0], advance(t.dy, r.dy), t.cols, r.lines, t.xRow, t.dyRow, t.blocks, t.xPlane, t.dyPlane, t.weight)
}

// advance is p moved on by that many bytes, within the same slice.
func advance(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}
