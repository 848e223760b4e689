//go:build !purego

package depthwise

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
			group: g, l: l, x: planes, dy: yPlanes, sum: weights,
			xPlane: 4 * plane, dyPlane: 4 * yPlane, weight: 4 * weight,
			xRow: 4 * lanes * w.row.stride * l.pitch, dyRow: 4 * lanes * w.col.out, cols: w.col.out,
		}
		eachChunk(w.row, lo, hi, rows, func(k chunk) {
			if k.n == 0 {
				return // lines that see nothing but padding
			}
			g.packRows(planes, w.x, l, w.col.src, w.c, k.rows, k.rows+k.n, plane)
			g.pack(yPlanes, w.dy[k.line*w.col.out*w.c:], (k.end-k.first)*w.col.out, w.c, 1, 0, 0, yPlane)
			w.chunk(k, &p, valid)
		})
		w.unpack(g, weights, weight)
	})
}

// sums is what the sums of one group of channels have in common.
type sums struct {
	group
	l                       layout
	x, dy, sum              []float32
	xPlane, dyPlane, weight int // bytes from one block to the next
	xRow, dyRow             int // bytes from one line to the next
	cols                    int
}

// chunk adds the contribution of one chunk of lines.
func (w *weightGradient) chunk(k chunk, p *sums, valid []span) {
	// Taps share loads of dy: whole rows of the kernel, as many as fit, or
	// parts of one row.
	rows := max(1, min(w.row.k, maxTaps/w.col.k))
	parts := (w.col.k + maxTaps - 1) / maxTaps
	size := (w.col.k + parts - 1) / parts
	rp, cp := w.row.phase(0), w.col.phase(0)
	from := k.rows % w.row.src
	var offs [maxTaps]int
	for a := 0; a < w.row.k; a += rows {
		for o := k.first; o < k.end; {
			// Lines with the same valid rows of the kernel go together.
			v := valid[o].within(a, a+rows)
			end := o + 1
			for end < k.end && valid[end].within(a, a+rows) == v {
				end++
			}
			if v.lo < v.hi {
				at := rp.at0 + v.lo*rp.atStep + o*rp.advance - from
				x, dy := p.x[at*p.l.pitch*lanes:], p.dy[(o-k.first)*w.col.out*lanes:]
				for b := 0; b < w.col.k; b += size {
					n := 0
					for r := range v.hi - v.lo {
						for q := b; q < min(b+size, w.col.k); q++ {
							offs[n] = 4 * lanes * (r*rp.atStep*p.l.pitch + p.l.slot(cp.at0+q*cp.atStep))
							n++
						}
					}
					p.add(n, p.sum[(v.lo*w.col.k+b)*lanes:], x, offs[:], dy, end-o)
				}
			}
			o = end
		}
	}
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

// add adds n taps over that many lines. It is not inlined so that loops around
// it can be preempted.
//
//go:noinline
func (p *sums) add(n int, sum, x []float32, off []int, dy []float32, lines int) {
	s, v, o, d := &sum[0], &x[0], &off[0], &dy[0]
	cols, xRow, dyRow, blocks, xPlane, dyPlane, weight := p.cols, p.xRow, p.dyRow, p.blocks, p.xPlane, p.dyPlane, p.weight
	switch n {
	case 1:
		gradient1(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 2:
		gradient2(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 3:
		gradient3(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 4:
		gradient4(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 5:
		gradient5(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 6:
		gradient6(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 7:
		gradient7(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 8:
		gradient8(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 9:
		gradient9(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 10:
		gradient10(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	case 11:
		gradient11(s, v, o, d, cols, lines, xRow, dyRow, blocks, xPlane, dyPlane, weight)
	}
}
