package elementwise

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// AddGeneric is the definition of Add.
func AddGeneric[T kernel.Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] + b[i]
	}
}

// AddToGeneric is the definition of AddTo.
func AddToGeneric[T kernel.Float](dst, a []T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] += a[i]
	}
}

// ScaleGeneric is the definition of Scale.
func ScaleGeneric[T kernel.Float](dst, a []T, k T) {
	a = a[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * k
	}
}

// AxpyGeneric is the definition of Axpy.
func AxpyGeneric[T kernel.Float](dst []T, k T, x []T) {
	x = x[:len(dst)]
	for i := range dst {
		dst[i] += T(k * x[i])
	}
}

// MulGeneric is the definition of Mul.
func MulGeneric[T kernel.Float](dst, a, b []T) {
	a, b = a[:len(dst)], b[:len(dst)]
	for i := range dst {
		dst[i] = a[i] * b[i]
	}
}

// FillGeneric is the definition of Fill.
func FillGeneric[T kernel.Float](dst []T, k T) {
	for i := range dst {
		dst[i] = k
	}
}

// AffineChannelsGeneric is the definition of AffineChannels.
func AffineChannelsGeneric[T kernel.Float](dst, x, scale, shift, residual []T, rows, c int, relu bool) {
	for r := range rows {
		y, x := dst[r*c:][:c], x[r*c:][:c]
		for i, v := range x {
			v = T(v*scale[i]) + shift[i]
			if residual != nil {
				v += residual[r*c+i]
			}
			if relu && v < 0 {
				v = 0
			}
			y[i] = v
		}
	}
}

// ScaleChannelsGeneric is the definition of ScaleChannels.
func ScaleChannelsGeneric[T kernel.Float](dst, x, gamma []T, rows, c int) {
	for r := range rows {
		y, x := dst[r*c:][:c], x[r*c:][:c]
		for i, v := range x {
			y[i] = v * gamma[i]
		}
	}
}

// block is the number of rows that ColumnSums and ColumnDots add up before
// they add to the total: it keeps the error near that of adding block terms.
const block = 256

// width is the number of columns that the generic forms add up side by side.
const width = 16

// ColumnSumsGeneric is the definition of ColumnSums.
func ColumnSumsGeneric[T kernel.Float](sum, x []T, rows, c int) {
	for r0 := 0; r0 < rows; r0 += block {
		end := min(r0+block, rows)
		for i := 0; i < c; i += width {
			var s [width]T
			n := min(width, c-i)
			for r := r0; r < end; r++ {
				for j, v := range x[r*c+i:][:n] {
					s[j] += v
				}
			}
			for j, v := range s[:n] {
				sum[i+j] += v
			}
		}
	}
}

// ColumnDotsGeneric is the definition of ColumnDots.
func ColumnDotsGeneric[T kernel.Float](sum, a, b []T, rows, c int) {
	for r0 := 0; r0 < rows; r0 += block {
		end := min(r0+block, rows)
		for i := 0; i < c; i += width {
			var s [width]T
			n := min(width, c-i)
			for r := r0; r < end; r++ {
				w := b[r*c+i:][:n]
				for j, v := range a[r*c+i:][:n] {
					s[j] += T(v * w[j])
				}
			}
			for j, v := range s[:n] {
				sum[i+j] += v
			}
		}
	}
}

// SumSquaresGeneric is the definition of SumSquares: element i goes to the
// sum i modulo 16, and the 16 sums are added in pairs that lie 8, 4, 2 and 1
// apart.
func SumSquaresGeneric[T kernel.Float](x []T) float64 {
	var s [16]float64
	return finishSquares(&s, x)
}

// finishSquares adds the squares of x to the sums s and those to each other.
func finishSquares[T kernel.Float](s *[16]float64, x []T) float64 {
	for i, v := range x {
		s[i&15] += float64(float64(v) * float64(v))
	}
	for d := 8; d > 0; d /= 2 {
		for i := range d {
			s[i] += s[i+d]
		}
	}
	return s[0]
}

// SGDGeneric is the definition of SGD.
func SGDGeneric[T kernel.Float](p, g, buf []T, lr, momentum, weightDecay, gradScale T, nesterov, first bool) {
	g = g[:len(p)]
	for i := range p {
		d := T(g[i]*gradScale) + T(weightDecay*p[i])
		if momentum != 0 {
			b := d
			if !first {
				b += T(momentum * buf[i])
			}
			buf[i] = b
			if nesterov {
				d += T(momentum * b)
			} else {
				d = b
			}
		}
		p[i] -= T(lr * d)
	}
}

// AdamWGeneric is the definition of AdamW.
func AdamWGeneric[T kernel.Float](p, g, m, v []T, h AdamWStep) {
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	k := newFactors[T](h)
	for i := range p {
		d := T(g[i] * k.gradScale)
		m[i] += T(k.blend1 * (d - m[i]))
		v[i] = T(v[i]*k.beta2) + T(k.blend2*d)*d
		denom := T(sqrt(v[i])*k.rescale) + k.eps
		p[i] = T(p[i]*k.decay) - T(k.step*m[i])/denom
	}
}

// factors are the scalars of one AdamW step, computed in float64.
type factors[T kernel.Float] struct {
	gradScale T
	blend1    T // 1-β1
	beta2     T
	blend2    T // 1-β2
	rescale   T // 1/√(1-β2ᵗ)
	eps       T
	decay     T // 1 - LR*WeightDecay
	step      T // LR/(1-β1ᵗ)
}

func newFactors[T kernel.Float](h AdamWStep) factors[T] {
	return factors[T]{
		gradScale: T(h.GradScale),
		blend1:    T(1 - h.Beta1),
		beta2:     T(h.Beta2),
		blend2:    T(1 - h.Beta2),
		rescale:   T(1 / math.Sqrt(h.Correction2)),
		eps:       T(h.Eps),
		decay:     T(1 - h.LR*h.WeightDecay),
		step:      T(h.LR / h.Correction1),
	}
}

func sqrt[T kernel.Float](v T) T { return T(math.Sqrt(float64(v))) }

// EMAGeneric is the definition of EMA.
func EMAGeneric[T kernel.Float](avg, p []T, decay float64) {
	p = p[:len(avg)]
	k := T(1 - decay)
	for i := range avg {
		avg[i] += T(k * (p[i] - avg[i]))
	}
}
