package norm

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// RMSNorm divides each of rows rows of c elements by √(mean(x²)+ε), then
// scales. gamma is [C], nil means ones. rstd is [R] and receives what each row
// was multiplied by, for the backward pass; nil leaves it out. dst may be x. A
// row of zeros stays one.
func RMSNorm(dst, x, gamma, rstd []float32, rows, c int, eps float32) {
	check("RMSNorm", rows, c, dst, x)
	checkOptional("RMSNorm", c, gamma)
	checkOptional("RMSNorm", rows, rstd)
	RMSNormGeneric(dst, x, gamma, rstd, rows, c, eps)
}

// RMSNormBackward writes the gradient of x to dx and adds that of gamma to
// dgamma (nil leaves it out). dx may be dy.
func RMSNormBackward(dx, dgamma, dy, x, gamma, rstd []float32, rows, c int) {
	check("RMSNormBackward", rows, c, dx, dy, x)
	check("RMSNormBackward", rows, 1, rstd)
	checkOptional("RMSNormBackward", c, dgamma, gamma)
	RMSNormBackwardGeneric(dx, dgamma, dy, x, gamma, rstd, rows, c)
}

// SimpleNorm divides each row by √(σ²+ε), with σ² the unbiased variance (over
// C-1), then scales: the mean is not taken off. mean and rstd are [R] and
// receive μ and 1/√(σ²+ε), for the backward pass; nil leaves them out. dst may
// be x. With one channel the variance is undefined and the result NaN.
func SimpleNorm(dst, x, gamma, mean, rstd []float32, rows, c int, eps float32) {
	check("SimpleNorm", rows, c, dst, x)
	checkOptional("SimpleNorm", c, gamma)
	checkOptional("SimpleNorm", rows, mean, rstd)
	SimpleNormGeneric(dst, x, gamma, mean, rstd, rows, c, eps)
}

// SimpleNormBackward writes the gradient of x to dx and adds that of gamma to
// dgamma (nil leaves it out). dx may be dy.
func SimpleNormBackward(dx, dgamma, dy, x, gamma, mean, rstd []float32, rows, c int) {
	check("SimpleNormBackward", rows, c, dx, dy, x)
	check("SimpleNormBackward", rows, 1, mean, rstd)
	checkOptional("SimpleNormBackward", c, dgamma, gamma)
	SimpleNormBackwardGeneric(dx, dgamma, dy, x, gamma, mean, rstd, rows, c)
}

// RMSNormGeneric is the definition of [RMSNorm]. Sums are taken in float64.
func RMSNormGeneric[T kernel.Float](dst, x, gamma, rstd []T, rows, c int, eps T) {
	for r := range rows {
		row := x[r*c:][:c]
		var ss float64
		for _, v := range row {
			ss += float64(float64(v) * float64(v))
		}
		ρ := 1 / math.Sqrt(ss/float64(c)+float64(eps))
		scaleRow(dst[r*c:][:c], row, gamma, ρ)
		if rstd != nil {
			rstd[r] = T(ρ)
		}
	}
}

// RMSNormBackwardGeneric is the definition of [RMSNormBackward].
func RMSNormBackwardGeneric[T kernel.Float](dx, dgamma, dy, x, gamma, rstd []T, rows, c int) {
	sums := newSums(dgamma)
	for r := range rows {
		scaleRowBackward(dx[r*c:][:c], sums, dy[r*c:][:c], x[r*c:][:c], gamma, 0, float64(rstd[r]), c)
	}
	addSums(dgamma, sums)
}

// SimpleNormGeneric is the definition of [SimpleNorm]. Sums are taken in
// float64.
func SimpleNormGeneric[T kernel.Float](dst, x, gamma, mean, rstd []T, rows, c int, eps T) {
	for r := range rows {
		row := x[r*c:][:c]
		μ, m2 := rowMoments(row)
		ρ := 1 / math.Sqrt(m2/float64(c-1)+float64(eps))
		scaleRow(dst[r*c:][:c], row, gamma, ρ)
		if mean != nil {
			mean[r] = T(μ)
		}
		if rstd != nil {
			rstd[r] = T(ρ)
		}
	}
}

// SimpleNormBackwardGeneric is the definition of [SimpleNormBackward].
func SimpleNormBackwardGeneric[T kernel.Float](dx, dgamma, dy, x, gamma, mean, rstd []T, rows, c int) {
	sums := newSums(dgamma)
	for r := range rows {
		scaleRowBackward(dx[r*c:][:c], sums, dy[r*c:][:c], x[r*c:][:c], gamma, float64(mean[r]), float64(rstd[r]), c-1)
	}
	addSums(dgamma, sums)
}

// newSums is where the gradient dst is added up, nil for nil.
func newSums[T kernel.Float](dst []T) []float64 {
	if dst == nil {
		return nil
	}
	return make([]float64, len(dst))
}

func addSums[T kernel.Float](dst []T, sums []float64) {
	for i, v := range sums {
		dst[i] += T(v)
	}
}

func scaleRow[T kernel.Float](out, row, gamma []T, ρ float64) {
	for i, v := range row {
		y := float64(v) * ρ
		if gamma != nil {
			y *= float64(gamma[i])
		}
		out[i] = T(y)
	}
}

// scaleRowBackward is the gradient of y = γ ρ x with 1/ρ² = Σ(x-μ)²/n + ε:
// dx = ρ (g - ρ² (x-μ) Σ(g x)/n) with g = γ dy. That Σ(x-μ) is 0 makes μ's own
// gradient vanish.
func scaleRowBackward[T kernel.Float](out []T, dgamma []float64, dy, row, gamma []T, μ, ρ float64, n int) {
	var dot float64
	for i, v := range dy {
		d := float64(v)
		if dgamma != nil {
			dgamma[i] += float64(d * float64(float64(row[i])*ρ))
		}
		if gamma != nil {
			d *= float64(gamma[i])
		}
		dot += float64(d * float64(row[i]))
	}
	k := ρ * ρ * dot / float64(n)
	for i, v := range dy {
		d := float64(v)
		if gamma != nil {
			d *= float64(gamma[i])
		}
		out[i] = T(ρ * (d - float64((float64(row[i])-μ)*k)))
	}
}
