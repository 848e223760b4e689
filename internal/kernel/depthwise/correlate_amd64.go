//go:build !purego

package depthwise

// maxColumns is the number of output columns that the registers hold.
const maxColumns = 14

// correlation is a forward pass or the gradient with respect to the input,
// which differ in their axes only.
type correlation struct {
	dst, src, w []float32
	c, kw       int
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
	taps := c.row.k * c.col.k
	weight := taps * lanes
	memory := s.take(2*plane + 2*weight + 4*lanes)
	planes, weights, last := memory[:2*plane], memory[2*plane:][:2*weight], memory[2*plane+2*weight:]
	clear(planes) // the margins stay 0 from now on
	offs := s.offsets(taps)

	// Taps are listed phase by phase: this one is where the columns of a
	// tap lie relative to the row of the phase's first tap.
	i := 0
	for r := range c.row.phases() {
		rp := c.row.phase(r)
		for q := range c.col.phases() {
			cp := c.col.phase(q)
			for a := range rp.taps {
				for b := range cp.taps {
					offs[i] = 4 * lanes * (a*rp.atStep*l.pitch + l.slot(cp.at0+b*cp.atStep))
					i++
				}
			}
		}
	}

	eachGroup(c.c, func(g group) {
		c.packWeights(g, weights, weight)
		for b := range g.blocks {
			for i := range lanes {
				v := float32(0)
				if ch := g.c0 + b*lanes + i; c.bias != nil && ch < c.c {
					v = c.bias[ch]
				}
				last[2*lanes*b+i] = v
				last[2*lanes*b+lanes+i] = c.low
			}
		}
		eachChunk(c.row, lo, hi, rows, func(k chunk) {
			g.packRows(planes, c.src, l, c.col.src, c.c, k.rows, k.rows+k.n, plane)
			from := k.rows % c.row.src // within the image
			for o := k.first; o < k.end; o++ {
				for b := range g.blocks {
					t := tiles{
						plane: planes[b*plane:][:plane], weights: weights[b*weight:][:weight],
						offs: offs, last: &last[2*lanes*b], from: from, l: l,
					}
					if g.mask != nil {
						t.mask = &g.mask[0]
					}
					c.line(t, k.line+o-k.first, o, g.c0+b*lanes)
				}
			}
		})
	})
}

// packWeights packs the group's weights in the order of the taps.
func (c *correlation) packWeights(g group, weights []float32, plane int) {
	at := 0
	for r := range c.row.phases() {
		rp := c.row.phase(r)
		for q := range c.col.phases() {
			cp := c.col.phase(q)
			if cp.taps == 0 {
				continue
			}
			for a := range rp.taps {
				tap := (rp.tap0+a*rp.tapStep)*c.kw + cp.tap0
				g.pack(weights[at:], c.w[tap*c.c:], cp.taps, cp.tapStep*c.c, plane)
				at += cp.taps * lanes
			}
		}
	}
}

// tiles is what the lines of one block of channels have in common.
type tiles struct {
	plane, weights []float32
	offs           []int
	last           *float32
	mask           *int32
	from           int // source row of the plane's first row
	l              layout
}

// line computes output line o of an image, number line of the tensor, for the
// channels from c0 on.
func (c *correlation) line(t tiles, line, o, c0 int) {
	tap := 0 // the first one of the phase
	r := o % c.row.phases()
	for p := range r {
		tap += c.row.phase(p).taps * c.col.k
	}
	rp := c.row.phase(r)
	j := o / c.row.phases()
	lo, hi := rp.valid(j, c.row.src)
	var rows []float32 // the plane from the first tap's row on
	if lo < hi {
		rows = t.plane[(rp.at0+lo*rp.atStep+j*rp.advance-t.from)*t.l.pitch*lanes:]
	}
	for q := range c.col.phases() {
		cp := c.col.phase(q)
		if cp.count == 0 {
			tap += rp.taps * cp.taps
			continue
		}
		taps := (hi - lo) * cp.taps
		// The taps' rows are evenly spaced, so the first offsets serve
		// whichever row comes first; the weights must be its own.
		x, w, off := t.plane, t.weights, t.offs // not read without taps
		if taps > 0 {
			x, w, off = rows, t.weights[(tap+lo*cp.taps)*lanes:], t.offs[tap:]
		}
		first, step := (line*c.col.out+cp.first)*c.c+c0, cp.step*c.c
		n := (cp.count + maxColumns - 1) / maxColumns
		size, larger := cp.count/n, cp.count%n
		if larger > 0 {
			correlate(size+1, c.dst[first:], x, w, off, taps, larger, 4*step, t.last, t.mask)
		}
		done := larger * (size + 1)
		y := c.dst[first+done*step:]
		if taps > 0 {
			x = x[done*lanes:]
		}
		correlate(size, y, x, w, off, taps, n-larger, 4*step, t.last, t.mask)
		tap += rp.taps * cp.taps
	}
}

// correlate computes tiles of size columns. It is not inlined so that loops
// around it can be preempted.
//
//go:noinline
func correlate(size int, dst, x, w []float32, off []int, taps, tiles, step int, last *float32, mask *int32) {
	d, s, v, o := &dst[0], &x[0], &w[0], &off[0]
	switch size {
	case 1:
		correlate1(d, s, v, o, taps, tiles, step, last, mask)
	case 2:
		correlate2(d, s, v, o, taps, tiles, step, last, mask)
	case 3:
		correlate3(d, s, v, o, taps, tiles, step, last, mask)
	case 4:
		correlate4(d, s, v, o, taps, tiles, step, last, mask)
	case 5:
		correlate5(d, s, v, o, taps, tiles, step, last, mask)
	case 6:
		correlate6(d, s, v, o, taps, tiles, step, last, mask)
	case 7:
		correlate7(d, s, v, o, taps, tiles, step, last, mask)
	case 8:
		correlate8(d, s, v, o, taps, tiles, step, last, mask)
	case 9:
		correlate9(d, s, v, o, taps, tiles, step, last, mask)
	case 10:
		correlate10(d, s, v, o, taps, tiles, step, last, mask)
	case 11:
		correlate11(d, s, v, o, taps, tiles, step, last, mask)
	case 12:
		correlate12(d, s, v, o, taps, tiles, step, last, mask)
	case 13:
		correlate13(d, s, v, o, taps, tiles, step, last, mask)
	case 14:
		correlate14(d, s, v, o, taps, tiles, step, last, mask)
	}
}
