package conv

import (
	"math/bits"

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
// The tiles are cut into groups, whose number the shape alone decides; each
// makes a dw of its own, and these are added in order. Within a group chunks of
// tiles, whose size the shape decides as well, carry the sums on in dU; threads
// may share the output channels, which does not show in the results.
type winogradGradient struct {
	winograd // of the forward pass; no dst
	dy       []float32

	tiles, groups int
	rows, blocks  int // output channels in a block
	width         int // from row to row of dU
	dPitch        int // from tile to tile in a part of D
}

// Limits: tiles in a group; elements of a chunk's transformed source or result,
// whichever is larger, and the least number of tiles in it, which are the terms
// of a product; output channels in a block.
const (
	minGroup         = 96
	maxGroups        = 16
	maxPartial       = 1 << 20 // elements of all groups' dw
	maxGradient      = 1 << 17
	minGradientTiles = 48
	maxBlockRows     = 48
)

func (c *winogradGradient) run(p *pool.Pool, a *kernel.Arena, dw []float32) {
	if c.tiles = c.count(); c.tiles == 0 {
		clear(dw)
		return
	}
	c.pitch, c.dPitch = apart(c.c), apart(c.k)
	c.width = (c.c + 7) / 8 * 8
	c.groups = max(1, min(maxGroups, c.tiles/minGroup, maxPartial/len(dw)))
	c.groups = 1 << (bits.Len(uint(c.groups)) - 1) // as threads often are
	partial := dw
	if c.groups > 1 {
		partial = a.Get(c.groups * len(dw))
		defer a.Put(partial)
	}
	c.blocks = (c.k + maxBlockRows - 1) / maxBlockRows
	if threads := p.Threads(); threads == 1 || c.groups >= threads && c.groups%threads == 0 || c.groups >= tasksPerThread*threads {
		c.divide()
		p.Run(c.groups, func(g, _ int) { c.group(nil, a, partial[g*len(dw):][:len(dw)], g) })
	} else {
		c.blocks = max(c.blocks, min(2*threads, (c.k+5)/6))
		c.divide()
		for g := range c.groups {
			c.group(p, a, partial[g*len(dw):][:len(dw)], g)
		}
	}
	if c.groups > 1 {
		addUp(p, dw, partial, c.groups)
	}
}

// divide makes the blocks of output channels equally large.
func (c *winogradGradient) divide() {
	c.rows = (c.k + c.blocks - 1) / c.blocks
	c.blocks = (c.k + c.rows - 1) / c.rows
}

// group computes the dw of a group of tiles.
func (c *winogradGradient) group(p *pool.Pool, a *kernel.Arena, dw []float32, group int) {
	first, end := pool.Cut(c.tiles, c.groups, group), pool.Cut(c.tiles, c.groups, group+1)
	parts := c.form.parts()
	most := max(maxGradient, parts*c.k*c.c/2) // where the sums are large, fewer passes over them
	size := min(end-first, max(minGradientTiles, most/(parts*max(c.pitch, c.dPitch))))
	chunks := max(1, (end-first+size/2)/size)
	size = (end - first + chunks - 1) / chunks
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
	for lo := first; lo < end; lo += size {
		hi := min(lo+size, end)
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
			c.multiply(u, v, d, size, hi-lo, b, lo > first)
			if hi == end {
				c.finish(dw, u, b)
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
	var at [maxBlockRows]int
	for i := range at {
		at[i] = i
	}
	var start [1]int
	k0 := block * c.rows
	for p := range c.form.parts() {
		rows := gemm.Gather{Data: d[p*size*c.dPitch+k0:], Rows: at[:min(c.rows, c.k-k0)], Runs: start[:], Run: tiles, Step: c.dPitch}
		lines := gemm.Lines{Data: v[p*size*c.pitch:], Runs: start[:], Step: c.pitch, N: c.c}
		gemm.MulLines(u[p*c.rows*c.width:], c.width, rows, lines, accumulate)
	}
}

// finish transforms the sums of a block of output channels.
func (c *winogradGradient) finish(dw, u []float32, block int) {
	for i := range min(c.rows, c.k-block*c.rows) {
		w := filterSums{src: u[i*c.width:], part: c.rows * c.width, dst: dw[(block*c.rows+i)*9*c.c:], tap: c.c, c: c.c}
		w.run(c.form)
	}
}
