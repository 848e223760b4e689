package conv

import (
	"math"
	"runtime"
	"sync/atomic"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// winograd convolves by tiles of m x m pixels of the result: what lies behind
// one, n = m+2 pixels square, is transformed into n² parts of C channels; part p
// times the p-th part of the transformed filters gives part p of K channels;
// and these are transformed into the tile.
//
// Tiles are taken in blocks, whose transformed source stays in the second
// cache while the panels of the filters pass, one at a time or two. Of the
// products only those with them exist.
type winograd struct {
	form       form
	n, h, w, c int // source images
	oh, ow, k  int // result
	padH, padW int
	src, dst   []float32
	filters    *gemm.Packed // [n*n*C,K]
	epi        *kernel.Epilogue[float32]

	th, tw int // tiles of an image
	pitch  int // from tile to tile in a part of the transformed source
}

// Limits of a block: elements of transformed source; tiles. Processors with
// AVX-512 often have twice Zen 4's second cache, for which they were measured,
// but filters and products need their share: with twice the source, 56x56x64 and
// 28x28x128 take 5 to 9 % longer there.
const (
	maxSource = 1 << 17
	minTiles  = 16
	maxTiles  = 56
)

// blocking is how a variant divides the work: panels that it multiplies at
// once, rows of its products' tiles, and the most tiles in a block.
type blocking struct{ panels, rows, tiles int }

// sizes is the blocking of the variant that runs.
func sizes() blocking {
	if chosen == cpu.AVX512 {
		return blocking{panels: 2, rows: 7, tiles: maxTiles}
	}
	return blocking{panels: 1, rows: 6, tiles: 48}
}

// apart is the distance of parts of so many elements. An odd number of cache
// lines keeps the parts of one tile from pushing each other out of the nearest
// cache.
func apart(n int) int { return (n+15)/16*16 | 16 }

// count says how many tiles there are.
func (c *winograd) count() int {
	m := c.form.out()
	c.th, c.tw = (c.oh+m-1)/m, (c.ow+m-1)/m
	return c.n * c.th * c.tw
}

func (c *winograd) run(p *pool.Pool, a *kernel.Arena) {
	tiles := c.count()
	if tiles == 0 {
		return
	}
	c.pitch = (c.c + 7) / 8 * 8
	most := min(sizes().tiles, max(minTiles, maxSource/(c.form.parts()*c.pitch)))
	blocks, groups := (tiles+most-1)/most, 1
	few := blocks < tasksPerThread*p.Threads()
	if few {
		blocks, groups = c.grid(p, tiles, most)
	}
	size := (tiles + blocks - 1) / blocks
	if !few {
		rows := sizes().rows
		size = (size + rows - 1) / rows * rows // no small tiles in the products
	}
	blocks = (tiles + size - 1) / size
	part := apart(size * c.pitch)
	source := c.form.parts() * part
	panels := c.filters.Panels()

	if groups == 1 {
		p.Run(blocks, func(block, _ int) {
			v := a.Get(source)
			defer a.Put(v)
			lo, hi := block*size, min((block+1)*size, tiles)
			c.input(a, v, part, lo, lo, hi)
			c.output(a, v, part, lo, hi, 0, panels)
		})
		return
	}
	// Threads share the panels of a block, which they transform first. Tasks are
	// taken in order, so whoever multiplies waits at most for what others have
	// begun.
	const some = 8 // tiles
	v := a.Get(blocks * source)
	defer a.Put(v)
	pieces := (size + some - 1) / some
	done := make([]atomic.Int32, blocks)
	p.InOrder(blocks*(pieces+groups), func(task, _ int) {
		if task < blocks*pieces {
			block := task / pieces
			defer done[block].Add(1) // also in a panic, lest others wait forever
			first := block * size
			lo := first + task%pieces*some
			c.input(a, v[block*source:][:source], part, first, lo, min(lo+some, first+size, tiles))
			return
		}
		task -= blocks * pieces
		block, g := task/groups, task%groups
		for done[block].Load() < int32(pieces) {
			runtime.Gosched()
		}
		lo := block * size
		c.output(a, v[block*source:][:source], part, lo, min(lo+size, tiles), cut(panels, groups, g), cut(panels, groups, g+1))
	})
}

// grid says into how many blocks the tiles and into how many groups the panels
// of filters are divided among threads that would have few blocks of the
// largest size.
func (c *winograd) grid(p *pool.Pool, tiles, most int) (blocks, groups int) {
	wide, all := float64(sizes().panels), together(c.filters.Panels())
	blocks, groups = p.Grid(1, tiles, all, func(tiles, cols int) float64 {
		if tiles > most {
			return math.Inf(1)
		}
		// A product of each part, and the part's transforms, vector by vector: C
		// channels on the way in, of which tasks with some of the panels do a share,
		// but then they come from afar, and the panels on the way out.
		const (
			vector  = 4   // cycles
			element = 0.8 // of the source, from thread to thread
		)
		n := float64(tiles)
		in := vector * n * float64(c.c) / panel
		if cols < all {
			in = (in + element*n*float64(c.c)) * float64(cols) / float64(all)
		}
		out := vector * n * wide * float64(cols)
		return gemm.Cost(tiles, cols, c.c, c.form.parts()) + float64(c.form.parts())*(in+out)
	})
	return max(blocks, (tiles+most-1)/most), groups
}

// input transforms the source of the tiles [lo,hi) into v, where the first tile
// has that number.
func (c *winograd) input(a *kernel.Arena, v []float32, part, first, lo, hi int) {
	m, n := c.form.out(), c.form.in()
	var patch []float32
	for t := lo; t < hi; {
		img, y, x := t/(c.th*c.tw), t/c.tw%c.th*m-c.padH, t%c.tw*m-c.padW
		w := inputTiles{dst: v[(t-first)*c.pitch:], part: part, c: c.c, tiles: 1, dstStep: c.pitch, srcStep: m * c.c}
		if y >= 0 && y+n <= c.h && x >= 0 && x+n <= c.w {
			w.src, w.line, w.pixel = c.src[((img*c.h+y)*c.w+x)*c.c:], c.w*c.c, c.c
			w.tiles = min((c.w-n-x)/m+1, c.tw-t%c.tw, hi-t)
		} else {
			if patch == nil {
				patch = a.Get(n * n * c.c)
				defer a.Put(patch)
			}
			w.src, w.line, w.pixel = patch, n*c.c, c.c
			for i := range n {
				padLine(patch[i*n*c.c:][:n*c.c], c.src, img, y+i, x, c.h, c.w, c.c)
			}
		}
		w.run(c.form)
		t += w.tiles
	}
}

// output multiplies the transformed source v of the tiles [lo,hi) by the
// panels [from,to) of the filters and transforms the products into the result.
func (c *winograd) output(a *kernel.Arena, v []float32, part, lo, hi, from, to int) {
	m := c.form.out()
	var places [maxTiles]place
	for i := range hi - lo {
		t := lo + i
		img, y, x := t/(c.th*c.tw), t/c.tw%c.th*m, t%c.tw*m
		places[i] = place{pixel: (img*c.oh+y)*c.ow + x, rows: min(m, c.oh-y), cols: min(m, c.ow-x)}
	}
	wide := sizes().panels
	size := (hi - lo) * wide * panel
	products := outputTiles{part: size | panel, line: c.ow * c.k, pixel: c.k, places: places[:hi-lo]}
	memory := a.Get(c.form.parts() * products.part)
	defer a.Put(memory)
	for j := from; j < to; j += wide {
		panels := min(wide, to-j)
		gemm.MulParts(memory, products.part, v, part, c.pitch, hi-lo, c.form.parts(), c.filters, j, panels)
		products.step = panels * panel
		for i := range panels {
			w := products
			w.src = memory[i*panel:]
			c.deliver(&w, (j+i)*panel)
		}
	}
}

// deliver transforms products into the result's columns from col on.
func (c *winograd) deliver(w *outputTiles, col int) {
	w.dst, w.cols = c.dst[col:], min(panel, c.k-col)
	if c.epi.Empty() {
		w.run(c.form)
		return
	}
	epi := *c.epi
	if epi.Bias != nil {
		epi.Bias = epi.Bias[col:]
	}
	if epi.Scale != nil {
		epi.Scale = epi.Scale[col:]
	}
	if epi.Residual != nil {
		if epi.ResidualStride == 0 {
			epi.ResidualStride = c.k
		}
		epi.Residual = epi.Residual[col:]
		w.resPixel, w.resLine = epi.ResidualStride, c.ow*epi.ResidualStride
	}
	if epi.Act == kernel.Identity || epi.Act == kernel.ReLU {
		w.epi = &epi
		w.run(c.form)
		return
	}
	w.active(c.form, &epi)
}

// active is run for other activations than Identity and ReLU: a tile at a
// time, its pixels on the way to the result.
func (w *outputTiles) active(f form, e *kernel.Epilogue[float32]) {
	m := f.out()
	head, tail := *e, *e
	head.Act, tail.Act, tail.Bias = kernel.Identity, kernel.Identity, nil
	if e.ActLast {
		tail = kernel.Epilogue[float32]{}
	} else {
		head.Scale, head.Residual = nil, nil
	}
	width := w.line / w.pixel
	var tile [16 * panel]float32
	for t, at := range w.places {
		one := [1]place{{rows: at.rows, cols: at.cols}}
		part := outputTiles{src: w.src[t*w.step:], part: w.part, step: w.step, dst: tile[:], line: m * panel, pixel: panel, cols: w.cols, places: one[:]}
		part.run(f)
		for i := range at.rows {
			for j := range at.cols {
				row := tile[(i*m+j)*panel:][:w.cols]
				q := at.pixel + i*width + j
				head.Row(row, q, 0, w.pixel)
				activation.Forward(row, row, e.Act)
				tail.Row(row, q, 0, w.pixel)
				copy(w.dst[q*w.pixel:], row)
			}
		}
	}
}
