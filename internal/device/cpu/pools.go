package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/pooling"
)

// MaxPool takes maxima.
func (b *Backend) MaxPool(dst device.Buffer, index []int32, x device.Buffer, g kernel.Window) {
	b.lines(g, func(lo, hi int) { pooling.Max(f32(dst), index, f32(x), g, lo, hi) })
}

// MaxPoolBackward sends gradients to where the maxima were.
func (b *Backend) MaxPoolBackward(dx, dy device.Buffer, index []int32, g kernel.Window) {
	b.pool.Run(g.N, func(i, _ int) { pooling.MaxBackward(f32(dx), f32(dy), index, g, i, i+1) })
}

// AvgPool averages windows.
func (b *Backend) AvgPool(dst, x device.Buffer, g kernel.Window, countPad bool) {
	b.lines(g, func(lo, hi int) { pooling.Average(f32(dst), f32(x), g, countPad, lo, hi) })
}

// AvgPoolBackward spreads gradients over windows.
func (b *Backend) AvgPoolBackward(dx, dy device.Buffer, g kernel.Window, countPad bool) {
	b.pool.Run(g.N, func(i, _ int) { pooling.AverageBackward(f32(dx), f32(dy), g, countPad, i, i+1) })
}

// Blur filters.
func (b *Backend) Blur(dst, x device.Buffer, g kernel.Window) {
	b.lines(g, func(lo, hi int) { pooling.Blur(f32(dst), f32(x), g, lo, hi) })
}

// BlurBackward filters gradients.
func (b *Backend) BlurBackward(dx, dy device.Buffer, g kernel.Window) {
	b.pool.Run(g.N, func(i, _ int) { pooling.BlurBackward(f32(dx), f32(dy), g, i, i+1) })
}

// GlobalPool averages images.
func (b *Backend) GlobalPool(dst, x device.Buffer, n, hw, c int) {
	b.eachRows(n, hw*c, func(lo, hi int) { pooling.Global(f32(dst), f32(x), lo, hi, hw, c) })
}

// GlobalPoolBackward spreads gradients over images.
func (b *Backend) GlobalPoolBackward(dx, dy device.Buffer, n, hw, c int) {
	b.eachRows(n, hw*c, func(lo, hi int) { pooling.GlobalBackward(f32(dx), f32(dy), lo, hi, hw, c) })
}

// lines calls fn for pieces of the output lines of a window.
func (b *Backend) lines(g kernel.Window, fn func(lo, hi int)) {
	b.eachRows(g.N*g.OutH(), g.OutW()*g.C*g.KH*g.KW, fn)
}

// Subsample takes every stride-th pixel and widens the channels with zeros.
func (b *Backend) Subsample(dst, x device.Buffer, g kernel.Window, before, k int) {
	d, in := f32(dst), f32(x)
	oh, ow := g.OutH(), g.OutW()
	b.eachRows(g.N*oh, ow*k, func(lo, hi int) {
		for line := lo; line < hi; line++ {
			row := d[line*ow*k : (line+1)*ow*k]
			clear(row)
			src := in[((line/oh)*g.H+line%oh*g.StrideH)*g.W*g.C:]
			for j := range ow {
				copy(row[j*k+before:j*k+before+g.C], src[j*g.StrideW*g.C:])
			}
		}
	})
}

// SubsampleBackward sends gradients back to the pixels that were taken.
func (b *Backend) SubsampleBackward(dx, dy device.Buffer, g kernel.Window, before, k int) {
	d, gy := f32(dx), f32(dy)
	oh, ow := g.OutH(), g.OutW()
	b.eachRows(g.N*g.H, g.W*g.C, func(lo, hi int) {
		for line := lo; line < hi; line++ {
			row := d[line*g.W*g.C : (line+1)*g.W*g.C]
			clear(row)
			if line%g.H%g.StrideH != 0 {
				continue
			}
			src := gy[((line/g.H)*oh+line%g.H/g.StrideH)*ow*k:]
			for j := range ow {
				copy(row[j*g.StrideW*g.C:(j*g.StrideW+1)*g.C], src[j*k+before:])
			}
		}
	})
}
