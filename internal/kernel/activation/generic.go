package activation

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// ForwardGeneric is the definition of Forward.
func ForwardGeneric[T kernel.Float](dst, x []T, act kernel.Activation) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = kernel.Apply(act, v)
	}
}

// BackwardGeneric is the definition of Backward.
func BackwardGeneric[T kernel.Float](dx, dy, x []T, act kernel.Activation) {
	if act == kernel.ReLU {
		// The derivative only chooses: an infinite dy where it is 0 must
		// not become NaN.
		ReLUBackwardFromOutputGeneric(dx, dy, x)
		return
	}
	dy, x = dy[:len(dx)], x[:len(dx)]
	for i, v := range x {
		dx[i] = dy[i] * kernel.Derivative(act, v)
	}
}

// ReLUBackwardFromOutputGeneric is the definition of ReLUBackwardFromOutput.
func ReLUBackwardFromOutputGeneric[T kernel.Float](dx, dy, y []T) {
	dy, y = dy[:len(dx)], y[:len(dx)]
	for i, v := range y {
		switch {
		case v > 0:
			dx[i] = dy[i]
		case v != v:
			dx[i] = v
		default:
			dx[i] = 0
		}
	}
}

// ExpGeneric is the definition of Exp.
func ExpGeneric[T kernel.Float](dst, x []T) {
	x = x[:len(dst)]
	for i, v := range x {
		dst[i] = T(math.Exp(float64(v)))
	}
}
