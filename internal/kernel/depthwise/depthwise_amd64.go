//go:build !purego

package depthwise

import (
	"math"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

//go:generate sh -c "cd ../_asm/depthwise && go run main.go -out ../../depthwise/tile_amd64.s -stubs ../../depthwise/tile_amd64.go -pkg depthwise"

func forward(v cpu.Variant, dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32], lo, hi int) {
	if v == cpu.Generic {
		ForwardGeneric(dst, x, w, s, epi, lo, hi)
		return
	}
	c := correlation{
		dst: dst, src: x, w: w, c: s.C,
		row: axis{out: s.OutH(), src: s.H, k: s.KH, stride: s.StrideH, pad: s.PadH, dil: s.DilH},
		col: axis{out: s.OutW(), src: s.W, k: s.KW, stride: s.StrideW, pad: s.PadW, dil: s.DilW},
		low: float32(math.Inf(-1)),
	}
	var rest kernel.Epilogue[float32] // what remains to do after the tiles
	if epi != nil {
		rest = *epi
		c.bias, rest.Bias = epi.Bias, nil
		if rest.Act == kernel.ReLU && (!rest.ActLast || rest.Scale == nil && rest.Residual == nil) {
			c.low, rest.Act = 0, kernel.Identity
		}
	}
	if rest.Residual == nil {
		c.run(lo, hi)
		if !rest.Empty() {
			finish(&rest, dst[lo*c.col.out*c.c:hi*c.col.out*c.c], c.col.out, c.c, lo)
		}
		return
	}
	// dst may be the residual, which has to be read first.
	line := c.col.out * c.c
	step := max(1, min(hi-lo, aside/line))
	c.dst = make([]float32, step*line)
	for ; lo < hi; lo += step {
		end := min(lo+step, hi)
		c.base = lo
		c.run(lo, end)
		y := c.dst[:(end-lo)*line]
		finish(&rest, y, c.col.out, c.c, lo)
		copy(dst[lo*line:], y)
	}
}

// aside is about the number of elements that are kept aside until the residual
// has been read.
const aside = 1 << 16

func backwardInput(v cpu.Variant, dx, dy, w []float32, s kernel.Conv, lo, hi int) {
	if v == cpu.Generic {
		BackwardInputGeneric(dx, dy, w, s, lo, hi)
		return
	}
	c := correlation{
		dst: dx, src: dy, w: w, c: s.C,
		row: axis{out: s.H, src: s.OutH(), k: s.KH, stride: s.StrideH, pad: s.PadH, dil: s.DilH, transposed: true},
		col: axis{out: s.W, src: s.OutW(), k: s.KW, stride: s.StrideW, pad: s.PadW, dil: s.DilW, transposed: true},
		low: float32(math.Inf(-1)),
	}
	c.run(lo, hi)
}

func backwardWeight(v cpu.Variant, dw, dy, x []float32, s kernel.Conv, lo, hi int) {
	if v == cpu.Generic {
		BackwardWeightGeneric(dw, dy, x, s, lo, hi)
		return
	}
	g := weightGradient{
		dw: dw, dy: dy, x: x, c: s.C,
		row: axis{out: s.OutH(), src: s.H, k: s.KH, stride: s.StrideH, pad: s.PadH, dil: s.DilH},
		col: axis{out: s.OutW(), src: s.W, k: s.KW, stride: s.StrideW, pad: s.PadW, dil: s.DilW},
	}
	g.run(lo, hi)
}
