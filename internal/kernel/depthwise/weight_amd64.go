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
	weight := w.row.k * w.col.k * lanes
	memory := s.take(2*plane + 2*yPlane + 2*weight)
	planes, memory := memory[:2*plane], memory[2*plane:]
	yPlanes, weights := memory[:2*yPlane], memory[2*yPlane:]
	clear(planes)

	eachGroup(w.c, func(g group) {
		g.pack(weights, w.dw, w.row.k*w.col.k, w.c, weight)
		eachChunk(w.row, lo, hi, rows, func(k chunk) {
			// A chunk of padding only has no source rows but any
			// number of lines, none of which counts.
			if k.n == 0 {
				return
			}
			g.packRows(planes, w.x, l, w.col.src, w.c, k.rows, k.rows+k.n, plane)
			g.pack(yPlanes, w.dy[k.line*w.col.out*w.c:], (k.end-k.first)*w.col.out, w.c, yPlane)
			for b := range g.blocks {
				w.chunk(k, l, weights[b*weight:], planes[b*plane:][:plane], yPlanes[b*yPlane:])
			}
		})
		for b := range g.blocks {
			w.unpack(g, weights[b*weight:], g.c0+b*lanes)
		}
	})
}

// chunk adds the contribution of one chunk to the packed sums of one block of
// channels.
func (w *weightGradient) chunk(k chunk, l layout, sums, x, dy []float32) {
	// Taps share loads of dy: whole rows of the kernel, as many as fit, or
	// parts of one row.
	rows := max(1, min(w.row.k, maxTaps/w.col.k))
	parts := (w.col.k + maxTaps - 1) / maxTaps
	size := (w.col.k + parts - 1) / parts
	rp, cp := w.row.phase(0), w.col.phase(0)
	from := k.rows % w.row.src
	var offs [maxTaps]int
	for a := 0; a < w.row.k; a += rows {
		for b := 0; b < w.col.k; b += size {
			n := min(size, w.col.k-b)
			for o := k.first; o < k.end; {
				// Lines with the same valid rows of the kernel go together.
				lo, hi := w.valid(rp, o, a, a+rows)
				end := o + 1
				for end < k.end {
					if l, h := w.valid(rp, end, a, a+rows); l != lo || h != hi {
						break
					}
					end++
				}
				if lo < hi {
					i := 0
					for r := range hi - lo {
						for q := range n {
							offs[i] = 4 * lanes * (r*rp.atStep*l.pitch + l.slot(cp.at0+(b+q)*cp.atStep))
							i++
						}
					}
					at := rp.at0 + lo*rp.atStep + o*rp.advance - from
					addTaps(i, sums[(lo*w.col.k+b)*lanes:], x[at*l.pitch*lanes:], offs[:], dy[(o-k.first)*w.col.out*lanes:],
						w.col.out, end-o, 4*lanes*rp.advance*l.pitch, 4*lanes*w.col.out)
				}
				o = end
			}
		}
	}
}

// valid is the range of kernel rows within [a,b) whose source exists for output
// line o.
func (w *weightGradient) valid(p phase, o, a, b int) (lo, hi int) {
	lo, hi = p.valid(o, w.row.src)
	lo, hi = max(lo, a), min(hi, b)
	return lo, max(lo, hi)
}

// unpack stores one block of sums.
func (w *weightGradient) unpack(g group, sums []float32, c0 int) {
	taps := w.row.k * w.col.k
	if g.mask == nil {
		unpack1(&w.dw[c0], &sums[0], taps, 4*w.c)
		return
	}
	for t := range taps {
		copy(w.dw[t*w.c+c0:][:w.c-c0], sums[t*lanes:])
	}
}

// addTaps adds n taps. It is not inlined so that loops around it can be
// preempted.
//
//go:noinline
func addTaps(n int, sum, x []float32, off []int, dy []float32, cols, rows, xPitch, dyPitch int) {
	s, p, o, d := &sum[0], &x[0], &off[0], &dy[0]
	switch n {
	case 1:
		gradient1(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 2:
		gradient2(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 3:
		gradient3(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 4:
		gradient4(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 5:
		gradient5(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 6:
		gradient6(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 7:
		gradient7(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 8:
		gradient8(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 9:
		gradient9(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 10:
		gradient10(s, p, o, d, cols, rows, xPitch, dyPitch)
	case 11:
		gradient11(s, p, o, d, cols, rows, xPitch, dyPitch)
	}
}
