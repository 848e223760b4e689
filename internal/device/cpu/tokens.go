package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/attention"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
)

// GatherRows copies rows by their numbers.
func (b *Backend) GatherRows(dst, x device.Buffer, index []int32, c int) {
	d, in := f32(dst), f32(x)
	b.eachRows(len(index), c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(d[i*c:(i+1)*c], in[int(index[i])*c:])
		}
	})
}

// ScatterRows adds rows by their numbers. It runs on one thread, so that rows
// with one number add up in order.
func (b *Backend) ScatterRows(dx, dy device.Buffer, index []int32, c int) {
	d, g := f32(dx), f32(dy)
	clear(d)
	for i, at := range index {
		row := d[int(at)*c : (int(at)+1)*c]
		elementwise.Add(row, row, g[i*c:(i+1)*c])
	}
}

// CopyBlocks copies blocks.
func (b *Backend) CopyBlocks(dst, src device.Buffer, g device.Blocks) {
	d, s := f32(dst), f32(src)
	b.eachRows(g.N, max(g.Len, 1), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(d[g.Dst+i*g.DstStride:][:g.Len], s[g.Src+i*g.SrcStride:][:g.Len])
		}
	})
}

// AddRepeated adds y to each part of x.
func (b *Backend) AddRepeated(dst, x, y device.Buffer) {
	d, in, add := f32(dst), f32(x), f32(y)
	c := len(add)
	b.eachRows(len(in)/c, c, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			elementwise.Add(d[i*c:(i+1)*c], in[i*c:(i+1)*c], add)
		}
	})
}

func query(g device.Query) attention.Shape {
	return attention.Shape{N: g.N, T: g.T, Heads: g.H, Dim: g.D}
}

// QueryAttention attends with one query to a sequence.
func (b *Backend) QueryAttention(dst, probs, q, k, v device.Buffer, g device.Query) {
	attention.Query(b.pool, f32(dst), f32(probs), f32(q), f32(k), f32(v), query(g))
}

// QueryAttentionBackward computes the gradient of QueryAttention.
func (b *Backend) QueryAttentionBackward(dq, dk, dv, dy, q, k, v, probs device.Buffer, g device.Query) {
	attention.QueryBackward(b.pool, f32(dq), f32(dk), f32(dv), f32(dy), f32(probs), f32(q), f32(k), f32(v), query(g))
}
