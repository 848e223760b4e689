//go:build !purego

package depthwise

// maxColumns is the number of output columns that the registers hold.
const maxColumns = 14

// correlation is a forward pass or the gradient with respect to the input,
// which differ in their axes only.
type correlation struct {
	dst, src, w []float32
	base        int // dst begins with this line
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

	// A call of the assembly cannot be preempted and should take no more
	// than about 50 µs.
	maxLines := 1 << 18 / (c.col.out * c.row.k * c.col.k)
	if len(s.columns) > 1 {
		// Several calls write to the same cache lines, which should
		// not get far in the meantime.
		maxLines = min(maxLines, 64/c.col.out)
	}
	maxLines = max(maxLines, 1)

	eachGroup(c.c, func(g group) {
		c.packWeights(s, g, weights, weight)
		c.packLast(g, last)
		eachChunk(c.row, lo, hi, rows, func(k chunk) {
			g.packRows(planes, c.src, l, c.col.src, c.c, k.rows, k.rows+k.n, plane)
			t := tiles{
				group: g, x: &planes[0], w: &weights[0], off: &s.offs[0], last: &last[0],
				from: 4 * lanes * l.pitch * (k.rows % c.row.src), dstRow: 4 * c.col.out * c.c,
				plane: 4 * plane, weight: 4 * weight,
			}
			for first := k.first; first < k.end; first += maxLines {
				t.rows = min(maxLines, k.end-first)
				for q, cp := range s.columns {
					if cp.count == 0 {
						continue
					}
					line := &s.lines[q*c.row.out+first][0]
					at := ((k.line+first-k.first-c.base)*c.col.out+cp.first)*c.c + g.c0
					t.step = 4 * cp.step * c.c
					if cp.larger > 0 {
						t.correlate(cp.size+1, &c.dst[at], line, cp.larger, 0)
					}
					done := cp.larger * (cp.size + 1)
					t.correlate(cp.size, &c.dst[at+done*cp.step*c.c], line, cp.tiles-cp.larger, done)
				}
			}
		})
	})
}

// columns is a phase along the columns and how it is cut into tiles: the first
// few have size+1 columns, the others size.
type columns struct {
	phase
	tiles, larger, size int
}

// lineTaps describes one output line to the assembly: where its pixels, its
// weights and its offsets begin, in bytes, and how many taps it has. Pixels are
// counted from the image's first row.
type lineTaps [4]int

// listTaps fills s.columns with the columns' phases, s.offs with the taps,
// phase by phase, and s.lines with the lines of an image, once for every phase
// of the columns.
func (c *correlation) listTaps(s *scratch, l layout) {
	s.columns, s.offs, s.lines = s.columns[:0], s.offs[:0], s.lines[:0]
	for q := range c.col.phases() {
		p := columns{phase: c.col.phase(q)}
		if p.count > 0 {
			p.tiles = (p.count + maxColumns - 1) / maxColumns
			p.size, p.larger = p.count/p.tiles, p.count%p.tiles
		}
		s.columns = append(s.columns, p)
	}
	// Where the first pixel of a tap lies relative to the row of the phase's
	// first tap.
	n := c.row.phases()
	for r := range n {
		rp := c.row.phase(r)
		for _, cp := range s.columns {
			for a := range rp.taps {
				for b := range cp.taps {
					s.offs = append(s.offs, 4*lanes*(a*rp.atStep*l.pitch+l.slot(cp.at0+b*cp.atStep)))
				}
			}
		}
	}
	s.offs = append(s.offs, 0) // a kernel may have no tap that is ever used
	before := 0                // taps of the columns' phases before, all rows
	for _, cp := range s.columns {
		for o := range c.row.out {
			rp := c.row.phase(o % n)
			lo, hi := rp.valid(o/n, c.row.src)
			if lo == hi || cp.taps == 0 {
				s.lines = append(s.lines, lineTaps{})
				continue
			}
			tap := 0 // taps of the rows' phases before, and in this one
			for r := range o % n {
				tap += c.row.phase(r).taps * c.col.k
			}
			tap += rp.taps * before
			// The taps' rows are evenly spaced, so the first offsets
			// serve whichever row comes first; the weights must be its
			// own.
			s.lines = append(s.lines, lineTaps{
				4 * lanes * l.pitch * (rp.at0 + lo*rp.atStep + o/n*rp.advance),
				4 * lanes * (tap + lo*cp.taps),
				8 * tap,
				(hi - lo) * cp.taps,
			})
		}
		before += cp.taps
	}
}

// packWeights packs the group's weights in the order of the taps.
func (c *correlation) packWeights(s *scratch, g group, weights []float32, plane int) {
	at := 0
	for r := range c.row.phases() {
		rp := c.row.phase(r)
		for _, cp := range s.columns {
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

// tiles is what the tiles of some lines have in common; distances are in bytes.
type tiles struct {
	group
	x, w, last          *float32
	off                 *int
	from                int // the planes begin this far in the image
	step, dstRow        int
	rows, plane, weight int
}

// correlate computes n tiles of size columns, after the first done columns.
// It is not inlined so that loops around it can be preempted.
//
//go:noinline
func (t *tiles) correlate(size int, dst *float32, line *int, n, done int) {
	x, w, off, last := t.x, t.w, t.off, t.last
	from, step, rows, dstRow, blocks, plane, weight := t.from-4*lanes*done, t.step, t.rows, t.dstRow, t.blocks, t.plane, t.weight
	var mask *int32
	if t.mask != nil {
		mask = &t.mask[0]
	}
	switch size {
	case 1:
		correlate1(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 2:
		correlate2(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 3:
		correlate3(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 4:
		correlate4(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 5:
		correlate5(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 6:
		correlate6(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 7:
		correlate7(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 8:
		correlate8(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 9:
		correlate9(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 10:
		correlate10(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 11:
		correlate11(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 12:
		correlate12(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 13:
		correlate13(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	case 14:
		correlate14(dst, x, w, off, line, from, n, step, rows, dstRow, blocks, plane, weight, last, mask)
	}
}
