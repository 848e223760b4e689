//go:build !purego

package depthwise

// maxColumns is the number of output columns that the registers hold.
const maxColumns = 14

// correlation is a forward pass or the gradient with respect to the input,
// which differ in their axes only.
type correlation struct {
	dst, src, w []float32
	c           int
	row, col    axis
	bias        []float32 // [C] or nil
	low         float32   // results are at least this
}

// run computes the output lines [lo,hi), channels in the outer loop.
func (c *correlation) run(lo, hi int) {
	if lo == hi {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)

	l := newLayout(c.col)
	rows := maxRows(c.row, 2*4*lanes*l.pitch)
	plane := rows * l.pitch * lanes
	weight := c.row.k * c.col.k * lanes
	memory := s.take(2*plane + 2*weight + 4*lanes)
	planes, weights, last := memory[:2*plane], memory[2*plane:][:2*weight], memory[2*plane+2*weight:]
	clear(planes) // the margins stay 0 from now on
	c.listTaps(s, l)
	valid := s.valid(c.row)

	eachGroup(c.c, func(g group) {
		c.packWeights(s, g, weights, weight)
		c.packLast(g, last)
		eachChunk(c.row, lo, hi, rows, func(k chunk) {
			g.packRows(planes, c.src, l, c.col.src, c.c, k.rows, k.rows+k.n, plane)
			t := tiles{
				group: g, l: l, planes: planes, plane: plane, weights: weights, weight: weight, last: last,
				offs: s.offs, cols: s.phases,
			}
			from := k.rows % c.row.src // within the image
			for o := k.first; o < k.end; {
				// Lines with the same valid taps go together.
				n := 1
				if c.row.phases() == 1 {
					for o+n < k.end && valid[o+n] == valid[o] && n < c.maxLines() {
						n++
					}
				}
				c.lines(t, k.line+o-k.first, o, n, valid[o], from)
				o += n
			}
		})
	})
}

// maxLines is how many lines one call of the assembly may compute: it cannot
// be preempted, so it should take no more than about 50 µs.
func (c *correlation) maxLines() int {
	return max(1, 1<<18/(c.col.out*c.row.k*c.col.k))
}

// listTaps fills s.phases with the columns' phases and s.offs with the taps,
// phase by phase: where the first pixel of a tap lies relative to the row of
// the phase's first tap.
func (c *correlation) listTaps(s *scratch, l layout) {
	s.phases, s.offs = s.phases[:0], s.offs[:0]
	for q := range c.col.phases() {
		s.phases = append(s.phases, c.col.phase(q))
	}
	for r := range c.row.phases() {
		rp := c.row.phase(r)
		for _, cp := range s.phases {
			for a := range rp.taps {
				for b := range cp.taps {
					s.offs = append(s.offs, 4*lanes*(a*rp.atStep*l.pitch+l.slot(cp.at0+b*cp.atStep)))
				}
			}
		}
	}
}

// packWeights packs the group's weights in the order of the taps.
func (c *correlation) packWeights(s *scratch, g group, weights []float32, plane int) {
	at := 0
	for r := range c.row.phases() {
		rp := c.row.phase(r)
		for _, cp := range s.phases {
			if n := rp.taps * cp.taps; n > 0 {
				first := rp.tap0*c.col.k + cp.tap0
				g.pack(weights[at:], c.w[first*c.c:], cp.taps, cp.tapStep*c.c, rp.taps, cp.taps*lanes, rp.tapStep*c.col.k*c.c, plane)
				at += n * lanes
			}
		}
	}
}

// packLast packs what is added to the sums and what they must at least be.
func (c *correlation) packLast(g group, last []float32) {
	for b := range g.blocks {
		bias, low := last[2*lanes*b:][:lanes], last[2*lanes*b+lanes:][:lanes]
		clear(bias)
		if c.bias != nil {
			copy(bias, c.bias[g.c0+b*lanes:c.c])
		}
		for i := range low {
			low[i] = c.low
		}
	}
}

// tiles is what the tiles of one group of channels have in common.
type tiles struct {
	group
	l             layout
	planes        []float32
	plane         int // floats from one plane to the next
	weights       []float32
	weight        int // floats from one block's weights to the next
	last          []float32
	offs          []int
	cols          []phase
	lines, dstRow int // what one call computes
	xRow          int // bytes
}

// lines computes n output lines from o on, number line of the tensor; from is
// the source row that the planes begin with.
func (c *correlation) lines(t tiles, line, o, n int, valid span, from int) {
	phases := c.row.phases()
	tap := 0 // the first one of the phase
	for r := range o % phases {
		tap += c.row.phase(r).taps * c.col.k
	}
	rp := c.row.phase(o % phases)
	t.lines, t.dstRow, t.xRow = n, 4*c.col.out*c.c, 4*lanes*rp.advance*t.l.pitch
	var rows []float32 // the planes from the first tap's row on
	if valid.lo < valid.hi {
		rows = t.planes[(rp.at0+valid.lo*rp.atStep+o/phases*rp.advance-from)*t.l.pitch*lanes:]
	}
	for _, cp := range t.cols {
		if cp.count > 0 {
			taps := (valid.hi - valid.lo) * cp.taps
			// The taps' rows are evenly spaced, so the first offsets serve
			// whichever row comes first; the weights must be its own.
			x, w, off := t.planes, t.weights, t.offs // not read without taps
			if taps > 0 {
				x, w, off = rows, t.weights[(tap+valid.lo*cp.taps)*lanes:], t.offs[tap:]
			}
			y, step := c.dst[(line*c.col.out+cp.first)*c.c+t.c0:], cp.step*c.c
			tiles := (cp.count + maxColumns - 1) / maxColumns
			size, larger := cp.count/tiles, cp.count%tiles
			if larger > 0 {
				t.correlate(size+1, y, x, w, off, taps, larger, 4*step)
				done := larger * (size + 1)
				y = y[done*step:]
				if taps > 0 {
					x = x[done*lanes:]
				}
			}
			t.correlate(size, y, x, w, off, taps, tiles-larger, 4*step)
		}
		tap += rp.taps * cp.taps
	}
}

// correlate computes tiles of size columns. It is not inlined so that loops
// around it can be preempted.
//
//go:noinline
func (t *tiles) correlate(size int, dst, x, w []float32, off []int, taps, tiles, step int) {
	y, s, v, o, last := &dst[0], &x[0], &w[0], &off[0], &t.last[0]
	var mask *int32
	if t.mask != nil {
		mask = &t.mask[0]
	}
	lines, xRow, dstRow, blocks, plane, weight := t.lines, t.xRow, t.dstRow, t.blocks, 4*t.plane, 4*t.weight
	switch size {
	case 1:
		correlate1(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 2:
		correlate2(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 3:
		correlate3(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 4:
		correlate4(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 5:
		correlate5(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 6:
		correlate6(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 7:
		correlate7(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 8:
		correlate8(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 9:
		correlate9(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 10:
		correlate10(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 11:
		correlate11(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 12:
		correlate12(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 13:
		correlate13(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	case 14:
		correlate14(y, s, v, o, taps, tiles, step, lines, xRow, dstRow, blocks, plane, weight, last, mask)
	}
}
