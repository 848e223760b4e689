package conv

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// BackwardWeight overwrites dw [K,KH,KW,C/Groups] with the gradient of the
// weights, given dy [N,OH,OW,K] and x [N,H,W,C]: what [BackwardWeightGeneric]
// computes, within the bound of the package comment; and db [K], unless it is
// nil, with that of a bias, the sum of dy over all pixels. Scratch memory comes
// from a and returns to it. dw and db must overlap neither of the others.
//
// In direct form, for each line of the filter dw is the product of dy transposed
// and the input pixels that this line meets, or the other way round for all lines
// at once, see [imageGradient]. The lines of the result are cut into chunks; each
// is summed for itself, and the sums are added in order.
func BackwardWeight(p *pool.Pool, a *kernel.Arena, dw, db, dy, x []float32, s kernel.Conv) {
	check(s, len(x), len(dy), len(dw))
	if db != nil && len(db) != s.K {
		panic(fmt.Sprintf("conv: the bias has %d elements, want %d", len(db), s.K))
	}
	if f := chooseWeight(s); f != direct {
		backwardBias(p, a, db, dy, s)
		c := winogradGradient{
			winograd: winograd{form: f, n: s.N, h: s.H, w: s.W, c: s.C, oh: s.OutH(), ow: s.OutW(), k: s.K, padH: s.PadH, padW: s.PadW, src: x},
			dy:       dy,
		}
		c.run(p, a, dw)
		return
	}
	if suitsImages(s) {
		backwardBias(p, a, db, dy, s)
		g := newImageGradient(p, a, s)
		defer a.Put(g.memory)
		g.chunks.run(p, a, dw, g.parts, func(sum []float32, chunk, part int) { g.part(a, sum, dy, x, chunk, part) })
		return
	}
	g := newGradient(p, a, s)
	defer a.Put(g.memory)
	switch {
	case !plain(s):
		backwardBias(p, a, db, dy, s)
	case db != nil: // on the way
		g.bias = a.Get(g.chunks.n * s.K)
		defer a.Put(g.bias)
	}
	g.chunks.run(p, a, dw, g.parts(), func(sum []float32, chunk, part int) { g.part(a, sum, dy, x, chunk, part) })
	if g.bias != nil {
		addUp(p, db, g.bias, g.chunks.n)
	}
}

// backwardBias computes the gradient of a bias by itself, unless db is nil.
func backwardBias(p *pool.Pool, a *kernel.Arena, db, dy []float32, s kernel.Conv) {
	if db == nil {
		return
	}
	c, line := divide(s), s.OutW()*s.K
	c.run(p, a, db, 1, func(sum []float32, chunk, _ int) {
		first, last := c.chunk(chunk)
		clear(sum)
		elementwise.ColumnSums(sum, dy[first*line:last*line], (last-first)*s.OutW(), s.K)
	})
}

// chunks of the N*OH lines of a result, whose number the shape alone decides.
type chunks struct {
	n     int
	lines int // in a chunk; the last may have fewer
	all   int
}

// divide makes as many chunks as leave each some hundred pixels and all of
// them together little memory.
func divide(s kernel.Conv) chunks {
	c := chunks{all: s.N * s.OutH()}
	c.n = min(maxChunks, c.all*s.OutW()/512, 1<<20/(s.K*s.Inner()))
	c.n = max(1, min(c.n, c.all))
	c.lines = max(1, (c.all+c.n-1)/c.n)
	c.n = max(1, (c.all+c.lines-1)/c.lines)
	return c
}

// chunk says which lines are in one.
func (c chunks) chunk(i int) (first, last int) {
	return i * c.lines, min((i+1)*c.lines, c.all)
}

// run has the parts of each chunk's sum of dw computed and adds the sums.
func (c chunks) run(p *pool.Pool, a *kernel.Arena, dw []float32, parts int, sum func(dw []float32, chunk, part int)) {
	partial := dw
	if c.n > 1 {
		partial = a.Get(c.n * len(dw))
		defer a.Put(partial)
	}
	p.Run(c.n*parts, func(task, _ int) {
		sum(partial[task/parts*len(dw):][:len(dw)], task/parts, task%parts)
	})
	if c.n > 1 {
		addUp(p, dw, partial, c.n)
	}
}

// addUp adds n gradients, one after another in partial, in that order.
func addUp(p *pool.Pool, dw, partial []float32, n int) {
	p.Split(len(dw), 1<<13, func(lo, hi, _ int) {
		sum := dw[lo:hi]
		copy(sum, partial[lo:hi])
		for c := 1; c < n; c++ {
			elementwise.AddTo(sum, partial[c*len(dw)+lo:c*len(dw)+hi])
		}
	})
}

// gradient is how the work on dw is divided: chunks of the result's lines times
// parts of dw, which are blocks of output channels times lines of filters.
type gradient struct {
	s      kernel.Conv
	oh, ow int

	chunks
	band int // lines that are multiplied at once

	blocks int // of a group's output channels
	rows   int // in a block; the last may have fewer
	bands  int // of a pointwise convolution's input channels
	cols   int // in a band; the last may have fewer

	runs   int  // pieces of a filter that are products of their own
	taps   int  // of them in a line of the filter
	run    int  // elements of a piece
	width  int  // pixels of a copied line, with panels only those that a tap meets
	copied bool // dy is copied, too, as [K/8, pixels, 8]
	planeA int  // from the first 8 channels of that copy to the next
	panels bool // the copy of x is [C/16, band, width, 16] instead of [band, width, C]
	piece  int  // pixels that are multiplied at once: a band's, or without regard to lines for a filter of one tap

	bias          []float32 // [chunks,K], what each chunk has of the bias' gradient, or nil
	memory        []float32
	rowAt         []int // [rows]
	dyAt, linesAt []int // [band]
}

// Limits of a multiplication: output channels; pixels, so that what passes
// stays in the second cache, and in a product of a pointwise convolution, so that
// a panel and what meets it stay in the nearest.
const (
	minBlock  = 48
	maxPixels = 1024
	maxPiece  = 192
	maxChunks = 32
	panel     = 16  // channels of x that lie together
	panelA    = 8   // channels of dy
	farApart  = 128 // channels from which on pixels push each other out of the nearest cache
)

func newGradient(p *pool.Pool, a *kernel.Arena, s kernel.Conv) *gradient {
	g := &gradient{s: s, oh: s.OutH(), ow: s.OutW(), chunks: divide(s)}
	kg := s.K / s.Groups
	g.runs, g.taps, g.run = s.KH, 1, s.KW*s.C
	g.panels = s.Groups == 1 && s.C >= farApart && s.C%panel == 0
	if !g.panels && (s.Groups > 1 || s.DilW > 1) {
		g.runs, g.taps, g.run = s.KH*s.KW, s.KW, s.C/s.Groups
	}

	if g.bands, g.cols = 1, s.C; plain(s) {
		g.share(p)
	} else {
		// As many blocks as leave every thread some work: they change no sum, and
		// each copies what it reads of x.
		g.blocks = 1
		if threads := p.Threads(); threads > 1 {
			tasks := g.chunks.n * g.runs
			g.blocks = max(1, min((2*threads+tasks-1)/tasks, (kg+minBlock-1)/minBlock))
		}
		g.rows = (kg + g.blocks - 1) / g.blocks
		g.blocks = (kg + g.rows - 1) / g.rows
	}

	switch {
	case g.panels:
		g.width = g.ow
	case g.taps == 1:
		g.width = (g.ow-1)*s.StrideW + (s.KW-1)*s.DilW + 1
	default:
		g.width = (g.ow-1)*s.StrideW + 1
	}
	pixels := maxPixels
	if g.copied = plain(s) || s.Groups == 1 && s.K >= farApart; g.copied {
		pixels = maxPiece
	}
	g.band = even(g.lines, max(1, min(g.lines, pixels/g.ow, maxCopy/(g.width*s.C))))
	g.piece = g.band * g.ow
	if plain(s) {
		g.piece = even(g.lines*g.ow, maxPiece)
	}
	g.planeA = g.piece*panelA | panelA

	g.memory = a.Get(wordsInts(g.rows + 2*g.band))
	table := ints(g.memory)
	g.rowAt, g.dyAt, g.linesAt = table[:g.rows], table[g.rows:][:g.band], table[g.rows+g.band:][:g.band]
	for i := range g.rowAt {
		g.rowAt[i] = i
		if g.copied {
			g.rowAt[i] = i/panelA*g.planeA + i%panelA
		}
	}
	for i := range g.band {
		g.dyAt[i] = i * g.ow * s.K
		if g.copied {
			g.dyAt[i] = i * g.ow * panelA
		}
		g.linesAt[i] = i * g.width * s.C
	}
	return g
}

// share divides the channels of a pointwise convolution among p's threads.
// Blocks of output channels and bands of input channels copy what they read of
// dy and of x.
func (g *gradient) share(p *pool.Pool) {
	const (
		copied = 1 // cycle for an element
		wide   = 2 * panel
	)
	pixels := float64(g.lines * g.ow)
	rows, cols := (g.s.K+panelA-1)/panelA, (g.s.C+wide-1)/wide
	r, c := p.Grid(g.chunks.n, rows, cols, func(rows, cols int) float64 {
		return pool.TaskCycles + pixels*(float64(rows*panelA*cols)+copied*float64(rows*panelA+cols*wide))
	})
	g.rows, g.cols = (rows+r-1)/r*panelA, (cols+c-1)/c*wide
	g.blocks, g.bands = (g.s.K+g.rows-1)/g.rows, (g.s.C+g.cols-1)/g.cols
}

// plain reports whether each pixel of the result has one of the source.
func plain(s kernel.Conv) bool {
	return s.KH == 1 && s.KW == 1 && s.PadH == 0 && s.PadW == 0 && s.Groups == 1
}

// even is the size of as few pieces of n as there can be without one larger
// than most, all of about that size and at least 1.
func even(n, most int) int {
	pieces := max(1, (n+most-1)/most)
	return max(1, (n+pieces-1)/pieces)
}

// parts is the number of independent parts of dw.
func (g *gradient) parts() int { return g.blocks * g.bands * g.runs }

// part computes the given part of dw from the given chunk of lines.
func (g *gradient) part(arena *kernel.Arena, dw, dy, x []float32, chunk, part int) {
	s := g.s
	cg, kg := s.C/s.Groups, s.K/s.Groups
	block, band, run := part/(g.bands*g.runs), part/g.runs%g.bands, part%g.runs
	k0 := block * g.rows
	rows := min(g.rows, kg-k0)
	kh, kw := run/g.taps, run%g.taps
	dst := dw[k0*s.Inner()+run*g.run:]
	first, last := g.chunk(chunk)
	if plain(s) {
		var db []float32
		if g.bias != nil && band == 0 {
			db = g.bias[chunk*s.K+k0:][:rows]
		}
		c0 := band * g.cols
		g.pointwise(arena, dst[c0:], db, dy, x, first*g.ow, last*g.ow, k0, rows, c0, min(g.cols, s.C-c0))
		return
	}

	line, plane := g.width*s.C, g.band*g.width*panel|panel // plane: from panel to panel
	src := arena.Get(max(g.band*line+gemm.Slack(g.run), s.C/panel*plane))
	defer arena.Put(src)
	clear(src[g.band*line:])
	if first >= last {
		for i := range s.Groups * rows {
			clear(dst[(i/rows*kg+i%rows)*s.Inner():][:g.run])
		}
	}
	var turned []float32 // the block's channels of dy, if they would push each other out
	if g.copied {
		turned = arena.Get(g.turned(rows))
		defer arena.Put(turned)
	}
	for at := first; at < last; at += g.band {
		n := min(g.band, last-at)
		a := gemm.Gather{Data: dy[at*g.ow*s.K+k0:], Rows: g.rowAt[:rows], Runs: g.dyAt[:n], Run: g.ow, Step: s.K}
		if g.copied {
			gemm.CopyPanels(turned, g.planeA, panelA, a.Data, rows, s.K, n*g.ow)
			a.Data, a.Step = turned, panelA
		}
		if g.panels {
			var start [1]int
			a.Runs, a.Run = start[:], n*g.ow
			for kw := range s.KW {
				for i := range n {
					img, y, x0 := (at+i)/g.oh, (at+i)%g.oh*s.StrideH+kh*s.DilH-s.PadH, kw*s.DilW-s.PadW
					padPanels(src[i*g.width*panel:], plane, x, img, y, x0, s.StrideW, s.H, s.W, s.C, g.width)
				}
				gemm.MulLines(dst[kw*s.C:], s.Inner(), a, gemm.Lines{Data: src, Runs: start[:], Step: panel, N: s.C, Panel: plane}, at > first)
			}
			continue
		}
		for i := range n {
			img, y, x0 := (at+i)/g.oh, (at+i)%g.oh*s.StrideH+kh*s.DilH-s.PadH, kw*s.DilW-s.PadW
			padLine(src[i*line:][:line], x, img, y, x0, s.H, s.W, s.C)
		}
		for group := range s.Groups {
			of := a
			of.Data = a.Data[group*kg:]
			gemm.MulLines(dst[group*kg*s.Inner():], s.Inner(), of,
				gemm.Lines{Data: src[group*cg:], Runs: g.linesAt[:n], Step: s.StrideW * s.C, N: g.run},
				at > first)
		}
	}
}

// turned is the number of elements in a copy of so many channels of dy.
func (g *gradient) turned(rows int) int { return (rows + panelA - 1) / panelA * g.planeA }

// pointwise computes the rows [k0,k0+rows) and columns [c0,c0+cols) of dw, which
// begins there, for a filter of one tap from the pixels [from,to) of the result:
// a piece at a time, which is copied to where its pixels do not push each other
// out of the caches. Copies of 192 pixels were the best of 128 to 800; the sum in
// dw is fetched for each. db, unless it is nil, receives the sum of dy's copies.
func (g *gradient) pointwise(arena *kernel.Arena, dw, db, dy, x []float32, from, to, k0, rows, c0, cols int) {
	s := g.s
	plane := g.piece*panel | panel
	memory := arena.Get((cols+panel-1)/panel*plane + g.turned(rows))
	defer arena.Put(memory)
	b, a := memory[:len(memory)-g.turned(rows)], memory[len(memory)-g.turned(rows):]
	sums := panelSums{arena.Get((len(db) + panelA - 1) / panelA * sumLanes)}
	defer arena.Put(sums.memory)
	clear(sums.memory)
	var start [1]int
	for at := from; at < to || at == from; at += g.piece {
		n := min(g.piece, to-at)
		gemm.CopyPanels(a, g.planeA, panelA, dy[at*s.K+k0:], rows, s.K, n)
		sums.add(a, g.planeA, n)
		for i := 0; i < n; { // a line of the result at a time
			q := at + i
			line, left := q/g.ow, g.ow-q%g.ow
			left = min(left, n-i)
			in := ((line/g.oh*s.H+line%g.oh*s.StrideH)*s.W + q%g.ow*s.StrideW) * s.C
			gemm.CopyPanels(b[i*panel:], plane, panel, x[in+c0:], cols, s.StrideW*s.C, left)
			i += left
		}
		gemm.MulLines(dw, s.C, gemm.Gather{Data: a, Rows: g.rowAt[:rows], Runs: start[:], Run: n, Step: panelA},
			gemm.Lines{Data: b, Runs: start[:], Step: panel, N: cols, Panel: plane, Next: g.next(dy, x, at+n, to, rows, cols)}, at > from)
	}
	sums.write(db)
}

// panelSums adds up the columns of a copy in panels of panelA, pixels with the
// same remainder by sumLanes/panelA apart, so that the processor has several
// additions to do at once.
type panelSums struct{ memory []float32 } // [panels,sumLanes]

const sumLanes = 32

// add adds the first n pixels of all panels.
func (s panelSums) add(a []float32, plane, n int) {
	at := n &^ (sumLanes/panelA - 1)
	for i := range len(s.memory) / sumLanes {
		sum, of := s.memory[i*sumLanes:][:sumLanes], a[i*plane:][:n*panelA]
		elementwise.ColumnSums(sum, of[:at*panelA], at*panelA/sumLanes, sumLanes)
		for j, v := range of[at*panelA:] {
			sum[j] += v
		}
	}
}

// write writes the sums of the columns.
func (s panelSums) write(db []float32) {
	for j := range db {
		part := s.memory[j/panelA*sumLanes+j%panelA:]
		db[j] = (part[0] + part[panelA]) + (part[2*panelA] + part[3*panelA])
	}
}

// next is what [gradient.pointwise] copies from the pixels [at,to), if that is
// a piece of dy or of x.
func (g *gradient) next(dy, x []float32, at, to, rows, cols int) (next [2][]float32) {
	s, n := g.s, max(0, min(g.piece, to-at))
	if rows == s.K {
		next[0] = dy[at*s.K:][:n*s.K]
	}
	if cols == s.C && s.StrideH == 1 && s.StrideW == 1 {
		next[1] = x[at*s.C:][:n*s.C]
	}
	return next
}

// padPanels is padLine for width pixels that lie stride apart and are stored 16
// channels at a time, plane elements from one panel of channels to the next.
func padPanels(to []float32, plane int, src []float32, n, y, x, stride, h, w, c, width int) {
	left, right := 0, 0
	if y >= 0 && y < h {
		left = min((max(0, -x)+stride-1)/stride, width)
		right = max(min((w-x+stride-1)/stride, width), left)
	}
	for p := range c / panel {
		out := to[p*plane:][:width*panel]
		clear(out[:left*panel])
		clear(out[right*panel:])
	}
	if right > left {
		gemm.CopyPanels(to[left*panel:], plane, panel, src[((n*h+y)*w+x+left*stride)*c:], c, stride*c, right-left)
	}
}
