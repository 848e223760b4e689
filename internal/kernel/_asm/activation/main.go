// Command activation generates the AVX2 forms of internal/kernel/activation.
//
// Every function runs one body over vectors of 8; what remains at the end is
// loaded and stored through a mask and takes the same body, so that a value
// does not depend on its place. Coefficients come from fits in the maximum
// norm (least squares on 400 Chebyshev nodes, reweighted), rounded to float32.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	tailMask()

	unary("reluForward", "max(x, 0)", reluForward)
	unary("geluForward", "x Φ(x)", geluForward)
	unary("geluTanhForward", "x σ(2√(2/π) (x + 0.044715x³))", geluTanhForward)
	unary("quickGELUForward", "x σ(1.702x)", quickGELUForward)
	unary("siluForward", "x σ(x)", siluForward)
	unary("sigmoidForward", "σ(x)", sigmoidForward)
	unary("expForward", "eˣ", expForward)

	binary("reluBackward", "ReLU", reluBackward)
	binary("geluBackward", "GELU", geluBackward)
	binary("geluTanhBackward", "GELUTanh", geluTanhBackward)
	binary("quickGELUBackward", "QuickGELU", quickGELUBackward)
	binary("siluBackward", "SiLU", siluBackward)
	binary("sigmoidBackward", "Sigmoid", sigmoidBackward)
	Generate()
}

// The constants, 8 copies of each.
var constants = map[uint32]Mem{}

func bits(u uint32) Mem {
	if m, ok := constants[u]; ok {
		return m
	}
	m := GLOBL(fmt.Sprintf("c%08x", u), RODATA|NOPTR)
	for i := range 8 {
		DATA(4*i, U32(u))
	}
	constants[u] = m
	return m
}

func float(f float64) Mem { return bits(math.Float32bits(float32(f))) }

var mask Mem

// tailMask declares 8 lanes that are on and 8 that are off.
func tailMask() {
	mask = GLOBL("tail", RODATA|NOPTR)
	for i := range 16 {
		u := U32(0)
		if i < 8 {
			u = math.MaxUint32
		}
		DATA(4*i, u)
	}
}

type vec = reg.VecVirtual

func unary(name, what string, body func(x vec) vec) {
	TEXT(name, NOSPLIT, "func(dst, x *float32, n int)")
	Pragma("noescape")
	Doc(name + " computes, x being each of n elements, " + what + ".")
	dst, x := Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	loop(n, func(m *vec) {
		v := YMM()
		load(m, x, v)
		store(m, body(v), dst)
	}, dst, x)
}

func binary(name, what string, body func(x vec) vec) {
	TEXT(name, NOSPLIT, "func(dx, dy, x *float32, n int)")
	Pragma("noescape")
	Doc(name + " computes dy times the derivative of " + what + " at x for n elements.")
	dx, dy, x := Load(Param("dx"), GP64()), Load(Param("dy"), GP64()), Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	relu := name == "reluBackward"
	loop(n, func(m *vec) {
		v, d := YMM(), YMM()
		load(m, x, v)
		load(m, dy, d)
		if relu { // a choice, not a product: see ReLUBackwardFromOutput
			zero, nan := YMM(), YMM()
			VXORPS(zero, zero, zero)
			VCMPPS(Imm(3), v, v, nan) // unordered
			VCMPPS(Imm(1), v, zero, zero)
			VANDPS(zero, d, d)
			VANDPS(nan, v, nan)
			VORPS(nan, d, d)
			store(m, d, dx)
			return
		}
		y := body(v)
		VMULPS(d, y, y)
		store(m, y, dx)
	}, dx, dy, x)
}

// loop generates step for vectors of 8 elements and, with a mask, for the rest.
func loop(n reg.Register, step func(mask *vec), pointers ...reg.Register) {
	SUBQ(Imm(8), n)
	JL(LabelRef("tail"))
	Label("vector")
	step(nil)
	for _, p := range pointers {
		ADDQ(Imm(32), p)
	}
	SUBQ(Imm(8), n)
	JGE(LabelRef("vector"))
	Label("tail")
	ADDQ(Imm(8), n)
	JZ(LabelRef("done"))
	table, m := GP64(), YMM()
	LEAQ(mask.Offset(32), table)
	SHLQ(Imm(2), n)
	SUBQ(n, table)
	VMOVUPS(Mem{Base: table}, m)
	step(&m)
	Label("done")
	VZEROUPPER()
	RET()
}

func load(m *vec, p reg.Register, v vec) {
	if m == nil {
		VMOVUPS(Mem{Base: p}, v)
	} else {
		VMASKMOVPS(Mem{Base: p}, *m, v)
	}
}

func store(m *vec, v vec, p reg.Register) {
	if m == nil {
		VMOVUPS(v, Mem{Base: p})
	} else {
		VMASKMOVPS(v, *m, Mem{Base: p})
	}
}

// atLeast is max(v, low), NaN for NaN.
func atLeast(v vec, low float64) vec {
	y := YMM()
	VMOVUPS(float(low), y)
	VMAXPS(v, y, y)
	return y
}

// atMost is min(v, high), NaN for NaN.
func atMost(v vec, high float64) vec {
	y := YMM()
	VMOVUPS(float(high), y)
	VMINPS(v, y, y)
	return y
}

// polynomial evaluates c[0] + c[1]x + c[2]x² + ...
func polynomial(x vec, c ...float64) vec {
	y := YMM()
	VMOVUPS(float(c[len(c)-1]), y)
	for i := len(c) - 2; i >= 0; i-- {
		VFMADD213PS(float(c[i]), x, y)
	}
	return y
}

// reduce finds y = n ln 2 + r with a whole number n and |r| <= ln 2 / 2, for
// |y| < 2¹⁵. It returns e to the r (error below 0.06 x 2^-24 before rounding)
// and n + shift, which has n in its last bits.
func reduce(y vec) (p, n vec) {
	n, k, r := YMM(), YMM(), YMM()
	VMOVUPS(float(shift), n)
	VFMADD231PS(float(math.Log2E), y, n)
	VSUBPS(float(shift), n, k)
	VMOVAPS(y, r)
	VFNMADD231PS(float(ln2High), k, r)
	VFNMADD231PS(float(math.Ln2-ln2High), k, r)
	p = polynomial(r, 1, 1, 0x1.fffffcp-2, 0x1.55549p-3, 0x1.5558f4p-5, 0x1.123a6cp-7, 0x1.6a2352p-10)
	return p, n
}

const (
	shift   = 3 << 22     // float32 from here on are whole numbers
	ln2High = 0x1.62e4p-1 // products with n are exact
	least   = -87.3       // e to the least is just above the smallest normal number
)

// power is 2 to the n for the last bits of n, -126 <= n <= 127.
func power(n vec) vec {
	s := YMM()
	VPSLLD(Imm(23), n, s)
	VPADDD(float(1), s, s)
	return s
}

// expNegative is e to the y for y <= 0, 0 where y < least.
func expNegative(y vec) vec {
	p, n := reduce(atLeast(y, least))
	s := power(n)
	VMULPS(s, p, p)
	keep(p, y, least)
	return p
}

// keep clears v where x < low.
func keep(v, x vec, low float64) {
	m := YMM()
	VCMPPS(Imm(notLess), float(low), x, m)
	VANDPS(m, v, v)
}

const notLess = 0x15 // or unordered, quiet

// logistic returns e to the -|z|, one more than that, and what the latter has
// to be divided into for σ(z): 1, or e to the z if z is negative.
func logistic(z vec) (e, den, num vec) {
	a := YMM()
	VORPS(bits(1<<31), z, a)
	e = expNegative(a)
	one := YMM()
	VMOVUPS(float(1), one)
	den, num = YMM(), YMM()
	VADDPS(one, e, den)
	VBLENDVPS(z, e, one, num)
	return e, den, num
}

func sigmoid(z vec) vec {
	_, den, num := logistic(z)
	VDIVPS(den, num, num)
	return num
}

// slope returns σ(z) and σ'(z).
func slope(z vec) (s, d vec) {
	e, den, num := logistic(z)
	r := YMM()
	VMOVUPS(float(1), r)
	VDIVPS(den, r, r)
	VMULPS(r, num, num)
	VMULPS(r, e, e)
	VMULPS(r, e, e)
	return num, e
}

func reluForward(x vec) vec {
	y := YMM()
	VXORPS(y, y, y)
	VMAXPS(x, y, y) // x if either is NaN or both are 0
	return y
}

func sigmoidForward(x vec) vec { return sigmoid(x) }

// gated is x s, with 0 for the product of -Inf and 0.
func gated(x, s vec) vec {
	y := atLeast(x, -math.MaxFloat32)
	VMULPS(s, y, y)
	return y
}

func siluForward(x vec) vec { return gated(x, sigmoid(x)) }

func quickGELUForward(x vec) vec {
	z := YMM()
	VMULPS(float(quick), x, z)
	return gated(x, sigmoid(z))
}

const (
	quick  = 1.702
	slope0 = 1.595769121605730711759784239738275 // 2√(2/π)
	cubic  = 0.044715
)

func geluTanhForward(x vec) vec {
	u, z := YMM(), YMM()
	VMULPS(x, x, u)
	z = polynomial(u, slope0, slope0*cubic)
	VMULPS(x, z, z)
	return gated(x, sigmoid(z))
}

// rational is 1/2 + x P(x²)/Q(x²).
func rational(x vec, p, q []float64) vec {
	u, h := YMM(), YMM()
	VMULPS(x, x, u)
	num, den := polynomial(u, p...), polynomial(u, q...)
	VMULPS(float(0.5), den, h)
	VFMADD213PS(h, x, num)
	VDIVPS(den, num, num)
	return num
}

// geluForward takes Φ(x) - 1/2 from a rational function; its error is 0.12 x
// 2^-24 up to 5.5, from where on Φ(-x) counts as 0.
func geluForward(x vec) vec {
	const end = 5.5
	phi := rational(within(x, end),
		[]float64{0x1.98845p-2, 0x1.1551dap-5, 0x1.32873ep-8, 0x1.620cb2p-13, 0x1.aa47f4p-18, 0x1.86d4cep-26},
		[]float64{1, 0x1.018edep-2, 0x1.d55524p-6, 0x1.edfe56p-10, 0x1.34e5bp-14, 0x1.4173aep-20})
	y := atMost(phi, 1)
	VMULPS(x, y, y)
	keep(y, x, -end)
	return y
}

// geluBackward takes the derivative less 1/2 from a rational function; its
// error is 0.08 x 2^-24 up to 6, from where on the derivative counts as 0 or 1.
func geluBackward(x vec) vec {
	const end = 6
	y := rational(within(x, end),
		[]float64{0x1.988452p-1, -0x1.2791f6p-6, 0x1.bca1dap-7, 0x1.2b098ap-12, 0x1.0caa04p-15, 0x1.2d22f4p-20, 0x1.bebf76p-27, -0x1.fc0afcp-36},
		[]float64{1, 0x1.3e2e22p-2, 0x1.756872p-5, 0x1.0ffb4ap-8, 0x1.0f285ep-12, 0x1.6ac84ap-17, 0x1.866a34p-22})
	keep(y, x, -end)
	return y
}

func reluBackward(x vec) vec { return x } // see binary

func sigmoidBackward(x vec) vec {
	e, den, _ := logistic(x)
	VMULPS(den, den, den)
	VDIVPS(den, e, e)
	return e
}

// within is x, no further from 0 than limit, so that infinities do not meet
// zeros.
func within(x vec, limit float64) vec { return atMost(atLeast(x, -limit), limit) }

func siluBackward(x vec) vec {
	z := within(x, 100)
	s, d := slope(z)
	VFMADD231PS(d, z, s)
	return s
}

func quickGELUBackward(x vec) vec {
	z := within(x, 100)
	VMULPS(float(quick), z, z)
	s, d := slope(z)
	VFMADD231PS(d, z, s)
	return s
}

func geluTanhBackward(x vec) vec {
	v := within(x, 20)
	u := YMM()
	VMULPS(v, v, u)
	z := polynomial(u, slope0, slope0*cubic)
	VMULPS(v, z, z)
	dz := polynomial(u, slope0, 3*slope0*cubic)
	VMULPS(v, dz, dz)
	s, d := slope(z)
	VFMADD231PS(d, dz, s)
	return s
}

// expForward scales in two steps, so that it also reaches denormal numbers.
func expForward(x vec) vec {
	p, n := reduce(atMost(atLeast(x, -104), 89))
	half := YMM()
	VPSUBD(float(shift), n, n)
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	a, b := power(half), power(n)
	VMULPS(a, p, p)
	VMULPS(b, p, p)
	return p
}
