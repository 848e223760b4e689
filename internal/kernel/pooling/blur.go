package pooling

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/kernel"
)

// Blur writes output lines [lo,hi) of [0,N*OutH) to dst [N,OutH,OutW,C]: the
// image filtered with the binomial [1 2 1]ᵀ[1 2 1]/16 and mirrored at its
// edges, the edge itself not repeated. g must have 3x3 taps, padding 1,
// dilation 1 and at least 2x2 pixels.
func Blur(dst, x []float32, g kernel.Window, lo, hi int) {
	check("Blur", g, lo, hi, g.N*g.OutH(), len(x), len(dst))
	checkBlur("Blur", g)
	BlurGeneric(dst, x, g, lo, hi)
}

// BlurBackward overwrites images [n0,n1) of dx [N,H,W,C] with the gradient of
// Blur for dy [N,OutH,OutW,C].
func BlurBackward(dx, dy []float32, g kernel.Window, n0, n1 int) {
	check("BlurBackward", g, n0, n1, g.N, len(dx), len(dy))
	checkBlur("BlurBackward", g)
	BlurBackwardGeneric(dx, dy, g, n0, n1)
}

func checkBlur(what string, g kernel.Window) {
	if g.KH != 3 || g.KW != 3 || g.PadH != 1 || g.PadW != 1 || g.DilH != 1 || g.DilW != 1 || g.MoreH != 0 || g.MoreW != 0 || g.H < 2 || g.W < 2 {
		panic(fmt.Sprintf("pooling: %s: geometry %+v", what, g))
	}
}

// binomial is the filter's row.
var binomial = [3]float32{0.25, 0.5, 0.25}

// mirror is position i of a line of n pixels that is mirrored at its ends.
func mirror(i, n int) int {
	if i < 0 {
		return -i
	}
	if i >= n {
		return 2*n - 2 - i
	}
	return i
}

// BlurGeneric is the definition of [Blur].
func BlurGeneric[T kernel.Float](dst, x []T, g kernel.Window, lo, hi int) {
	outH, outW, c := g.OutH(), g.OutW(), g.C
	for l := lo; l < hi; l++ {
		n, oh := l/outH, l%outH
		for ow := range outW {
			out := dst[(l*outW+ow)*c:][:c]
			clear(out)
			for kh := range 3 {
				row := (n*g.H + mirror(oh*g.StrideH-1+kh, g.H)) * g.W
				for kw := range 3 {
					k := T(binomial[kh] * binomial[kw])
					for i, v := range x[(row+mirror(ow*g.StrideW-1+kw, g.W))*c:][:c] {
						out[i] += T(k * v)
					}
				}
			}
		}
	}
}

// BlurBackwardGeneric is the definition of [BlurBackward].
func BlurBackwardGeneric[T kernel.Float](dx, dy []T, g kernel.Window, n0, n1 int) {
	outH, outW, c := g.OutH(), g.OutW(), g.C
	for n := n0; n < n1; n++ {
		clear(dx[n*g.H*g.W*c:][:g.H*g.W*c])
		for oh := range outH {
			for ow := range outW {
				grad := dy[((n*outH+oh)*outW+ow)*c:][:c]
				for kh := range 3 {
					row := (n*g.H + mirror(oh*g.StrideH-1+kh, g.H)) * g.W
					for kw := range 3 {
						k := T(binomial[kh] * binomial[kw])
						to := dx[(row+mirror(ow*g.StrideW-1+kw, g.W))*c:][:c]
						for i, v := range grad {
							to[i] += T(k * v)
						}
					}
				}
			}
		}
	}
}
