//go:build !purego

package depthwise

import (
	"sync"

	"github.com/winnow-go/winnow/internal/kernel"
)

// planeBytes is about what the planes of one chunk of lines may take: they are
// read once for every row of the kernel and should stay in the second-level
// cache.
const planeBytes = 192 << 10

// scratch is memory that calls reuse.
type scratch struct {
	floats  []float32
	offs    []int
	spans   []span
	columns []columns
	lines   []lineTaps
	sums    []runSums
	groups  []group
}

// span is the range [lo,hi).
type span struct{ lo, hi int }

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// take returns n floats that begin on a cache line, contents undefined.
func (s *scratch) take(n int) []float32 {
	if cap(s.floats) < n {
		s.floats = kernel.Aligned(n)
	}
	s.floats = s.floats[:n]
	return s.floats
}

// valid lists, for every output of a, the taps whose sources exist.
func (s *scratch) valid(a axis) []span {
	s.spans = s.spans[:0]
	n := a.phases()
	for o := range a.out {
		lo, hi := a.phase(o%n).valid(o/n, a.src)
		s.spans = append(s.spans, span{lo, hi})
	}
	return s.spans
}

// group is one or two blocks of neighbouring channels, a block being those of
// one vector. Two are packed together where they share cache lines.
type group struct {
	*vectors
	c0     int // first channel
	blocks int
	rest   int    // channels of the only block, if it is not full
	mask   *int32 // and where they are
}

// cut cuts a part's channels into groups of so many blocks and fewer.
func (s *scratch) cut(v *vectors, p part, blocks int) []group {
	s.groups = s.groups[:0]
	for c0 := p.c0; c0 < p.c1; {
		g := group{vectors: v, c0: c0, blocks: blocks}
		if c0+blocks*v.lanes > p.c1 {
			g.blocks = 1
			if n := p.c1 - c0; n < v.lanes {
				g.rest, g.mask = n, v.mask(n)
			}
		}
		s.groups = append(s.groups, g)
		c0 += g.blocks * v.lanes
	}
	return s.groups
}

// pack copies the group's channels of rows x n pixels to planes that are plane
// floats apart. Pixels of src are pitch floats apart, rows srcRow floats in src
// and dstRow floats in a plane.
func (g group) pack(dst, src []float32, n, pitch, rows, dstRow, srcRow, plane int) {
	switch {
	case n == 0 || rows == 0:
	case g.blocks == 2:
		g.pack2(&dst[0], &src[g.c0], n, 4*pitch, rows, 4*dstRow, 4*srcRow, 4*plane)
	case g.mask == nil:
		g.pack1(&dst[0], &src[g.c0], n, 4*pitch, rows, 4*dstRow, 4*srcRow)
	default:
		g.packMasked(&dst[0], &src[g.c0], n, 4*pitch, rows, 4*dstRow, 4*srcRow, g.mask)
	}
}

// packRows copies the rows [lo,hi) of src, pixels of c channels, to planes of
// the layout; the margins are left as they are.
//
//go:noinline
func (g group) packRows(dst, src []float32, l layout, width, c, lo, hi, plane int) {
	for r := range l.split {
		if first, n := l.run(r); n > 0 && lo < hi {
			g.pack(dst[l.slot(first)*l.lanes:], src[(lo*width+first)*c:], n, l.split*c, hi-lo, l.pitch*l.lanes, width*c, plane)
		}
	}
}

// chunk is a range of output lines of one image and the source rows, counted
// over all images, that they need.
type chunk struct {
	line       int // the first one, counted over all images
	first, end int // within the image
	rows       int // first source row
	n          int // source rows
}

// eachChunk cuts the output lines [lo,hi) of a tensor with a.out lines to an
// image into chunks of at most maxRows lines and source rows; one line must not
// need more.
func eachChunk(a axis, lo, hi, maxRows int, f func(chunk)) {
	for line := lo; line < hi; {
		image, first := line/a.out, line%a.out
		limit := min(a.out, first+hi-line, first+maxRows)
		from, to := a.sources(first)
		end := first + 1
		for end < limit {
			_, t := a.sources(end)
			if t-from > maxRows {
				break
			}
			to = max(to, t)
			end++
		}
		f(chunk{line: line, first: first, end: end, rows: image*a.src + from, n: to - from})
		line += end - first
	}
}

// maxRows is how many rows of pixels a chunk may hold, at least as many as one
// line needs and at most a whole image.
func maxRows(a axis, bytesPerRow int) int {
	return min(a.src, max(a.reach(), planeBytes/bytesPerRow))
}
