// Command activation generates the AVX2 and the AVX-512 forms of
// internal/kernel/activation; the latter have Wide in their names.
//
// Every function runs one body over vectors of 8 or 16; what remains at the end
// is loaded and stored through a mask and takes the same body, so that a value
// does not depend on its place. Coefficients come from fits in the maximum
// norm (least squares on 400 Chebyshev nodes, reweighted), rounded to float32;
// those of tables are in table.go.
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
	for _, wide = range []bool{false, true} {
		functions()
	}
	Generate()
}

// wide is AVX-512: vectors of 16, and masks in registers of their own.
var wide bool

func functions() {
	unary("reluForward", "max(x, 0)", plain(reluForward))
	unary("geluForward", "x Φ(x)", geluForward)
	unary("geluTanhForward", "x σ(2√(2/π) (x + 0.044715x³))", gateForward(geluTanhForward, slope0, slope0*cubic))
	unary("quickGELUForward", "x σ(1.702x)", gateForward(quickGELUForward, quick))
	unary("siluForward", "x σ(x)", gateForward(siluForward, 1))
	unary("sigmoidForward", "σ(x)", plain(sigmoidForward))
	unary("expForward", "eˣ", plain(expForward))

	binary("reluBackward", "ReLU", nil) // see chosen
	binary("geluBackward", "GELU", geluBackward)
	binary("geluTanhBackward", "GELUTanh", gateBackward(geluTanhBackward, slope0, slope0*cubic))
	binary("quickGELUBackward", "QuickGELU", gateBackward(quickGELUBackward, quick))
	binary("siluBackward", "SiLU", gateBackward(siluBackward, 1))
	binary("sigmoidBackward", "Sigmoid", plain(sigmoidBackward))
}

// plain is a body that has nothing to prepare.
func plain(f body) func() body { return func() body { return f } }

// gateForward is f, for AVX-512 the gate.
func gateForward(f body, c ...float64) func() body {
	if wide {
		f = gate(c).forward
	}
	return plain(f)
}

// gateBackward is f, for AVX-512 the gate's derivative.
func gateBackward(f body, c ...float64) func() body {
	if wide {
		f = gate(c).backward
	}
	return plain(f)
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

var tail Mem

// tailMask declares 8 lanes that are on and 8 that are off, for AVX2.
func tailMask() {
	tail = GLOBL("tail", RODATA|NOPTR)
	for i := range 16 {
		u := U32(0)
		if i < 8 {
			u = math.MaxUint32
		}
		DATA(4*i, u)
	}
}

type vec = reg.VecVirtual

func vector() vec {
	if wide {
		return ZMM()
	}
	return YMM()
}

// lanes is the number of elements of a vector.
func lanes() int {
	if wide {
		return 16
	}
	return 8
}

func begin(name, signature string) {
	if wide {
		name += "Wide"
	}
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
}

// A body takes a vector and generates the function's value. It may have loaded
// tables before the loop begins.
type body func(x vec) vec

func unary(name, what string, prepare func() body) {
	begin(name, "func(dst, x *float32, n int)")
	Doc(name + " computes, x being each of n elements, " + what + ".")
	dst, x := Load(Param("dst"), GP64()), Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	f := prepare()
	loop(n, func(m mask) {
		v := vector()
		load(m, x, v)
		store(m, f(v), dst)
	}, dst, x)
}

func binary(name, what string, prepare func() body) {
	begin(name, "func(dx, dy, x *float32, n int)")
	Doc(name + " computes dy times the derivative of " + what + " at x for n elements.")
	dx, dy, x := Load(Param("dx"), GP64()), Load(Param("dy"), GP64()), Load(Param("x"), GP64())
	n := Load(Param("n"), GP64())
	var f body
	if prepare != nil {
		f = prepare()
	}
	loop(n, func(m mask) {
		v, d := vector(), vector()
		load(m, x, v)
		load(m, dy, d)
		if f == nil {
			store(m, chosen(d, v), dx)
			return
		}
		y := f(v)
		VMULPS(d, y, y)
		store(m, y, dx)
	}, dx, dy, x)
}

// chosen is ReLU's gradient, a choice and not a product: d where v is positive,
// v where it is NaN, else 0.
func chosen(d, v vec) vec {
	const less, unordered = 1, 3
	zero := vector()
	VXORPS(zero, zero, zero)
	if wide {
		positive, nan := K(), K()
		VCMPPS(Imm(less), v, zero, positive)
		VCMPPS(Imm(unordered), v, v, nan)
		VMOVAPS_Z(d, positive, d)
		VMOVAPS(v, nan, d)
		return d
	}
	nan := vector()
	VCMPPS(Imm(unordered), v, v, nan)
	VCMPPS(Imm(less), v, zero, zero)
	VANDPS(zero, d, d)
	VANDPS(nan, v, nan)
	VORPS(nan, d, d)
	return d
}

// mask is nil for all lanes, or a register that says which.
type mask reg.Register

// loop generates step for whole vectors and, with a mask, for the rest.
func loop(n reg.Register, step func(m mask), pointers ...reg.Register) {
	SUBQ(Imm(uint64(lanes())), n)
	JL(LabelRef("tail"))
	Label("vector")
	step(nil)
	for _, p := range pointers {
		ADDQ(Imm(uint64(4*lanes())), p)
	}
	SUBQ(Imm(uint64(lanes())), n)
	JGE(LabelRef("vector"))
	Label("tail")
	ADDQ(Imm(uint64(lanes())), n)
	JZ(LabelRef("done"))
	step(first(n))
	Label("done")
	VZEROUPPER()
	RET()
}

// first is a mask of the first n lanes; it uses up n.
func first(n reg.Register) mask {
	if wide {
		all, m := GP32(), K()
		MOVL(U32(1<<16-1), all)
		BZHIL(n.(reg.GPVirtual).As32(), all, all)
		KMOVW(all, m)
		return m
	}
	table, m := GP64(), YMM()
	LEAQ(tail.Offset(32), table)
	SHLQ(Imm(2), n)
	SUBQ(n, table)
	VMOVUPS(Mem{Base: table}, m)
	return m
}

func load(m mask, p reg.Register, v vec) {
	switch {
	case m == nil:
		VMOVUPS(Mem{Base: p}, v)
	case wide:
		VMOVUPS_Z(Mem{Base: p}, m, v)
	default:
		VMASKMOVPS(Mem{Base: p}, m, v)
	}
}

func store(m mask, v vec, p reg.Register) {
	switch {
	case m == nil:
		VMOVUPS(v, Mem{Base: p})
	case wide:
		VMOVUPS(v, m, Mem{Base: p})
	default:
		VMASKMOVPS(v, m, Mem{Base: p})
	}
}

// constant is a vector of f in a register.
func constant(f float64) vec {
	y := vector()
	if wide {
		VBROADCASTSS(float(f), y)
	} else {
		VMOVUPS(float(f), y)
	}
	return y
}

// instruction is one that takes a vector from memory, or for AVX-512 one
// element that it spreads.
type instruction struct{ vector, element func(...Op) }

var (
	mul     = instruction{VMULPS, VMULPS_BCST}
	add     = instruction{VADDPS, VADDPS_BCST}
	sub     = instruction{VSUBPS, VSUBPS_BCST}
	or      = instruction{VORPS, VORPS_BCST}
	mulAdd  = instruction{VFMADD213PS, VFMADD213PS_BCST}
	addMul  = instruction{VFMADD231PS, VFMADD231PS_BCST}
	lessMul = instruction{VFNMADD231PS, VFNMADD231PS_BCST}
)

// by generates i with a constant, the last operand being the result.
func (i instruction) by(f float64, v ...Op) { i.byBits(math.Float32bits(float32(f)), v...) }

func (i instruction) byBits(u uint32, v ...Op) {
	f := i.vector
	if wide {
		f = i.element
	}
	f(append([]Op{bits(u)}, v...)...)
}

// atLeast is max(v, low), NaN for NaN.
func atLeast(v vec, low float64) vec {
	y := constant(low)
	VMAXPS(v, y, y)
	return y
}

// atMost is min(v, high), NaN for NaN.
func atMost(v vec, high float64) vec {
	y := constant(high)
	VMINPS(v, y, y)
	return y
}

// polynomial evaluates c[0] + c[1]x + c[2]x² + ...
func polynomial(x vec, c ...float64) vec {
	y := constant(c[len(c)-1])
	for i := len(c) - 2; i >= 0; i-- {
		mulAdd.by(c[i], x, y)
	}
	return y
}

// reduce finds y = n ln 2 + r with a whole number n and |r| <= ln 2 / 2, for
// |y| < 2¹⁵. It returns e to the r (error below 0.06 x 2^-24 before rounding),
// n, and n + shift, which has n in its last bits.
func reduce(y vec) (p, n, shifted vec) {
	shifted, n = constant(shift), vector()
	r := vector()
	addMul.by(math.Log2E, y, shifted)
	sub.by(shift, shifted, n)
	VMOVAPS(y, r)
	lessMul.by(ln2High, n, r)
	lessMul.by(math.Ln2-ln2High, n, r)
	p = polynomial(r, 1, 1, 0x1.fffffcp-2, 0x1.55549p-3, 0x1.5558f4p-5, 0x1.123a6cp-7, 0x1.6a2352p-10)
	return p, n, shifted
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

// expNegative is e to the y for y <= 0; for AVX2 0 where y < least.
func expNegative(y vec) vec {
	if wide {
		p, n, _ := reduce(atLeast(y, -104)) // to 0
		VSCALEFPS(n, p, p)
		return p
	}
	p, _, n := reduce(atLeast(y, least))
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
	a := vector()
	or.byBits(1<<31, z, a)
	e = expNegative(a)
	one := constant(1)
	den, num = vector(), vector()
	VADDPS(one, e, den)
	if wide {
		negative := K()
		VPMOVD2M(z, negative)
		VBLENDMPS(e, one, negative, num)
	} else {
		VBLENDVPS(z, e, one, num)
	}
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
	r := constant(1)
	VDIVPS(den, r, r)
	VMULPS(r, num, num)
	VMULPS(r, e, e)
	VMULPS(r, e, e)
	return num, e
}

func reluForward(x vec) vec {
	y := vector()
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
	z := vector()
	mul.by(quick, x, z)
	return gated(x, sigmoid(z))
}

const (
	quick  = 1.702
	slope0 = 1.595769121605730711759784239738275 // 2√(2/π)
	cubic  = 0.044715
)

func geluTanhForward(x vec) vec {
	u := vector()
	VMULPS(x, x, u)
	z := polynomial(u, slope0, slope0*cubic)
	VMULPS(x, z, z)
	return gated(x, sigmoid(z))
}

// rational is 1/2 + x P(x²)/Q(x²).
func rational(x vec, p, q []float64) vec {
	u, h := vector(), vector()
	VMULPS(x, x, u)
	num, den := polynomial(u, p...), polynomial(u, q...)
	mul.by(0.5, den, h)
	VFMADD213PS(h, x, num)
	VDIVPS(den, num, num)
	return num
}

// geluForward takes Φ(x) - 1/2 from a rational function; its error is 0.12 x
// 2^-24 up to 5.5, from where on Φ(-x) counts as 0. AVX-512 has a table.
func geluForward() body {
	if wide {
		return geluForwardByTable()
	}
	return func(x vec) vec {
		const end = 5.5
		phi := rational(within(x, end),
			[]float64{0x1.98845p-2, 0x1.1551dap-5, 0x1.32873ep-8, 0x1.620cb2p-13, 0x1.aa47f4p-18, 0x1.86d4cep-26},
			[]float64{1, 0x1.018edep-2, 0x1.d55524p-6, 0x1.edfe56p-10, 0x1.34e5bp-14, 0x1.4173aep-20})
		y := atMost(phi, 1)
		VMULPS(x, y, y)
		keep(y, x, -end)
		return y
	}
}

// geluBackward takes the derivative less 1/2 from a rational function; its
// error is 0.08 x 2^-24 up to 6, from where on the derivative counts as 0 or 1.
// AVX-512 has a table.
func geluBackward() body {
	if wide {
		return geluBackwardByTable()
	}
	return func(x vec) vec {
		const end = 6
		y := rational(within(x, end),
			[]float64{0x1.988452p-1, -0x1.2791f6p-6, 0x1.bca1dap-7, 0x1.2b098ap-12, 0x1.0caa04p-15, 0x1.2d22f4p-20, 0x1.bebf76p-27, -0x1.fc0afcp-36},
			[]float64{1, 0x1.3e2e22p-2, 0x1.756872p-5, 0x1.0ffb4ap-8, 0x1.0f285ep-12, 0x1.6ac84ap-17, 0x1.866a34p-22})
		keep(y, x, -end)
		return y
	}
}

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
	mul.by(quick, z, z)
	s, d := slope(z)
	VFMADD231PS(d, z, s)
	return s
}

func geluTanhBackward(x vec) vec {
	v := within(x, 20)
	u := vector()
	VMULPS(v, v, u)
	z := polynomial(u, slope0, slope0*cubic)
	VMULPS(v, z, z)
	dz := polynomial(u, slope0, 3*slope0*cubic)
	VMULPS(v, dz, dz)
	s, d := slope(z)
	VFMADD231PS(d, dz, s)
	return s
}

// expForward scales in two steps, so that it also reaches denormal numbers;
// AVX-512 has an instruction that does.
func expForward(x vec) vec {
	p, whole, n := reduce(atMost(atLeast(x, -104), 89))
	if wide {
		VSCALEFPS(whole, p, p)
		return p
	}
	half := YMM()
	VPSUBD(float(shift), n, n)
	VPSRAD(Imm(1), n, half)
	VPSUBD(half, n, n)
	a, b := power(half), power(n)
	VMULPS(a, p, p)
	VMULPS(b, p, p)
	return p
}
