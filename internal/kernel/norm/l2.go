package norm

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// Normalize divides each of rows rows of c elements by its Euclidean norm, or
// by eps where the norm is smaller (torch.nn.functional.normalize uses 1e-12).
// norms is [R] and receives what each row was divided by; nil leaves it out.
// With eps 0 a row of zeros becomes NaN. dst may be x.
func Normalize(dst, x, norms []float32, rows, c int, eps float32) {
	check("Normalize", rows, c, dst, x)
	checkOptional("Normalize", rows, norms)
	NormalizeGeneric(dst, x, norms, rows, c, eps)
}

// NormalizeBackward writes the gradient of x, given the result y and the norms
// of the forward pass. A row whose norm was below eps was divided by a
// constant: its gradient is dy / eps. dx may be dy or y.
func NormalizeBackward(dx, dy, y, norms []float32, rows, c int, eps float32) {
	check("NormalizeBackward", rows, c, dx, dy, y)
	check("NormalizeBackward", rows, 1, norms)
	NormalizeBackwardGeneric(dx, dy, y, norms, rows, c, eps)
}

// NormalizeGeneric is the definition of [Normalize].
func NormalizeGeneric[T kernel.Float](dst, x, norms []T, rows, c int, eps T) {
	for r := range rows {
		row, out := x[r*c:][:c], dst[r*c:][:c]
		var ss float64 // no float32 overflows or vanishes when squared in float64
		for _, v := range row {
			ss += float64(float64(v) * float64(v))
		}
		n := math.Sqrt(ss)
		if n < float64(eps) {
			n = float64(eps)
		}
		for i, v := range row {
			out[i] = T(float64(v) / n)
		}
		if norms != nil {
			norms[r] = T(n)
		}
	}
}

// NormalizeBackwardGeneric is the definition of [NormalizeBackward].
func NormalizeBackwardGeneric[T kernel.Float](dx, dy, y, norms []T, rows, c int, eps T) {
	for r := range rows {
		g, row, out := dy[r*c:][:c], y[r*c:][:c], dx[r*c:][:c]
		n := float64(norms[r])
		var dot float64
		if norms[r] > eps {
			for i, v := range row {
				dot += float64(float64(v) * float64(g[i]))
			}
		}
		for i, v := range g {
			out[i] = T((float64(v) - float64(float64(row[i])*dot)) / n)
		}
	}
}
