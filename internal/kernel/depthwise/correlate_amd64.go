//go:build !purego

package depthwise

// correlation is a forward pass or the gradient with respect to the input,
// which differ in their axes only.
type correlation struct {
	*vectors
	dst, src, w []float32
	base        int // dst begins with this line
	c           int
	row, col    axis
	bias        []float32 // [C] or nil
	low         float32   // results are at least this
	limited     bool      // low is not -Inf
}

// run computes a part of the output: chunk after chunk of its lines, and of
// each group after group of its channels.
func (c *correlation) run(p part) {
	if p.empty() {
		return
	}
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	if c.sliding(c.col) {
		c.slide(s, p)
		return
	}

	l := newLayout(c.col, c.lanes)
	groups := s.cut(c.vectors, p, c.blocks)
	blocks := groups[0].blocks
	rows := maxRows(c.row, blocks*4*c.lanes*l.pitch)
	plane := rows * l.pitch * c.lanes
	weight := c.row.k * c.col.k * c.lanes
	memory := s.take(blocks*plane + len(groups)*blocks*(weight+2*c.lanes))
	planes, memory := memory[:blocks*plane], memory[blocks*plane:]
	weights, last := memory[:len(groups)*blocks*weight], memory[len(groups)*blocks*weight:]
	for b := range blocks {
		l.clearMargins(planes[b*plane:], rows) // and so they stay
	}
	c.listTaps(s, l)
	for i, g := range groups {
		c.packWeights(s, g, weights[i*blocks*weight:], weight)
		c.packLast(g, last[i*blocks*2*c.lanes:])
	}

	// A call of the assembly cannot be preempted and should take no more
	// than about 50 µs.
	maxLines := 1 << 18 / (c.col.out * c.row.k * c.col.k)
	if len(s.columns) > 1 {
		// Several calls write to the same cache lines, which should
		// not get far in the meantime.
		maxLines = min(maxLines, 64/c.col.out)
	}
	maxLines = max(maxLines, 1)

	eachChunk(c.row, p.lo, p.hi, rows, func(k chunk) {
		c.fetch(k, p)
		for i, g := range groups {
			g.packRows(planes, c.src, l, c.col.src, c.c, k.rows, k.rows+k.n, plane)
			t := tiles{
				group: g, x: &planes[0], w: &weights[i*blocks*weight], off: &s.offs[0], last: &last[i*blocks*2*c.lanes],
				from: 4 * c.lanes * l.pitch * (k.rows % c.row.src), dstRow: 4 * c.col.out * c.c,
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
					if done := cp.larger * (cp.size + 1); done < cp.count {
						t.correlate(cp.size, &c.dst[at+done*cp.step*c.c], line, cp.tiles-cp.larger, done)
					}
				}
			}
		}
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
					s.offs = append(s.offs, 4*l.lanes*(a*rp.atStep*l.pitch+l.slot(cp.at0+b*cp.atStep)))
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
				4 * l.lanes * l.pitch * (rp.at0 + lo*rp.atStep + o/n*rp.advance),
				4 * l.lanes * (tap + lo*cp.taps),
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
				g.pack(weights[at:], c.w[first*c.c:], cp.taps, cp.tapStep*c.c, rp.taps, cp.taps*c.lanes, rp.tapStep*c.col.k*c.c, plane)
				at += n * c.lanes
			}
		}
	}
}

// packLast packs what is added to the sums and what they must at least be.
func (c *correlation) packLast(g group, last []float32) {
	for b := range g.blocks {
		bias, low := last[2*c.lanes*b:][:c.lanes], last[2*c.lanes*b+c.lanes:][:c.lanes]
		clear(bias)
		if c.bias != nil {
			copy(bias, c.bias[g.c0+b*c.lanes:c.c])
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
	from := t.from - 4*t.lanes*done
	t.group.correlate[size-1](dst, t.x, t.w, t.off, line, from, n, t.step, t.rows, t.dstRow, t.blocks, t.plane, t.weight, t.last, t.mask)
}
