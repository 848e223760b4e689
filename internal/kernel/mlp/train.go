package mlp

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// In training, too, the hidden layer stays in the caches, but for h before the
// activation, which ForwardKeep writes once and Backward reads once. Both go
// through the rows a tile at a time, and through the hidden layer's columns a
// part at a time; h is [tiles, parts, rows of the tile, columns of the part].
//
// Limits: rows of a tile, which are the terms that a pass over the gradients of
// the weights adds; elements that a part's share of these gradients and what a
// tile has of the hidden layer may have together, half of a second-level cache of
// 2 MB; tiles whose terms are one sum.
const (
	tileRows  = 196
	partSpace = 9 << 15
	groupSize = 4
)

// Suits reports whether ForwardKeep and Backward should take the place of two
// linear layers. They save time where the weights and their gradients stay near
// while tiles pass: at a batch of 8 (Intel with AVX-512, 2 MB of second-level
// cache), one thread, the forward and the backward pass of 25088x96 take 0.77 and
// 0.90 of the layers' time, of 6272x192 0.88 and 0.99, of 1568x384 0.95 and 1.03;
// on two threads 0.95 and 0.95, 1.05 and 1.04, 1.12 and 1.17.
func Suits(c, hidden, out int) bool { return hidden*(c+out) <= 1<<17 }

// tiling is how training divides the work. Parts depend on the number of threads,
// which does not show in the results.
type tiling struct {
	all, c, hidden, out int
	rows, tiles         int  // of a tile; the last may have fewer
	groups              int  // of tiles
	apart               bool // threads take groups, not parts
	columns, parts      int  // of a part
	planeA, planeB      int  // from panel to panel of the copies of a tile
}

func newTiling(rows, c, hidden, out, threads int) tiling {
	t := tiling{all: rows, c: c, hidden: hidden, out: out}
	unit := gemm.TileRows()
	most := tileRows / unit * unit
	t.tiles = max(1, (rows+most-1)/most)
	t.rows = max(unit, ((rows+t.tiles-1)/t.tiles+unit-1)/unit*unit)
	t.tiles = max(1, (rows+t.rows-1)/t.rows)
	t.groups = (t.tiles + groupSize - 1) / groupSize
	t.apart = t.groups >= 2*threads
	for n := 1; n == 1 || n <= hidden/32; n++ {
		if n > 1 && hidden%(32*n) != 0 {
			continue
		}
		if n > 1 && hidden/n < 64 && (t.apart || n > threads) {
			break
		}
		t.columns, t.parts = hidden/n, n
		if t.columns*(c+out+3*tileRows) <= partSpace && (t.apart || n%threads == 0) {
			break
		}
	}
	t.planeA, t.planeB = t.rows*panelA|panelA, t.rows*panelB|panelB
	return t
}

// Channels that lie together in copies whose rows are terms of a sum.
const (
	panelA = 8
	panelB = 16
)

// tile is which rows one has.
func (t *tiling) tile(i int) (lo, hi int) { return i * t.rows, min((i+1)*t.rows, t.all) }

// kept is what h has of a part of a tile.
func (t *tiling) kept(h []float32, tile, part int) []float32 {
	lo, hi := t.tile(tile)
	return h[lo*t.hidden+(hi-lo)*part*t.columns:][:(hi-lo)*t.columns]
}

// ForwardKeep computes dst [R,C'] = act(x W1 + b1) W2 + b2 and keeps
// h [R,H] = x W1 + b1 in an order that Backward with the same number of threads
// knows. The layer's norm and scale are not applied.
func ForwardKeep(p *pool.Pool, a *kernel.Arena, dst, h, x []float32, rows int, l *Layer) {
	c, hidden, out := l.W1.K(), l.W1.N(), l.W2.N()
	if l.W2.K() != hidden || len(x) != rows*c || len(dst) != rows*out || len(h) != rows*hidden {
		panic("mlp: lengths do not fit")
	}
	t := newTiling(rows, c, hidden, out, p.Threads())
	p.Run(t.tiles, func(tile, _ int) {
		lo, hi := t.tile(tile)
		n := hi - lo
		g := a.Get(n * hidden)
		defer a.Put(g)
		in := gemm.Operand[float32]{Data: x[lo*c : hi*c], RowStride: c, ColStride: 1}
		for part := range t.parts {
			j := part * t.columns
			w1 := l.W1.Columns(j/panelB, (j+t.columns+panelB-1)/panelB)
			e := &kernel.Epilogue[float32]{}
			if l.B1 != nil {
				e.Bias = l.B1[j:]
			}
			var next [2][]float32
			if part == t.parts-1 && tile+1 < t.tiles { // the same thread's, as a rule
				from, to := t.tile(tile + 1)
				next[0] = x[from*c : to*c]
			}
			kept := t.kept(h, tile, part)
			gemm.MulAhead(kept, t.columns, n, in, &w1, false, e, 0, next)
			activation.Forward(g[n*j:][:len(kept)], kept, l.Act)
		}
		// One sum over all parts, in which they do not show.
		rows, runs := make([]int, n), make([]int, t.parts)
		for i := range rows {
			rows[i] = i * t.columns
		}
		for i := range runs {
			runs[i] = i * n * t.columns
		}
		gemm.MulGather(dst[lo*out:hi*out], out, nil, gemm.Gather{Data: g, Rows: rows, Runs: runs, Run: t.columns, Step: 1}, l.W2, false, &kernel.Epilogue[float32]{Bias: l.B2}, 0)
	})
}

// Gradients receive what Backward computes; nil DX leaves that out.
type Gradients struct {
	DX       []float32 // [R,C]
	DW1, DB1 []float32 // [H,C], [H] or nil
	DW2      []float32 // [C',H]
}

// Backward overwrites g with the gradients of ForwardKeep, given dy [R,C'], x
// [R,C], the h that it kept, and plain weights w1 [H,C] and w2 [C',H]. The
// gradient of b2 is the sum of dy's rows.
func Backward(p *pool.Pool, a *kernel.Arena, g *Gradients, dy, x, h, w1, w2 []float32, rows, c, hidden, out int, act kernel.Activation) {
	if len(x) != rows*c || len(dy) != rows*out || len(h) != rows*hidden || len(w1) != hidden*c || len(w2) != out*hidden ||
		len(g.DW1) != len(w1) || len(g.DW2) != len(w2) || g.DX != nil && len(g.DX) != len(x) || g.DB1 != nil && len(g.DB1) != hidden {
		panic("mlp: lengths do not fit")
	}
	b := backward{tiling: newTiling(rows, c, hidden, out, p.Threads()), Gradients: g, dy: dy, x: x, h: h, act: act}
	b.run(p, a, w1, w2)
}

// backward is the state of Backward.
type backward struct {
	tiling
	*Gradients
	dy, x, h []float32
	act      kernel.Activation

	w1, w2 *gemm.Packed // [H,C], [C',H]
	rowA   []int        // where channels begin in copies of dy and dh
	rowDH  []int        // where rows begin in a part of dh
	runs   []int        // and where parts do
}

// group is what the tiles of one have in common: sums, and memory for one tile
// after the other.
type group struct {
	w1, b1, w2 []float32
	dh         []float32    // of a tile, in h's order
	dy, x      [2][]float32 // copies of this tile of dy and x, and of the next: [C'/8, rows, 8], [C/16, rows, 16]
}

func (b *backward) run(p *pool.Pool, a *kernel.Arena, w1, w2 []float32) {
	m1, m2 := a.Get(gemm.PackedLen(b.hidden, b.c)), a.Get(gemm.PackedLen(b.out, b.hidden))
	defer a.Put(m1)
	defer a.Put(m2)
	b.w1, b.w2 = gemm.PackedIn(m1, b.hidden, b.c), gemm.PackedIn(m2, b.out, b.hidden)
	p.Split(b.hidden, 1<<16/b.c+1, func(lo, hi, _ int) {
		b.w1.SetRows(lo, gemm.Operand[float32]{Data: w1[lo*b.c:], RowStride: b.c, ColStride: 1}, hi-lo)
	})
	p.Split(b.out, 1<<16/b.hidden+1, func(lo, hi, _ int) {
		b.w2.SetRows(lo, gemm.Operand[float32]{Data: w2[lo*b.hidden:], RowStride: b.hidden, ColStride: 1}, hi-lo)
	})
	b.rowA, b.rowDH, b.runs = make([]int, max(b.out, b.columns)), make([]int, b.rows), make([]int, b.parts)
	for i := range b.rowA {
		b.rowA[i] = i/panelA*b.planeA + i%panelA
	}
	for i := range b.rowDH {
		b.rowDH[i] = i * b.columns
	}
	for i := range b.runs {
		b.runs[i] = i * b.rows * b.columns
	}

	if b.groups == 1 {
		b.group(p, a, &group{w1: b.DW1, b1: b.DB1, w2: b.DW2}, 0)
		return
	}
	wave, inside := 1, p
	if b.apart {
		wave, inside = p.Threads(), nil
	}
	size := len(w1) + len(w2) + b.hidden
	memory := a.Get(wave * size)
	defer a.Put(memory)
	for first := 0; first < b.groups; first += wave {
		n := min(wave, b.groups-first)
		run := func(i int) {
			s := memory[i*size:][:size]
			g := &group{w1: s[:len(w1)], w2: s[len(w1):][:len(w2)]}
			if b.DB1 != nil {
				g.b1 = s[len(w1)+len(w2):]
			}
			b.group(inside, a, g, first+i)
		}
		if b.apart {
			p.Run(n, func(i, _ int) { run(i) })
		} else {
			run(0)
		}
		at := 0
		for _, dst := range [][]float32{b.DW1, b.DW2, b.DB1} {
			p.Split(len(dst), 1<<13, func(lo, hi, _ int) {
				for i := range n {
					sum := memory[i*size+at+lo : i*size+at+hi]
					if first+i == 0 {
						copy(dst[lo:hi], sum)
					} else {
						elementwise.AddTo(dst[lo:hi], sum)
					}
				}
			})
			at += len(dst)
		}
	}
}

// group computes the sums of a group's tiles, and their dx.
func (b *backward) group(p *pool.Pool, a *kernel.Arena, g *group, number int) {
	g.dh = a.Get(b.rows * b.hidden)
	defer a.Put(g.dh)
	sizeY, sizeX := (b.out+panelA-1)/panelA*b.planeA, (b.c+panelB-1)/panelB*b.planeB
	copies := a.Get(2 * (sizeY + sizeX))
	defer a.Put(copies)
	for i := range 2 {
		g.dy[i], g.x[i] = copies[i*sizeY:][:sizeY], copies[2*sizeY+i*sizeX:][:sizeX]
	}
	clear(g.b1)
	first, end := number*groupSize, min((number+1)*groupSize, b.tiles)
	p.Run(2, func(which, _ int) { b.copy(g, first, which) })
	for tile := first; tile < end; tile++ {
		p.Run(b.parts, func(part, _ int) { b.part(a, g, tile, part, tile > first) })
		copies, pieces := 0, 0
		if tile+1 < end {
			copies = 2
		}
		if b.DX != nil {
			pieces = p.Threads()
		}
		p.Run(copies+pieces, func(task, _ int) {
			if task < copies {
				b.copy(g, tile+1, task)
			} else {
				b.input(g, tile, task-copies, pieces)
			}
		})
	}
}

// copy arranges a tile of dy, or of x.
func (b *backward) copy(g *group, tile, which int) {
	lo, hi := b.tile(tile)
	if which == 0 {
		gemm.CopyPanels(g.dy[tile%2], b.planeA, panelA, b.dy[lo*b.out:], b.out, b.out, hi-lo)
	} else {
		gemm.CopyPanels(g.x[tile%2], b.planeB, panelB, b.x[lo*b.c:], b.c, b.c, hi-lo)
	}
}

// part computes dh of a part of a tile and what that adds to the gradients of
// the weights.
func (b *backward) part(a *kernel.Arena, g *group, tile, part int, more bool) {
	lo, hi := b.tile(tile)
	n, j, cols := hi-lo, part*b.columns, b.columns
	h := b.kept(b.h, tile, part)
	dh := g.dh[part*b.rows*cols:][:n*cols]
	w2 := b.w2.Columns(j/panelB, (j+cols+panelB-1)/panelB)
	gemm.Mul(dh, cols, n, gemm.Operand[float32]{Data: b.dy[lo*b.out : hi*b.out], RowStride: b.out, ColStride: 1}, &w2, false, nil, 0)

	sizeB, sizeA := (cols+panelB-1)/panelB*b.planeB, (cols+panelA-1)/panelA*b.planeA
	memory := a.Get(n*cols + sizeB + sizeA)
	defer a.Put(memory)
	y, yAt, dhAt := memory[:n*cols], memory[n*cols:][:sizeB], memory[n*cols+sizeB:]
	activation.Forward(y, h, b.act)
	gemm.CopyPanels(yAt, b.planeB, panelB, y, cols, cols, n)
	activation.Backward(dh, dh, h, b.act)
	gemm.CopyPanels(dhAt, b.planeA, panelA, dh, cols, cols, n)

	// Meanwhile a share of the next tile of dy and x and the next part of h come
	// near.
	var start [1]int
	second := gemm.Lines{Data: yAt, Runs: start[:], Step: panelB, N: cols, Panel: b.planeB}
	first := gemm.Lines{Data: g.x[tile%2], Runs: start[:], Step: panelB, N: b.c, Panel: b.planeB}
	if tile+1 < b.tiles {
		from, to := b.tile(tile + 1)
		second.Next = [2][]float32{b.share(b.dy[from*b.out:to*b.out], part), b.share(b.x[from*b.c:to*b.c], part)}
	}
	switch {
	case part+1 < b.parts:
		first.Next[0] = b.kept(b.h, tile, part+1)
	case tile+1 < b.tiles:
		first.Next[0] = b.kept(b.h, tile+1, 0)
	}
	gemm.MulLines(g.w2[j:], b.hidden, gemm.Gather{Data: g.dy[tile%2], Rows: b.rowA[:b.out], Runs: start[:], Run: n, Step: panelA}, second, more)
	gemm.MulLines(g.w1[j*b.c:], b.c, gemm.Gather{Data: dhAt, Rows: b.rowA[:cols], Runs: start[:], Run: n, Step: panelA}, first, more)
	if g.b1 != nil {
		elementwise.ColumnSums(g.b1[j:][:cols], dh, n, cols)
	}
}

// share is a part's share of x.
func (t *tiling) share(x []float32, part int) []float32 {
	return x[part*len(x)/t.parts : (part+1)*len(x)/t.parts]
}

// input computes a piece of the rows of a tile of dx.
func (b *backward) input(g *group, tile, piece, pieces int) {
	lo, hi := b.tile(tile)
	tiles := (hi - lo + gemm.TileRows() - 1) / gemm.TileRows()
	from, to := piece*tiles/pieces*gemm.TileRows(), min((piece+1)*tiles/pieces*gemm.TileRows(), hi-lo)
	if from < to {
		gemm.MulGather(b.DX[(lo+from)*b.c:], b.c, nil, gemm.Gather{Data: g.dh, Rows: b.rowDH[from:to], Runs: b.runs, Run: b.columns, Step: 1}, b.w1, false, nil, 0)
	}
}

// BackwardGeneric is the definition of Backward; b1 is needed because it
// computes the hidden layer again.
func BackwardGeneric[T kernel.Float](dx, dw1, db1, dw2, dy, x, w1, b1, w2 []T, rows, c, h, out int, act kernel.Activation) {
	matrix := func(data []T, rowStride, colStride int) gemm.Operand[T] {
		return gemm.Operand[T]{Data: data, RowStride: rowStride, ColStride: colStride}
	}
	hidden, g, dh := make([]T, rows*h), make([]T, rows*h), make([]T, rows*h)
	gemm.MulGeneric(hidden, h, rows, h, c, matrix(x, c, 1), matrix(w1, 1, c), false, &kernel.Epilogue[T]{Bias: b1}, 0)
	activation.ForwardGeneric(g, hidden, act)
	gemm.MulGeneric(dw2, h, out, h, rows, matrix(dy, 1, out), matrix(g, h, 1), false, nil, 0)
	gemm.MulGeneric(dh, h, rows, h, out, matrix(dy, out, 1), matrix(w2, h, 1), false, nil, 0)
	activation.BackwardGeneric(dh, dh, hidden, act)
	gemm.MulGeneric(dw1, c, h, c, rows, matrix(dh, 1, h), matrix(x, c, 1), false, nil, 0)
	gemm.MulGeneric(dx, c, rows, c, h, matrix(dh, h, 1), matrix(w1, c, 1), false, nil, 0)
	clear(db1)
	for i, v := range dh {
		db1[i%h] += v
	}
}
