// Command pooling generates the AVX2 kernels of internal/kernel/pooling, or with
// -avx512 those for AVX-512: each goes over a run of output pixels whose windows
// have the same taps inside the image, channels in blocks of four vectors, one
// vector, and a masked rest.
package main

import (
	"flag"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/winnow-go/winnow/internal/kernel/_asm/rows"
)

// frame is large enough that the assembler adds the check of the stack at
// which a goroutine can be stopped.
const frame = 128

// tail holds 8 words of ones and 8 of zeros: read from word 8-n on, it is the
// mask of n lanes of AVX2.
var tail Mem

// wide is AVX-512: vectors of 16, and masks in registers of their own.
var wide bool

func main() {
	flag.BoolVar(&wide, "avx512", false, "generate the AVX-512 kernels")
	flag.Parse()
	ConstraintExpr("amd64,!purego")
	variant := "AVX512"
	if !wide {
		variant = "AVX2"
		tail = GLOBL("tailMask", 8|16) // RODATA, NOPTR
		for i := range 16 {
			v := uint32(0xffffffff)
			if i >= 8 {
				v = 0
			}
			DATA(4*i, U32(v))
		}
	}
	const args = "dst, x *float32, pixels, kh, kw, pixelStep, rowStep, colStep, c int"
	pool("max"+variant, "func("+args+")", false, maximum,
		"max"+variant+" writes the maxima of kh x kw taps, at least one, for c > 0 channels of pixels > 0 outputs that follow",
		"each other in dst. x is the first tap of the first output; the steps are bytes.")
	pool("maxIndex"+variant, "func("+args+", index *int32, at, atPixel, atRow, atCol int32)", true, maximum,
		"maxIndex"+variant+" is max"+variant+" and writes to index the number of each winning tap: at for the first, and so much more",
		"for every pixel, row and column.")
	pool("average"+variant, "func("+args+", divisor float32)", false, average,
		"average"+variant+" is max"+variant+" for the sum of the taps, in their order, over divisor.")
	Generate()
}

// lanes are the elements of a vector.
func lanes() int {
	if wide {
		return 16
	}
	return 8
}

func vector() reg.VecVirtual {
	if wide {
		return ZMM()
	}
	return YMM()
}

// block is what a body works on: vectors of one output pixel.
type block struct {
	n     int              // vectors
	mask  reg.Virtual      // of the only one, nil if it is whole
	acc   []reg.VecVirtual // maxima or sums
	where []reg.VecVirtual // indices of the maxima, nil without
	at    reg.VecVirtual   // index of the tap
}

func (b block) load(base reg.Register, k int) reg.VecVirtual {
	v, m := vector(), Mem{Base: base, Disp: 4 * lanes() * k}
	switch {
	case b.mask == nil:
		VMOVUPS(m, v)
	case wide:
		VMOVUPS_Z(m, b.mask, v)
	default:
		VMASKMOVPS(m, b.mask, v)
	}
	return v
}

func (b block) store(v reg.VecVirtual, base reg.Register, k int) {
	m := Mem{Base: base, Disp: 4 * lanes() * k}
	switch {
	case b.mask == nil:
		VMOVUPS(v, m)
	case wide:
		VMOVUPS(v, b.mask, m)
	default:
		VMASKMOVPS(v, b.mask, m)
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
					move(b.at, b.where[k])
				}
			}
		},
		tap: func(b block, p reg.Register) {
			for k := range b.n {
				v := b.load(p, k)
				nan := compare(unordered, v, v)
				if b.where == nil {
					VMAXPS(b.acc[k], v, b.acc[k]) // acc if either is NaN or both are zero
					blend(nan, v, b.acc[k])
					continue
				}
				wins := compare(greater, b.acc[k], v)
				if wide {
					KORW(nan, wins, wins)
				} else {
					VORPS(nan, wins, wins)
				}
				blend(wins, v, b.acc[k])
				blend(wins, b.at, b.where[k])
			}
		},
	}
}

const (
	unordered = 3
	greater   = 30
)

// compare is a mask of the lanes of b whose relation to a holds.
func compare(relation uint8, a, b reg.VecVirtual) reg.Virtual {
	var mask reg.Virtual = vector()
	if wide {
		mask = K()
	}
	VCMPPS(U8(relation), a, b, mask)
	return mask
}

// blend moves the lanes in mask.
func blend(mask reg.Virtual, from, to reg.VecVirtual) {
	if wide {
		VMOVAPS(from, mask, to)
	} else {
		VBLENDVPS(mask, from, to, to)
	}
}

func move(from, to reg.VecVirtual) {
	if wide {
		VMOVDQA32(from, to)
	} else {
		VMOVDQA(from, to)
	}
}

func average() op {
	divisor := vector()
	d, err := Param("divisor").Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(d.Addr, divisor)
	return op{
		begin: func(b block, p reg.Register) {
			for k := range b.n {
				b.acc[k] = vector()
				VXORPS(b.acc[k], b.acc[k], b.acc[k])
			}
		},
		tap: func(b block, p reg.Register) {
			for k := range b.n {
				if b.mask == nil {
					VADDPS(Mem{Base: p, Disp: 4 * lanes() * k}, b.acc[k], b.acc[k])
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

// spread puts an int32 argument into every lane of v.
func spread(name string, v reg.VecVirtual) {
	g := GP32()
	Load(Param(name), g)
	if wide {
		VPBROADCASTD(g, v)
		return
	}
	x := XMM()
	VMOVD(g, x)
	VPBROADCASTD(x, v)
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
		first, atRow, atCol = vector(), vector(), vector()
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

	body := func(label string, vectors int, mask reg.Virtual) {
		b := block{n: vectors, mask: mask, acc: []reg.VecVirtual{vector(), vector(), vector(), vector()}[:vectors]}
		row := vector()
		if indexed {
			b.at = vector()
			move(first, b.at)
			move(first, row)
			for range vectors {
				b.where = append(b.where, vector())
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
			move(row, b.at)
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
		CMPQ(c, I8(int8(lanes()*v)))
		JLT(LabelRef(label + "_done"))
		body(label, v, nil)
		ADDQ(I32(int32(4*lanes()*v)), src)
		ADDQ(I32(int32(4*lanes()*v)), dst)
		if indexed {
			ADDQ(I32(int32(4*lanes()*v)), index)
		}
		SUBQ(I8(int8(lanes()*v)), c)
		JMP(LabelRef(label))
		Label(label + "_done")
	}
	TESTQ(c, c)
	JZ(LabelRef("next"))
	if wide {
		mask, bits := K(), GP32()
		MOVL(c.As32(), bits)
		rows.Mask(bits, mask)
		body("rest", 1, mask)
	} else {
		mask, base := YMM(), GP64()
		LEAQ(tail, base)
		NEGQ(c)
		VMOVUPS(Mem{Base: base, Disp: 32, Index: c, Scale: 4}, mask)
		NEGQ(c)
		body("rest", 1, mask)
	}
	LEAQ(Mem{Base: dst, Index: c, Scale: 4}, dst)
	if indexed {
		LEAQ(Mem{Base: index, Index: c, Scale: 4}, index)
	}
	Label("next")
	ADDQ(addr("pixelStep"), x)
	if indexed {
		step := vector()
		spread("atPixel", step)
		VPADDD(step, atPixel, first)
	}
	DECQ(addr("pixels"))
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}
