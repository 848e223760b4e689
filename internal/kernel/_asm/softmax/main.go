// Command softmax generates the kernels of internal/kernel/softmax: those for
// AVX2 and FMA, or with -avx512 those for AVX-512.
package main

import (
	"flag"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// frame is large enough that the assembler adds the check of the stack at
// which a goroutine can be stopped.
const frame = 128

// tail holds 8 words of ones and 8 of zeros: read from word 8-n on, it is the
// mask of n lanes.
var tail Mem

// constants are stored once, or for every lane of AVX2; at gives their places.
var (
	constants Mem
	at        = map[string]int{}
)

// taylor names the coefficients of exp r, the highest first.
var taylor = []string{"c7", "c6", "c5", "c4", "c3", "c2", "one", "one"}

func main() {
	avx512 := flag.Bool("avx512", false, "generate the AVX-512 kernels")
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	if *avx512 {
		expConstants(1)
		for _, n := range []int{8, 1} {
			softmaxWide(n)
		}
		Generate()
		return
	}
	tail = GLOBL("tailMask", 8|16) // RODATA, NOPTR
	for i := range 16 {
		v := uint32(0xffffffff)
		if i >= 8 {
			v = 0
		}
		DATA(4*i, U32(v))
	}
	expConstants(8)
	softmax()
	backward()
	Generate()
}

// expConstants are those of the exponential function:
// exp x = 2ⁿ exp r with n = round(x / ln 2) and r = x - n ln 2, |r| <= ln 2 / 2,
// ln 2 in two parts of which the first times n is exact (Cody, Waite 1980);
// exp r = 1 + r + r² p(r) with the Taylor coefficients to r⁷, whose rest is
// below 2⁻²⁷. Below low, where 2ⁿ would not be normal, the result is 0.
func expConstants(lanes int) {
	constants = GLOBL("expConstants", 8|16)
	for i, c := range []struct {
		name  string
		value float32
	}{
		{"negInf", float32(math.Inf(-1))},
		{"low", -0x1.5d589ep6}, // the smallest float32 above ln 2⁻¹²⁶
		{"log2e", math.Log2E},
		{"ln2hi", 0x1.62e4p-1}, // 15 bits, times n < 2⁸ exact
		{"ln2lo", float32(math.Ln2 - 0x1.62e4p-1)},
		{"one", 1}, {"c2", 1. / 2}, {"c3", 1. / 6}, {"c4", 1. / 24}, {"c5", 1. / 120}, {"c6", 1. / 720}, {"c7", 1. / 5040},
	} {
		at[c.name] = 4 * lanes * i
		for j := range lanes {
			DATA(4*(lanes*i+j), U32(math.Float32bits(c.value)))
		}
	}
}

// row goes over the vectors of a row of c elements.
type row struct {
	end, end8, i reg.GPVirtual // bytes: all, whole vectors, position
	mask         reg.VecVirtual
}

func newRow(c reg.Register) row {
	r := row{end: GP64(), end8: GP64(), i: GP64(), mask: YMM()}
	MOVQ(c, r.end8)
	ANDQ(I8(-8), r.end8)
	n, base := GP64(), GP64()
	MOVQ(r.end8, n)
	SUBQ(c, n)
	LEAQ(tail, base)
	VMOVUPS(Mem{Base: base, Disp: 32, Index: n, Scale: 4}, r.mask)
	MOVQ(c, r.end)
	SHLQ(U8(2), r.end)
	SHLQ(U8(2), r.end8)
	return r
}

// lane is one vector of a row.
type lane struct {
	row
	masked bool
}

func (l lane) load(base reg.Register) reg.VecVirtual {
	y, m := YMM(), Mem{Base: base, Index: l.i, Scale: 1}
	if l.masked {
		VMASKMOVPS(m, l.mask, y)
	} else {
		VMOVUPS(m, y)
	}
	return y
}

func (l lane) store(y reg.VecVirtual, base reg.Register) {
	m := Mem{Base: base, Index: l.i, Scale: 1}
	if l.masked {
		VMASKMOVPS(y, l.mask, m)
	} else {
		VMOVUPS(y, m)
	}
}

func (r row) over(name string, body func(lane)) {
	XORQ(r.i, r.i)
	Label(name)
	CMPQ(r.i, r.end8)
	JGE(LabelRef(name + "_tail"))
	body(lane{r, false})
	ADDQ(I8(32), r.i)
	JMP(LabelRef(name))
	Label(name + "_tail")
	CMPQ(r.i, r.end)
	JGE(LabelRef(name + "_done"))
	body(lane{r, true})
	Label(name + "_done")
}

// reduce combines the lanes of y, always in the same order, and spreads the
// result.
func reduce(y reg.VecVirtual, op func(a, b, dst Op)) reg.VecVirtual {
	s, t := XMM(), XMM()
	VEXTRACTF128(U8(1), y, t)
	op(t, y.AsX(), s)
	VMOVHLPS(s, s, t)
	op(t, s, s)
	VMOVSHDUP(s, t)
	op(t, s, s)
	out := YMM()
	VBROADCASTSS(s, out)
	return out
}

func address(param string) Mem {
	b, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func softmax() {
	TEXT("softmaxAVX2", 0, "func(dst, x *float32, rows, c int)")
	Pragma("noescape")
	Doc("softmaxAVX2 is Softmax for rows, c > 0. Sums have 8 lanes.")
	AllocLocal(frame)
	dst, x, rows, c := pointer("dst"), pointer("x"), pointer("rows"), pointer("c")
	r := newRow(c)
	k := GP64()
	LEAQ(constants, k)
	constant := func(name string) reg.VecVirtual {
		y := YMM()
		VMOVUPS(Mem{Base: k, Disp: at[name]}, y)
		return y
	}
	low, log2e, hi, lo := constant("low"), constant("log2e"), constant("ln2hi"), constant("ln2lo")

	Label("row")
	m := constant("negInf")
	r.over("largest", func(l lane) {
		v := l.load(x)
		if l.masked { // keep the lanes that are not there out of it
			VBLENDVPS(l.mask, v, m, v)
		}
		VMAXPS(v, m, m)
	})
	m = reduce(m, func(a, b, d Op) { VMAXPS(a, b, d) })

	sum, rest := YMM(), YMM() // the masked rest is stored once: reading it back stalls
	VXORPS(sum, sum, sum)
	r.over("exp", func(l lane) {
		v := l.load(x)
		VSUBPS(m, v, v)
		dead := YMM()
		VCMPPS(U8(17), low, v, dead) // v < low
		VMAXPS(v, low, v)            // NaN stays
		n := YMM()
		VMULPS(log2e, v, n)
		VROUNDPS(U8(0), n, n)
		VFNMADD231PS(hi, n, v)
		VFNMADD231PS(lo, n, v)
		VCVTPS2DQ(n, n)
		VPSLLD(U8(23), n, n)
		e := constant(taylor[0])
		for _, name := range taylor[1:] {
			VFMADD213PS(Mem{Base: k, Disp: at[name]}, v, e)
		}
		VPADDD(n, e, e) // times 2ⁿ
		VANDNPS(e, dead, e)
		if l.masked {
			VANDPS(l.mask, e, rest)
			VADDPS(rest, sum, sum)
			return
		}
		VADDPS(e, sum, sum)
		l.store(e, dst)
	})
	sum = reduce(sum, func(a, b, d Op) { VADDPS(a, b, d) })
	scale := constant("one")
	VDIVPS(sum, scale, scale)
	r.over("divide", func(l lane) {
		if l.masked {
			VMULPS(scale, rest, rest)
			l.store(rest, dst)
			return
		}
		v := l.load(dst)
		VMULPS(scale, v, v)
		l.store(v, dst)
	})
	ADDQ(r.end, x)
	ADDQ(r.end, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func backward() {
	TEXT("softmaxBackwardAVX2", 0, "func(dx, dy, y *float32, rows, c int)")
	Pragma("noescape")
	Doc("softmaxBackwardAVX2 is SoftmaxBackward for rows, c > 0. Sums have 8 lanes.")
	AllocLocal(frame)
	dx, dy, y := pointer("dx"), pointer("dy"), pointer("y")
	rows, c := pointer("rows"), pointer("c")
	r := newRow(c)
	Label("row")
	dot := YMM()
	VXORPS(dot, dot, dot)
	r.over("dot", func(l lane) { VFMADD231PS(l.load(dy), l.load(y), dot) })
	dot = reduce(dot, func(a, b, d Op) { VADDPS(a, b, d) })
	r.over("apply", func(l lane) {
		d := l.load(dy)
		VSUBPS(dot, d, d)
		VMULPS(l.load(y), d, d)
		l.store(d, dx)
	})
	for _, p := range []reg.Register{dx, dy, y} {
		ADDQ(r.end, p)
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
