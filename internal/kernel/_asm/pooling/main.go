// Command pooling generates the AVX2 kernels of internal/kernel/pooling: each
// goes over a run of output pixels whose windows have the same taps inside the
// image, channels in blocks of four vectors, one vector, and a masked rest.
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
	const args = "dst, x *float32, pixels, kh, kw, pixelStep, rowStep, colStep, c int"
	pool("maxAVX2", "func("+args+")", false, maximum,
		"maxAVX2 writes the maxima of kh x kw taps, at least one, for c > 0 channels of pixels > 0 outputs that follow",
		"each other in dst. x is the first tap of the first output; the steps are bytes.")
	pool("maxIndexAVX2", "func("+args+", index *int32, at, atPixel, atRow, atCol int32)", true, maximum,
		"maxIndexAVX2 is maxAVX2 and writes to index the number of each winning tap: at for the first, and so much more",
		"for every pixel, row and column.")
	pool("averageAVX2", "func("+args+", divisor float32)", false, average,
		"averageAVX2 is maxAVX2 for the sum of the taps, in their order, over divisor.")
	Generate()
}

// block is what a body works on: vectors of one output pixel.
type block struct {
	n     int // vectors
	mask  *reg.VecVirtual
	acc   []reg.VecVirtual
	where []reg.VecVirtual // indices of the maxima, nil without
	at    reg.VecVirtual   // index of the tap
}

func (b block) load(base reg.Register, k int) reg.VecVirtual {
	y := YMM()
	if m := (Mem{Base: base, Disp: 32 * k}); b.mask != nil {
		VMASKMOVPS(m, *b.mask, y)
	} else {
		VMOVUPS(m, y)
	}
	return y
}

func (b block) store(y reg.VecVirtual, base reg.Register, k int) {
	if m := (Mem{Base: base, Disp: 32 * k}); b.mask != nil {
		VMASKMOVPS(y, *b.mask, m)
	} else {
		VMOVUPS(y, m)
	}
}

// op says what happens before the first tap, for each tap and after the last.
type op struct {
	begin, finish func(b block, p reg.Register)
	tap           func(b block, p reg.Register)
}

// maximum: NaN wins, then the larger, then the earlier.
func maximum() op {
	return op{
		begin: func(b block, p reg.Register) {
			for k := range b.n {
				b.acc[k] = b.load(p, k)
				if b.where != nil {
					VMOVDQA(b.at, b.where[k])
				}
			}
		},
		tap: func(b block, p reg.Register) {
			for k := range b.n {
				v, nan := b.load(p, k), YMM()
				VCMPPS(U8(3), v, v, nan) // unordered
				if b.where == nil {
					VMAXPS(b.acc[k], v, b.acc[k]) // acc if either is NaN or both are zero
					VBLENDVPS(nan, v, b.acc[k], b.acc[k])
					continue
				}
				wins := YMM()
				VCMPPS(U8(30), b.acc[k], v, wins) // v > acc
				VORPS(nan, wins, wins)
				VBLENDVPS(wins, v, b.acc[k], b.acc[k])
				VBLENDVPS(wins, b.at, b.where[k], b.where[k])
			}
		},
	}
}

func average() op {
	divisor := YMM()
	d, err := Param("divisor").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(d.Addr, divisor)
	return op{
		begin: func(b block, p reg.Register) {
			for k := range b.n {
				b.acc[k] = YMM()
				VXORPS(b.acc[k], b.acc[k], b.acc[k])
			}
		},
		tap: func(b block, p reg.Register) {
			for k := range b.n {
				if b.mask == nil {
					VADDPS(Mem{Base: p, Disp: 32 * k}, b.acc[k], b.acc[k])
				} else {
					VADDPS(b.load(p, k), b.acc[k], b.acc[k])
				}
			}
		},
		finish: func(b block, _ reg.Register) {
			for k := range b.n {
				VDIVPS(divisor, b.acc[k], b.acc[k])
			}
		},
	}
}

// spread puts an int32 argument into every lane of y.
func spread(name string, y reg.VecVirtual) {
	g, x := GP32(), XMM()
	Load(Param(name), g)
	VMOVD(g, x)
	VPBROADCASTD(x, y)
}

func pool(name, signature string, indexed bool, start func() op, doc ...string) {
	TEXT(name, 0, signature)
	Pragma("noescape")
	Doc(doc...)
	AllocLocal(frame)
	arg := func(n string) reg.GPVirtual { return Load(Param(n), GP64()).(reg.GPVirtual) }
	addr := func(n string) Mem {
		b, err := Param(n).Resolve()
		if err != nil {
			panic(err)
		}
		return b.Addr
	}
	dst, x, rowStep, colStep := arg("dst"), arg("x"), arg("rowStep"), arg("colStep")
	var index reg.GPVirtual
	var atPixel, atRow, atCol, first reg.VecVirtual
	if indexed {
		index = arg("index")
		first, atRow, atCol = YMM(), YMM(), YMM()
		atPixel = first
		spread("at", first)
		spread("atRow", atRow)
		spread("atCol", atCol)
	}
	o := start()
	src, c, kh, kw, p, line := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()

	Label("pixel")
	MOVQ(x, src)
	Load(Param("c"), c)

	body := func(label string, vectors int, mask *reg.VecVirtual) {
		b := block{n: vectors, mask: mask, acc: []reg.VecVirtual{YMM(), YMM(), YMM(), YMM()}[:vectors]}
		row := YMM()
		if indexed {
			b.at = YMM()
			VMOVDQA(first, b.at)
			VMOVDQA(first, row)
			for range vectors {
				b.where = append(b.where, YMM())
			}
		}
		o.begin(b, src)
		MOVQ(src, line)
		Load(Param("kh"), kh)
		Label(label + "_row")
		MOVQ(line, p)
		Load(Param("kw"), kw)
		Label(label + "_tap")
		o.tap(b, p)
		ADDQ(colStep, p)
		if indexed {
			VPADDD(atCol, b.at, b.at)
		}
		DECQ(kw)
		JNZ(LabelRef(label + "_tap"))
		ADDQ(rowStep, line)
		if indexed {
			VPADDD(atRow, row, row)
			VMOVDQA(row, b.at)
		}
		DECQ(kh)
		JNZ(LabelRef(label + "_row"))
		if o.finish != nil {
			o.finish(b, src)
		}
		for k := range vectors {
			b.store(b.acc[k], dst, k)
			if indexed {
				b.store(b.where[k], index, k)
			}
		}
	}
	for _, v := range []int{4, 1} {
		label := map[int]string{4: "wide", 1: "single"}[v]
		Label(label)
		CMPQ(c, I8(int8(8*v)))
		JLT(LabelRef(label + "_done"))
		body(label, v, nil)
		ADDQ(I32(int32(32*v)), src)
		ADDQ(I32(int32(32*v)), dst)
		if indexed {
			ADDQ(I32(int32(32*v)), index)
		}
		SUBQ(I8(int8(8*v)), c)
		JMP(LabelRef(label))
		Label(label + "_done")
	}
	TESTQ(c, c)
	JZ(LabelRef("next"))
	mask, base := YMM(), GP64()
	LEAQ(tail, base)
	NEGQ(c)
	VMOVUPS(Mem{Base: base, Disp: 32, Index: c, Scale: 4}, mask)
	NEGQ(c)
	body("rest", 1, &mask)
	LEAQ(Mem{Base: dst, Index: c, Scale: 4}, dst)
	if indexed {
		LEAQ(Mem{Base: index, Index: c, Scale: 4}, index)
	}
	Label("next")
	ADDQ(addr("pixelStep"), x)
	if indexed {
		step := YMM()
		spread("atPixel", step)
		VPADDD(step, atPixel, first)
	}
	DECQ(addr("pixels"))
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}
