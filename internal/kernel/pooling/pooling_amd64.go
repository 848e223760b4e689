//go:build !purego

package pooling

import (
	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

//go:generate go run -C ../_asm ./pooling -out ../pooling/avx2_amd64.s -stubs ../pooling/avx2_amd64.go -pkg pooling
//go:generate go run -C ../_asm ./pooling -avx512 -out ../pooling/avx512_amd64.s -stubs ../pooling/avx512_amd64.go -pkg pooling

func maxLines(dst []float32, index []int32, x []float32, g kernel.Window, lo, hi int) {
	if chosen == cpu.Generic {
		MaxGeneric(dst, index, x, g, lo, hi)
		return
	}
	runs(g, lo, hi, func(r run) {
		if r.kh == 0 || r.kw == 0 {
			empty(dst, index, r.out, r.pixels*g.C)
			return
		}
		to, from := &dst[r.out], &x[r.in]
		down, right := int32(g.DilH*g.W), int32(g.DilW)
		switch {
		case index == nil && chosen == cpu.AVX512:
			maxAVX512(to, from, r.pixels, r.kh, r.kw, r.pixelStep, r.rowStep, r.colStep, g.C)
		case index == nil:
			maxAVX2(to, from, r.pixels, r.kh, r.kw, r.pixelStep, r.rowStep, r.colStep, g.C)
		case chosen == cpu.AVX512:
			maxIndexAVX512(to, from, r.pixels, r.kh, r.kw, r.pixelStep, r.rowStep, r.colStep, g.C,
				&index[r.out], int32(r.at), int32(g.StrideW), down, right)
		default:
			maxIndexAVX2(to, from, r.pixels, r.kh, r.kw, r.pixelStep, r.rowStep, r.colStep, g.C,
				&index[r.out], int32(r.at), int32(g.StrideW), down, right)
		}
	})
}

func averageLines(dst, x []float32, g kernel.Window, countIncludePad bool, lo, hi int) {
	if chosen == cpu.Generic {
		AverageGeneric(dst, x, g, countIncludePad, lo, hi)
		return
	}
	runs(g, lo, hi, func(r run) {
		d := float32(divisor(g, countIncludePad, r.kh*r.kw))
		if r.kh == 0 || r.kw == 0 {
			out := dst[r.out:][:r.pixels*g.C]
			for i := range out {
				out[i] = 0 / d
			}
			return
		}
		averageOf(&dst[r.out], &x[r.in], r.pixels, r.kh, r.kw, r.pixelStep, r.rowStep, r.colStep, g.C, d)
	})
}

func global(dst, x []float32, n0, n1, hw, c int) {
	if chosen == cpu.Generic || hw == 0 {
		GlobalGeneric(dst, x, n0, n1, hw, c)
		return
	}
	for n := n0; n < n1; n++ {
		averageOf(&dst[n*c], &x[n*hw*c], 1, 1, hw, 0, 0, 4*c, c, float32(hw))
	}
}

func averageOf(dst, x *float32, pixels, kh, kw, pixelStep, rowStep, colStep, c int, divisor float32) {
	if chosen == cpu.AVX512 {
		averageAVX512(dst, x, pixels, kh, kw, pixelStep, rowStep, colStep, c, divisor)
	} else {
		averageAVX2(dst, x, pixels, kh, kw, pixelStep, rowStep, colStep, c, divisor)
	}
}

// run is a piece of an output line whose windows have the same taps inside the
// image.
type run struct {
	out, in                     int // elements: the first output, its first tap
	at                          int // the first tap's position in its image
	pixels, kh, kw              int
	pixelStep, rowStep, colStep int // bytes
}

// runs cuts output lines [lo,hi) into runs.
func runs(g kernel.Window, lo, hi int, f func(run)) {
	outH, outW := g.OutH(), g.OutW()
	// The inner columns are those with every tap inside.
	inner0 := (g.PadW + g.StrideW - 1) / g.StrideW
	inner1 := 0
	if room := g.W + g.PadW - (g.KW-1)*g.DilW - 1; room >= 0 {
		inner1 = min(room/g.StrideW+1, outW)
	}
	for l := lo; l < hi; l++ {
		n, oh := l/outH, l%outH
		h0, kh0, kh1 := taps(oh, g.StrideH, g.PadH, g.DilH, g.KH, g.H)
		for ow := 0; ow < outW; {
			w0, kw0, kw1 := taps(ow, g.StrideW, g.PadW, g.DilW, g.KW, g.W)
			pixels := 1
			if ow == inner0 && inner0 < inner1 {
				pixels = inner1 - inner0
			}
			at := (h0+kh0*g.DilH)*g.W + w0 + kw0*g.DilW
			f(run{
				out: (l*outW + ow) * g.C, in: (n*g.H*g.W + at) * g.C, at: at,
				pixels: pixels, kh: kh1 - kh0, kw: kw1 - kw0,
				pixelStep: 4 * g.StrideW * g.C, rowStep: 4 * g.DilH * g.W * g.C, colStep: 4 * g.DilW * g.C,
			})
			ow += pixels
		}
	}
}
