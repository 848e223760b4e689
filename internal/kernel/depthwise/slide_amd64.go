//go:build !purego

package depthwise

// AVX-512 has kernels for rows of seven taps on neighbouring columns, which are
// ConvNeXt's: they load a pixel once for all the products that it is part of.
const seven = 7

// sliding reports whether they apply to the columns a.
func (v *vectors) sliding(a axis) bool {
	return v.slide[0] != nil && a.k == seven && a.stride == 1 && a.dil == 1
}

// Bits of the argument how.
const (
	leftEdge  = 1 << iota // the columns begin with three of zeros, not read
	rightEdge             // the columns end with three of zeros, not read
	finishing             // something is to be added to the sums
	limiting              // and there is a lower limit
)

// padded reports whether the taps reach over both ends by three columns. Then a
// tensor may be read where it lies.
func (a axis) padded() bool { return a.out == a.src && a.phase(0).leftmost() == -seven/2 }

// place says where the pixels of an image are, in its tensor or in a plane.
// Distances are in bytes.
type place struct {
	pixel, row int // from one to the next
	left       int // the leftmost that a row of output touches
}

func (l layout) place(leftmost int) place {
	return place{4 * l.lanes, 4 * l.lanes * l.pitch, 4 * l.lanes * l.slot(leftmost)}
}

func tensor(c, width, leftmost int) place {
	return place{4 * c, 4 * c * width, 4 * c * leftmost}
}

// fewLines is how many lines of the result a chunk that is read in place has at
// least, but for padding.
const fewLines = 4

// slide is run with those kernels.
func (c *correlation) slide(s *scratch, p part) {
	l := newLayout(c.col, c.lanes)
	columns, step := c.col.phase(0), c.row.phase(0).atStep
	tiles := (c.col.out + maxColumns - 1) / maxColumns
	direct := c.col.padded() && c.c%c.lanes == 0
	blocks := 1
	if direct && c.col.out <= len(c.slidePair) {
		blocks = 2 // one alone would not keep the processor busy
	} else if direct {
		direct = c.apart((c.col.out + tiles - 1) / tiles)
	}
	groups := s.cut(c.vectors, p, blocks)
	rows, plane, at := 0, 0, tensor(c.c, c.col.src, columns.leftmost())
	if direct {
		// A call cannot be preempted and should not take more than 50 µs.
		rows = max(min(1<<18/(maxColumns*c.row.k*seven), near/(4*c.c*c.col.src)), c.row.reach()+fewLines)
	} else {
		rows, at = maxRows(c.row, 4*c.lanes*l.pitch), l.place(columns.leftmost())
		plane = rows * l.pitch * c.lanes
	}
	weight := c.row.k * seven * c.lanes
	all := p.blocks(c.lanes)
	memory := s.take(plane + all*(weight+2*c.lanes))
	planes, weights, last := memory[:plane], memory[plane:][:all*weight], memory[plane+all*weight:]
	if !direct {
		l.clearMargins(planes, rows) // and so they stay
	}
	c.listRows(s, at)
	for _, g := range groups {
		block := (g.c0 - p.c0) / c.lanes
		c.packRowWeights(g, weights[block*weight:], weight)
		c.packLast(g, last[block*2*c.lanes:])
	}
	how := 0
	if c.bias != nil || c.limited {
		how |= finishing
	}
	if c.limited {
		how |= limiting
	}

	eachChunk(c.row, p.lo, p.hi, rows, func(k chunk) {
		c.fetch(k, p)
		for _, g := range groups {
			block := (g.c0 - p.c0) / c.lanes
			t := slideTiles{
				group: g, at: at, w: &weights[block*weight], last: &last[block*2*c.lanes], line: &s.lines[k.first][0],
				step: 4 * c.c, rows: k.end - k.first, dstRow: 4 * c.c * c.col.out, weight: 4 * weight,
				xRow: at.row * max(step, -step),
			}
			if direct {
				t.x = &c.src[k.line/c.row.out*c.row.src*c.col.src*c.c+g.c0]
			} else {
				g.packRows(planes, c.src, l, c.col.src, c.c, k.rows, k.rows+k.n, plane)
				t.x, t.from = &planes[0], -at.row*(k.rows%c.row.src)
			}
			dst := c.dst[(k.line-c.base)*c.col.out*c.c+g.c0:]
			for i, j := 0, 0; i < tiles; i++ {
				n := (c.col.out - j) / (tiles - i)
				t.how = how
				if c.col.padded() && i == 0 {
					t.how |= leftEdge
				}
				if c.col.padded() && i == tiles-1 {
					t.how |= rightEdge
				}
				t.run(n, &dst[j*c.c], j)
				j += n
			}
		}
	})
}

// apart reports whether the pixels that so many columns need have room in the
// first-level cache, 64 sets of 12 lines, where they lie: with many powers of
// two in the number of channels they compete for few of the sets, and packing
// them saves a tenth of the time.
func (c *correlation) apart(columns int) bool {
	sets := 64 / gcd(64, c.c/c.lanes)
	return c.row.k*min(columns+seven-1, c.col.src)/sets <= 12
}

// slideTiles is some lines of output, a column of tiles after the other;
// distances are in bytes.
type slideTiles struct {
	group
	at         place
	x, w, last *float32
	line       *int
	from       int // the image begins so far from x
	step       int
	rows       int
	dstRow     int
	weight     int
	xRow       int // from one row of taps to the next
	how        int
}

// run computes n columns from column j on. It is not inlined so that loops
// around it can be preempted.
//
//go:noinline
func (t *slideTiles) run(n int, dst *float32, j int) {
	f := t.slide[n-1]
	if t.blocks == 2 {
		f = t.slidePair[n-1]
	}
	f(dst, t.x, t.w, t.line, t.from+j*t.at.pixel, t.at.pixel, t.step, t.rows, t.dstRow, t.weight, t.xRow, t.last, t.mask, t.how)
}

// listRows fills s.lines with the lines of an image. Sources are taken from the
// top down, so that those that the line before had no use for come last, when
// they had time to arrive.
func (c *correlation) listRows(s *scratch, at place) {
	s.lines = s.lines[:0]
	n := c.row.phases()
	for o := range c.row.out {
		rp := c.row.phase(o % n)
		lo, hi := rp.valid(o/n, c.row.src)
		if lo == hi {
			s.lines = append(s.lines, lineTaps{})
			continue
		}
		first, row := lo, lo // of the taps, and of the weights
		if c.row.transposed {
			first, row = hi-1, rp.taps-hi
		}
		for r := range o % n {
			row += c.row.phase(r).taps
		}
		s.lines = append(s.lines, lineTaps{
			at.row*(rp.at0+first*rp.atStep+o/n*rp.advance) + at.left,
			4 * c.lanes * seven * row,
			0,
			hi - lo,
		})
	}
}

// packRowWeights packs the group's weights phase by phase, each in the order of
// the sources that the taps meet.
func (c *correlation) packRowWeights(g group, weights []float32, plane int) {
	for r := range c.row.phases() {
		rp := c.row.phase(r)
		if rp.taps == 0 {
			continue
		}
		first, step, row := rp.tap0*seven, c.c, rp.tapStep*seven*c.c
		if c.row.transposed {
			first += (rp.taps-1)*rp.tapStep*seven + seven - 1
			step, row = -step, -row
		}
		g.pack(weights, c.w[first*c.c:], seven, step, rp.taps, seven*c.lanes, row, plane)
		weights = weights[rp.taps*seven*c.lanes:]
	}
}
