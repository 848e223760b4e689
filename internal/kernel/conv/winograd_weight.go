package conv

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// winogradGradient is the gradient of the filters behind [winograd]: with V
// the transformed source, and D = A dy Aᵀ of each tile, part by part,
//
//	dU[k,c] = Σ_tiles D[tile,k] V[tile,c]
//	dw = Gᵀ dU G
//
// Tiles are taken in chunks that the shape alone decides, their sums carried
// on in dU, which lies in blocks of output channels.
type winogradGradient struct {
	winograd // of the forward pass; no dst
	dy, dw   []float32

	rows, blocks int // output channels in a block
	width        int // from row to row of dU
	dPitch       int // from tile to tile in a part of D
}

// Elements of a chunk's transformed source or result, whichever is larger; and
// the least number of tiles in it, which are the terms of a product.
const (
	maxGradient      = 1 << 17
	minGradientTiles = 48
	maxBlockRows     = 48
)

func (c *winogradGradient) run(p *pool.Pool, a *kernel.Arena) {
	tiles := c.count()
	if tiles == 0 {
		clear(c.dw)
		return
	}
	parts := c.form.parts()
	c.pitch, c.dPitch = apart(c.c), apart(c.k)
	c.width = (c.c + 7) / 8 * 8
	c.blocks = (c.k + maxBlockRows - 1) / maxBlockRows
	if threads := p.Threads(); threads > 1 { // which changes no sum
		c.blocks = min(max(c.blocks, 2*threads), (c.k+5)/6)
	}
	c.rows = (c.k + c.blocks - 1) / c.blocks
	c.blocks = (c.k + c.rows - 1) / c.rows

	size := max(minGradientTiles, maxGradient/(parts*max(c.pitch, c.dPitch)))
	chunks := (tiles + size - 1) / size
	size = (tiles + chunks - 1) / chunks
	chunks = (tiles + size - 1) / size
	v, d := a.Get(parts*size*c.pitch), a.Get(parts*size*c.dPitch)
	defer a.Put(v)
	defer a.Put(d)
	block := parts * c.rows * c.width
	var sums []float32
	if chunks > 1 {
		sums = a.Get(c.blocks * block)
		defer a.Put(sums)
	}
	const few = 16
	for lo := 0; lo < tiles; lo += size {
		hi := min(lo+size, tiles)
		pieces := (hi - lo + few - 1) / few
		p.Run(2*pieces, func(task, _ int) {
			from := lo + task/2*few
			to := min(from+few, hi)
			if task%2 == 0 {
				c.input(a, v, size*c.pitch, lo, from, to)
			} else {
				c.result(a, d, size*c.dPitch, lo, from, to)
			}
		})
		p.Run(c.blocks, func(b, _ int) {
			var u []float32
			if chunks > 1 {
				u = sums[b*block:][:block]
			} else {
				u = a.Get(block)
				defer a.Put(u)
			}
			c.multiply(u, v, d, size, hi-lo, b, lo > 0)
			if hi == tiles {
				c.finish(u, b)
			}
		})
	}
}

// result transforms the gradient of the result's tiles [lo,hi) into d, where
// the first tile has that number.
func (c *winogradGradient) result(a *kernel.Arena, d []float32, part, first, lo, hi int) {
	m := c.form.out()
	var patch []float32
	for t := lo; t < hi; {
		img, y, x := t/(c.th*c.tw), t/c.tw%c.th*m, t%c.tw*m
		w := inputTiles{gradient: true, dst: d[(t-first)*c.dPitch:], part: part, c: c.k, tiles: 1, dstStep: c.dPitch, srcStep: m * c.k}
		if y+m <= c.oh && x+m <= c.ow {
			w.src, w.line, w.pixel = c.dy[((img*c.oh+y)*c.ow+x)*c.k:], c.ow*c.k, c.k
			w.tiles = min((c.ow-x)/m, hi-t)
		} else {
			if patch == nil {
				patch = a.Get(m * m * c.k)
				defer a.Put(patch)
			}
			w.src, w.line, w.pixel = patch, m*c.k, c.k
			for i := range m {
				padLine(patch[i*m*c.k:][:m*c.k], c.dy, img, y+i, x, c.oh, c.ow, c.k)
			}
		}
		w.run(c.form)
		t += w.tiles
	}
}

// multiply computes the sums of a block of output channels over some tiles.
func (c *winogradGradient) multiply(u, v, d []float32, size, tiles, block int, accumulate bool) {
	k0 := block * c.rows
	var at [maxBlockRows]int
	for i := range at {
		at[i] = i
	}
	var start [1]int
	for p := range c.form.parts() {
		rows := gemm.Gather{Data: d[p*size*c.dPitch+k0:], Rows: at[:min(c.rows, c.k-k0)], Runs: start[:], Run: tiles, Step: c.dPitch}
		lines := gemm.Lines{Data: v[p*size*c.pitch:], Runs: start[:], Step: c.pitch, N: c.c}
		gemm.MulLines(u[p*c.rows*c.width:], c.width, rows, lines, accumulate)
	}
}

// finish transforms the sums of a block of output channels.
func (c *winogradGradient) finish(u []float32, block int) {
	for i := range min(c.rows, c.k-block*c.rows) {
		w := filterSums{src: u[i*c.width:], part: c.rows * c.width, dst: c.dw[(block*c.rows+i)*9*c.c:], tap: c.c, c: c.c}
		w.run(c.form)
	}
}
