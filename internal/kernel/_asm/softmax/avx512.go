package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/winnow-go/winnow/internal/kernel/_asm/rows"
)

// exponential holds the constants of the exponential function.
type exponential struct {
	table                     reg.GPVirtual
	low, log2e, hi, lo, round reg.VecVirtual
	taylor                    []reg.VecVirtual
}

func newExponential() exponential {
	e := exponential{table: GP64()}
	LEAQ(constants, e.table)
	e.low, e.log2e = e.constant("low"), e.constant("log2e")
	e.hi, e.lo = e.constant("ln2hi"), e.constant("ln2lo")
	for _, name := range taylor {
		e.taylor = append(e.taylor, e.constant(name))
	}
	bits := GP32()
	e.round = ZMM()
	MOVL(U32(math.Float32bits(0x1.8p23)), bits) // added and taken off, it rounds to an integer
	VPBROADCASTD(bits, e.round)
	return e
}

func (e exponential) constant(name string) reg.VecVirtual {
	return rows.Spread(Mem{Base: e.table, Disp: at[name]})
}

// of is exp of the vectors x, which it uses up, and 0 where the result would not
// be normal. Of the last vector it computes the lanes in last, unless that is
// nil, and 0. It takes every step for all vectors before the next: a step waits
// for the one before.
func (e exponential) of(x []reg.VecVirtual, last reg.OpmaskVirtual) []reg.VecVirtual {
	n, y, live := make([]reg.VecVirtual, len(x)), make([]reg.VecVirtual, len(x)), make([]reg.OpmaskVirtual, len(x))
	for i := range x {
		n[i], y[i], live[i] = ZMM(), ZMM(), K()
		const notLess = 21
		if last != nil && i == len(x)-1 {
			VCMPPS(U8(notLess), e.low, x[i], last, live[i])
		} else {
			VCMPPS(U8(notLess), e.low, x[i], live[i])
		}
		VMAXPS(x[i], e.low, x[i]) // NaN stays
	}
	for i := range x {
		VMOVAPS(e.round, n[i])
		VFMADD231PS(e.log2e, x[i], n[i]) // the last bits are the nearest integer
	}
	for i := range x {
		VSUBPS(e.round, n[i], n[i])
	}
	for i := range x {
		VFNMADD231PS(e.hi, n[i], x[i])
	}
	for i := range x {
		VFNMADD231PS(e.lo, n[i], x[i])
		VMOVAPS(e.taylor[0], y[i])
	}
	for _, c := range e.taylor[1:] {
		for i := range x {
			VFMADD213PS(c, x[i], y[i])
		}
	}
	for i := range x {
		VSCALEFPS_Z(n[i], y[i], live[i], y[i]) // times 2ⁿ
	}
	return y
}

// softmaxWide goes over n rows three times: for their maxima, for the
// exponentials, and to divide. What there is one of for each row is then
// computed for all of them together.
func softmaxWide(n int) {
	name := fmt.Sprintf("softmax%dAVX512", n)
	TEXT(name, 0, "func(dst, x *float32, rows, c int)")
	Pragma("noescape")
	if n == 1 {
		Doc(name + " is Softmax for rows, c > 0, row by row. Sums have 16 lanes.")
	} else {
		Doc(fmt.Sprintf("%s computes what softmax1AVX512 does, bit by bit, for %d rows at a time: rows must be a", name, n),
			"multiple of it.")
	}
	slots := AllocLocal(rows.Frame + 64*(n+1)) // one number of each row, then one vector of each
	dst, x, c := pointer("dst"), pointer("x"), pointer("c")
	last, bits := K(), GP32() // lanes of the last vector of a row, 1 to 16
	MOVL(c.As32(), bits)
	DECL(bits)
	ANDL(U8(15), bits)
	INCL(bits)
	rows.Mask(bits, last)
	r := rows.New(n, 16, c, c)
	e := newExponential()

	Label("rows")
	m := make([]reg.VecVirtual, n)
	for k := range m {
		m[k] = e.constant("negInf")
	}
	r.Over("largest", []reg.GPVirtual{x}, func(v rows.Vector) {
		for k := range m {
			if z := v.Load(v.Of[0](k)); v.Masked {
				VMAXPS(z, m[k], v.Rest, m[k])
			} else {
				VMAXPS(z, m[k], m[k])
			}
		}
	})
	VMOVUPS(rows.Reduce(m, func(a, b, dst reg.VecVirtual) { VMAXPS(a, b, dst) }), slots)

	from, to, left, number, vector := GP64(), GP64(), GP64(), GP64(), GP64()
	MOVQ(x, from)
	MOVQ(dst, to)
	LEAQ(slots, number)
	LEAQ(slots.Offset(64), vector)
	Label("row")
	largest := rows.Spread(Mem{Base: number})
	sum := rows.Zeros(1)[0]
	MOVQ(r.End, left)
	exponentials := func(count int, end bool) {
		x := make([]reg.VecVirtual, count)
		for i := range x {
			x[i] = ZMM()
			if m := (Mem{Base: from, Disp: 64 * i}); end && i == count-1 {
				VMOVUPS_Z(m, last, x[i])
			} else {
				VMOVUPS(m, x[i])
			}
			VSUBPS(largest, x[i], x[i])
		}
		var mask reg.OpmaskVirtual
		if end {
			mask = last
		}
		for i, y := range e.of(x, mask) {
			VADDPS(y, sum, sum)
			if m := (Mem{Base: to, Disp: 64 * i}); end && i == count-1 {
				VMOVUPS(y, last, m)
			} else {
				VMOVUPS(y, m)
			}
		}
	}
	const group = 4
	Label("group")
	CMPQ(left, I32(64*group))
	JLE(LabelRef("end"))
	exponentials(group, false)
	ADDQ(I32(64*group), from)
	ADDQ(I32(64*group), to)
	SUBQ(I32(64*group), left)
	JMP(LabelRef("group"))
	Label("end")
	for count := 1; count <= group; count++ {
		more := fmt.Sprint("more_than_", count)
		if count < group {
			CMPQ(left, I32(int32(64*count)))
			JG(LabelRef(more))
		}
		exponentials(count, true)
		if count < group {
			JMP(LabelRef("summed"))
			Label(more)
		}
	}
	Label("summed")
	VMOVUPS(sum, Mem{Base: vector})
	ADDQ(left, from)
	ADDQ(left, to)
	ADDQ(U8(64), vector)
	ADDQ(U8(4), number)
	LEAQ(slots.Offset(4*n), left)
	CMPQ(number, left)
	JNE(LabelRef("row"))

	for k := range m {
		m[k] = ZMM()
		VMOVUPS(slots.Offset(64*(k+1)), m[k])
	}
	scale := rows.Sums(m)
	VDIVPS(scale, rows.Half(e.taylor[len(taylor)-1]), scale)
	VMOVUPS(scale, slots)
	for k := range m {
		m[k] = rows.Spread(slots.Offset(4 * k))
	}
	r.Over("divide", []reg.GPVirtual{dst}, func(v rows.Vector) {
		for k := range m {
			z := v.Load(v.Of[0](k))
			VMULPS(m[k], z, z)
			v.Store(z, v.Of[0](k))
		}
	})
	r.Next(x, dst)
	SUBQ(U8(n), address("rows"))
	JNZ(LabelRef("rows"))
	VZEROUPPER()
	RET()
}
