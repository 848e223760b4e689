// Package rows generates loops for AVX-512 over rows of float32.
//
// A row of c elements is vectors of 16 and a masked rest of 1 to 15, so a kernel
// takes any c. Several rows can be gone over at once.
package rows

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Frame is large enough that the assembler adds the check of the stack at
// which a goroutine can be stopped.
const Frame = 128

// Rows is a number of rows, gone over vector by vector.
type Rows struct {
	N          int           // 1 to 8
	Elements   int           // of a vector: 16 float32, or 8 that become float64
	End, Whole reg.GPVirtual // bytes: all of a row, its whole vectors
	I          reg.GPVirtual // position in the rows, bytes
	Pitch      reg.GPVirtual // bytes from row to row
	threePitch reg.GPVirtual // if there are more than two rows
	Rest       reg.OpmaskVirtual
}

// New makes End of c and Pitch of stride, which may be c; both are elements.
func New(n, elements int, c, stride reg.GPVirtual) Rows {
	r := Rows{N: n, Elements: elements, End: c, Whole: GP64(), I: GP64(), Pitch: stride, Rest: K()}
	bits := GP32()
	MOVL(c.As32(), bits)
	ANDL(U8(elements-1), bits)
	Mask(bits, r.Rest)
	MOVQ(c, r.Whole)
	ANDQ(I8(-elements), r.Whole)
	SHLQ(U8(2), r.Whole)
	SHLQ(U8(2), c)
	if stride != c {
		SHLQ(U8(2), stride)
	}
	if n > 2 {
		r.threePitch = GP64()
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, r.threePitch)
	}
	return r
}

// Mask sets the first n bits of k; n, up to 16, is overwritten.
func Mask(n reg.GPVirtual, k reg.OpmaskVirtual) {
	ones := GP32()
	MOVL(U32(0xffffffff), ones)
	BZHIL(n, ones, n)
	KMOVW(n, k)
}

// Vector is one vector of the rows.
type Vector struct {
	Rows
	Of     []func(k int) Mem // its place in row k of each of the bases
	Masked bool
}

// At is the vector's place in what all rows share.
func (v Vector) At(base reg.Register) Mem { return Mem{Base: base, Index: v.I, Scale: 1} }

// Load and Store move a whole vector, of float32 or float64; outside a row
// there are zeros.
func (v Vector) Load(m Mem) reg.VecVirtual {
	z := ZMM()
	switch {
	case !v.Masked:
		VMOVUPS(m, z)
	case v.Elements == 8:
		VMOVUPD_Z(m, v.Rest, z)
	default:
		VMOVUPS_Z(m, v.Rest, z)
	}
	return z
}

// Store is the counterpart of Load.
func (v Vector) Store(z reg.VecVirtual, m Mem) {
	switch {
	case !v.Masked:
		VMOVUPS(z, m)
	case v.Elements == 8:
		VMOVUPD(z, v.Rest, m)
	default:
		VMOVUPS(z, v.Rest, m)
	}
}

// Widen loads 8 elements as float64.
func (v Vector) Widen(m Mem) reg.VecVirtual {
	z := ZMM()
	if v.Masked {
		VCVTPS2PD_Z(m, v.Rest, z)
	} else {
		VCVTPS2PD(m, z)
	}
	return z
}

// Over emits body for every vector of the rows that begin at bases.
func (r Rows) Over(name string, bases []reg.GPVirtual, body func(v Vector)) {
	v := Vector{Rows: r}
	var moving []reg.GPVirtual
	for _, b := range bases {
		low, high := GP64(), GP64()
		MOVQ(b, low)
		moving = append(moving, low)
		if r.N > 4 {
			LEAQ(Mem{Base: b, Index: r.Pitch, Scale: 4}, high)
			moving = append(moving, high)
		}
		v.Of = append(v.Of, func(k int) Mem {
			p := low
			if k >= 4 {
				p = high
			}
			switch k % 4 {
			case 0:
				return Mem{Base: p}
			case 3:
				return Mem{Base: p, Index: r.threePitch, Scale: 1}
			}
			return Mem{Base: p, Index: r.Pitch, Scale: uint8(k % 4)}
		})
	}
	XORQ(r.I, r.I)
	TESTQ(r.Whole, r.Whole)
	JZ(LabelRef(name + "_rest"))
	Label(name)
	body(v)
	for _, p := range moving {
		ADDQ(U8(4*r.Elements), p)
	}
	ADDQ(U8(4*r.Elements), r.I)
	CMPQ(r.I, r.Whole)
	JLT(LabelRef(name))
	Label(name + "_rest")
	CMPQ(r.I, r.End)
	JGE(LabelRef(name + "_done"))
	v.Masked = true
	body(v)
	Label(name + "_done")
}

// Next moves bases past the rows.
func (r Rows) Next(bases ...reg.GPVirtual) {
	for _, b := range bases {
		LEAQ(Mem{Base: b, Index: r.Pitch, Scale: uint8(r.N)}, b)
	}
}

// Each emits body for N rows at a time while there are so many, then for single
// ones. count counts down to 0.
func (r Rows) Each(count Op, bases []reg.GPVirtual, body func(name string, r Rows)) {
	for _, n := range []int{r.N, 1} {
		r.N = n
		name := fmt.Sprint("rows", n)
		Label(name)
		CMPQ(count, U8(n))
		JLT(LabelRef(name + "_over"))
		body(name+"_vectors", r)
		r.Next(bases...)
		SUBQ(U8(n), count)
		JMP(LabelRef(name))
		Label(name + "_over")
	}
}

// Zeros are n vectors of zeros.
func Zeros(n int) []reg.VecVirtual {
	z := make([]reg.VecVirtual, n)
	for i := range z {
		z[i] = ZMM()
		VXORPS(z[i], z[i], z[i])
	}
	return z
}

// Spread reads one float32 into every lane.
func Spread(m Mem) reg.VecVirtual {
	z := ZMM()
	VBROADCASTSS(m, z)
	return z
}

// Half is the lower half of z.
func Half(z reg.VecVirtual) reg.VecVirtual { return z.AsY().(reg.VecVirtual) }

// Sums is Reduce with addition.
func Sums(z []reg.VecVirtual) reg.VecVirtual {
	return Reduce(z, func(a, b, dst reg.VecVirtual) { VADDPS(a, b, dst) })
}

// Reduce combines the lanes of 1, 4 or 8 vectors, z, which it uses up: lane k of
// the result, a half vector, is vector k's; of a single one every lane. Within
// each quarter that is (0+2)+(1+3), then the quarters (0+1)+(2+3), whatever the
// number of vectors.
func Reduce(z []reg.VecVirtual, op func(a, b, dst reg.VecVirtual)) reg.VecVirtual {
	if len(z) == 1 {
		s, t := z[0], ZMM()
		for _, order := range []uint8{0x4e, 0xb1} { // halves, then neighbours
			VPERMILPS(U8(order), s, t)
			op(t, s, s)
		}
		for _, order := range []uint8{0xb1, 0x4e} {
			VSHUFF32X4(U8(order), s, s, t)
			op(t, s, s)
		}
		return Half(s)
	}
	pair := func(a, b reg.VecVirtual, low, high func(a, b, dst reg.VecVirtual)) reg.VecVirtual {
		t := ZMM()
		low(a, b, t)
		high(a, b, a)
		op(t, a, a)
		return a
	}
	for i := 0; i < len(z); i += 2 {
		z[i/2] = pair(z[i], z[i+1],
			func(a, b, dst reg.VecVirtual) { VUNPCKLPS(b, a, dst) },
			func(a, b, dst reg.VecVirtual) { VUNPCKHPS(b, a, dst) })
	}
	for i := 0; i < len(z)/2; i += 2 {
		z[i/2] = pair(z[i], z[i+1],
			func(a, b, dst reg.VecVirtual) { VUNPCKLPD(b, a, dst) },
			func(a, b, dst reg.VecVirtual) { VUNPCKHPD(b, a, dst) })
	}
	quarters := func(a, b reg.VecVirtual) reg.VecVirtual {
		return pair(a, b,
			func(a, b, dst reg.VecVirtual) { VSHUFF32X4(U8(0x88), b, a, dst) },
			func(a, b, dst reg.VecVirtual) { VSHUFF32X4(U8(0xdd), b, a, dst) })
	}
	s := quarters(z[0], z[len(z)/8]) // of four vectors both are the same
	return Half(quarters(s, s))
}
