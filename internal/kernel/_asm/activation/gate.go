package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// A gate is x σ(x c(x²)) with a polynomial c. Its AVX-512 form computes σ as
// 1 / (1 + 2ᵗ), t being -x c(x²) log₂e, by a reciprocal of 14 bits and one step
// of Newton's: half the time of a division. In x σ the errors of 2ᵗ count only
// a quarter at most, so that the relative one of t does and 1.3 x 2^-24 of the
// polynomial.
type gate []float64

// lowest is where 1 + 2ᵗ becomes too large to have a reciprocal that is not
// denormal; σ counts as 0 below.
func (c gate) lowest() float64 {
	lo, hi := 0.0, 1e3
	for range 100 {
		if x := (lo + hi) / 2; x*c.value(x*x) < 125*math.Ln2 {
			lo = x
		} else {
			hi = x
		}
	}
	return -lo
}

func (c gate) value(u float64) float64 {
	y := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		y = y*u + c[i]
	}
	return y
}

// times is x(s c[0] + s c[1] x² + ...).
func (c gate) times(x vec, s float64) vec {
	y := vector()
	if len(c) == 1 {
		mul.by(s*c[0], x, y)
		return y
	}
	scaled := make([]float64, len(c))
	for i := range c {
		scaled[i] = s * c[i]
	}
	VMULPS(x, x, y)
	y = polynomial(y, scaled...)
	VMULPS(x, y, y)
	return y
}

// derivative is that of x c(x²).
func (c gate) derivative() gate {
	d := make(gate, len(c))
	for i := range c {
		d[i] = float64(2*i+1) * c[i]
	}
	return d
}

func (c gate) forward(x vec) vec {
	v := atLeast(x, c.lowest())
	_, s := c.sigmoid(v)
	y := vector()
	VMULPS_Z(v, s, c.open(x), y)
	return y
}

// backward is σ + z' x σ (1 - σ).
func (c gate) backward(x vec) vec {
	v := within(x, -c.lowest())
	e, s := c.sigmoid(v)
	y := c.derivative().times(v, 1)
	VMULPS(s, e, e) // 1 - σ
	VMULPS(s, e, e)
	VFMADD213PS(s, e, y)
	VMOVAPS_Z(y, c.open(x), y)
	return y
}

// open chooses where x is not below the lowest, or NaN.
func (c gate) open(x vec) mask {
	k := K()
	VCMPPS_BCST(Imm(notLess), float(c.lowest()), x, k)
	return k
}

// sigmoid returns 2ᵗ and σ for x that is at least the lowest.
func (c gate) sigmoid(x vec) (e, s vec) {
	t := c.times(x, -math.Log2E)
	r := vector()
	VREDUCEPS(Imm(1), t, r) // t - ⌊t⌋
	e = polynomial(r, interpolate(math.Exp2, 0, 1, 5)...)
	VSCALEFPS(t, e, e) // by 2 to the ⌊t⌋
	one := constant(1)
	den, rest := vector(), vector()
	VADDPS(one, e, den)
	s = vector()
	VRCP14PS(den, s)
	VMOVAPS(one, rest)
	VFNMADD231PS(s, den, rest)
	VFMADD231PS(s, rest, s)
	return e, s
}
