// Command depthwise generates the micro-kernels of internal/kernel/depthwise
// for AVX2 and FMA.
//
// All work on planes: 8 channels of a tensor, packed so that neighbouring
// pixels are 32 bytes apart.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

const (
	maxColumns = 14 // output columns in registers; one more holds the weights
	maxTaps    = 11 // address registers for the taps of a weight gradient
)

func main() {
	ConstraintExpr("amd64,!purego")
	for n := 1; n <= maxColumns; n++ {
		correlate(n)
	}
	for n := 1; n <= maxTaps; n++ {
		gradient(n)
	}
	pack1()
	pack2()
	packMasked()
	unpack()
	Generate()
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

// correlate generates n output columns x 8 channels:
//
//	for range tiles {
//		for j := range n {
//			acc := 0
//			for t := range taps { acc += w[t] * x[off[t]/32+j] }
//			dst[j*step] = max(last[1], acc+last[0]) // lanes of mask only, if not nil
//		}
//		x, dst = x[n:], dst[n*step:]
//	}
func correlate(n int) {
	name := fmt.Sprintf("correlate%d", n)
	TEXT(name, NOSPLIT, "func(dst, x, w *float32, off *int, taps, tiles, step int, last *float32, mask *int32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes tiles of %d output columns and 8 channels. Output columns are step bytes apart; tap t", name, n),
		"reads the packed pixels at x + off[t] bytes. The result is max(last[8+i], sum + last[i]); mask, if",
		"not nil, chooses the channels that are stored.")
	dst := Load(Param("dst"), GP64())
	x := Load(Param("x"), GP64())
	w0 := Load(Param("w"), GP64())
	off := Load(Param("off"), GP64())
	taps := Load(Param("taps"), GP64())
	tiles := Load(Param("tiles"), GP64())
	step := Load(Param("step"), GP64())
	last := Load(Param("last"), GP64())
	mask := Load(Param("mask"), GP64())
	LEAQ(Mem{Base: off, Index: taps, Scale: 8}, off)
	NEGQ(taps)
	acc := make([]reg.VecVirtual, n)
	for j := range acc {
		acc[j] = YMM()
	}
	wv := YMM()
	w, i, o := GP64(), GP64(), GP64()

	Label("tile")
	for _, a := range acc {
		VXORPS(a, a, a)
	}
	MOVQ(w0, w)
	MOVQ(taps, i)
	TESTQ(i, i)
	JZ(LabelRef("finish"))
	Label("tap")
	MOVQ(Mem{Base: off, Index: i, Scale: 8}, o)
	VMOVUPS(at(w, 0), wv)
	for j, a := range acc {
		VFMADD231PS(Mem{Base: x, Index: o, Scale: 1, Disp: 32 * j}, wv, a)
	}
	ADDQ(Imm(32), w)
	INCQ(i)
	JNZ(LabelRef("tap"))

	Label("finish")
	VMOVUPS(at(last, 0), wv)
	for _, a := range acc {
		VADDPS(wv, a, a)
	}
	VMOVUPS(at(last, 32), wv)
	for _, a := range acc {
		VMAXPS(a, wv, a) // a NaN in a stays
	}
	TESTQ(mask, mask)
	JNZ(LabelRef("masked"))
	for _, a := range acc {
		VMOVUPS(a, at(dst, 0))
		ADDQ(step, dst)
	}
	Label("next")
	ADDQ(U32(32*n), x)
	DECQ(tiles)
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()

	Label("masked")
	VMOVUPS(at(mask, 0), wv)
	for _, a := range acc {
		VMASKMOVPS(a, wv, at(dst, 0))
		ADDQ(step, dst)
	}
	JMP(LabelRef("next"))
}

// gradient generates the sums of n taps over rows x cols pixels.
func gradient(n int) {
	name := fmt.Sprintf("gradient%d", n)
	TEXT(name, NOSPLIT, "func(sum, x *float32, off *int, dy *float32, cols, rows, xPitch, dyPitch int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds to the %d vectors of sum the products of dy with x at off[0], off[1], ... bytes, over rows", name, n),
		"of cols packed pixels; rows are xPitch and dyPitch bytes apart.")
	x := Load(Param("x"), GP64())
	off := Load(Param("off"), GP64())
	taps := make([]reg.GPVirtual, n)
	for t := range taps {
		taps[t] = GP64()
	}
	for t, p := range taps[:n-1] {
		MOVQ(at(off, 8*t), p)
		ADDQ(x, p)
	}
	// The last tap takes over x, so that no register is needed besides.
	ADDQ(at(off, 8*(n-1)), x)
	taps[n-1] = x.(reg.GPVirtual)

	sum := Load(Param("sum"), GP64())
	acc := make([]reg.VecVirtual, n)
	for t := range acc {
		acc[t] = YMM()
		VMOVUPS(at(sum, 32*t), acc[t])
	}
	dy := Load(Param("dy"), GP64())
	idx, end := GP64(), GP64()
	d := YMM()
	cols, _ := Param("cols").Resolve()
	rows, _ := Param("rows").Resolve()
	xPitch, _ := Param("xPitch").Resolve()
	dyPitch, _ := Param("dyPitch").Resolve()
	Comment("idx runs over x and, because dy moves by dyPitch - xPitch at every row, over dy too.")
	MOVQ(cols.Addr, end)
	SHLQ(Imm(5), end)
	MOVQ(end, cols.Addr)
	XORQ(idx, idx)

	Label("pixel")
	VMOVUPS(Mem{Base: dy, Index: idx, Scale: 1}, d)
	for t, a := range acc {
		VFMADD231PS(Mem{Base: taps[t], Index: idx, Scale: 1}, d, a)
	}
	ADDQ(Imm(32), idx)
	CMPQ(idx, end)
	JNE(LabelRef("pixel"))
	SUBQ(cols.Addr, idx)
	ADDQ(xPitch.Addr, idx)
	ADDQ(xPitch.Addr, end)
	ADDQ(dyPitch.Addr, dy)
	SUBQ(xPitch.Addr, dy)
	DECQ(rows.Addr)
	JNZ(LabelRef("pixel"))

	sum = Load(Param("sum"), GP64())
	for t, a := range acc {
		VMOVUPS(a, at(sum, 32*t))
	}
	VZEROUPPER()
	RET()
}

func pack1() {
	TEXT("pack1", NOSPLIT, "func(dst, src *float32, n, pitch int)")
	Pragma("noescape")
	Doc("pack1 copies 8 elements from every one of n pixels, which are pitch bytes apart, to a plane.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	n, pitch := Load(Param("n"), GP64()), Load(Param("pitch"), GP64())
	v := YMM()
	Label("pixel")
	VMOVUPS(at(src, 0), v)
	VMOVUPS(v, at(dst, 0))
	ADDQ(pitch, src)
	ADDQ(Imm(32), dst)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}

func pack2() {
	TEXT("pack2", NOSPLIT, "func(dst, src *float32, n, pitch, plane int)")
	Pragma("noescape")
	Doc("pack2 copies 16 elements from every one of n pixels, which are pitch bytes apart, to two planes, which",
		"are plane bytes apart.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	n, pitch := Load(Param("n"), GP64()), Load(Param("pitch"), GP64())
	plane := Load(Param("plane"), GP64())
	a, b := YMM(), YMM()
	Label("pixel")
	VMOVUPS(at(src, 0), a)
	VMOVUPS(at(src, 32), b)
	VMOVUPS(a, at(dst, 0))
	VMOVUPS(b, Mem{Base: dst, Index: plane, Scale: 1})
	ADDQ(pitch, src)
	ADDQ(Imm(32), dst)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}

func packMasked() {
	TEXT("packMasked", NOSPLIT, "func(dst, src *float32, n, pitch int, mask *int32)")
	Pragma("noescape")
	Doc("packMasked is pack1 that reads only the elements in mask; the others become 0.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	n, pitch := Load(Param("n"), GP64()), Load(Param("pitch"), GP64())
	mask := Load(Param("mask"), GP64())
	m, v := YMM(), YMM()
	VMOVUPS(at(mask, 0), m)
	Label("pixel")
	VMASKMOVPS(at(src, 0), m, v)
	VMOVUPS(v, at(dst, 0))
	ADDQ(pitch, src)
	ADDQ(Imm(32), dst)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}

func unpack() {
	TEXT("unpack1", NOSPLIT, "func(dst, src *float32, n, pitch int)")
	Pragma("noescape")
	Doc("unpack1 copies n vectors of a plane to 8 elements of pixels that are pitch bytes apart.")
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	n, pitch := Load(Param("n"), GP64()), Load(Param("pitch"), GP64())
	v := YMM()
	Label("pixel")
	VMOVUPS(at(src, 0), v)
	VMOVUPS(v, at(dst, 0))
	ADDQ(pitch, dst)
	ADDQ(Imm(32), src)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}
