package norm

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

// chosen is the variant that runs; the conformance suite replaces it.
var chosen = fastest()

func fastest() cpu.Variant {
	all := cpu.Variants()
	return all[len(all)-1]
}

// LayerNorm normalises each of rows rows of c elements to mean 0 and variance
// 1, then scales and shifts. gamma and beta are [C]; nil means ones and zeros.
// mean and rstd are [R] and receive μ and 1/√(σ²+ε), which the backward pass
// needs; nil leaves them out. dst may be x. With no rows it does nothing; a
// constant row becomes beta.
func LayerNorm(dst, x, gamma, beta, mean, rstd []float32, rows, c int, eps float32) {
	check("LayerNorm", rows, c, dst, x)
	checkOptional("LayerNorm", c, gamma, beta)
	checkOptional("LayerNorm", rows, mean, rstd)
	if rows == 0 || c == 0 {
		return
	}
	layerNorm(dst, x, gamma, beta, mean, rstd, rows, c, eps)
}

// LayerNormBackward writes the gradient of x to dx and adds those of gamma and
// beta to dgamma and dbeta (nil leaves them out). mean and rstd are those of
// the forward pass, gamma as there. dx may be dy.
//
// Callers that split the rows give every piece its own dgamma and dbeta and
// add those up in a fixed order.
func LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, rows, c int) {
	check("LayerNormBackward", rows, c, dx, dy, x)
	check("LayerNormBackward", rows, 1, mean, rstd)
	checkOptional("LayerNormBackward", c, dgamma, dbeta, gamma)
	if rows == 0 || c == 0 {
		return
	}
	layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, c)
}

// LayerNormGeneric is the definition of [LayerNorm]. Sums are taken in float64.
func LayerNormGeneric[T kernel.Float](dst, x, gamma, beta, mean, rstd []T, rows, c int, eps T) {
	for r := range rows {
		row, out := x[r*c:][:c], dst[r*c:][:c]
		μ, m2 := rowMoments(row)
		ρ := 1 / math.Sqrt(m2/float64(c)+float64(eps))
		for i, v := range row {
			y := (float64(v) - μ) * ρ
			if gamma != nil {
				y *= float64(gamma[i])
			}
			if beta != nil {
				y += float64(beta[i])
			}
			out[i] = T(y)
		}
		if mean != nil {
			mean[r] = T(μ)
		}
		if rstd != nil {
			rstd[r] = T(ρ)
		}
	}
}

// rowMoments is the mean and the sum of squared differences from it.
func rowMoments[T kernel.Float](row []T) (mean, m2 float64) {
	for _, v := range row {
		mean += float64(v)
	}
	mean /= float64(len(row))
	for _, v := range row {
		d := float64(v) - mean
		m2 += float64(d * d)
	}
	return mean, m2
}

// LayerNormBackwardGeneric is the definition of [LayerNormBackward].
func LayerNormBackwardGeneric[T kernel.Float](dx, dgamma, dbeta, dy, x, gamma, mean, rstd []T, rows, c int) {
	for r := range rows {
		row, g, out := x[r*c:][:c], dy[r*c:][:c], dx[r*c:][:c]
		μ, ρ := float64(mean[r]), float64(rstd[r])
		var sg, sgx float64
		for i, v := range g {
			d, xh := float64(v), (float64(row[i])-μ)*ρ
			if dgamma != nil {
				dgamma[i] += T(d * xh)
			}
			if dbeta != nil {
				dbeta[i] += v
			}
			if gamma != nil {
				d *= float64(gamma[i])
			}
			sg += d
			sgx += float64(d * xh)
		}
		sg /= float64(c)
		sgx /= float64(c)
		for i, v := range g {
			d, xh := float64(v), (float64(row[i])-μ)*ρ
			if gamma != nil {
				d *= float64(gamma[i])
			}
			out[i] = T(ρ * (d - sg - float64(xh*sgx)))
		}
	}
}

// check panics unless every slice has rows*c elements or more.
func check[T any](what string, rows, c int, slices ...[]T) {
	if rows < 0 || c < 0 {
		panic(fmt.Sprintf("norm: %s: %d rows of %d", what, rows, c))
	}
	for i, s := range slices {
		if len(s) < rows*c {
			panic(fmt.Sprintf("norm: %s: slice %d has %d elements, want %dx%d", what, i, len(s), rows, c))
		}
	}
}

func checkOptional[T any](what string, n int, slices ...[]T) {
	for i, s := range slices {
		if s != nil && len(s) < n {
			panic(fmt.Sprintf("norm: %s: optional slice %d has %d elements, want %d", what, i, len(s), n))
		}
	}
}
