package softmax

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

// Softmax turns each of rows rows of c logits into probabilities. dst may be x.
func Softmax(dst, x []float32, rows, c int) {
	check("Softmax", rows, c, dst, x)
	if rows > 0 && c > 0 {
		softmax(dst, x, rows, c)
	}
}

// SoftmaxBackward writes dx = y (dy - Σ dy y), with y the probabilities. dx may
// be dy or y.
func SoftmaxBackward(dx, dy, y []float32, rows, c int) {
	check("SoftmaxBackward", rows, c, dx, dy, y)
	if rows > 0 && c > 0 {
		softmaxBackward(dx, dy, y, rows, c)
	}
}

// LogSoftmax writes x - logsumexp(x) for each row. dst may be x.
func LogSoftmax(dst, x []float32, rows, c int) {
	check("LogSoftmax", rows, c, dst, x)
	LogSoftmaxGeneric(dst, x, rows, c)
}

// LogSumExp writes log Σ exp(x) of each row to dst [R]. A row without elements
// has -Inf.
func LogSumExp(dst, x []float32, rows, c int) {
	check("LogSumExp", rows, c, x)
	check("LogSumExp", rows, 1, dst)
	LogSumExpGeneric(dst, x, rows, c)
}

// SoftmaxGeneric is the definition of [Softmax].
func SoftmaxGeneric[T kernel.Float](dst, x []T, rows, c int) {
	for r := range rows {
		row, out := x[r*c:][:c], dst[r*c:][:c]
		m := origin(row)
		var s float64
		for i, v := range row {
			e := math.Exp(float64(v) - m)
			s += e
			out[i] = T(e)
		}
		s = 1 / s
		for i, e := range out {
			out[i] = T(float64(e) * s)
		}
	}
}

// SoftmaxBackwardGeneric is the definition of [SoftmaxBackward].
func SoftmaxBackwardGeneric[T kernel.Float](dx, dy, y []T, rows, c int) {
	for r := range rows {
		g, p, out := dy[r*c:][:c], y[r*c:][:c], dx[r*c:][:c]
		var dot float64
		for i, v := range g {
			dot += float64(float64(v) * float64(p[i]))
		}
		for i, v := range g {
			out[i] = T(float64(p[i]) * (float64(v) - dot))
		}
	}
}

// LogSoftmaxGeneric is the definition of [LogSoftmax].
func LogSoftmaxGeneric[T kernel.Float](dst, x []T, rows, c int) {
	for r := range rows {
		row, out := x[r*c:][:c], dst[r*c:][:c]
		m := origin(row)
		l := logSum(row, m)
		for i, v := range row {
			out[i] = T(float64(v) - m - l)
		}
	}
}

// LogSumExpGeneric is the definition of [LogSumExp].
func LogSumExpGeneric[T kernel.Float](dst, x []T, rows, c int) {
	for r := range rows {
		dst[r] = T(logSumExp(x[r*c:][:c]))
	}
}

// logSumExp is log Σ exp(x) in float64.
func logSumExp[T kernel.Float](x []T) float64 {
	m := largest(x)
	if math.IsInf(m, 0) || math.IsNaN(m) {
		return m
	}
	return m + logSum(x, m)
}

// logSum is log Σ exp(x - m).
func logSum[T kernel.Float](x []T, m float64) float64 {
	var s float64
	for _, v := range x {
		s += math.Exp(float64(v) - m)
	}
	return math.Log(s)
}

// origin is the largest element, NaN if the row has no probabilities: with
// +Inf in it, or nothing but -Inf.
func origin[T kernel.Float](row []T) float64 {
	m := largest(row)
	if math.IsInf(m, 0) {
		return math.NaN()
	}
	return m
}

// largest is the maximum, NaN if there is one, -Inf if x is empty.
func largest[T kernel.Float](x []T) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		if f := float64(v); f > m || f != f {
			m = f
		}
	}
	return m
}

func check[T any](what string, rows, c int, slices ...[]T) {
	if rows < 0 || c < 0 {
		panic(fmt.Sprintf("softmax: %s: %d rows of %d", what, rows, c))
	}
	for i, s := range slices {
		if len(s) < rows*c {
			panic(fmt.Sprintf("softmax: %s: slice %d has %d elements, want %dx%d", what, i, len(s), rows, c))
		}
	}
}
