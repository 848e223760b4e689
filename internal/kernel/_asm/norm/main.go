// Command norm generates the AVX2 and FMA kernels of internal/kernel/norm.
package main

import (
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

func main() {
	ConstraintExpr("amd64,!purego")
	tail = GLOBL("tailMask", 8|16) // RODATA, NOPTR
	for i := range 16 {
		v := uint32(0xffffffff)
		if i >= 8 {
			v = 0
		}
		DATA(4*i, U32(v))
	}
	layerNorm()
	layerNormBackward()
	moments(16)
	moments(4)
	batchNormBackwardSums()
	batchNormBackward()
	Generate()
}

// row goes over the vectors of a row of c elements.
type row struct {
	end, end8, endU reg.GPVirtual // bytes: all, whole vectors, whole groups of vectors
	i               reg.GPVirtual // position in bytes
	mask            reg.VecVirtual
	unroll          int // 1, 2 or 4
}

func newRow(c reg.Register, unroll int) row {
	r := row{end: GP64(), end8: GP64(), endU: GP64(), i: GP64(), mask: YMM(), unroll: unroll}
	MOVQ(c, r.end8)
	ANDQ(I8(-8), r.end8)
	MOVQ(c, r.endU)
	ANDQ(I8(-8*int8(unroll)), r.endU)
	// the mask for c - end8 lanes
	n, base := GP64(), GP64()
	MOVQ(r.end8, n)
	SUBQ(c, n)
	LEAQ(tail, base)
	VMOVUPS(Mem{Base: base, Disp: 32, Index: n, Scale: 4}, r.mask)
	MOVQ(c, r.end)
	SHLQ(U8(2), r.end)
	SHLQ(U8(2), r.end8)
	SHLQ(U8(2), r.endU)
	return r
}

// lane is one vector of a row: memory through at, the k-th of its group.
type lane struct {
	row
	k      int
	masked bool
}

func (l lane) at(base reg.Register) Mem {
	return Mem{Base: base, Index: l.i, Scale: 1, Disp: 32 * l.k}
}

func (l lane) load(base reg.Register) reg.VecVirtual {
	y := YMM()
	if l.masked {
		VMASKMOVPS(l.at(base), l.mask, y)
	} else {
		VMOVUPS(l.at(base), y)
	}
	return y
}

func (l lane) store(y reg.VecVirtual, base reg.Register) {
	if l.masked {
		VMASKMOVPS(y, l.mask, l.at(base))
	} else {
		VMOVUPS(y, l.at(base))
	}
}

// over emits body for groups of vectors, single ones and the masked rest.
func (r row) over(name string, body func(lane)) {
	XORQ(r.i, r.i)
	if r.unroll > 1 {
		Label(name + "_group")
		CMPQ(r.i, r.endU)
		JGE(LabelRef(name + "_single"))
		for k := range r.unroll {
			body(lane{row: r, k: k})
		}
		ADDQ(I32(32*r.unroll), r.i)
		JMP(LabelRef(name + "_group"))
	}
	Label(name + "_single")
	CMPQ(r.i, r.end8)
	JGE(LabelRef(name + "_tail"))
	body(lane{row: r})
	ADDQ(I8(32), r.i)
	JMP(LabelRef(name + "_single"))
	Label(name + "_tail")
	CMPQ(r.i, r.end)
	JGE(LabelRef(name + "_done"))
	body(lane{row: r, masked: true})
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

func clear(v []reg.VecVirtual) {
	for _, y := range v {
		VXORPS(y, y, y)
	}
}

// total adds up accumulators and then their lanes, always in the same order.
func total(v []reg.VecVirtual) reg.VecVirtual {
	for n := len(v) / 2; n > 0; n /= 2 {
		for i := range n {
			VADDPS(v[i+n], v[i], v[i])
		}
	}
	s, t := XMM(), XMM()
	VEXTRACTF128(U8(1), v[0], t)
	VADDPS(t, v[0].AsX(), s)
	VMOVHLPS(s, s, t)
	VADDPS(t, s, s)
	VMOVSHDUP(s, t)
	VADDSS(t, s, s)
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

func layerNorm() {
	TEXT("layerNormAVX2", 0, "func(dst, x, gamma, beta, mean, rstd *float32, rows, c int, eps float32)")
	Pragma("noescape")
	Doc("layerNormAVX2 is LayerNorm for rows, c > 0; gamma, beta, mean and rstd may be nil. Sums have 32 lanes,",
		"the variance is taken of differences from the rounded mean and then corrected for its rounding.")
	AllocLocal(frame)
	dst, x, gamma, beta := pointer("dst"), pointer("x"), pointer("gamma"), pointer("beta")
	mean, rstd, rows, c := pointer("mean"), pointer("rstd"), pointer("rows"), pointer("c")
	eps := XMM()
	Load(Param("eps"), eps)
	inv := reciprocal(c)
	r := newRow(c, 4)

	Label("row")
	sum := zeros(4)
	r.over("sum", func(l lane) {
		if l.masked {
			VADDPS(l.load(x), sum[l.k], sum[l.k])
		} else {
			VADDPS(l.at(x), sum[l.k], sum[l.k])
		}
	})
	μ := total(sum)
	VMULSS(inv, μ, μ)
	μs := spread(μ)

	dev, sq := zeros(4), zeros(4)
	r.over("squares", func(l lane) {
		d := l.load(x)
		VSUBPS(μs, d, d)
		if l.masked {
			VANDPS(l.mask, d, d)
		}
		VADDPS(d, dev[l.k], dev[l.k])
		VFMADD231PS(d, d, sq[l.k])
	})
	δ, v := total(dev), total(sq)
	VMULSS(inv, δ, δ)
	VMULSS(inv, v, v)
	VFNMADD231SS(δ, δ, v)
	zero := XMM()
	VXORPS(zero, zero, zero)
	VMAXSS(v, zero, v) // NaN stays
	VADDSS(eps, v, v)
	VSQRTSS(v, v, v)
	ρ := oneX()
	VDIVSS(v, ρ, ρ)
	ifNil(mean, "no_mean")
	VADDSS(δ, μ, μ)
	VMOVSS(μ, Mem{Base: mean})
	ADDQ(I8(4), mean)
	Label("no_mean")
	ifNil(rstd, "no_rstd")
	VMOVSS(ρ, Mem{Base: rstd})
	ADDQ(I8(4), rstd)
	Label("no_rstd")
	VMULSS(ρ, δ, δ)
	δρ, ρs := spread(δ), spread(ρ)

	apply := func(name string, g, b bool) {
		r.over(name, func(l lane) {
			d := l.load(x)
			VSUBPS(μs, d, d)
			VFMSUB132PS(ρs, δρ, d)
			switch {
			case g && b && !l.masked:
				γ := l.load(gamma)
				VFMADD213PS(l.at(beta), γ, d)
			case g && b:
				VFMADD213PS(l.load(beta), l.load(gamma), d)
			case g:
				VMULPS(l.load(gamma), d, d)
			case b:
				VADDPS(l.load(beta), d, d)
			}
			l.store(d, dst)
		})
	}
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
	ADDQ(r.end, x)
	ADDQ(r.end, dst)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func layerNormBackward() {
	TEXT("layerNormBackwardAVX2", 0, "func(dx, dgamma, dbeta, dy, x, gamma, mean, rstd *float32, rows, c int)")
	Pragma("noescape")
	Doc("layerNormBackwardAVX2 is LayerNormBackward for rows, c > 0; gamma may be nil, dgamma and dbeta together.")
	AllocLocal(frame)
	dx, dgamma, dbeta := pointer("dx"), pointer("dgamma"), pointer("dbeta")
	dy, x, gamma := pointer("dy"), pointer("x"), pointer("gamma")
	mean, rstd, rows, c := pointer("mean"), pointer("rstd"), pointer("rows"), pointer("c")
	inv := reciprocal(c)
	r := newRow(c, 2)

	Label("row")
	μ, ρ := YMM(), YMM()
	VBROADCASTSS(Mem{Base: mean}, μ)
	VBROADCASTSS(Mem{Base: rstd}, ρ)
	g, gx := zeros(2), zeros(2)
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
			VADDPS(d, g[l.k], g[l.k])
			VFMADD231PS(h, d, gx[l.k])
		})
	}
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

// columns emits body for blocks of channels with all their rows: vectors is
// how many vectors a block has, masked whether it is the rest. body must leave
// ch, the channels left, alone; advance moves the pointers to the next block.
func columns(c reg.Register, body func(name string, vectors int, mask *reg.VecVirtual), advance func(bytes int)) {
	for _, v := range []int{4, 1} {
		name := map[int]string{4: "wide", 1: "single"}[v]
		Label(name)
		CMPQ(c, I8(int8(8*v)))
		JLT(LabelRef(name + "_done"))
		body(name, v, nil)
		advance(32 * v)
		SUBQ(I8(int8(8*v)), c)
		JMP(LabelRef(name))
		Label(name + "_done")
	}
	TESTQ(c, c)
	JZ(LabelRef("done"))
	mask, base := YMM(), GP64()
	LEAQ(tail, base)
	NEGQ(c)
	VMOVUPS(Mem{Base: base, Disp: 32, Index: c, Scale: 4}, mask)
	body("rest", 1, &mask)
	Label("done")
}

func loadV(base reg.Register, k int, mask *reg.VecVirtual) reg.VecVirtual {
	y, m := YMM(), Mem{Base: base, Disp: 32 * k}
	if mask != nil {
		VMASKMOVPS(m, *mask, y)
	} else {
		VMOVUPS(m, y)
	}
	return y
}

func storeV(y reg.VecVirtual, base reg.Register, k int, mask *reg.VecVirtual) {
	m := Mem{Base: base, Disp: 32 * k}
	if mask != nil {
		VMASKMOVPS(y, *mask, m)
	} else {
		VMOVUPS(y, m)
	}
}

func batchNormBackwardSums() {
	TEXT("batchNormBackwardSumsAVX2", 0, "func(sdy, sdyx, dy, x, mean, rstd *float32, rows, c int)")
	Pragma("noescape")
	Doc("batchNormBackwardSumsAVX2 is BatchNormBackwardSums for rows, c > 0; each channel is one chain of additions.")
	AllocLocal(frame)
	sdy, sdyx, dy, x := pointer("sdy"), pointer("sdyx"), pointer("dy"), pointer("x")
	mean, rstd, rows, c := pointer("mean"), pointer("rstd"), pointer("rows"), pointer("c")
	stride := GP64()
	MOVQ(c, stride)
	SHLQ(U8(2), stride)
	n, g, p := GP64(), GP64(), GP64()
	columns(c, func(name string, vectors int, mask *reg.VecVirtual) {
		var μ []reg.VecVirtual
		for k := range vectors {
			μ = append(μ, loadV(mean, k, mask))
		}
		s, sx := zeros(vectors), zeros(vectors)
		MOVQ(dy, g)
		MOVQ(x, p)
		MOVQ(rows, n)
		Label(name + "_row")
		for k := range vectors {
			d, h := loadV(g, k, mask), loadV(p, k, mask)
			VSUBPS(μ[k], h, h)
			VADDPS(d, s[k], s[k])
			VFMADD231PS(h, d, sx[k])
		}
		ADDQ(stride, g)
		ADDQ(stride, p)
		DECQ(n)
		JNZ(LabelRef(name + "_row"))
		for k := range vectors {
			VADDPS(loadV(sdy, k, mask), s[k], s[k])
			storeV(s[k], sdy, k, mask)
			VFMADD213PS(loadV(sdyx, k, mask), loadV(rstd, k, mask), sx[k])
			storeV(sx[k], sdyx, k, mask)
		}
	}, func(bytes int) {
		for _, r := range []reg.Register{sdy, sdyx, dy, x, mean, rstd} {
			ADDQ(I32(int32(bytes)), r)
		}
	})
	VZEROUPPER()
	RET()
}

func batchNormBackward() {
	TEXT("batchNormBackwardAVX2", 0, "func(dx, dy, x, mean, a, b, e *float32, rows, c, stride int)")
	Pragma("noescape")
	Doc("batchNormBackwardAVX2 computes dx = a dy + (b (x - mean) + e) for c > 0 channels of rows > 0 rows that lie",
		"stride elements apart.")
	AllocLocal(frame)
	dx, dy, x, mean := pointer("dx"), pointer("dy"), pointer("x"), pointer("mean")
	a, b, e := pointer("a"), pointer("b"), pointer("e")
	c, stride := pointer("c"), pointer("stride")
	SHLQ(U8(2), stride)
	n, at := GP64(), GP64()
	columns(c, func(name string, vectors int, mask *reg.VecVirtual) {
		for k0 := 0; k0 < vectors; k0 += 2 { // four coefficients of two vectors fit
			var μ, as, bs, es []reg.VecVirtual
			few := min(2, vectors-k0)
			for k := range few {
				μ, as = append(μ, loadV(mean, k0+k, mask)), append(as, loadV(a, k0+k, mask))
				bs, es = append(bs, loadV(b, k0+k, mask)), append(es, loadV(e, k0+k, mask))
			}
			Load(Param("rows"), n)
			XORQ(at, at)
			half := name + map[int]string{0: "_first", 2: "_second"}[k0]
			Label(half)
			for k := range few {
				m := func(base reg.Register) Mem { return Mem{Base: base, Index: at, Scale: 1, Disp: 32 * (k0 + k)} }
				d, h := YMM(), YMM()
				if mask != nil {
					VMASKMOVPS(m(x), *mask, h)
					VMASKMOVPS(m(dy), *mask, d)
				} else {
					VMOVUPS(m(x), h)
					VMOVUPS(m(dy), d)
				}
				VSUBPS(μ[k], h, h)
				VFMADD213PS(es[k], bs[k], h)
				VFMADD231PS(as[k], d, h)
				if mask != nil {
					VMASKMOVPS(h, *mask, m(dx))
				} else {
					VMOVUPS(h, m(dx))
				}
			}
			ADDQ(stride, at)
			DECQ(n)
			JNZ(LabelRef(half))
		}
	}, func(bytes int) {
		for _, r := range []reg.Register{dx, dy, x, mean, a, b, e} {
			ADDQ(I32(int32(bytes)), r)
		}
	})
	VZEROUPPER()
	RET()
}
