package depthwise

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/pool"
)

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

// Convolve computes dst [N,OutH,OutW,C] from x [N,H,W,C] and w [KH,KW,C], and
// applies the epilogue, nil for none, with rows numbered over all pixels. dst
// may be the epilogue's residual but may not overlap x or w.
func Convolve(p *pool.Pool, dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32]) {
	check(s, len(x), len(dst), len(w))
	eachPart(p, s.N, s.OutH(), s.OutW(), s.C, func(part part) {
		forward(fast, dst, x, w, s, epi, part)
	})
}

// InputGradient computes dx [N,H,W,C], the gradient with respect to x, from dy
// [N,OutH,OutW,C] and w [KH,KW,C]. It overwrites: input that no window covers
// gets 0. dx may not overlap dy or w.
func InputGradient(p *pool.Pool, dx, dy, w []float32, s kernel.Conv) {
	check(s, len(dx), len(dy), len(w))
	eachPart(p, s.N, s.H, s.W, s.C, func(part part) {
		backwardInput(fast, dx, dy, w, s, part)
	})
}

// WeightGradient computes dw [KH,KW,C], the gradient with respect to w, from dy
// [N,OutH,OutW,C] and x [N,H,W,C]. It overwrites. It cuts between channels
// only, so that pixels are added one by one in their order in memory. dw may
// not overlap the others.
func WeightGradient(p *pool.Pool, dw, dy, x []float32, s kernel.Conv) {
	check(s, len(x), len(dy), len(dw))
	lines := s.N * s.OutH()
	blocks := (s.C + partChannels - 1) / partChannels
	c := max(blocks/parts(p, lines*s.OutW()*s.C), 1) * partChannels
	p.Run((s.C+c-1)/c, func(task, _ int) {
		part := part{0, lines, task * c, min((task+1)*c, s.C)}
		for t := range s.KH * s.KW {
			clear(dw[t*s.C:][part.c0:part.c1])
		}
		backwardWeight(fast, dw, dy, x, s, part)
	})
}
