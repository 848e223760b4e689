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
	top   int     // rows [top,low) have been touched since the last fill
	low   int
}

func newCanvas(w, h int) *canvas {
	return &canvas{
		w: w, h: h, top: h,
		pix:   make([]rgb, w*h),
		cover: make([]int32, h*(w+1)),
		area:  make([]int32, h*(w+1)),
	}
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
	dx, dy := x1-x0, y1-y0
	xa := x0 + dx*(from-y0)/dy
	for from < to {
		next := min((from>>8+1)<<8, to)
		xb := x0 + dx*(next-y0)/dy
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
		base := y * (c.w + 1)
		cover, area := c.cover[base:base+c.w], c.area[base:base+c.w]
		area = area[:len(cover)]
		row := c.pix[y*c.w : y*c.w+c.w]
		row = row[:len(cover)]
		sum := 0
		for x, d := range cover {
			sum += int(d)
			share := sum<<9 - int(area[x])
			cover[x], area[x] = 0, 0
			if share < 0 {
				share = -share
			}
			share = min(share>>9, 256) * alpha >> 8
			if share == 0 {
				continue
			}
			row[x] = row[x].mix(p.at(x, y), share)
		}
		c.cover[base+c.w], c.area[base+c.w] = 0, 0
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
