package scenes

// A canvas is a picture of w*h pixels being painted. Positions on it are in
// 1/256 of a pixel, y downwards.
//
// Shapes are filled by exact area: every edge adds, to the cells it crosses,
// the signed height it covers there and twice the area to its left. A sweep
// along each row then knows the covered share of every pixel. Overlapping
// contours that run the same way round fill their union; one that runs the
// other way cuts a hole.
type canvas struct {
	w, h  int
	pix   []rgb   // [h*w]
	cover []int32 // [h*(w+1)] signed height, 256 a full row
	area  []int32 // [h*(w+1)] signed height times twice the distance from the cell's left
	ends  []ends  // [h] cells touched since the last fill, by row
	top   int     // rows [top,low) have any
	low   int
}

// ends are the first and the last cell of a row.
type ends struct{ first, last int32 }

func newCanvas(w, h int) *canvas {
	c := &canvas{
		w: w, h: h, top: h,
		ends:  make([]ends, h),
		pix:   make([]rgb, w*h),
		cover: make([]int32, h*(w+1)),
		area:  make([]int32, h*(w+1)),
	}
	for y := range c.ends {
		c.ends[y] = ends{int32(w), -1}
	}
	return c
}

// edge adds one directed edge of a closed contour.
func (c *canvas) edge(x0, y0, x1, y1 int) {
	sign := 1
	if y0 > y1 {
		x0, y0, x1, y1, sign = x1, y1, x0, y0, -1
	}
	from, to := max(y0, 0), min(y1, c.h<<8)
	if from >= to {
		return
	}
	c.top = min(c.top, from>>8)
	c.low = max(c.low, (to+255)>>8)
	dx, dy := int64(x1-x0), int64(y1-y0)
	at := func(y int) int { return x0 + int(dx*int64(y-y0)/dy) }
	xa := at(from)
	for from < to {
		next := min((from>>8+1)<<8, to)
		xb := at(next)
		c.cross(from>>8, xa, xb, sign*(next-from))
		from, xa = next, xb
	}
}

// cross adds an edge that runs from xa to xb within one row and covers the
// signed height dy of it.
func (c *canvas) cross(row, xa, xb, dy int) {
	if xa > xb {
		xa, xb = xb, xa
	}
	xa, xb = min(max(xa, 0), c.w<<8), min(max(xb, 0), c.w<<8)
	base := row * (c.w + 1)
	first, last := xa>>8, xb>>8
	e := &c.ends[row]
	e.first, e.last = min(e.first, int32(first)), max(e.last, int32(last))
	if first == last {
		c.cover[base+first] += int32(dy)
		c.area[base+first] += int32(dy * (xa&255 + xb&255))
		return
	}
	width, done := xb-xa, 0
	left := xa & 255
	for cell := first; cell <= last; cell++ {
		end := min((cell+1)<<8, xb)
		right := end - cell<<8
		part := dy*(end-xa)/width - done
		done += part
		c.cover[base+cell] += int32(part)
		c.area[base+cell] += int32(part * (left + right))
		left = 0
	}
}

// fill paints what the edges since the last fill enclose, with an opacity of
// alpha/256, and forgets the edges.
func (c *canvas) fill(p *paint, alpha int) {
	for y := c.top; y < c.low; y++ {
		from, to := int(c.ends[y].first), int(c.ends[y].last)
		c.ends[y] = ends{int32(c.w), -1}
		if from > to {
			continue
		}
		base := y * (c.w + 1)
		c.cover[base+c.w], c.area[base+c.w] = 0, 0 // what lies right of the canvas
		to = min(to, c.w-1)
		sum := 0
		for x := from; x <= to; x++ {
			sum += int(c.cover[base+x])
			share := sum<<9 - int(c.area[base+x])
			c.cover[base+x], c.area[base+x] = 0, 0
			share = min(abs(share)>>9, 256) * alpha >> 8
			if share == 0 {
				continue
			}
			q := &c.pix[y*c.w+x]
			if p.kind == plain && p.l0 == 0 {
				*q = q.mix(p.a, share)
			} else {
				*q = q.mix(p.at(x, y), share)
			}
		}
	}
	c.top, c.low = c.h, 0
}

// flood paints every pixel.
func (c *canvas) flood(p *paint) {
	for y := range c.h {
		for x := range c.w {
			c.pix[y*c.w+x] = p.at(x, y)
		}
	}
}
