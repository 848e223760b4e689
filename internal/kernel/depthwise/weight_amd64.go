//go:build !purego

package depthwise

import "unsafe"

// maxTaps is the number of taps of a weight gradient that the registers hold.
const maxTaps = 11

// weightGradient is the gradient with respect to the weights.
type weightGradient struct {
	dw, dy, x []float32
	c         int
	row, col  axis
}

// run adds the contribution of the output lines [lo,hi), channels in the outer
// loop. Every sum stays in registers for a chunk of lines; loops are such that
// its terms come in the order of the output's pixels.
func (w *weightGradient) run(lo, hi int) {
	if lo == hi {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)

	l := newLayout(w.col)
	rows := maxRows(w.row, 2*4*lanes*(l.pitch+w.col.out))
	plane := rows * l.pitch * lanes
	yPlane := rows * w.col.out * lanes
	taps := w.row.k * w.col.k
	weight := taps * lanes
	memory := s.take(2*plane + 2*yPlane + 2*weight)
	planes, memory := memory[:2*plane], memory[2*plane:]
	yPlanes, weights := memory[:2*yPlane], memory[2*yPlane:]
	clear(planes) // the margins stay 0 from now on
	valid := s.valid(w.row)

	eachGroup(w.c, func(g group) {
		g.pack(weights, w.dw, taps, w.c, 1, 0, 0, weight)
		p := sums{
			group: g, sum: &weights[0], x: &planes[0], dy: &yPlanes[0],
			xPlane: 4 * plane, dyPlane: 4 * yPlane, weight: 4 * weight,
			xRow: 4 * lanes * w.row.stride * l.pitch, dyRow: 4 * lanes * w.col.out, cols: w.col.out,
		}
		listed := chunk{} // the one that s.sums is for
		eachChunk(w.row, lo, hi, rows, func(k chunk) {
			if k.n == 0 {
				return // lines that see nothing but padding
			}
			g.packRows(planes, w.x, l, w.col.src, w.c, k.rows, k.rows+k.n, plane)
			g.pack(yPlanes, w.dy[k.line*w.col.out*w.c:], (k.end-k.first)*w.col.out, w.c, 1, 0, 0, yPlane)
			if k.first != listed.first || k.end != listed.end {
				w.list(s, k, l, valid)
				listed = k
			}
			for i := range s.sums {
				p.add(&s.sums[i])
			}
		})
		w.unpack(g, weights, weight)
	})
}

// runSums is one call of the assembly: some taps, over lines that all see
// them. Distances are in bytes.
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
					sum:   4 * lanes * (v.lo*w.col.k + b),
					x:     4 * lanes * l.pitch * (rp.at0 + v.lo*rp.atStep + o*rp.advance - from),
					dy:    4 * lanes * w.col.out * (o - k.first),
					lines: end - o,
				}
				for i := range v.hi - v.lo {
					for q := b; q < min(b+size, w.col.k); q++ {
						r.offs[r.taps] = 4 * lanes * (i*rp.atStep*l.pitch + l.slot(cp.at0+q*cp.atStep))
						r.taps++
					}
				}
				s.sums = append(s.sums, r)
			}
			o = end
		}
	}
}

// sums is what the sums of one group of channels have in common; distances are
// in bytes.
type sums struct {
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
		c0, from := g.c0+b*lanes, sums[b*weight:]
		if g.mask == nil {
			unpack1(&w.dw[c0], &from[0], taps, 4*w.c)
			continue
		}
		for t := range taps {
			copy(w.dw[t*w.c+c0:][:w.c-c0], from[t*lanes:])
		}
	}
}

// add adds up one run. It is not inlined so that loops around it can be
// preempted.
//
//go:noinline
func (p *sums) add(r *runSums) {
	s, x, dy := advance(p.sum, r.sum), advance(p.x, r.x), advance(p.dy, r.dy)
	o, lines := &r.offs[0], r.lines
	cols, xRow, dyRow, blocks, xPlane, dyPlane, weight := p.cols, p.xRow, p.dyRow, p.blocks, p.xPlane, p.dyPlane, p.weight
	switch r.taps {
	case 1:
		gradient1(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 2:
		gradient2(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 3:
		gradient3(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 4:
		gradient4(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 5:
		gradient5(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 6:
		gradient6(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 7:
		gradient7(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 8:
		gradient8(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 9:
		gradient9(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 10:
		gradient10(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 11:
		gradient11(s, x, o, dy, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	}
}

// advance is p moved on by that many bytes, within the same slice.
func advance(p *float32, bytes int) *float32 {
	return (*float32)(unsafe.Add(unsafe.Pointer(p), bytes))
}
