package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// In the AVX-512 kernels a row is vectors of 16 elements and a masked rest of
// 1 to 15, so they take any c. LayerNorm's work on a fixed number of rows at
// once; those for one row compute the same bits.

// wide goes over n rows at once.
type wide struct {
	n             int
	elements      int           // of a vector: 16 float32, or 8 that become float64
	end, whole    reg.GPVirtual // bytes: all of a row, its whole vectors
	i             reg.GPVirtual // position in the rows, bytes
	pitch, pitch3 reg.GPVirtual // bytes from row to row, and three times that if there are more than two
	rest          reg.OpmaskVirtual
}

// newWide makes end of c and pitch of stride, which may be c; both are elements.
func newWide(n, elements int, c, stride reg.GPVirtual) wide {
	w := wide{n: n, elements: elements, end: c, whole: GP64(), i: GP64(), pitch: stride, rest: K()}
	bits, ones := GP32(), GP32()
	MOVL(c.As32(), bits)
	ANDL(U8(elements-1), bits)
	MOVL(U32(0xffffffff), ones)
	BZHIL(bits, ones, bits)
	KMOVW(bits, w.rest)
	MOVQ(c, w.whole)
	ANDQ(I8(-elements), w.whole)
	SHLQ(U8(2), w.whole)
	SHLQ(U8(2), c)
	if stride != c {
		SHLQ(U8(2), stride)
	}
	if n > 2 {
		w.pitch3 = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, w.pitch3)
	}
	return w
}

// span is one vector of n rows.
type span struct {
	wide
	at     []func(k int) Mem // its place in row k of each of the bases
	masked bool
}

// here is the vector's place in what all rows share.
func (s span) here(base reg.Register) Mem { return Mem{Base: base, Index: s.i, Scale: 1} }

// load and store move a whole vector, of float32 or float64; outside a row
// there are zeros.
func (s span) load(m Mem) reg.VecVirtual {
	v := ZMM()
	switch {
	case !s.masked:
		VMOVUPS(m, v)
	case s.elements == 8:
		VMOVUPD_Z(m, s.rest, v)
	default:
		VMOVUPS_Z(m, s.rest, v)
	}
	return v
}

func (s span) store(v reg.VecVirtual, m Mem) {
	switch {
	case !s.masked:
		VMOVUPS(v, m)
	case s.elements == 8:
		VMOVUPD(v, s.rest, m)
	default:
		VMOVUPS(v, s.rest, m)
	}
}

// over emits body for every vector of the rows that begin at bases.
func (w wide) over(name string, bases []reg.GPVirtual, body func(s span)) {
	s := span{wide: w}
	var moving []reg.GPVirtual
	for _, b := range bases {
		low, high := GP64(), GP64()
		MOVQ(b, low)
		moving = append(moving, low)
		if w.n > 4 {
			LEAQ(Mem{Base: b, Index: w.pitch, Scale: 4}, high)
			moving = append(moving, high)
		}
		s.at = append(s.at, func(k int) Mem {
			p := low
			if k >= 4 {
				p = high
			}
			switch k % 4 {
			case 0:
				return Mem{Base: p}
			case 3:
				return Mem{Base: p, Index: w.pitch3, Scale: 1}
			}
			return Mem{Base: p, Index: w.pitch, Scale: uint8(k % 4)}
		})
	}
	XORQ(w.i, w.i)
	TESTQ(w.whole, w.whole)
	JZ(LabelRef(name + "_rest"))
	Label(name)
	body(s)
	for _, p := range moving {
		ADDQ(U8(4*w.elements), p)
	}
	ADDQ(U8(4*w.elements), w.i)
	CMPQ(w.i, w.whole)
	JLT(LabelRef(name))
	Label(name + "_rest")
	CMPQ(w.i, w.end)
	JGE(LabelRef(name + "_done"))
	s.masked = true
	body(s)
	Label(name + "_done")
}

// next moves bases past the rows.
func (w wide) next(bases ...reg.GPVirtual) {
	for _, b := range bases {
		LEAQ(Mem{Base: b, Index: w.pitch, Scale: uint8(w.n)}, b)
	}
}

func zerosZ(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = ZMM()
		VXORPS(v[i], v[i], v[i])
	}
	return v
}

// sums adds up the lanes of 1, 4 or 8 vectors, v, which it uses up: lane k of
// the result, a half vector, is vector k's; of a single one every lane. Within each quarter
// (0+2)+(1+3), then the quarters (0+1)+(2+3).
func sums(v []reg.VecVirtual) reg.VecVirtual {
	if len(v) == 1 {
		s, t := v[0], ZMM()
		for _, order := range []int{0x4e, 0xb1} { // halves, then neighbours
			VPERMILPS(U8(order), s, t)
			VADDPS(t, s, s)
		}
		for _, order := range []int{0xb1, 0x4e} {
			VSHUFF32X4(U8(order), s, s, t)
			VADDPS(t, s, s)
		}
		return firstHalf(s)
	}
	halve := func(a, b reg.VecVirtual, low, high func(a, b, dst reg.VecVirtual)) reg.VecVirtual {
		t := ZMM()
		low(a, b, t)
		high(a, b, a)
		VADDPS(t, a, a)
		return a
	}
	for i := 0; i < len(v); i += 2 {
		v[i/2] = halve(v[i], v[i+1],
			func(a, b, dst reg.VecVirtual) { VUNPCKLPS(b, a, dst) },
			func(a, b, dst reg.VecVirtual) { VUNPCKHPS(b, a, dst) })
	}
	for i := 0; i < len(v)/2; i += 2 {
		v[i/2] = halve(v[i], v[i+1],
			func(a, b, dst reg.VecVirtual) { VUNPCKLPD(b, a, dst) },
			func(a, b, dst reg.VecVirtual) { VUNPCKHPD(b, a, dst) })
	}
	quarters := func(a, b reg.VecVirtual) reg.VecVirtual {
		return halve(a, b,
			func(a, b, dst reg.VecVirtual) { VSHUFF32X4(U8(0x88), b, a, dst) },
			func(a, b, dst reg.VecVirtual) { VSHUFF32X4(U8(0xdd), b, a, dst) })
	}
	s := quarters(v[0], v[len(v)/8]) // of four vectors both are the same
	return firstHalf(quarters(s, s))
}

func firstHalf(z reg.VecVirtual) reg.VecVirtual { return z.AsY().(reg.VecVirtual) }

// spreadZ reads one float32 into every lane.
func spreadZ(m Mem) reg.VecVirtual {
	v := ZMM()
	VBROADCASTSS(m, v)
	return v
}

func layerNormWide(n int) {
	name := fmt.Sprintf("layerNorm%dAVX512", n)
	TEXT(name, 0, layerNormArgs)
	Pragma("noescape")
	if n == 1 {
		Doc(name+" is LayerNorm for rows, c > 0, row by row; gamma, beta, mean and rstd may be nil. Sums have 16",
			"lanes. The variance is taken of differences from the rounded mean and then corrected for its rounding.")
	} else {
		Doc(fmt.Sprintf("%s computes what layerNorm1AVX512 does, bit by bit, for %d rows at a time: rows must be a multiple of it.", name, n))
	}
	slots := AllocLocal(frame + 3*32)
	slot := func(n, lane int) Mem { return slots.Offset(32*n + 4*lane) }
	dst, x, gamma, beta := pointer("dst"), pointer("x"), pointer("gamma"), pointer("beta")
	c := pointer("c")
	inv := spread(reciprocal(c))
	w := newWide(n, 16, c, c)

	Label("rows")
	sum := zerosZ(n)
	w.over("sum", []reg.GPVirtual{x}, func(s span) {
		for k := range n {
			VADDPS(s.load(s.at[0](k)), sum[k], sum[k])
		}
	})
	m := sums(sum)
	VMULPS(inv, m, m)
	VMOVUPS(m, slot(0, 0))

	dev, sq := zerosZ(n), zerosZ(n)
	var μs []reg.VecVirtual
	for k := range n {
		μs = append(μs, spreadZ(slot(0, k)))
	}
	bases := []reg.GPVirtual{x}
	if n == 8 { // this pass computes most and loads least: it fetches the next rows
		ahead := GP64()
		LEAQ(Mem{Base: x, Index: w.pitch, Scale: 8}, ahead)
		bases = append(bases, ahead)
	}
	w.over("squares", bases, func(s span) {
		for k := range n {
			if n == 8 {
				PREFETCHT0(s.at[1](k))
			}
			d := s.load(s.at[0](k))
			if s.masked {
				VSUBPS_Z(μs[k], d, s.rest, d)
			} else {
				VSUBPS(μs[k], d, d)
			}
			VADDPS(d, dev[k], dev[k])
			VFMADD231PS(d, d, sq[k])
		}
	})
	eps, one := YMM(), spread(oneX())
	VBROADCASTSS(address("eps"), eps)
	ρ, δρ := finish(m, sums(dev), sums(sq), inv, eps, one)
	VMOVUPS(ρ, slot(1, 0))
	VMOVUPS(δρ, slot(2, 0))
	for _, out := range []struct {
		name string
		v    reg.VecVirtual
	}{{"mean", m}, {"rstd", ρ}} {
		p := pointer(out.name)
		ifNil(p, "no_"+out.name)
		if n == 1 {
			VMOVSS(out.v.AsX(), Mem{Base: p})
		} else {
			VMOVUPS(out.v, Mem{Base: p})
		}
		ADDQ(U8(4*n), address(out.name))
		Label("no_" + out.name)
	}

	ρs, δρs := make([]reg.VecVirtual, n), make([]reg.VecVirtual, n)
	for k := range n {
		ρs[k], δρs[k] = spreadZ(slot(1, k)), spreadZ(slot(2, k))
	}
	affine(gamma, beta, func(name string, g, b bool) {
		w.over(name, []reg.GPVirtual{x, dst}, func(s span) {
			var γ, β reg.VecVirtual
			if g {
				γ = s.load(s.here(gamma))
			}
			if b {
				β = s.load(s.here(beta))
			}
			for k := range n {
				d := s.load(s.at[0](k))
				VSUBPS(μs[k], d, d)
				VFMSUB132PS(ρs[k], δρs[k], d)
				switch {
				case g && b:
					VFMADD213PS(β, γ, d)
				case g:
					VMULPS(γ, d, d)
				case b:
					VADDPS(β, d, d)
				}
				s.store(d, s.at[1](k))
			}
		})
	})
	w.next(x, dst)
	SUBQ(U8(n), address("rows"))
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

func layerNormBackwardWide(n int) {
	name := fmt.Sprintf("layerNormBackward%dAVX512", n)
	TEXT(name, 0, layerNormBackwardArgs)
	Pragma("noescape")
	if n == 1 {
		Doc(name + " is LayerNormBackward for rows, c > 0; gamma may be nil, dgamma and dbeta together.")
	} else {
		Doc(fmt.Sprintf("%s computes what layerNormBackward1AVX512 does, bit by bit, for %d rows at a time: rows must be a", name, n),
			"multiple of it.")
	}
	slots := AllocLocal(frame + 2*32)
	slot := func(n, lane int) Mem { return slots.Offset(32*n + 4*lane) }
	dx, dgamma, dbeta := pointer("dx"), pointer("dgamma"), pointer("dbeta")
	dy, x, gamma := pointer("dy"), pointer("x"), pointer("gamma")
	c := pointer("c")
	inv := spread(reciprocal(c))
	w := newWide(n, 16, c, c)

	Label("rows")
	mean, rstd := pointer("mean"), pointer("rstd")
	var μ, ρ []reg.VecVirtual
	for k := range n {
		μ, ρ = append(μ, spreadZ(Mem{Base: mean, Disp: 4 * k})), append(ρ, spreadZ(Mem{Base: rstd, Disp: 4 * k}))
	}
	normal := func(s span, k int) reg.VecVirtual { // x̂
		h := s.load(s.at[1](k))
		VSUBPS(μ[k], h, h)
		VMULPS(ρ[k], h, h)
		return h
	}
	g, gx := zerosZ(n), zerosZ(n)
	gradients(dgamma, gamma, func(name string, params, scaled bool) {
		w.over(name, []reg.GPVirtual{dy, x}, func(s span) {
			var γ, a, b reg.VecVirtual
			if scaled {
				γ = s.load(s.here(gamma))
			}
			if params {
				a, b = s.load(s.here(dgamma)), s.load(s.here(dbeta))
			}
			for k := range n {
				d, h := s.load(s.at[0](k)), normal(s, k)
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
				s.store(a, s.here(dgamma))
				s.store(b, s.here(dbeta))
			}
		})
	})
	var k0, k1 []reg.VecVirtual
	for i, v := range [][]reg.VecVirtual{g, gx} {
		m := sums(v)
		VMULPS(inv, m, m)
		if n == 1 {
			VMULPS(firstHalf(ρ[0]), m, m)
		} else {
			VMULPS(Mem{Base: pointer("rstd")}, m.AsX(), m.AsX())
		}
		VMOVUPS(m, slot(i, 0))
	}
	for k := range n {
		k0, k1 = append(k0, spreadZ(slot(0, k))), append(k1, spreadZ(slot(1, k)))
	}
	apply := func(name string, scaled bool) {
		w.over(name, []reg.GPVirtual{dy, x, dx}, func(s span) {
			var γ reg.VecVirtual
			if scaled {
				γ = s.load(s.here(gamma))
			}
			for k := range n {
				d, h := s.load(s.at[0](k)), normal(s, k)
				if scaled {
					VMULPS(γ, d, d)
				}
				VFMSUB132PS(ρ[k], k0[k], d)
				VFNMADD231PS(k1[k], h, d)
				s.store(d, s.at[2](k))
			}
		})
	}
	ifNil(gamma, "apply_plain")
	apply("dx_scaled", true)
	JMP(LabelRef("next"))
	Label("apply_plain")
	apply("dx", false)
	Label("next")
	w.next(dx, dy, x)
	ADDQ(U8(4*n), address("mean"))
	ADDQ(U8(4*n), address("rstd"))
	SUBQ(U8(n), address("rows"))
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}

// eachRow emits body for n rows at a time while there are so many, then for
// single ones. rows counts down to 0.
func (w wide) eachRow(rows Op, bases []reg.GPVirtual, body func(name string, w wide)) {
	for _, n := range []int{w.n, 1} {
		w.n = n
		name := fmt.Sprint("rows", n)
		Label(name)
		CMPQ(rows, U8(n))
		JLT(LabelRef(name + "_over"))
		body(name+"_vectors", w)
		w.next(bases...)
		SUBQ(U8(n), rows)
		JMP(LabelRef(name))
		Label(name + "_over")
	}
}

// widen reads 8 elements as float64.
func (s span) widen(m Mem) reg.VecVirtual {
	v := ZMM()
	if s.masked {
		VCVTPS2PD_Z(m, s.rest, v)
	} else {
		VCVTPS2PD(m, v)
	}
	return v
}

// BatchNorm's passes are bound by memory. They read rows as they lie there, a
// few at a time, and keep what belongs to the channels in the first-level
// cache: the processor follows a few long runs better than many short ones.

func momentsWide() {
	const name = "momentsAVX512"
	TEXT(name, 0, "func(sum, squares *float64, x, first *float32, rows, c int)")
	Pragma("noescape")
	Doc(name+" handles c > 0 channels of rows > 0 rows: for d = x - first, in float64, it adds Σ d to sum and Σ d²",
		"to squares.")
	AllocLocal(frame)
	sum, squares, x, first := pointer("sum"), pointer("squares"), pointer("x"), pointer("first")
	rows, c := pointer("rows"), pointer("c")
	w := newWide(8, 8, c, c)
	w.eachRow(rows, []reg.GPVirtual{x}, func(name string, w wide) {
		w.over(name, []reg.GPVirtual{x}, func(s span) {
			double := func(base reg.Register) Mem { return Mem{Base: base, Index: s.i, Scale: 2} }
			f, t, q := s.widen(s.here(first)), s.load(double(sum)), s.load(double(squares))
			for k := range s.n {
				d := s.widen(s.at[0](k))
				VSUBPD(f, d, d)
				VADDPD(d, t, t)
				VFMADD231PD(d, d, q)
			}
			s.store(t, double(sum))
			s.store(q, double(squares))
		})
	})
	VZEROUPPER()
	RET()
}

// strip is the number of channels that one call of the backward passes takes on
// at most: what they keep for the channels has that pitch. A test compares it.
const strip = 512

func batchNormBackwardSumsWide() {
	const name = "batchNormBackwardSumsAVX512"
	TEXT(name, 0, "func(total *float64, block, dy, x, mean, rstd *float32, rows, c, stride int)")
	Pragma("noescape")
	Doc(name+" adds Σ dy and Σ dy x̂ over rows > 0 rows that lie stride elements apart, for 0 < c <= strip channels,",
		"to total [2,strip]. Each channel is one chain of additions in block [2,strip], zeros before and after.")
	AllocLocal(frame)
	block, dy, x, mean := pointer("block"), pointer("dy"), pointer("x"), pointer("mean")
	c, stride := pointer("c"), pointer("stride")
	w := newWide(8, 16, c, stride)
	sdyx := func(m Mem) Mem { return m.Offset(4 * strip) }
	w.eachRow(address("rows"), []reg.GPVirtual{dy, x}, func(name string, w wide) {
		w.over(name, []reg.GPVirtual{dy, x}, func(s span) {
			at := s.here(block)
			μ, t, tx := s.load(s.here(mean)), ZMM(), ZMM()
			VMOVUPS(at, t)
			VMOVUPS(sdyx(at), tx)
			for k := range s.n {
				d, h := s.load(s.at[0](k)), s.load(s.at[1](k))
				VSUBPS(μ, h, h)
				VADDPS(d, t, t)
				VFMADD231PS(h, d, tx)
			}
			VMOVUPS(t, at)
			VMOVUPS(tx, sdyx(at))
		})
	})
	total, rstd := pointer("total"), pointer("rstd")
	zero := zerosZ(1)[0]
	w.over("fold", nil, func(s span) {
		ρ, at := s.load(s.here(rstd)), s.here(block)
		t, tx := ZMM(), ZMM()
		VMOVUPS(at, t)
		VMULPS(sdyx(at), ρ, tx)
		VMOVUPS(zero, at)
		VMOVUPS(zero, sdyx(at))
		for i, v := range []reg.VecVirtual{t, tx} {
			upper := YMM()
			VEXTRACTF64X4(U8(1), v, upper)
			for j, half := range []reg.VecVirtual{firstHalf(v), upper} {
				to := Mem{Base: total, Index: s.i, Scale: 2, Disp: 8*strip*i + 64*j}
				f := ZMM()
				VCVTPS2PD(half, f)
				VADDPD(to, f, f)
				VMOVUPD(f, to)
			}
		}
	})
	VZEROUPPER()
	RET()
}

func batchNormFactors() {
	const name = "batchNormFactorsAVX512"
	TEXT(name, 0, "func(factors, rstd, gamma, sdy, sdyx *float32, c int, k float64)")
	Pragma("noescape")
	Doc(name+" computes factors [3,strip] for 0 < c <= strip channels, in float64: γρ, k γρ² Σ(dy x̂) and k γρ Σdy;",
		"gamma may be nil.")
	AllocLocal(frame)
	factors, rstd, gamma, sdy, sdyx := pointer("factors"), pointer("rstd"), pointer("gamma"), pointer("sdy"), pointer("sdyx")
	c := pointer("c")
	n := ZMM()
	VBROADCASTSD(address("k"), n)
	w := newWide(1, 8, c, c)
	compute := func(name string, scaled bool) {
		w.over(name, nil, func(s span) {
			ρ, γρ, k := s.widen(s.here(rstd)), ZMM(), ZMM()
			if scaled {
				VMULPD(s.widen(s.here(gamma)), ρ, γρ)
			} else {
				VMOVAPD(ρ, γρ)
			}
			VMULPD(n, γρ, k)
			VMULPD(k, ρ, ρ)
			VMULPD(s.widen(s.here(sdyx)), ρ, ρ)
			VMULPD(s.widen(s.here(sdy)), k, k)
			for i, v := range []reg.VecVirtual{γρ, ρ, k} {
				f := YMM()
				VCVTPD2PS(v, f)
				VMOVUPS(f, s.here(factors).Offset(4*strip*i))
			}
		})
	}
	ifNil(gamma, "no_gamma")
	compute("scaled", true)
	JMP(LabelRef("done"))
	Label("no_gamma")
	compute("plain", false)
	Label("done")
	VZEROUPPER()
	RET()
}

func batchNormBackwardWide() {
	const name = "batchNormBackwardAVX512"
	TEXT(name, 0, "func(dx, dy, x, mean, factors *float32, rows, c, stride int)")
	Pragma("noescape")
	Doc(name+" computes dx = a dy + (b (x - mean) + e) for 0 < c <= strip channels of rows > 0 rows that lie stride",
		"elements apart; factors [3,strip] are a, b and e.")
	AllocLocal(frame)
	dx, dy, x, mean, factors := pointer("dx"), pointer("dy"), pointer("x"), pointer("mean"), pointer("factors")
	c, stride := pointer("c"), pointer("stride")
	w := newWide(2, 16, c, stride)
	w.eachRow(address("rows"), []reg.GPVirtual{dx, dy, x}, func(name string, w wide) {
		w.over(name, []reg.GPVirtual{dx, dy, x}, func(s span) {
			μ, at := s.load(s.here(mean)), s.here(factors)
			a, b, e := ZMM(), ZMM(), ZMM()
			VMOVUPS(at, a)
			VMOVUPS(at.Offset(4*strip), b)
			VMOVUPS(at.Offset(8*strip), e)
			for k := range s.n {
				d, h := s.load(s.at[1](k)), s.load(s.at[2](k))
				VSUBPS(μ, h, h)
				VFMADD213PS(e, b, h)
				VFMADD231PS(a, d, h)
				s.store(h, s.at[0](k))
			}
		})
	})
	VZEROUPPER()
	RET()
}
