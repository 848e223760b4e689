package kerneltest

import (
	"math"
	"math/rand/v2"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/rng"
)

// Normal fills x with draws from the normal distribution of that mean and
// standard deviation. Equal seeds give equal draws.
func Normal[T kernel.Float](x []T, seed uint64, mean, std float64) {
	r := rng.New(seed, rng.Test)
	for i := range x {
		x[i] = T(mean + std*r.NormFloat64())
	}
}

// Uniform fills x with draws between lo and hi.
func Uniform[T kernel.Float](x []T, seed uint64, lo, hi float64) {
	r := rng.New(seed, rng.Test)
	for i := range x {
		x[i] = T(lo + (hi-lo)*r.Float64())
	}
}

// Distinct fills x with a random order of values that lie at least gap apart
// and around 0, so that central differences never change which is the largest
// or move one across 0.
func Distinct[T kernel.Float](x []T, seed uint64, gap float64) {
	r := rng.New(seed, rng.Test)
	for i, p := range r.Perm(len(x)) {
		x[i] = T(gap * (float64(p) - float64(len(x)/2) + 0.5))
	}
}

// Specials are the values that arithmetic treats differently: not a number,
// the infinities, both zeros, denormals, the ends of the normal range, one and
// its neighbours.
func Specials() []float32 {
	return []float32{
		float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)),
		0, float32(math.Copysign(0, -1)),
		math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
		0x1p-127, -0x1p-127, 0x1.fffffcp-127, // denormal
		0x1p-126, -0x1p-126, math.MaxFloat32, -math.MaxFloat32,
		1, -1, 1 + 0x1p-23, 1 - 0x1p-24,
	}
}

// Sprinkle replaces about one element in every by one of [Specials], at
// places that depend on the seed.
func Sprinkle(x []float32, seed uint64, every int) {
	r := rng.New(seed, rng.Test, 1)
	s := Specials()
	for i := range x {
		if r.IntN(max(every, 1)) == 0 {
			x[i] = s[r.IntN(len(s))]
		}
	}
}

// Rand is the generator of a test's seed, for what the fillers do not offer.
func Rand(seed uint64) *rand.Rand { return rng.New(seed, rng.Test, 2) }

// Widen copies x into float64.
func Widen(x []float32) []float64 {
	if x == nil {
		return nil
	}
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

// Narrow rounds x to float32.
func Narrow(x []float64) []float32 {
	if x == nil {
		return nil
	}
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}
