// Command elementwise generates the AVX2 forms of internal/kernel/elementwise.
//
// Whatever remains after the vectors of 8 is loaded and stored through a mask
// and takes the same instructions, so that a value does not depend on its
// place.
package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	ConstraintExpr("amd64,!purego")
	tailMask()

	flat("add", "dst[i] = a[i] + b[i]", "dst, a, b *float32, n int", 4, func(p pass) {
		v := p.load("a")
		w := p.load("b")
		VADDPS(w, v, v)
		p.store(v, "dst")
	})
	flat("mul", "dst[i] = a[i] * b[i]", "dst, a, b *float32, n int", 4, func(p pass) {
		v := p.load("a")
		w := p.load("b")
		VMULPS(w, v, v)
		p.store(v, "dst")
	})
	flat("scale", "dst[i] = k * a[i]", "dst, a *float32, n int, k float32", 4, func(p pass) {
		v := p.load("a")
		VMULPS(p.scalars["k"], v, v)
		p.store(v, "dst")
	})
	flat("axpy", "dst[i] += k * x[i]", "dst, x *float32, n int, k float32", 4, func(p pass) {
		v := p.load("dst")
		w := p.load("x")
		VFMADD231PS(p.scalars["k"], w, v)
		p.store(v, "dst")
	})
	flat("fill", "dst[i] = k", "dst *float32, n int, k float32", 4, func(p pass) { p.store(p.scalars["k"], "dst") })
	flat("ema", "avg[i] += k * (p[i] - avg[i])", "avg, p *float32, n int, k float32", 2, func(p pass) {
		v := p.load("avg")
		d := p.load("p")
		VSUBPS(v, d, d)
		VFMADD231PS(p.scalars["k"], d, v)
		p.store(v, "avg")
	})
	flat("sgdPlain", "p[i] -= lr * (gradScale*grad[i] + weightDecay*p[i])", "p, grad *float32, n int, lr, weightDecay, gradScale float32", 1, func(p pass) {
		v := p.load("p")
		d := p.load("grad")
		VMULPS(p.scalars["gradScale"], d, d)
		VFMADD231PS(p.scalars["weightDecay"], v, d)
		VFNMADD231PS(p.scalars["lr"], d, v)
		p.store(v, "p")
	})
	flat("sgdMomentum", "d = gradScale*grad[i] + weightDecay*p[i]; b[i] = d + momentum*b[i]; p[i] -= lr * (b[i], or d + momentum*b[i] where nesterov); b[i] counts as 0 where keep is 0, both are bit masks",
		"p, grad, b *float32, n int, lr, momentum, weightDecay, gradScale float32, nesterov, keep uint32", 1, func(p pass) {
			v := p.load("p")
			d := p.load("grad")
			VMULPS(p.scalars["gradScale"], d, d)
			VFMADD231PS(p.scalars["weightDecay"], v, d)
			b := p.load("b")
			VANDPS(p.scalars["keep"], b, b)
			VFMADD213PS(d, p.scalars["momentum"], b)
			p.store(b, "b")
			VFMADD231PS(p.scalars["momentum"], b, d)
			VBLENDVPS(p.scalars["nesterov"], d, b, b)
			VFNMADD231PS(p.scalars["lr"], b, v)
			p.store(v, "p")
		})
	flat("adamW", "d = gradScale*grad[i]; m[i] += blend1*(d-m[i]); v[i] = beta2*v[i] + blend2*d*d; p[i] = decay*p[i] - step*m[i]/(rescale*√v[i]+eps)",
		"p, grad, m, v *float32, n int, gradScale, blend1, beta2, blend2, rescale, eps, decay, step float32", 1, func(p pass) {
			d := p.load("grad")
			VMULPS(p.scalars["gradScale"], d, d)
			m := p.load("m")
			t := YMM()
			VSUBPS(m, d, t)
			VFMADD231PS(p.scalars["blend1"], t, m)
			p.store(m, "m")
			v := p.load("v")
			VMULPS(p.scalars["beta2"], v, v)
			VMULPS(p.scalars["blend2"], d, t)
			VFMADD231PS(d, t, v)
			p.store(v, "v")
			VSQRTPS(v, v)
			VFMADD213PS(p.scalars["eps"], p.scalars["rescale"], v)
			VMULPS(p.scalars["step"], m, m)
			VDIVPS(v, m, m)
			w := p.load("p")
			VFMSUB132PS(p.scalars["decay"], m, w)
			p.store(w, "p")
		})

	affine("affine", false)
	affine("affineResidual", true)
	scaleRows()
	columns("columnSums", false)
	columns("columnDots", true)
	sumSquares()
	Generate()
}

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

// maskFor loads the mask of the first n lanes; n is overwritten.
func maskFor(n reg.GPVirtual) reg.VecVirtual {
	table, m := GP64(), YMM()
	LEAQ(mask.Offset(32), table)
	SHLQ(Imm(2), n)
	SUBQ(n, table)
	VMOVUPS(Mem{Base: table}, m)
	return m
}

// pass is one vector's turn in a loop over slices.
type pass struct {
	pointers map[string]reg.Register
	scalars  map[string]reg.VecVirtual
	at       reg.Register // bytes from the pointers
	disp     int
	mask     *reg.VecVirtual
}

func (p pass) mem(name string) Mem {
	if p.at == nil {
		return Mem{Base: p.pointers[name], Disp: p.disp}
	}
	return Mem{Base: p.pointers[name], Index: p.at, Scale: 1, Disp: p.disp}
}

func (p pass) load(name string) reg.VecVirtual {
	v := YMM()
	if p.mask == nil {
		VMOVUPS(p.mem(name), v)
	} else {
		VMASKMOVPS(p.mem(name), *p.mask, v)
	}
	return v
}

func (p pass) store(v reg.VecVirtual, name string) {
	if p.mask == nil {
		VMOVUPS(v, p.mem(name))
	} else {
		VMASKMOVPS(v, *p.mask, p.mem(name))
	}
}

// flat generates a function of n elements with the given parameters: pointers
// to float32, then n, then scalars.
func flat(name, what, parameters string, unroll int, step func(pass)) {
	TEXT(name, NOSPLIT, "func("+parameters+")")
	Pragma("noescape")
	Doc(name + " computes, for n elements, " + what + ".")
	p := pass{pointers: map[string]reg.Register{}, scalars: map[string]reg.VecVirtual{}, at: GP64()}
	pointers, scalars := split(parameters)
	for _, q := range pointers {
		p.pointers[q] = Load(Param(q), GP64())
	}
	for _, q := range scalars {
		v := YMM()
		m, err := Param(q).Resolve()
		if err != nil {
			panic(err)
		}
		VBROADCASTSS(m.Addr, v)
		p.scalars[q] = v
	}
	n := Load(Param("n"), GP64()).(reg.GPVirtual)
	XORQ(p.at, p.at)
	if unroll > 1 {
		SUBQ(U8(8*unroll), n)
		JL(LabelRef("few"))
		Label("many")
		for i := range unroll {
			q := p
			q.disp = 32 * i
			step(q)
		}
		ADDQ(U32(32*unroll), p.at)
		SUBQ(U8(8*unroll), n)
		JGE(LabelRef("many"))
		Label("few")
		ADDQ(U8(8*unroll), n)
	}
	SUBQ(Imm(8), n)
	JL(LabelRef("tail"))
	Label("vector")
	step(p)
	ADDQ(Imm(32), p.at)
	SUBQ(Imm(8), n)
	JGE(LabelRef("vector"))
	Label("tail")
	ADDQ(Imm(8), n)
	JZ(LabelRef("done"))
	m := maskFor(n)
	p.mask = &m
	step(p)
	Label("done")
	VZEROUPPER()
	RET()
}

// split lists the names of the parameters before and after n.
func split(parameters string) (pointers, scalars []string) {
	list, name := &pointers, ""
	for _, r := range parameters + "," {
		switch {
		case r == ',' || r == ' ':
			switch name {
			case "", "*float32", "float32", "int", "uint32":
			case "n":
				list = &scalars
			default:
				*list = append(*list, name)
			}
			name = ""
		default:
			name += string(r)
		}
	}
	return pointers, scalars
}

// rows generates a loop over rows rows of c elements with pointers that advance
// from row to row and others that do not.
func rows(c, rows reg.GPVirtual, advance []reg.Register, at reg.GPVirtual, step func(mask *reg.VecVirtual)) {
	whole, rest := GP64(), GP64()
	MOVQ(c, whole)
	ANDQ(I8(-8), whole)
	SHLQ(Imm(2), whole)
	MOVQ(c, rest)
	ANDQ(Imm(7), rest)
	left := GP64()
	MOVQ(rest, left)
	m := maskFor(left)
	SHLQ(Imm(2), c)
	Label("row")
	XORQ(at, at)
	CMPQ(whole, Imm(0))
	JEQ(LabelRef("tail"))
	Label("vector")
	step(nil)
	ADDQ(Imm(32), at)
	CMPQ(at, whole)
	JLT(LabelRef("vector"))
	Label("tail")
	TESTQ(rest, rest)
	JZ(LabelRef("next"))
	step(&m)
	Label("next")
	for _, p := range advance {
		ADDQ(c, p)
	}
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func gp(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

func affine(name string, residual bool) {
	signature, what := "dst, x, scale, shift *float32", "x[r,i]*scale[i] + shift[i]"
	if residual {
		signature, what = "dst, x, residual, scale, shift *float32", what+" + residual[r,i]"
	}
	TEXT(name, NOSPLIT, "func("+signature+", rows, c int, low float32)")
	Pragma("noescape")
	Doc(name + " computes dst[r,i] = max(low, " + what + ") for matrices of rows x c.")
	p := pass{pointers: map[string]reg.Register{}}
	names := []string{"dst", "x", "scale", "shift"}
	if residual {
		names = append(names, "residual")
	}
	var advance []reg.Register
	for _, q := range names {
		r := gp(q)
		p.pointers[q] = r
		if q != "scale" && q != "shift" {
			advance = append(advance, r)
		}
	}
	n, c, at := gp("rows"), gp("c"), GP64()
	p.at = at
	low := YMM()
	l, _ := Param("low").Resolve()
	VBROADCASTSS(l.Addr, low)
	rows(c, n, advance, at, func(m *reg.VecVirtual) {
		p := p
		p.mask = m
		v, k, b := p.load("x"), p.load("scale"), p.load("shift")
		VFMADD213PS(b, k, v)
		if residual {
			r := p.load("residual")
			VADDPS(r, v, v)
		}
		VMAXPS(v, low, v) // a NaN in v stays
		p.store(v, "dst")
	})
}

func scaleRows() {
	TEXT("scaleRows", NOSPLIT, "func(dst, x, gamma *float32, rows, c int)")
	Pragma("noescape")
	Doc("scaleRows computes dst[r,i] = x[r,i]*gamma[i] for matrices of rows x c.")
	dst, x, gamma := gp("dst"), gp("x"), gp("gamma")
	n, c, at := gp("rows"), gp("c"), GP64()
	p := pass{pointers: map[string]reg.Register{"dst": dst, "x": x, "gamma": gamma}, at: at}
	rows(c, n, []reg.Register{dst, x}, at, func(m *reg.VecVirtual) {
		p := p
		p.mask = m
		v, g := p.load("x"), p.load("gamma")
		VMULPS(g, v, v)
		p.store(v, "dst")
	})
}

// columns generates sums over rows, 64 columns at a time, then 8, then what is
// left.
func columns(name string, dots bool) {
	signature, what := "sum, a *float32, rows, pitch, cols int", "a[r,i]"
	if dots {
		signature, what = "sum, a, b *float32, rows, pitch, cols int", "a[r,i]*b[r,i]"
	}
	TEXT(name, NOSPLIT, "func("+signature+")")
	Pragma("noescape")
	Doc(name + " adds to sum[i], for cols columns, the sum over rows of " + what + "; rows are pitch bytes apart.")
	sum, a := gp("sum"), gp("a")
	var b reg.GPVirtual
	if dots {
		b = gp("b")
	}
	n, pitch, cols := gp("rows"), gp("pitch"), gp("cols")
	left, at := GP64(), GP64()
	block := func(label string, vectors int, m *reg.VecVirtual) {
		p := pass{pointers: map[string]reg.Register{"a": a}, at: at, mask: m}
		if dots {
			p.pointers["b"] = b
		}
		acc := make([]reg.VecVirtual, vectors)
		for i := range acc {
			acc[i] = YMM()
			VXORPS(acc[i], acc[i], acc[i])
		}
		MOVQ(n, left)
		XORQ(at, at)
		Label(label)
		for i, s := range acc {
			p.disp = 32 * i
			v := p.load("a")
			if dots {
				w := p.load("b")
				VFMADD231PS(w, v, s)
			} else {
				VADDPS(v, s, s)
			}
		}
		ADDQ(pitch, at)
		DECQ(left)
		JNZ(LabelRef(label))
		for i, s := range acc {
			q := pass{pointers: map[string]reg.Register{"sum": sum}, mask: m, disp: 32 * i}
			v := q.load("sum")
			VADDPS(s, v, v)
			q.store(v, "sum")
		}
		if m == nil {
			ADDQ(U32(32*vectors), sum)
			ADDQ(U32(32*vectors), a)
			if dots {
				ADDQ(U32(32*vectors), b)
			}
		}
	}
	SUBQ(Imm(64), cols)
	JL(LabelRef("few"))
	Label("many")
	block("rows64", 8, nil)
	SUBQ(Imm(64), cols)
	JGE(LabelRef("many"))
	Label("few")
	ADDQ(Imm(64-8), cols)
	JL(LabelRef("tail"))
	Label("vector")
	block("rows8", 1, nil)
	SUBQ(Imm(8), cols)
	JGE(LabelRef("vector"))
	Label("tail")
	ADDQ(Imm(8), cols)
	JZ(LabelRef("done"))
	m := maskFor(cols)
	block("rows1", 1, &m)
	Label("done")
	VZEROUPPER()
	RET()
}

func sumSquares() {
	TEXT("sumSquares", NOSPLIT, "func(sum *[16]float64, x *float32, n int)")
	Pragma("noescape")
	Doc("sumSquares computes sum[j] += x[16i+j]² in float64 for n groups of 16.")
	sum, x, n := gp("sum"), gp("x"), gp("n")
	acc := make([]reg.VecVirtual, 4)
	for i := range acc {
		acc[i] = YMM()
		VMOVUPD(Mem{Base: sum, Disp: 32 * i}, acc[i])
	}
	Label("group")
	for i, s := range acc {
		v := YMM()
		VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, v)
		VFMADD231PD(v, v, s)
	}
	ADDQ(Imm(64), x)
	DECQ(n)
	JNZ(LabelRef("group"))
	for i, s := range acc {
		VMOVUPD(s, Mem{Base: sum, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()
}
