package pooling

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// Max writes output lines [lo,hi) of [0,N*OutH) to dst [N,OutH,OutW,C]. index,
// of dst's shape, receives the position h*W+w of each maximum in its image;
// nil, in inference, leaves it out.
func Max(dst []float32, index []int32, x []float32, g kernel.Window, lo, hi int) {
	check("Max", g, lo, hi, g.N*g.OutH(), len(x), len(dst))
	if index != nil {
		check("Max", g, lo, hi, g.N*g.OutH(), len(x), len(index))
	}
	if g.C > 0 && g.H > 0 && g.W > 0 {
		maxLines(dst, index, x, g, lo, hi)
	}
}

// MaxBackward overwrites images [n0,n1) of dx [N,H,W,C] with the gradient:
// every element of dy [N,OutH,OutW,C] goes to where its maximum was. An index
// of -1 goes nowhere.
func MaxBackward(dx, dy []float32, index []int32, g kernel.Window, n0, n1 int) {
	check("MaxBackward", g, n0, n1, g.N, len(dx), len(dy))
	check("MaxBackward", g, n0, n1, g.N, len(dx), len(index))
	MaxBackwardGeneric(dx, dy, index, g, n0, n1)
}

// MaxGeneric is the definition of [Max].
func MaxGeneric[T kernel.Float](dst []T, index []int32, x []T, g kernel.Window, lo, hi int) {
	outH, outW := g.OutH(), g.OutW()
	for l := lo; l < hi; l++ {
		n, oh := l/outH, l%outH
		h0, kh0, kh1 := taps(oh, g.StrideH, g.PadH, g.DilH, g.KH, g.H)
		for ow := range outW {
			w0, kw0, kw1 := taps(ow, g.StrideW, g.PadW, g.DilW, g.KW, g.W)
			at := (l*outW + ow) * g.C
			empty(dst, index, at, g.C)
			out := dst[at:][:g.C]
			var where []int32
			if index != nil {
				where = index[at:][:g.C]
			}
			first := true
			for kh := kh0; kh < kh1; kh++ {
				for kw := kw0; kw < kw1; kw++ {
					p := (h0+kh*g.DilH)*g.W + w0 + kw*g.DilW
					for i, v := range x[(n*g.H*g.W+p)*g.C:][:g.C] {
						if first || v > out[i] || v != v {
							out[i] = v
							if where != nil {
								where[i] = int32(p)
							}
						}
					}
					first = false
				}
			}
		}
	}
}

// empty writes n maxima of nothing.
func empty[T kernel.Float](dst []T, index []int32, at, n int) {
	for i := at; i < at+n; i++ {
		dst[i] = T(math.Inf(-1))
		if index != nil {
			index[i] = -1
		}
	}
}

// MaxBackwardGeneric is the definition of [MaxBackward].
func MaxBackwardGeneric[T kernel.Float](dx, dy []T, index []int32, g kernel.Window, n0, n1 int) {
	in, out := g.H*g.W*g.C, g.OutH()*g.OutW()*g.C
	for n := n0; n < n1; n++ {
		image := dx[n*in:][:in]
		clear(image)
		where := index[n*out:][:out]
		grad := dy[n*out:][:out]
		for p := 0; p < out; p += g.C {
			for c, at := range where[p:][:g.C] {
				if at >= 0 {
					image[int(at)*g.C+c] += grad[p+c]
				}
			}
		}
	}
}
