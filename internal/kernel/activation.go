package kernel

import (
	"fmt"
	"math"
)

// Activation names a scalar function that is applied element by element.
type Activation uint8

// Activations, with x the input.
const (
	Identity  Activation = iota
	ReLU                 // max(x, 0); NaN stays NaN; the derivative at 0 is 0
	GELU                 // x Φ(x), by erf (Hendrycks, Gimpel 2016, arXiv:1606.08415)
	GELUTanh             // 0.5x (1 + tanh(√(2/π) (x + 0.044715x³))), the same paper's approximation
	QuickGELU            // x σ(1.702x), CLIP's
	SiLU                 // x σ(x)
	Sigmoid              // 1 / (1 + e⁻ˣ)
	numActivations
)

// Activations lists all but Identity.
func Activations() []Activation {
	var all []Activation
	for a := ReLU; a < numActivations; a++ {
		all = append(all, a)
	}
	return all
}

func (a Activation) String() string {
	names := [...]string{"identity", "relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "sigmoid"}
	if int(a) < len(names) {
		return names[a]
	}
	return fmt.Sprintf("activation(%d)", uint8(a))
}

const (
	sqrt2OverPi = 0.797884560802865355879892119868763737 // √(2/π)
	invSqrt2Pi  = 0.398942280401432677939946059934381868 // 1/√(2π)
	tanhCubic   = 0.044715
	quick       = 1.702
)

// Apply computes a(x) in float64 and rounds to T. It is the definition.
func Apply[T Float](a Activation, x T) T {
	switch a {
	case Identity:
		return x
	case ReLU:
		if x < 0 {
			return 0
		}
		return x
	}
	v := float64(x)
	switch a {
	case GELU:
		if math.IsInf(v, -1) {
			return 0
		}
		return T(0.5 * v * math.Erfc(-v/math.Sqrt2))
	case GELUTanh:
		if math.IsInf(v, -1) {
			return 0
		}
		// 0.5(1+tanh u) = σ(2u), which keeps its digits where tanh is near -1.
		return T(v * sigmoid(2*sqrt2OverPi*(v+tanhCubic*v*v*v)))
	case QuickGELU:
		if math.IsInf(v, -1) {
			return 0
		}
		return T(v * sigmoid(quick*v))
	case SiLU:
		if math.IsInf(v, -1) {
			return 0
		}
		return T(v * sigmoid(v))
	case Sigmoid:
		return T(sigmoid(v))
	}
	panic("kernel: unknown activation " + a.String())
}

// Derivative computes a'(x) in float64 and rounds to T. It is the definition.
func Derivative[T Float](a Activation, x T) T {
	v := float64(x)
	if math.IsNaN(v) {
		return x
	}
	switch a {
	case Identity:
		return 1
	case ReLU:
		if x > 0 {
			return 1
		}
		return 0
	case Sigmoid:
		s := sigmoid(v)
		return T(s * sigmoid(-v))
	}
	switch { // the others tend to 0 and 1
	case math.IsInf(v, -1):
		return 0
	case math.IsInf(v, 1):
		return 1
	}
	switch a {
	case GELU:
		return T(0.5*math.Erfc(-v/math.Sqrt2) + v*invSqrt2Pi*math.Exp(-0.5*v*v))
	case GELUTanh:
		s := sigmoid(2 * sqrt2OverPi * (v + tanhCubic*v*v*v))
		return T(s + v*s*(1-s)*2*sqrt2OverPi*(1+3*tanhCubic*v*v))
	case QuickGELU:
		s := sigmoid(quick * v)
		return T(s + quick*v*s*(1-s))
	case SiLU:
		s := sigmoid(v)
		return T(s + v*s*(1-s))
	}
	panic("kernel: unknown activation " + a.String())
}

func sigmoid(v float64) float64 { return 1 / (1 + math.Exp(-v)) }
