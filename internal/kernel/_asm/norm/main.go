// Command norm generates the kernels of internal/kernel/norm: those for AVX2
// and FMA, or with -avx512 those for AVX-512.
package main

import (
	"flag"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// frame is large enough that the assembler adds the check of the stack at
// which a goroutine can be stopped.
const frame = 128

// strip is the number of channels that one call of BatchNorm's backward passes
// takes on at most: what they keep for the channels has that pitch. Package norm
// has the same constant.
const strip = 512

// tail holds 8 words of ones and 8 of zeros: read from word 8-n on, it is the
// mask of n lanes.
var tail Mem

func main() {
	avx512 := flag.Bool("avx512", false, "generate the AVX-512 kernels")
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	if *avx512 {
		for _, n := range []int{8, 4, 1} {
			layerNormWide(n)
		}
		for _, n := range []int{4, 1} {
			layerNormBackwardWide(n)
		}
		momentsWide()
		finishMomentsWide()
		batchNormBackwardSumsWide()
		batchNormFactors()
		batchNormBackwardWide()
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
	layerNorm()
	layerNorm8()
	layerNormBackward()
	layerNormBackward8()
	moments(16)
	moments(4)
	batchNormBackwardSums()
	batchNormBackward()
	Generate()
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
	// the mask for c - end8 lanes
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

func (l lane) at(base reg.Register) Mem { return Mem{Base: base, Index: l.i, Scale: 1} }

func (l lane) load(base reg.Register) reg.VecVirtual { return l.loadAt(l.at(base)) }

func (l lane) loadAt(m Mem) reg.VecVirtual {
	y := YMM()
	if l.masked {
		VMASKMOVPS(m, l.mask, y)
	} else {
		VMOVUPS(m, y)
	}
	return y
}

func (l lane) store(y reg.VecVirtual, base reg.Register) { l.storeAt(y, l.at(base)) }

func (l lane) storeAt(y reg.VecVirtual, m Mem) {
	if l.masked {
		VMASKMOVPS(y, l.mask, m)
	} else {
		VMOVUPS(y, m)
	}
}

// over emits body for every vector and for the masked rest.
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

func zeros(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = YMM()
		VXORPS(v[i], v[i], v[i])
	}
	return v
}

// total adds up the lanes of y: ((0+1)+(2+3)) + ((4+5)+(6+7)).
func total(y reg.VecVirtual) reg.VecVirtual {
	VHADDPS(y, y, y)
	VHADDPS(y, y, y)
	s := XMM()
	VEXTRACTF128(U8(1), y, s)
	VADDPS(s, y.AsX(), s)
	return s
}

func spread(x reg.VecVirtual) reg.VecVirtual {
	y := YMM()
	VBROADCASTSS(x, y)
	return y
}

// reciprocal is 1/n as float32.
func reciprocal(n reg.Register) reg.VecVirtual {
	d, one := XMM(), oneX()
	VXORPS(d, d, d)
	VCVTSI2SSQ(n, d, d)
	VDIVSS(d, one, d)
	return d
}

func oneX() reg.VecVirtual {
	x, g := XMM(), GP32()
	MOVL(U32(0x3f800000), g)
	VMOVD(g, x)
	return x
}

func pointer(name string) reg.GPVirtual { return Load(Param(name), GP64()).(reg.GPVirtual) }

// ifNil jumps when a pointer argument is nil.
func ifNil(p reg.Register, label string) {
	TESTQ(p, p)
	JZ(LabelRef(label))
}

const layerNormArgs = "func(dst, x, gamma, beta, mean, rstd *float32, rows, c int, eps float32)"

// finish turns sums over a row (in lanes: over rows) into what is applied:
// ρ and δρ, and leaves μ + δ in μ.
func finish(μ, dev, sq, inv, eps, one reg.VecVirtual) (ρ, δρ reg.VecVirtual) {
	δ := YMM()
	VMULPS(inv, dev, δ)
	VMULPS(inv, sq, sq)
	VFNMADD231PS(δ, δ, sq)
	zero := YMM()
	VXORPS(zero, zero, zero)
	VMAXPS(sq, zero, sq) // NaN stays
	VADDPS(eps, sq, sq)
	VSQRTPS(sq, sq)
	ρ, δρ = YMM(), YMM()
	VDIVPS(sq, one, ρ)
	VMULPS(ρ, δ, δρ)
	VADDPS(δ, μ, μ)
	return ρ, δρ
}

func layerNorm() {
	TEXT("layerNormAVX2", 0, layerNormArgs)
	Pragma("noescape")
	Doc("layerNormAVX2 is LayerNorm for rows, c > 0, row by row; gamma, beta, mean and rstd may be nil. Sums have 8",
		"lanes. The variance is taken of differences from the rounded mean and then corrected for its rounding.")
	AllocLocal(frame)
	dst, x, gamma, beta := pointer("dst"), pointer("x"), pointer("gamma"), pointer("beta")
	mean, rstd, rows, c := pointer("mean"), pointer("rstd"), pointer("rows"), pointer("c")
	eps, one := YMM(), spread(oneX())
	VBROADCASTSS(address("eps"), eps)
	inv := spread(reciprocal(c))
	r := newRow(c)

	Label("row")
	sum := zeros(1)[0]
	r.over("sum", func(l lane) { VADDPS(l.load(x), sum, sum) })
	μ := spread(total(sum))
	VMULPS(inv, μ, μ)
	μs := YMM()
	VMOVAPS(μ, μs)

	dev, sq := zeros(1)[0], zeros(1)[0]
	r.over("squares", func(l lane) {
		d := l.load(x)
		VSUBPS(μs, d, d)
		if l.masked {
			VANDPS(l.mask, d, d)
		}
		VADDPS(d, dev, dev)
		VFMADD231PS(d, d, sq)
	})
	ρ, δρ := finish(μ, spread(total(dev)), spread(total(sq)), inv, eps, one)
	ifNil(mean, "no_mean")
	VMOVSS(μ.AsX(), Mem{Base: mean})
	ADDQ(I8(4), mean)
	Label("no_mean")
	ifNil(rstd, "no_rstd")
	VMOVSS(ρ.AsX(), Mem{Base: rstd})
	ADDQ(I8(4), rstd)
	Label("no_rstd")

	affine(gamma, beta, func(name string, g, b bool) {
		r.over(name, func(l lane) {
			d := l.load(x)
			VSUBPS(μs, d, d)
			VFMSUB132PS(ρ, δρ, d)
			switch {
			case g && b:
				VFMADD213PS(l.load(beta), l.load(gamma), d)
			case g:
				VMULPS(l.load(gamma), d, d)
			case b:
				VADDPS(l.load(beta), d, d)
			}
			l.store(d, dst)
		})
	})
	ADDQ(r.end, x)
	ADDQ(r.end, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// affine emits apply for each combination of gamma and beta.
func affine(gamma, beta reg.Register, apply func(name string, g, b bool)) {
	ifNil(gamma, "no_gamma")
	ifNil(beta, "gamma_alone")
	apply("both", true, true)
	JMP(LabelRef("next"))
	Label("gamma_alone")
	apply("gamma", true, false)
	JMP(LabelRef("next"))
	Label("no_gamma")
	ifNil(beta, "neither")
	apply("beta", false, true)
	JMP(LabelRef("next"))
	Label("neither")
	apply("plain", false, false)
	Label("next")
}

func address(param string) Mem {
	b, err := Param(param).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// eight is the addressing of eight rows: row k is base + k·pitch, reached
// from two bases with scaled indices.
type eight struct {
	pitch, pitch3 reg.GPVirtual // bytes from row to row, and three times that
	i             reg.GPVirtual // position in the rows
}

func newEight(c reg.Register) eight {
	e := eight{pitch: GP64(), pitch3: GP64(), i: GP64()}
	MOVQ(c, e.pitch)
	SHLQ(U8(2), e.pitch)
	LEAQ(Mem{Base: e.pitch, Index: e.pitch, Scale: 2}, e.pitch3)
	return e
}

// rowAt is what base points to, k rows on: 0 to 3.
func rowAt(base, pitch, pitch3 reg.Register, k int) Mem {
	switch k {
	case 0:
		return Mem{Base: base}
	case 3:
		return Mem{Base: base, Index: pitch3, Scale: 1}
	}
	return Mem{Base: base, Index: pitch, Scale: uint8(k)}
}

// over emits body for every vector of up to four rows from row first on, an
// even number; at is the vector's place in row first+k of bases[base].
func (e eight) over(name string, first int, bases []reg.GPVirtual, body func(at func(base, k int) Mem)) {
	p := make([]reg.GPVirtual, len(bases))
	for j, b := range bases {
		p[j] = GP64()
		MOVQ(b, p[j])
		switch first {
		case 2, 4:
			LEAQ(Mem{Base: p[j], Index: e.pitch, Scale: uint8(first)}, p[j])
		case 6:
			LEAQ(Mem{Base: p[j], Index: e.pitch3, Scale: 2}, p[j])
		}
	}
	XORQ(e.i, e.i)
	Label(name)
	body(func(base, k int) Mem { return rowAt(p[base], e.pitch, e.pitch3, k) })
	for j := range p {
		ADDQ(I8(32), p[j])
	}
	ADDQ(I8(32), e.i)
	CMPQ(e.i, e.pitch)
	JLT(LabelRef(name))
}

// pairs adds neighbouring lanes of four vectors: half of total's additions for
// four rows at once. v is used up.
func pairs(v []reg.VecVirtual) reg.VecVirtual {
	VHADDPS(v[1], v[0], v[0])
	VHADDPS(v[3], v[2], v[2])
	VHADDPS(v[2], v[0], v[0])
	return v[0]
}

// join finishes total's additions for eight rows: lane k is row k's sum.
func join(a, b reg.VecVirtual) reg.VecVirtual {
	lo, hi := YMM(), YMM()
	VPERM2F128(U8(0x20), b, a, lo)
	VPERM2F128(U8(0x31), b, a, hi)
	VADDPS(hi, lo, lo)
	return lo
}

func layerNorm8() {
	TEXT("layerNorm8AVX2", 0, layerNormArgs)
	Pragma("noescape")
	Doc("layerNorm8AVX2 computes what layerNormAVX2 does, bit by bit, for eight rows at a time: rows and c must be",
		"multiples of 8.")
	store := AllocLocal(frame + 3*32)
	dst, x, gamma, beta := pointer("dst"), pointer("x"), pointer("gamma"), pointer("beta")
	mean, rstd, rows, c := pointer("mean"), pointer("rstd"), pointer("rows"), pointer("c")
	e := newEight(c)
	inv := spread(reciprocal(c))
	slot := func(n, lane int) Mem { return store.Offset(32*n + 4*lane) }

	Label("rows")
	var part []reg.VecVirtual
	for _, first := range []int{0, 4} {
		sum := zeros(4)
		e.over(fmt.Sprint("sum", first), first, []reg.GPVirtual{x}, func(at func(base, k int) Mem) {
			for k := range sum {
				VADDPS(at(0, k), sum[k], sum[k])
			}
		})
		part = append(part, pairs(sum))
	}
	μ := join(part[0], part[1])
	VMULPS(inv, μ, μ)
	VMOVUPS(μ, slot(0, 0))

	var devs, sqs []reg.VecVirtual
	for _, first := range []int{0, 4} {
		dev, sq := zeros(4), zeros(4)
		var m []reg.VecVirtual
		for k := range 4 {
			m = append(m, YMM())
			VBROADCASTSS(slot(0, first+k), m[k])
		}
		e.over(fmt.Sprint("squares", first), first, []reg.GPVirtual{x}, func(at func(base, k int) Mem) {
			for k := range 4 {
				d := YMM()
				VMOVUPS(at(0, k), d)
				VSUBPS(m[k], d, d)
				VADDPS(d, dev[k], dev[k])
				VFMADD231PS(d, d, sq[k])
			}
		})
		devs, sqs = append(devs, pairs(dev)), append(sqs, pairs(sq))
		if first == 0 { // the second half needs the registers
			VMOVUPS(devs[0], slot(1, 0))
			VMOVUPS(sqs[0], slot(2, 0))
		}
	}
	devs[0], sqs[0] = YMM(), YMM()
	VMOVUPS(slot(1, 0), devs[0])
	VMOVUPS(slot(2, 0), sqs[0])
	eps, one := YMM(), spread(oneX())
	VBROADCASTSS(address("eps"), eps)
	m := YMM()
	VMOVUPS(slot(0, 0), m)
	ρ, δρ := finish(m, join(devs[0], devs[1]), join(sqs[0], sqs[1]), inv, eps, one)
	VMOVUPS(ρ, slot(1, 0))
	VMOVUPS(δρ, slot(2, 0))
	ifNil(mean, "no_mean")
	VMOVUPS(m, Mem{Base: mean})
	ADDQ(I8(32), mean)
	Label("no_mean")
	ifNil(rstd, "no_rstd")
	VMOVUPS(ρ, Mem{Base: rstd})
	ADDQ(I8(32), rstd)
	Label("no_rstd")

	affine(gamma, beta, func(name string, g, b bool) {
		for _, first := range []int{0, 4} {
			var μ, ρ, δρ []reg.VecVirtual
			for k := range 4 {
				μ, ρ, δρ = append(μ, YMM()), append(ρ, YMM()), append(δρ, YMM())
				VBROADCASTSS(slot(0, first+k), μ[k])
				VBROADCASTSS(slot(1, first+k), ρ[k])
				VBROADCASTSS(slot(2, first+k), δρ[k])
			}
			e.over(fmt.Sprint(name, first), first, []reg.GPVirtual{x, dst}, func(at func(base, k int) Mem) {
				γ, β := YMM(), YMM()
				if g {
					VMOVUPS(Mem{Base: gamma, Index: e.i, Scale: 1}, γ)
				}
				if b {
					VMOVUPS(Mem{Base: beta, Index: e.i, Scale: 1}, β)
				}
				for k := range 4 {
					d := YMM()
					VMOVUPS(at(0, k), d)
					VSUBPS(μ[k], d, d)
					VFMSUB132PS(ρ[k], δρ[k], d)
					switch {
					case g && b:
						VFMADD213PS(β, γ, d)
					case g:
						VMULPS(γ, d, d)
					case b:
						VADDPS(β, d, d)
					}
					VMOVUPS(d, at(1, k))
				}
			})
		}
	})
	LEAQ(Mem{Base: x, Index: e.pitch, Scale: 8}, x)
	LEAQ(Mem{Base: dst, Index: e.pitch, Scale: 8}, dst)
	SUBQ(I8(8), rows)
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

const layerNormBackwardArgs = "func(dx, dgamma, dbeta, dy, x, gamma, mean, rstd *float32, rows, c int)"

func layerNormBackward() {
	TEXT("layerNormBackwardAVX2", 0, layerNormBackwardArgs)
	Pragma("noescape")
	Doc("layerNormBackwardAVX2 is LayerNormBackward for rows, c > 0; gamma may be nil, dgamma and dbeta together.")
	AllocLocal(frame)
	dx, dgamma, dbeta := pointer("dx"), pointer("dgamma"), pointer("dbeta")
	dy, x, gamma := pointer("dy"), pointer("x"), pointer("gamma")
	mean, rstd, rows, c := pointer("mean"), pointer("rstd"), pointer("rows"), pointer("c")
	inv := reciprocal(c)
	r := newRow(c)

	Label("row")
	μ, ρ := YMM(), YMM()
	VBROADCASTSS(Mem{Base: mean}, μ)
	VBROADCASTSS(Mem{Base: rstd}, ρ)
	g, gx := zeros(1)[0], zeros(1)[0]
	normal := func(l lane) reg.VecVirtual { // x̂
		h := l.load(x)
		VSUBPS(μ, h, h)
		VMULPS(ρ, h, h)
		return h
	}
	sums := func(name string, params, scaled bool) {
		r.over(name, func(l lane) {
			d, h := l.load(dy), normal(l)
			if params {
				a := l.load(dgamma)
				VFMADD231PS(h, d, a)
				l.store(a, dgamma)
				b := l.load(dbeta)
				VADDPS(d, b, b)
				l.store(b, dbeta)
			}
			if scaled {
				VMULPS(l.load(gamma), d, d)
			}
			VADDPS(d, g, g)
			VFMADD231PS(h, d, gx)
		})
	}
	gradients(dgamma, gamma, sums)
	k0, k1 := total(g), total(gx)
	VMULSS(inv, k0, k0)
	VMULSS(inv, k1, k1)
	VMULSS(ρ.AsX(), k0, k0)
	VMULSS(ρ.AsX(), k1, k1)
	k0s, k1s := spread(k0), spread(k1)
	apply := func(name string, scaled bool) {
		r.over(name, func(l lane) {
			d, h := l.load(dy), normal(l)
			if scaled {
				VMULPS(l.load(gamma), d, d)
			}
			VFMSUB132PS(ρ, k0s, d)
			VFNMADD231PS(k1s, h, d)
			l.store(d, dx)
		})
	}
	ifNil(gamma, "apply_plain")
	apply("dx_scaled", true)
	JMP(LabelRef("next"))
	Label("apply_plain")
	apply("dx", false)
	Label("next")
	for _, p := range []reg.Register{dx, dy, x} {
		ADDQ(r.end, p)
	}
	ADDQ(I8(4), mean)
	ADDQ(I8(4), rstd)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func layerNormBackward8() {
	TEXT("layerNormBackward8AVX2", 0, layerNormBackwardArgs)
	Pragma("noescape")
	Doc("layerNormBackward8AVX2 computes what layerNormBackwardAVX2 does, bit by bit, for eight rows at a time: rows",
		"and c must be multiples of 8.")
	store := AllocLocal(16 * 32)
	dx, dgamma, dbeta := pointer("dx"), pointer("dgamma"), pointer("dbeta")
	dy, x, gamma := pointer("dy"), pointer("x"), pointer("gamma")
	mean, rstd, c := pointer("mean"), pointer("rstd"), pointer("c")
	inv := spread(reciprocal(c))
	e := newEight(c)
	slot := func(n, lane int) Mem { return store.Offset(32*n + 4*lane) }
	here := func(base reg.Register) Mem { return Mem{Base: base, Index: e.i, Scale: 1} }

	Label("rows")
	sums := func(name string, params, scaled bool) {
		for first := 0; first < 8; first += 2 {
			g, gx := zeros(2), zeros(2)
			var μ, ρ []reg.VecVirtual
			for k := range 2 {
				μ, ρ = append(μ, YMM()), append(ρ, YMM())
				VBROADCASTSS(Mem{Base: mean, Disp: 4 * (first + k)}, μ[k])
				VBROADCASTSS(Mem{Base: rstd, Disp: 4 * (first + k)}, ρ[k])
			}
			e.over(fmt.Sprint(name, first), first, []reg.GPVirtual{dy, x}, func(at func(base, k int) Mem) {
				γ, a, b := YMM(), YMM(), YMM()
				if scaled {
					VMOVUPS(here(gamma), γ)
				}
				if params {
					VMOVUPS(here(dgamma), a)
					VMOVUPS(here(dbeta), b)
				}
				for k := range 2 {
					d, h := YMM(), YMM()
					VMOVUPS(at(0, k), d)
					VMOVUPS(at(1, k), h)
					VSUBPS(μ[k], h, h)
					VMULPS(ρ[k], h, h)
					if params {
						VFMADD231PS(h, d, a)
						VADDPS(d, b, b)
					}
					if scaled {
						VMULPS(γ, d, d)
					}
					VADDPS(d, g[k], g[k])
					VFMADD231PS(h, d, gx[k])
				}
				if params {
					VMOVUPS(a, here(dgamma))
					VMOVUPS(b, here(dbeta))
				}
			})
			for k := range 2 {
				VMOVUPS(g[k], slot(first+k, 0))
				VMOVUPS(gx[k], slot(8+first+k, 0))
			}
		}
	}
	gradients(dgamma, gamma, sums)
	for n := range 2 {
		var part []reg.VecVirtual
		for first := 0; first < 8; first += 4 {
			v := []reg.VecVirtual{YMM(), YMM(), YMM(), YMM()}
			for k := range v {
				VMOVUPS(slot(8*n+first+k, 0), v[k])
			}
			part = append(part, pairs(v))
		}
		k := join(part[0], part[1])
		VMULPS(inv, k, k)
		VMULPS(Mem{Base: rstd}, k, k)
		VMOVUPS(k, slot(8*n, 0))
	}
	apply := func(name string, scaled bool) {
		for first := 0; first < 8; first += 2 {
			var μ, ρ, k0, k1 []reg.VecVirtual
			for k := range 2 {
				μ, ρ, k0, k1 = append(μ, YMM()), append(ρ, YMM()), append(k0, YMM()), append(k1, YMM())
				VBROADCASTSS(Mem{Base: mean, Disp: 4 * (first + k)}, μ[k])
				VBROADCASTSS(Mem{Base: rstd, Disp: 4 * (first + k)}, ρ[k])
				VBROADCASTSS(slot(0, first+k), k0[k])
				VBROADCASTSS(slot(8, first+k), k1[k])
			}
			e.over(fmt.Sprint(name, first), first, []reg.GPVirtual{dy, x, dx}, func(at func(base, k int) Mem) {
				γ := YMM()
				if scaled {
					VMOVUPS(here(gamma), γ)
				}
				for k := range 2 {
					d, h := YMM(), YMM()
					VMOVUPS(at(0, k), d)
					VMOVUPS(at(1, k), h)
					VSUBPS(μ[k], h, h)
					VMULPS(ρ[k], h, h)
					if scaled {
						VMULPS(γ, d, d)
					}
					VFMSUB132PS(ρ[k], k0[k], d)
					VFNMADD231PS(k1[k], h, d)
					VMOVUPS(d, at(2, k))
				}
			})
		}
	}
	ifNil(gamma, "apply_plain")
	apply("dx_scaled", true)
	JMP(LabelRef("next"))
	Label("apply_plain")
	apply("dx", false)
	Label("next")
	for _, p := range []reg.Register{dx, dy, x} {
		LEAQ(Mem{Base: p, Index: e.pitch, Scale: 8}, p)
	}
	ADDQ(I8(32), mean)
	ADDQ(I8(32), rstd)
	SUBQ(I8(8), address("rows"))
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// gradients emits sums for each combination of dgamma (with dbeta) and gamma.
func gradients(dgamma, gamma reg.Register, sums func(name string, params, scaled bool)) {
	ifNil(dgamma, "no_params")
	ifNil(gamma, "params_plain")
	sums("params_scaled", true, true)
	JMP(LabelRef("summed"))
	Label("params_plain")
	sums("params", true, false)
	JMP(LabelRef("summed"))
	Label("no_params")
	ifNil(gamma, "no_params_plain")
	sums("scaled", false, true)
	JMP(LabelRef("summed"))
	Label("no_params_plain")
	sums("plain", false, false)
	Label("summed")
}

// moments handles n channels, a multiple of 4.
func moments(n int) {
	name := map[int]string{16: "moments16AVX2", 4: "moments4AVX2"}[n]
	TEXT(name, 0, "func(sum, squares *float64, x, first *float32, rows, stride int)")
	Pragma("noescape")
	Doc(name+" handles as many channels as its name says, for rows > 0 that lie stride elements apart:",
		"for d = x - first, in float64, it adds Σ d to sum and Σ d² to squares.")
	AllocLocal(frame)
	sum, squares, x, first := pointer("sum"), pointer("squares"), pointer("x"), pointer("first")
	rows, stride := pointer("rows"), pointer("stride")
	SHLQ(U8(2), stride)
	var f, s, q []reg.VecVirtual
	for i := range n / 4 {
		f, s, q = append(f, YMM()), append(s, YMM()), append(q, YMM())
		VCVTPS2PD(Mem{Base: first, Disp: 16 * i}, f[i])
		VMOVUPD(Mem{Base: sum, Disp: 32 * i}, s[i])
		VMOVUPD(Mem{Base: squares, Disp: 32 * i}, q[i])
	}
	Label("row")
	for i := range f {
		d := YMM()
		VCVTPS2PD(Mem{Base: x, Disp: 16 * i}, d)
		VSUBPD(f[i], d, d)
		VADDPD(d, s[i], s[i])
		VFMADD231PD(d, d, q[i])
	}
	ADDQ(stride, x)
	DECQ(rows)
	JNZ(LabelRef("row"))
	for i := range f {
		VMOVUPD(s[i], Mem{Base: sum, Disp: 32 * i})
		VMOVUPD(q[i], Mem{Base: squares, Disp: 32 * i})
	}
	VZEROUPPER()
	RET()
}

func batchNormBackwardSums() {
	const name = "batchNormBackwardSumsAVX2"
	TEXT(name, 0, "func(total *float64, block, dy, x, mean, rstd *float32, rows, c, stride int)")
	Pragma("noescape")
	Doc(name+" adds Σ dy and Σ dy x̂ over rows > 0 rows that lie stride elements apart, for 0 < c <= strip channels,",
		"to total [2,strip]. Each channel is one chain of additions in block [2,strip], zeros before and after.")
	AllocLocal(frame)
	block, dy, x, mean := pointer("block"), pointer("dy"), pointer("x"), pointer("mean")
	f := newFew(pointer("c"), pointer("stride"), dy, x)
	sdyx := func(l lane) Mem { return l.at(block).Offset(4 * strip) }
	f.each(pointer("rows"), func(l lane, n int, at func(base, k int) Mem) {
		t, tx, μ := YMM(), YMM(), l.load(mean)
		VMOVUPS(l.at(block), t)
		VMOVUPS(sdyx(l), tx)
		for k := range n {
			d, h := l.loadAt(at(0, k)), l.loadAt(at(1, k))
			VSUBPS(μ, h, h)
			VADDPS(d, t, t)
			VFMADD231PS(h, d, tx)
		}
		VMOVUPS(t, l.at(block))
		VMOVUPS(tx, sdyx(l))
	})
	total, rstd := pointer("total"), pointer("rstd")
	zero := zeros(1)[0]
	f.over("fold", func(l lane) {
		t, tx := YMM(), YMM()
		VMOVUPS(l.at(block), t)
		VMULPS(sdyx(l), l.load(rstd), tx)
		VMOVUPS(zero, l.at(block))
		VMOVUPS(zero, sdyx(l))
		for i, sum := range []reg.VecVirtual{t, tx} {
			upper := XMM()
			VEXTRACTF128(U8(1), sum, upper)
			for j, half := range []reg.Register{sum.AsX(), upper} {
				to := Mem{Base: total, Index: l.i, Scale: 2, Disp: 8*strip*i + 32*j}
				f := YMM()
				VCVTPS2PD(half, f)
				VADDPD(to, f, f)
				VMOVUPD(f, to)
			}
		}
	})
	VZEROUPPER()
	RET()
}

// few goes over matrices a few rows at a time, along the columns: in the order
// in which memory is fetched.
type few struct {
	row
	pitch, pitch3 reg.GPVirtual   // bytes from row to row, and three times that
	bases, at     []reg.GPVirtual // of each matrix: rows, vector
}

// newFew makes pitch, which is in elements, bytes.
func newFew(c, pitch reg.GPVirtual, bases ...reg.GPVirtual) few {
	f := few{row: newRow(c), pitch: pitch, pitch3: GP64(), bases: bases}
	SHLQ(U8(2), pitch)
	LEAQ(Mem{Base: pitch, Index: pitch, Scale: 2}, f.pitch3)
	for range bases {
		f.at = append(f.at, GP64())
	}
	return f
}

// each emits body for every vector of n = 4 rows at a time while there are so
// many, then of single ones: at is its place in row k of bases[base]. count
// counts down to 0.
func (f few) each(count reg.GPVirtual, body func(l lane, n int, at func(base, k int) Mem)) {
	for _, n := range []int{4, 1} {
		name := fmt.Sprint("rows", n)
		Label(name)
		CMPQ(count, U8(n))
		JLT(LabelRef(name + "_over"))
		f.over(name+"_vectors", func(l lane) {
			for i, base := range f.bases {
				LEAQ(l.at(base), f.at[i])
			}
			body(l, n, func(base, k int) Mem { return rowAt(f.at[base], f.pitch, f.pitch3, k) })
		})
		for _, base := range f.bases {
			LEAQ(Mem{Base: base, Index: f.pitch, Scale: uint8(n)}, base)
		}
		SUBQ(U8(n), count)
		JMP(LabelRef(name))
		Label(name + "_over")
	}
}

func batchNormBackward() {
	const name = "batchNormBackwardAVX2"
	TEXT(name, 0, "func(dx, dy, x, mean, factors *float32, rows, c, stride int)")
	Pragma("noescape")
	Doc(name+" computes dx = a dy + (b (x - mean) + e) for 0 < c <= strip channels of rows > 0 rows that lie stride",
		"elements apart; factors [3,strip] are a, b and e.")
	AllocLocal(frame)
	mean, factors := pointer("mean"), pointer("factors")
	f := newFew(pointer("c"), pointer("stride"), pointer("dx"), pointer("dy"), pointer("x"))
	f.each(pointer("rows"), func(l lane, n int, at func(base, k int) Mem) {
		μ, a, b, e := l.load(mean), YMM(), YMM(), YMM()
		VMOVUPS(l.at(factors), a)
		VMOVUPS(l.at(factors).Offset(4*strip), b)
		VMOVUPS(l.at(factors).Offset(8*strip), e)
		for k := range n {
			d, h := l.loadAt(at(1, k)), l.loadAt(at(2, k))
			VSUBPS(μ, h, h)
			VFMADD213PS(e, b, h)
			VFMADD231PS(a, d, h)
			l.storeAt(h, at(0, k))
		}
	})
	VZEROUPPER()
	RET()
}
