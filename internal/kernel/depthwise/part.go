package depthwise

import "github.com/winnow-go/winnow/internal/pool"

// part is a share of the work: lines [lo,hi) of the channels [c0,c1).
type part struct{ lo, hi, c0, c1 int }

func (p part) empty() bool { return p.lo >= p.hi || p.c0 >= p.c1 }

// blocks is how many blocks of so many channels it has.
func (p part) blocks(lanes int) int { return (p.c1 - p.c0 + lanes - 1) / lanes }

const (
	partChannels = 16      // a part has a multiple of these: a cache line
	partLines    = 28      // or more, whose neighbours are read too
	partElements = 8 << 10 // outputs that are worth a part: some microseconds
)

// parts is about how many parts so many outputs are worth.
func parts(p *pool.Pool, elements int) int {
	if p.Threads() == 1 {
		return 1
	}
	return min(2*p.Threads(), elements/partElements+1)
}

// eachPart calls f for parts that make up all lines of n images. To begin a
// part, packing weights above all, takes the time of some lines, and channels
// of one pixel had better stay together; so it cuts between images first, then
// between channels, and between lines last.
func eachPart(p *pool.Pool, n, lines, width, channels int, f func(part)) {
	if n*lines*width*channels == 0 {
		return
	}
	want := parts(p, n*lines*width*channels)
	images := max(n/want, 1) // of a part
	each := (want + n - 1) / n
	blocks := (channels + partChannels - 1) / partChannels
	c := max(blocks/each, 1) * partChannels
	cuts := max(min((each+blocks-1)/blocks, lines/partLines), 1)
	rows := (lines + cuts - 1) / cuts

	perCut := (channels + c - 1) / c
	p.Run((n+images-1)/images*cuts*perCut, func(task, _ int) {
		first, cut, c0 := task/perCut/cuts*images, task/perCut%cuts, task%perCut*c
		last := min(first+images, n) - 1
		f(part{first*lines + cut*rows, last*lines + min((cut+1)*rows, lines), c0, min(c0+c, channels)})
	})
}
