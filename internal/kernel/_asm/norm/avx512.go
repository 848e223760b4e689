package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/winnow-go/winnow/internal/kernel/_asm/rows"
)

// LayerNorm's kernels work on a fixed number of rows at once; those for one row
// compute the same bits.

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
	slots := AllocLocal(rows.Frame + 3*32)
	slot := func(n, lane int) Mem { return slots.Offset(32*n + 4*lane) }
	dst, x, gamma, beta := pointer("dst"), pointer("x"), pointer("gamma"), pointer("beta")
	c := pointer("c")
	inv := spread(reciprocal(c))
	r := rows.New(n, 16, c, c)

	Label("rows")
	sum := rows.Zeros(n)
	r.Over("sum", []reg.GPVirtual{x}, func(v rows.Vector) {
		for k := range n {
			VADDPS(v.Load(v.Of[0](k)), sum[k], sum[k])
		}
	})
	m := rows.Sums(sum)
	VMULPS(inv, m, m)
	VMOVUPS(m, slot(0, 0))

	dev, sq := rows.Zeros(n), rows.Zeros(n)
	var μs []reg.VecVirtual
	for k := range n {
		μs = append(μs, rows.Spread(slot(0, k)))
	}
	bases := []reg.GPVirtual{x}
	if n > 1 { // this pass computes most and loads least: it fetches the next rows
		ahead := GP64()
		LEAQ(Mem{Base: x, Index: r.Pitch, Scale: uint8(n)}, ahead)
		bases = append(bases, ahead)
	}
	r.Over("squares", bases, func(v rows.Vector) {
		for k := range n {
			if n > 1 {
				PREFETCHT0(v.Of[1](k))
			}
			d := v.Load(v.Of[0](k))
			if v.Masked {
				VSUBPS_Z(μs[k], d, v.Rest, d)
			} else {
				VSUBPS(μs[k], d, d)
			}
			VADDPS(d, dev[k], dev[k])
			VFMADD231PS(d, d, sq[k])
		}
	})
	eps, one := YMM(), spread(oneX())
	VBROADCASTSS(address("eps"), eps)
	ρ, δρ := finish(m, rows.Sums(dev), rows.Sums(sq), inv, eps, one)
	VMOVUPS(ρ, slot(1, 0))
	VMOVUPS(δρ, slot(2, 0))
	for _, out := range []struct {
		name string
		v    reg.VecVirtual
	}{{"mean", m}, {"rstd", ρ}} {
		p := pointer(out.name)
		ifNil(p, "no_"+out.name)
		switch n {
		case 1:
			VMOVSS(out.v.AsX(), Mem{Base: p})
		case 4:
			VMOVUPS(out.v.AsX(), Mem{Base: p})
		default:
			VMOVUPS(out.v, Mem{Base: p})
		}
		ADDQ(U8(4*n), address(out.name))
		Label("no_" + out.name)
	}

	ρs, δρs := make([]reg.VecVirtual, n), make([]reg.VecVirtual, n)
	for k := range n {
		ρs[k], δρs[k] = rows.Spread(slot(1, k)), rows.Spread(slot(2, k))
	}
	affine(gamma, beta, func(name string, g, b bool) {
		r.Over(name, []reg.GPVirtual{x, dst}, func(v rows.Vector) {
			var γ, β reg.VecVirtual
			if g {
				γ = v.Load(v.At(gamma))
			}
			if b {
				β = v.Load(v.At(beta))
			}
			for k := range n {
				d := v.Load(v.Of[0](k))
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
				v.Store(d, v.Of[1](k))
			}
		})
	})
	r.Next(x, dst)
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
	slots := AllocLocal(rows.Frame + 2*32)
	slot := func(n, lane int) Mem { return slots.Offset(32*n + 4*lane) }
	dx, dgamma, dbeta := pointer("dx"), pointer("dgamma"), pointer("dbeta")
	dy, x, gamma := pointer("dy"), pointer("x"), pointer("gamma")
	c := pointer("c")
	inv := spread(reciprocal(c))
	r := rows.New(n, 16, c, c)

	Label("rows")
	mean, rstd := pointer("mean"), pointer("rstd")
	var μ, ρ []reg.VecVirtual
	for k := range n {
		μ, ρ = append(μ, rows.Spread(Mem{Base: mean, Disp: 4 * k})), append(ρ, rows.Spread(Mem{Base: rstd, Disp: 4 * k}))
	}
	normal := func(v rows.Vector, k int) reg.VecVirtual { // x̂
		h := v.Load(v.Of[1](k))
		VSUBPS(μ[k], h, h)
		VMULPS(ρ[k], h, h)
		return h
	}
	g, gx := rows.Zeros(n), rows.Zeros(n)
	gradients(dgamma, gamma, func(name string, params, scaled bool) {
		r.Over(name, []reg.GPVirtual{dy, x}, func(v rows.Vector) {
			var γ, a, b reg.VecVirtual
			if scaled {
				γ = v.Load(v.At(gamma))
			}
			if params {
				a, b = v.Load(v.At(dgamma)), v.Load(v.At(dbeta))
			}
			for k := range n {
				d, h := v.Load(v.Of[0](k)), normal(v, k)
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
				v.Store(a, v.At(dgamma))
				v.Store(b, v.At(dbeta))
			}
		})
	})
	var k0, k1 []reg.VecVirtual
	for i, v := range [][]reg.VecVirtual{g, gx} {
		m := rows.Sums(v)
		VMULPS(inv, m, m)
		if n == 1 {
			VMULPS(rows.Half(ρ[0]), m, m)
		} else {
			VMULPS(Mem{Base: pointer("rstd")}, m.AsX(), m.AsX())
		}
		VMOVUPS(m, slot(i, 0))
	}
	for k := range n {
		k0, k1 = append(k0, rows.Spread(slot(0, k))), append(k1, rows.Spread(slot(1, k)))
	}
	apply := func(name string, scaled bool) {
		r.Over(name, []reg.GPVirtual{dy, x, dx}, func(v rows.Vector) {
			var γ reg.VecVirtual
			if scaled {
				γ = v.Load(v.At(gamma))
			}
			for k := range n {
				d, h := v.Load(v.Of[0](k)), normal(v, k)
				if scaled {
					VMULPS(γ, d, d)
				}
				VFMSUB132PS(ρ[k], k0[k], d)
				VFNMADD231PS(k1[k], h, d)
				v.Store(d, v.Of[2](k))
			}
		})
	}
	ifNil(gamma, "apply_plain")
	apply("dx_scaled", true)
	JMP(LabelRef("next"))
	Label("apply_plain")
	apply("dx", false)
	Label("next")
	r.Next(dx, dy, x)
	ADDQ(U8(4*n), address("mean"))
	ADDQ(U8(4*n), address("rstd"))
	SUBQ(U8(n), address("rows"))
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
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
	AllocLocal(rows.Frame)
	sum, squares, x, first := pointer("sum"), pointer("squares"), pointer("x"), pointer("first")
	c := pointer("c")
	r := rows.New(8, 8, c, c)
	r.Each(address("rows"), []reg.GPVirtual{x}, func(name string, r rows.Rows) {
		r.Over(name, []reg.GPVirtual{x}, func(v rows.Vector) {
			double := func(base reg.Register) Mem { return Mem{Base: base, Index: v.I, Scale: 2} }
			f, t, q := v.Widen(v.At(first)), v.Load(double(sum)), v.Load(double(squares))
			for k := range v.N {
				d := v.Widen(v.Of[0](k))
				VSUBPD(f, d, d)
				VADDPD(d, t, t)
				VFMADD231PD(d, d, q)
			}
			v.Store(t, double(sum))
			v.Store(q, double(squares))
		})
	})
	VZEROUPPER()
	RET()
}

func finishMomentsWide() {
	const name = "finishMomentsAVX512"
	TEXT(name, 0, "func(mean, m2 *float64, first *float32, c int, n float64)")
	Pragma("noescape")
	Doc(name + " is finishMoments for c > 0 channels of n rows.")
	AllocLocal(rows.Frame)
	mean, m2, first, c := pointer("mean"), pointer("m2"), pointer("first"), pointer("c")
	n, zero := ZMM(), rows.Zeros(1)[0]
	VBROADCASTSD(address("n"), n)
	r := rows.New(1, 8, c, c)
	r.Over("channels", nil, func(v rows.Vector) {
		double := func(base reg.Register) Mem { return Mem{Base: base, Index: v.I, Scale: 2} }
		s, q, d := v.Load(double(mean)), v.Load(double(m2)), ZMM()
		VDIVPD(n, s, d)
		VMULPD(d, s, s)
		VSUBPD(s, q, q)
		VMAXPD(q, zero, q) // NaN stays
		VADDPD(v.Widen(v.At(first)), d, d)
		v.Store(d, double(mean))
		v.Store(q, double(m2))
	})
	VZEROUPPER()
	RET()
}

func batchNormBackwardSumsWide() {
	const name = "batchNormBackwardSumsAVX512"
	TEXT(name, 0, "func(total *float64, block, dy, x, mean, rstd *float32, rows, c, stride int)")
	Pragma("noescape")
	Doc(name+" adds Σ dy and Σ dy x̂ over rows > 0 rows that lie stride elements apart, for 0 < c <= strip channels,",
		"to total [2,strip]. Each channel is one chain of additions in block [2,strip], zeros before and after.")
	AllocLocal(rows.Frame)
	block, dy, x, mean := pointer("block"), pointer("dy"), pointer("x"), pointer("mean")
	c, stride := pointer("c"), pointer("stride")
	r := rows.New(8, 16, c, stride)
	sdyx := func(m Mem) Mem { return m.Offset(4 * strip) }
	r.Each(address("rows"), []reg.GPVirtual{dy, x}, func(name string, r rows.Rows) {
		r.Over(name, []reg.GPVirtual{dy, x}, func(v rows.Vector) {
			at := v.At(block)
			μ, t, tx := v.Load(v.At(mean)), ZMM(), ZMM()
			VMOVUPS(at, t)
			VMOVUPS(sdyx(at), tx)
			for k := range v.N {
				d, h := v.Load(v.Of[0](k)), v.Load(v.Of[1](k))
				VSUBPS(μ, h, h)
				VADDPS(d, t, t)
				VFMADD231PS(h, d, tx)
			}
			VMOVUPS(t, at)
			VMOVUPS(tx, sdyx(at))
		})
	})
	total, rstd := pointer("total"), pointer("rstd")
	zero := rows.Zeros(1)[0]
	r.Over("fold", nil, func(v rows.Vector) {
		ρ, at := v.Load(v.At(rstd)), v.At(block)
		t, tx := ZMM(), ZMM()
		VMOVUPS(at, t)
		VMULPS(sdyx(at), ρ, tx)
		VMOVUPS(zero, at)
		VMOVUPS(zero, sdyx(at))
		for i, sum := range []reg.VecVirtual{t, tx} {
			upper := YMM()
			VEXTRACTF64X4(U8(1), sum, upper)
			for j, half := range []reg.VecVirtual{rows.Half(sum), upper} {
				to := Mem{Base: total, Index: v.I, Scale: 2, Disp: 8*strip*i + 64*j}
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
	AllocLocal(rows.Frame)
	factors, rstd, gamma, sdy, sdyx := pointer("factors"), pointer("rstd"), pointer("gamma"), pointer("sdy"), pointer("sdyx")
	c := pointer("c")
	n := ZMM()
	VBROADCASTSD(address("k"), n)
	r := rows.New(1, 8, c, c)
	compute := func(name string, scaled bool) {
		r.Over(name, nil, func(v rows.Vector) {
			ρ, γρ, k := v.Widen(v.At(rstd)), ZMM(), ZMM()
			if scaled {
				VMULPD(v.Widen(v.At(gamma)), ρ, γρ)
			} else {
				VMOVAPD(ρ, γρ)
			}
			VMULPD(n, γρ, k)
			VMULPD(k, ρ, ρ)
			VMULPD(v.Widen(v.At(sdyx)), ρ, ρ)
			VMULPD(v.Widen(v.At(sdy)), k, k)
			for i, factor := range []reg.VecVirtual{γρ, ρ, k} {
				f := YMM()
				VCVTPD2PS(factor, f)
				VMOVUPS(f, v.At(factors).Offset(4*strip*i))
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
	AllocLocal(rows.Frame)
	dx, dy, x, mean, factors := pointer("dx"), pointer("dy"), pointer("x"), pointer("mean"), pointer("factors")
	c, stride := pointer("c"), pointer("stride")
	r := rows.New(2, 16, c, stride)
	r.Each(address("rows"), []reg.GPVirtual{dx, dy, x}, func(name string, r rows.Rows) {
		r.Over(name, []reg.GPVirtual{dx, dy, x}, func(v rows.Vector) {
			μ, at := v.Load(v.At(mean)), v.At(factors)
			a, b, e := ZMM(), ZMM(), ZMM()
			VMOVUPS(at, a)
			VMOVUPS(at.Offset(4*strip), b)
			VMOVUPS(at.Offset(8*strip), e)
			for k := range v.N {
				d, h := v.Load(v.Of[1](k)), v.Load(v.Of[2](k))
				VSUBPS(μ, h, h)
				VFMADD213PS(e, b, h)
				VFMADD231PS(a, d, h)
				v.Store(h, v.Of[0](k))
			}
		})
	})
	VZEROUPPER()
	RET()
}
