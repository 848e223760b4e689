package elementwise

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
)

// functions is one variant of the kernels.
type functions struct {
	add            func(dst, a, b []float32)
	addTo          func(dst, a []float32)
	scale          func(dst, a []float32, k float32)
	axpy           func(dst []float32, k float32, x []float32)
	mul            func(dst, a, b []float32)
	fill           func(dst []float32, k float32)
	affineChannels func(dst, x, scale, shift, residual []float32, rows, c int, relu bool)
	scaleChannels  func(dst, x, gamma []float32, rows, c int)
	columnSums     func(sum, x []float32, rows, c int)
	columnDots     func(sum, a, b []float32, rows, c int)
	sumSquares     func(x []float32) float64
	sgd            func(p, g, buf []float32, lr, momentum, weightDecay, gradScale float32, nesterov, first bool)
	adamW          func(p, g, m, v []float32, h AdamWStep)
	ema            func(avg, p []float32, decay float64)
}

var generic = functions{
	add:            AddGeneric[float32],
	addTo:          AddToGeneric[float32],
	scale:          ScaleGeneric[float32],
	axpy:           AxpyGeneric[float32],
	mul:            MulGeneric[float32],
	fill:           FillGeneric[float32],
	affineChannels: AffineChannelsGeneric[float32],
	scaleChannels:  ScaleChannelsGeneric[float32],
	columnSums:     ColumnSumsGeneric[float32],
	columnDots:     ColumnDotsGeneric[float32],
	sumSquares:     SumSquaresGeneric[float32],
	sgd:            SGDGeneric[float32],
	adamW:          AdamWGeneric[float32],
	ema:            EMAGeneric[float32],
}

// fast is what the exported functions use. There is nothing beyond AVX2.
var fast = func() functions {
	if cpu.Has(cpu.AVX2) {
		return choose(cpu.AVX2)
	}
	return generic
}()

// Add computes dst[i] = a[i] + b[i]. dst may be a or b or both.
func Add(dst, a, b []float32) {
	check("Add", len(dst), len(a), len(b))
	fast.add(dst, a, b)
}

// AddTo computes dst[i] += a[i]. a may be dst.
func AddTo(dst, a []float32) {
	check("AddTo", len(dst), len(a))
	fast.addTo(dst, a)
}

// Scale computes dst[i] = k*a[i]. dst may be a.
func Scale(dst, a []float32, k float32) {
	check("Scale", len(dst), len(a))
	fast.scale(dst, a, k)
}

// Axpy computes dst[i] += k*x[i], also for k = 0: a NaN in x is seen. x may be
// dst.
func Axpy(dst []float32, k float32, x []float32) {
	check("Axpy", len(dst), len(x))
	fast.axpy(dst, k, x)
}

// Mul computes dst[i] = a[i] * b[i]. dst may be a or b or both.
func Mul(dst, a, b []float32) {
	check("Mul", len(dst), len(a), len(b))
	fast.mul(dst, a, b)
}

// Fill sets dst[i] = k.
func Fill(dst []float32, k float32) { fast.fill(dst, k) }

// AffineChannels computes, for the matrices dst, x and residual of rows x c,
//
//	dst[r,i] = x[r,i]*scale[i] + shift[i] + residual[r,i]
//
// and, if relu, replaces negative results by 0 (NaN stays NaN). It applies a
// batch normalisation whose statistics are folded into scale and shift, both
// [c]. A nil residual leaves its term out. dst may be x or residual or both.
func AffineChannels(dst, x, scale, shift, residual []float32, rows, c int, relu bool) {
	check("AffineChannels", rows*c, len(dst), len(x))
	check("AffineChannels: scale and shift", c, len(scale), len(shift))
	if residual != nil {
		check("AffineChannels: residual", rows*c, len(residual))
	}
	fast.affineChannels(dst, x, scale, shift, residual, rows, c, relu)
}

// ScaleChannels computes dst[r,i] = x[r,i]*gamma[i] for matrices of rows x c:
// layer scale. dst may be x.
func ScaleChannels(dst, x, gamma []float32, rows, c int) {
	check("ScaleChannels", rows*c, len(dst), len(x))
	check("ScaleChannels: gamma", c, len(gamma))
	fast.scaleChannels(dst, x, gamma, rows, c)
}

// ColumnSums adds the sum of every column of x [rows,c] to sum [c]: the
// gradient of a bias. Rows are added in order within blocks of 256, then the
// blocks in order.
func ColumnSums(sum, x []float32, rows, c int) {
	check("ColumnSums", rows*c, len(x))
	check("ColumnSums: sum", c, len(sum))
	fast.columnSums(sum, x, rows, c)
}

// ColumnDots adds the sum over r of a[r,i]*b[r,i] to sum[i]: the gradient of a
// scale. a and b are [rows,c], sum is [c]; the order is that of ColumnSums. a
// may be b.
func ColumnDots(sum, a, b []float32, rows, c int) {
	check("ColumnDots", rows*c, len(a), len(b))
	check("ColumnDots: sum", c, len(sum))
	fast.columnDots(sum, a, b, rows, c)
}

// SumSquares is the sum of x[i]², 0 for an empty slice. Squares and sums are
// float64, in a fixed order, the same in every variant.
func SumSquares(x []float32) float64 { return fast.sumSquares(x) }

// SGD makes one step of stochastic gradient descent as torch.optim.SGD does
// with dampening 0:
//
//	d = gradScale*g + weightDecay*p
//	if momentum != 0 {
//		buf = momentum*buf + d // d alone if first
//		d = buf, or d + momentum*buf if nesterov
//	}
//	p -= lr*d
//
// p, g and buf have one length; buf may be nil if momentum is 0, and its
// contents are ignored if first. g is only read.
// None of the slices may overlap.
func SGD(p, g, buf []float32, lr, momentum, weightDecay, gradScale float32, nesterov, first bool) {
	check("SGD", len(p), len(g))
	if momentum != 0 {
		check("SGD: momentum buffer", len(p), len(buf))
	}
	fast.sgd(p, g, buf, lr, momentum, weightDecay, gradScale, nesterov, first)
}

// AdamWStep holds the hyperparameters of one AdamW step, in float64 because
// 1-0.999 has four good digits in float32. Every field is used as it is: a
// zero GradScale means a zero gradient, zero corrections divide by zero.
type AdamWStep struct {
	LR, Beta1, Beta2, Eps, WeightDecay float64
	GradScale                          float64 // factor on the gradient, 1 for none
	Correction1, Correction2           float64 // 1-β1ᵗ and 1-β2ᵗ, t = 1 at the first step
}

// AdamW makes one step of Adam with decoupled weight decay (Loshchilov, Hutter
// 2019, arXiv:1711.05101, algorithm 2) as torch.optim.AdamW does:
//
//	d  = GradScale*g
//	m += (1-Beta1)*(d-m)
//	v  = Beta2*v + (1-Beta2)*d²
//	p  = p*(1-LR*WeightDecay) - LR/Correction1 * m / (√v/√Correction2 + Eps)
//
// The four slices have one length and may not overlap; g is only read.
func AdamW(p, g, m, v []float32, h AdamWStep) {
	check("AdamW", len(p), len(g), len(m), len(v))
	fast.adamW(p, g, m, v, h)
}

// EMA moves avg towards p: avg[i] += (1-decay)*(p[i]-avg[i]), with 1-decay
// computed in float64. avg and p may not overlap unless they are the same.
func EMA(avg, p []float32, decay float64) {
	check("EMA", len(avg), len(p))
	fast.ema(avg, p, decay)
}

func check(name string, want int, got ...int) {
	for _, n := range got {
		if n != want {
			panic(fmt.Sprintf("elementwise: %s: length %d, want %d", name, n, want))
		}
	}
}
