package pooling

import (
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func blurWindow(n, h, w, c, stride int) kernel.Window {
	return kernel.Window{N: n, H: h, W: w, C: c, KH: 3, KW: 3, StrideH: stride, StrideW: stride, PadH: 1, PadW: 1, DilH: 1, DilW: 1}
}

func TestBlurByHand(t *testing.T) {
	// Mirrored, row 0 is 2 1 2, row 1 the same: (2+2·1+2)/4, in both directions.
	x := []float32{1, 2, 3, 4}
	dst := make([]float32, 1)
	Blur(dst, x, blurWindow(1, 2, 2, 1, 2), 0, 1)
	kerneltest.Equal(t, "y", dst, []float32{(4 + 2*3 + 4 + 2*(2+2*1+2) + 4 + 2*3 + 4) / 16.0})
}

func TestBlurKeepsConstants(t *testing.T) {
	for _, stride := range []int{1, 2} {
		g := blurWindow(2, 5, 4, 3, stride)
		x, y := make([]float32, g.N*g.H*g.W*g.C), make([]float32, g.N*g.OutH()*g.OutW()*g.C)
		for i := range x {
			x[i] = 7
		}
		Blur(y, x, g, 0, g.N*g.OutH())
		for i, v := range y {
			if v != 7 {
				t.Fatalf("stride %d: element %d is %v", stride, i, v)
			}
		}
	}
}

func TestBlurGradient(t *testing.T) {
	for _, g := range []kernel.Window{blurWindow(2, 5, 4, 3, 2), blurWindow(1, 2, 2, 1, 2), blurWindow(1, 4, 3, 2, 1)} {
		x, y := make([]float64, g.N*g.H*g.W*g.C), make([]float64, g.N*g.OutH()*g.OutW()*g.C)
		kerneltest.Normal(x, 1, 0, 1)
		w, loss := kerneltest.Weighted(len(y), 2)
		dx := make([]float64, len(x))
		BlurBackwardGeneric(dx, w, g, 0, g.N)
		kerneltest.Gradient(t, func([]float64) float64 { BlurGeneric(y, x, g, 0, g.N*g.OutH()); return loss(y) }, x, dx)
	}
}
