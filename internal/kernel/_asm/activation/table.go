package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// A table holds polynomials for 32 intervals of equal width, 1/scale, around
// the multiples -16 ... 15 of the width: f in the middle, f's limits 0 and 1 in
// the first and the last. VPERMI2PS fetches one coefficient of 16 elements
// from two registers.
type table struct {
	name   string
	f      func(float64) float64
	scale  float64
	degree int
}

// geluForwardByTable has an error in Φ of 1.2 x 2^-24 before the sum is
// rounded, and of 2.1 x 2^-24 where Φ counts as 1.
func geluForwardByTable() body {
	phi := table{"phi", func(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }, 2.8125, 4}.load()
	return func(x vec) vec {
		// x no lower than where Φ is 0, so that -Inf becomes that too.
		y := vector()
		VMAXPS(x, phi.low, y)
		VMULPS(y, phi.at(y), y)
		return y
	}
}

// geluBackwardByTable has an error of 0.8 x 2^-24 before the sum is rounded,
// and of 1.9 x 2^-24 where the derivative counts as 1.
func geluBackwardByTable() body {
	slope := table{"slope", func(x float64) float64 {
		return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	}, 2.5, 5}.load()
	return func(x vec) vec {
		y := vector()
		VMAXPS(x, slope.low, y)
		return slope.at(y)
	}
}

// loaded is a table in registers.
type loaded struct {
	low, high, scale, shift vec // the middles of the outer intervals

	// For each coefficient, from the constant on, those of the intervals
	// 0 ... 15 and -16 ... -1: the order of the numbers' last five bits.
	coefficients [][2]vec
}

func (t table) load() loaded {
	l := loaded{
		low: constant(-16 / t.scale), high: constant(15 / t.scale),
		scale: constant(t.scale), shift: constant(shift),
	}
	intervals := t.fit()
	for i := range t.degree + 1 {
		m := GLOBL(fmt.Sprintf("%s%d", t.name, i), RODATA|NOPTR)
		for j := range 32 {
			DATA(4*j, U32(math.Float32bits(float32(intervals[j][i]))))
		}
		first, last := vector(), vector()
		VMOVUPS(m, first)
		VMOVUPS(m.Offset(64), last)
		l.coefficients = append(l.coefficients, [2]vec{first, last})
	}
	return l
}

// at evaluates the table at x, which is at least low.
func (l loaded) at(x vec) vec {
	n, r, v := vector(), vector(), vector()
	VMINPS(x, l.high, v)
	VMOVAPS(l.shift, n)
	VFMADD231PS(l.scale, v, n)
	VSUBPS(l.shift, n, r)
	VFMSUB231PS(l.scale, v, r)
	var y vec
	for i := range l.coefficients {
		c := l.coefficients[len(l.coefficients)-1-i]
		next := vector()
		VMOVAPS(n, next)
		VPERMI2PS(c[1], c[0], next)
		if i > 0 {
			VFMADD231PS(r, y, next)
		}
		y = next
	}
	return y
}

// fit returns the coefficients of the intervals 0 ... 15 and -16 ... -1 in
// powers of the distance from the middle over the width.
func (t table) fit() [32][]float64 {
	var all [32][]float64
	for j := range 32 {
		n := (j+16)%32 - 16
		switch c := make([]float64, t.degree+1); n {
		case -16:
			all[j] = c
		case 15:
			c[0] = 1
			all[j] = c
		default:
			all[j] = interpolate(func(r float64) float64 { return t.f((float64(n) + r) / t.scale) }, -0.5, 0.5, t.degree)
		}
	}
	return all
}

// interpolate returns the polynomial that agrees with f in the Chebyshev nodes
// of [lo, hi].
func interpolate(f func(float64) float64, lo, hi float64, degree int) []float64 {
	n := degree + 1
	node, d := make([]float64, n), make([]float64, n)
	for i := range n {
		node[i] = (lo + hi + (hi-lo)*math.Cos(math.Pi*(float64(i)+0.5)/float64(n))) / 2
		d[i] = f(node[i])
	}
	for k := 1; k < n; k++ { // divided differences
		for i := n - 1; i >= k; i-- {
			d[i] = (d[i] - d[i-1]) / (node[i] - node[i-k])
		}
	}
	c := make([]float64, n)
	for i := n - 1; i >= 0; i-- { // c = c (x - node[i]) + d[i]
		for j := n - 1; j > 0; j-- {
			c[j] = c[j-1] - node[i]*c[j]
		}
		c[0] = d[i] - node[i]*c[0]
	}
	return c
}
