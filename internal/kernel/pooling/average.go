package pooling

import "github.com/winnow-go/winnow/internal/kernel"

// Average writes output lines [lo,hi) of [0,N*OutH) to dst [N,OutH,OutW,C].
// With countIncludePad the divisor is KH*KW everywhere, otherwise the number
// of taps inside the image.
func Average(dst, x []float32, g kernel.Window, countIncludePad bool, lo, hi int) {
	check("Average", g, lo, hi, g.N*g.OutH(), len(x), len(dst))
	if g.C > 0 {
		averageLines(dst, x, g, countIncludePad, lo, hi)
	}
}

// AverageBackward overwrites images [n0,n1) of dx [N,H,W,C] with the gradient
// of Average for dy [N,OutH,OutW,C].
func AverageBackward(dx, dy []float32, g kernel.Window, countIncludePad bool, n0, n1 int) {
	check("AverageBackward", g, n0, n1, g.N, len(dx), len(dy))
	AverageBackwardGeneric(dx, dy, g, countIncludePad, n0, n1)
}

// AverageGeneric is the definition of [Average].
func AverageGeneric[T kernel.Float](dst, x []T, g kernel.Window, countIncludePad bool, lo, hi int) {
	outH, outW := g.OutH(), g.OutW()
	for l := lo; l < hi; l++ {
		n, oh := l/outH, l%outH
		h0, kh0, kh1 := taps(oh, g.StrideH, g.PadH, g.DilH, g.KH, g.H)
		for ow := range outW {
			w0, kw0, kw1 := taps(ow, g.StrideW, g.PadW, g.DilW, g.KW, g.W)
			out := dst[(l*outW+ow)*g.C:][:g.C]
			clear(out)
			for kh := kh0; kh < kh1; kh++ {
				for kw := kw0; kw < kw1; kw++ {
					p := (h0+kh*g.DilH)*g.W + w0 + kw*g.DilW
					for i, v := range x[(n*g.H*g.W+p)*g.C:][:g.C] {
						out[i] += v
					}
				}
			}
			d := T(divisor(g, countIncludePad, (kh1-kh0)*(kw1-kw0)))
			for i := range out {
				out[i] /= d // 0/0 for a window without taps
			}
		}
	}
}

func divisor(g kernel.Window, countIncludePad bool, inside int) int {
	if countIncludePad {
		return g.KH * g.KW
	}
	return inside
}

// AverageBackwardGeneric is the definition of [AverageBackward].
func AverageBackwardGeneric[T kernel.Float](dx, dy []T, g kernel.Window, countIncludePad bool, n0, n1 int) {
	outH, outW, size := g.OutH(), g.OutW(), g.H*g.W*g.C
	for n := n0; n < n1; n++ {
		image := dx[n*size:][:size]
		clear(image)
		for oh := range outH {
			h0, kh0, kh1 := taps(oh, g.StrideH, g.PadH, g.DilH, g.KH, g.H)
			for ow := range outW {
				w0, kw0, kw1 := taps(ow, g.StrideW, g.PadW, g.DilW, g.KW, g.W)
				d := T(divisor(g, countIncludePad, (kh1-kh0)*(kw1-kw0)))
				grad := dy[((n*outH+oh)*outW+ow)*g.C:][:g.C]
				for kh := kh0; kh < kh1; kh++ {
					for kw := kw0; kw < kw1; kw++ {
						p := (h0+kh*g.DilH)*g.W + w0 + kw*g.DilW
						to := image[p*g.C:][:g.C]
						for i, v := range grad {
							to[i] += v / d
						}
					}
				}
			}
		}
	}
}
