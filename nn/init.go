package nn

import (
	"math"
	"math/rand/v2"
)

// Init fills a parameter with its initial values. The shape is that of files:
// [O,I,KH,KW] or [O,I], with I the input channels of one group.
type Init func(r *rand.Rand, shape []int, dst []float32)

// Constant fills with v.
func Constant(v float32) Init {
	return func(_ *rand.Rand, _ []int, dst []float32) {
		for i := range dst {
			dst[i] = v
		}
	}
}

// Zeros and Ones are constants.
var (
	Zeros = Constant(0)
	Ones  = Constant(1)
)

// Normal draws from a normal distribution with mean 0.
func Normal(std float64) Init {
	return func(r *rand.Rand, _ []int, dst []float32) {
		for i := range dst {
			dst[i] = float32(std * r.NormFloat64())
		}
	}
}

// TruncNormal draws from a normal distribution with mean 0 and standard
// deviation std, redrawing what lies beyond ±bound. timm's trunc_normal_ has
// the absolute bound 2, which with its std of 0.02 never truncates. A bound
// below std/100 would be redrawn for ever: it fills with 0.
func TruncNormal(std, bound float64) Init {
	if bound < std/100 {
		return Zeros
	}
	return func(r *rand.Rand, _ []int, dst []float32) { truncNormal(r, std, bound, dst) }
}

func truncNormal(r *rand.Rand, std, bound float64, dst []float32) {
	for i := range dst {
		v := std * r.NormFloat64()
		for math.Abs(v) > bound {
			v = std * r.NormFloat64()
		}
		dst[i] = float32(v)
	}
}

// FanInTruncNormal draws from a normal distribution with standard deviation
// 1/sqrt(fan-in), truncated at two standard deviations (and not rescaled, so
// that the actual deviation is 0.88 of it). It suits short trainings on small
// images, where the published initialisation of ConvNeXt is too timid.
func FanInTruncNormal(r *rand.Rand, shape []int, dst []float32) {
	std := 1 / math.Sqrt(float64(fanIn(shape)))
	truncNormal(r, std, 2*std, dst)
}

// KaimingFanIn and KaimingFanOut draw from a normal distribution with standard
// deviation sqrt(2/fan) (He et al. 2015, arXiv:1502.01852).
func KaimingFanIn(r *rand.Rand, shape []int, dst []float32) {
	Normal(math.Sqrt(2/float64(fanIn(shape))))(r, shape, dst)
}

// KaimingFanOut is KaimingFanIn by the fan-out, as torchvision and timm use it
// for ResNet.
func KaimingFanOut(r *rand.Rand, shape []int, dst []float32) {
	fan := shape[0]
	for _, d := range shape[min(2, len(shape)):] {
		fan *= d
	}
	Normal(math.Sqrt(2/float64(fan)))(r, shape, dst)
}

// UniformFanIn draws uniformly from ±1/sqrt(fan): PyTorch's default for linear
// layers (weights and, with the weight's fan-in given, biases).
func UniformFanIn(fan int) Init {
	return func(r *rand.Rand, _ []int, dst []float32) {
		b := 1 / math.Sqrt(float64(fan))
		for i := range dst {
			dst[i] = float32(b * (2*r.Float64() - 1))
		}
	}
}

func fanIn(shape []int) int {
	fan := 1
	for _, d := range shape[1:] {
		fan *= d
	}
	return fan
}
