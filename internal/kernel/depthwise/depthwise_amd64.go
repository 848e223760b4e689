//go:build !purego

package depthwise

import (
	"math"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

func forward(v cpu.Variant, dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32], p part) {
	if v == cpu.Generic {
		forwardGeneric(dst, x, w, s, epi, p)
		return
	}
	c := correlation{
		vectors: assembly(v), dst: dst, src: x, w: w, c: s.C,
		row: axis{out: s.OutH(), src: s.H, k: s.KH, stride: s.StrideH, pad: s.PadH, dil: s.DilH},
		col: axis{out: s.OutW(), src: s.W, k: s.KW, stride: s.StrideW, pad: s.PadW, dil: s.DilW},
		low: float32(math.Inf(-1)),
	}
	var rest kernel.Epilogue[float32] // what remains to do after the tiles
	if epi != nil {
		rest = *epi
		c.bias, rest.Bias = epi.Bias, nil
		if rest.Act == kernel.ReLU && (!rest.ActLast || rest.Scale == nil && rest.Residual == nil) {
			c.low, c.limited, rest.Act = 0, true, kernel.Identity
		}
	}
	line := c.col.out * c.c
	if rest.Residual == nil {
		c.run(p)
		if !rest.Empty() {
			finish(&rest, dst[p.lo*line:p.hi*line], c.col.out, c.c, p)
		}
		return
	}
	c.runAside(dst, &rest, p)
}

// runAside is run for an epilogue whose residual may be dst, which has to be
// read first.
func (c *correlation) runAside(dst []float32, rest *kernel.Epilogue[float32], p part) {
	line := c.col.out * c.c
	step := max(1, min(p.hi-p.lo, aside/line))
	s := scratches.Get().(*scratch)
	defer scratches.Put(s)
	c.dst = s.take(step * line)
	for hi := p.hi; p.lo < hi; p.lo += step {
		p.hi = min(p.lo+step, hi)
		c.base = p.lo
		c.run(p)
		y := c.dst[:(p.hi-p.lo)*line]
		finish(rest, y, c.col.out, c.c, p)
		for at := p.c0; at < len(y); at += c.c {
			copy(dst[p.lo*line+at:][:p.c1-p.c0], y[at:])
		}
	}
}

// aside is about the number of elements that are kept aside until the residual
// has been read.
const aside = 1 << 16

func backwardInput(v cpu.Variant, dx, dy, w []float32, s kernel.Conv, accumulate bool, p part) {
	if v == cpu.Generic {
		backwardInputGeneric(dx, dy, w, s, accumulate, p)
		return
	}
	c := correlation{
		vectors: assembly(v), dst: dx, src: dy, w: w, c: s.C,
		row: axis{out: s.H, src: s.OutH(), k: s.KH, stride: s.StrideH, pad: s.PadH, dil: s.DilH, transposed: true},
		col: axis{out: s.W, src: s.OutW(), k: s.KW, stride: s.StrideW, pad: s.PadW, dil: s.DilW, transposed: true},
		low: float32(math.Inf(-1)),
	}
	if accumulate {
		c.runAside(dx, &kernel.Epilogue[float32]{Residual: dx}, p)
		return
	}
	c.run(p)
}

func backwardWeight(v cpu.Variant, dw, dy, x []float32, s kernel.Conv, p part) {
	if v == cpu.Generic {
		backwardWeightGeneric(dw, dy, x, s, p)
		return
	}
	g := weightGradient{
		vectors: assembly(v), dw: dw, dy: dy, x: x, c: s.C,
		row: axis{out: s.OutH(), src: s.H, k: s.KH, stride: s.StrideH, pad: s.PadH, dil: s.DilH},
		col: axis{out: s.OutW(), src: s.W, k: s.KW, stride: s.StrideW, pad: s.PadW, dil: s.DilW},
	}
	g.run(p)
}
