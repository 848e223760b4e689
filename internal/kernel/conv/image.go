package conv

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// imageGradient is the gradient of filters over a source of few channels, as
// images have: a line of a filter is too short there for the columns of a
// product. It multiplies the other way round, all taps at once by what dy has
// for many filters,
//
//	dwᵀ[(kh,kw,c),k] = Σ_{n,oh,ow} x[n,ih,iw,c] dy[n,oh,ow,k]
//
// for some lines of the result at a time, whose windows it gathers from a copy
// with the padding around it. The sums are those of [gradient].
type imageGradient struct {
	s      kernel.Conv
	oh, ow int
	chunks
	parts int // of the panels of filters
	band  int // lines that are multiplied at once, all of one image
	line  int // elements of a copied line
	v     axis

	memory              []float32
	tapAt, dyAt, lineAt []int // [KH*KW*C], [band], [band]
}

// Pixels of a multiplication, so that what dy has for two panels of filters
// stays in the nearest cache while the taps pass.
const imagePixels = 256

// suitsImages reports whether an imageGradient can compute s and pays.
func suitsImages(s kernel.Conv) bool { return s.Groups == 1 && s.C < panel && s.K%panel == 0 }

func newImageGradient(p *pool.Pool, a *kernel.Arena, s kernel.Conv) *imageGradient {
	g := &imageGradient{s: s, oh: s.OutH(), ow: s.OutW(), chunks: divide(s)}
	g.parts = split(p, g.chunks.n, tasksPerThread, s.K/panel)
	g.v = axis{stride: s.StrideH, taps: s.KH, dil: s.DilH}
	h := axis{stride: s.StrideW, taps: s.KW, dil: s.DilW}
	g.line = h.span(g.ow) * s.C
	g.band = max(1, min(g.oh, g.lines, imagePixels/g.ow))

	taps := s.Inner()
	g.memory = a.Get(wordsInts(taps + 2*g.band))
	table := ints(g.memory)
	g.tapAt, g.dyAt, g.lineAt = table[:taps], table[taps:][:g.band], table[taps+g.band:][:g.band]
	for i := range g.tapAt {
		kh, kw, c := i/(s.KW*s.C), i/s.C%s.KW, i%s.C
		g.tapAt[i] = kh*s.DilH*g.line + kw*s.DilW*s.C + c
	}
	for i := range g.band {
		g.dyAt[i] = i * g.ow * s.K
		g.lineAt[i] = i * s.StrideH * g.line
	}
	return g
}

// part computes the given part of dw from the given chunk of lines.
func (g *imageGradient) part(a *kernel.Arena, dw, dy, x []float32, chunk, part int) {
	s, taps := g.s, len(g.tapAt)
	from, to := cut(s.K/panel, g.parts, part)*panel, cut(s.K/panel, g.parts, part+1)*panel
	n := to - from
	memory := a.Get(taps*n + g.v.span(g.band)*g.line)
	defer a.Put(memory)
	turned, src := memory[:taps*n], memory[taps*n:]
	first, last := g.chunk(chunk)
	if first == last {
		clear(turned)
	}
	for at := first; at < last; {
		lines := min(g.band, last-at, g.oh-at%g.oh)
		y := at%g.oh*s.StrideH - s.PadH
		for i := range g.v.span(lines) {
			padLine(src[i*g.line:][:g.line], x, at/g.oh, y+i, -s.PadW, s.H, s.W, s.C)
		}
		gemm.MulLines(turned, n, gemm.Gather{Data: src, Rows: g.tapAt, Runs: g.lineAt[:lines], Run: g.ow, Step: s.StrideW * s.C},
			gemm.Lines{Data: dy[at*g.ow*s.K+from:], Runs: g.dyAt[:lines], Step: s.K, N: n}, at > first)
		at += lines
	}
	for k := range n {
		row := dw[(from+k)*taps:][:taps]
		for t := range row {
			row[t] = turned[t*n+k]
		}
	}
}
