package norm

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// ResponseScale turns the norms G [C] of one image's channels into factors
// 1 + γ·G/(mean(G)+ε) that its pixels are multiplied by.
func ResponseScale(scale, norms, weight []float32, c int, eps float32) {
	check("ResponseScale", 1, c, scale, norms, weight)
	m := meanOf(norms[:c]) + float64(eps)
	for i := range c {
		scale[i] = float32(1 + float64(float64(weight[i])*float64(norms[i])/m))
	}
}

// ResponseGradient turns the norms G and the sums D = Σ dy·x of one image's
// channels, [C] each, into the factor k by which its gradient has x beside
// scale·dy (see [ResponseScale]), and adds its part of the gradient of weight
// to dweight. A channel of zeros has k 0.
func ResponseGradient(k, dweight, norms, dots, weight []float32, c int, eps float32) {
	check("ResponseGradient", 1, c, k, dweight, norms, dots, weight)
	m := meanOf(norms[:c]) + float64(eps)
	var all float64
	for i := range c {
		dweight[i] += float32(float64(norms[i]) / m * float64(dots[i]))
		all += float64(float64(weight[i]) * float64(dots[i]) * float64(norms[i]))
	}
	all /= float64(c) * m * m
	for i := range c {
		k[i] = 0
		if g := float64(norms[i]); g != 0 {
			k[i] = float32((float64(float64(weight[i])*float64(dots[i]))/m - all) / g)
		}
	}
}

func meanOf[T kernel.Float](x []T) float64 {
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s / float64(len(x))
}

// GRNGeneric is the definition of GRN over images x [N,HW,C]; norms is [N,C]
// and receives the channels' Euclidean norms.
func GRNGeneric[T kernel.Float](dst, x, weight, bias, norms []T, n, hw, c int, eps T) {
	for i := range n {
		img, g := x[i*hw*c:][:hw*c], norms[i*c:][:c]
		for j := range c {
			var ss float64
			for p := range hw {
				v := float64(img[p*c+j])
				ss += float64(v * v)
			}
			g[j] = T(math.Sqrt(ss))
		}
		m := meanOf(g) + float64(eps)
		out := dst[i*hw*c:][:hw*c]
		for p := range hw {
			for j := range c {
				v := float64(img[p*c+j])
				out[p*c+j] = T(v + float64(bias[j]) + float64(float64(weight[j])*float64(v*(float64(g[j])/m))))
			}
		}
	}
}

// GRNBackwardGeneric is the definition of GRN's gradient. It adds to dweight
// and dbias. The norm of a channel of zeros has the gradient 0.
func GRNBackwardGeneric[T kernel.Float](dx, dweight, dbias, dy, x, weight, norms []T, n, hw, c int, eps T) {
	dots := make([]float64, c)
	for i := range n {
		img, grad, out, g := x[i*hw*c:][:hw*c], dy[i*hw*c:][:hw*c], dx[i*hw*c:][:hw*c], norms[i*c:][:c]
		m := meanOf(g) + float64(eps)
		var all float64
		for j := range c {
			dots[j] = 0
			for p := range hw {
				d := float64(grad[p*c+j])
				dbias[j] += T(d)
				dots[j] += float64(d * float64(img[p*c+j]))
			}
			dweight[j] += T(float64(g[j]) / m * dots[j])
			all += float64(weight[j]) * dots[j] * float64(g[j])
		}
		all /= float64(c) * m * m
		for j := range c {
			k := 0.0
			if g[j] != 0 {
				k = (float64(weight[j])*dots[j]/m - all) / float64(g[j])
			}
			s := 1 + float64(weight[j])*float64(g[j])/m
			for p := range hw {
				out[p*c+j] = T(float64(float64(grad[p*c+j])*s) + float64(float64(img[p*c+j])*k))
			}
		}
	}
}
