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
	pack("pack1", false, false, "pack1 copies 8 channels of rows x n pixels to a plane. Pixels of src are pitch bytes apart, rows srcRow",
		"bytes in src and dstRow bytes in the plane.")
	pack("pack2", true, false, "pack2 is pack1 for 16 channels and two planes, which are plane bytes apart.")
	pack("packMasked", false, true, "packMasked is pack1 that reads only the channels in mask; the others become 0.")
	unpack()
	Generate()
}

func at(base reg.Register, disp int) Mem { return Mem{Base: base, Disp: disp} }

// arg is the place of an integer argument, which the kernels also use as a
// variable.
func arg(name string) Mem {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// correlate generates n output columns x 8 channels.
func correlate(n int) {
	name := fmt.Sprintf("correlate%d", n)
	TEXT(name, NOSPLIT, "func(dst, x, w *float32, off, line *int, from, tiles, step, rows, dstRow, blocks, plane, weight int, last *float32, mask *int32)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes, for every one of blocks blocks of 8 channels and rows rows, tiles tiles of %d columns.", name, n),
		"Row r is described by four integers: where its pixels, its weights and its offsets begin, and how many taps",
		"it has. With all distances in bytes it equals, for one block, row and column, and lane i of it:",
		"",
		"\tx, w, off, taps := x[line[0]-from:], w[line[1]:], off[line[2]:], line[3]",
		"\tsum := 0",
		"\tfor t := range taps { sum += w[32*t] * x[off[t]] }",
		"\t*dst = max(last[8+i], sum+last[i])",
		"",
		"The next column lies step further in dst and 32 in x, the next row dstRow in dst, the next block 32 in",
		"dst, plane in x, weight in w and 64 in last. mask, if not nil, chooses the lanes that are stored.")
	tilesLeft, rowsLeft := AllocLocal(8), AllocLocal(8)
	step := Load(Param("step"), GP64())
	last := Load(Param("last"), GP64())
	acc := make([]reg.VecVirtual, n)
	for j := range acc {
		acc[j] = YMM()
	}
	wv := YMM()
	line, taps, off, w0 := GP64(), GP64(), GP64(), GP64()
	dstRow, dst, x, w, i, o := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()

	Label("block")
	MOVQ(arg("rows"), o)
	MOVQ(o, rowsLeft)
	MOVQ(arg("line"), line)
	MOVQ(arg("dst"), dstRow)
	Label("row")
	MOVQ(arg("tiles"), o)
	MOVQ(o, tilesLeft)
	MOVQ(dstRow, dst)
	MOVQ(arg("x"), x)
	SUBQ(arg("from"), x)
	ADDQ(at(line, 0), x)
	MOVQ(arg("w"), w0)
	ADDQ(at(line, 8), w0)
	MOVQ(arg("off"), off)
	ADDQ(at(line, 16), off)
	MOVQ(at(line, 24), taps)
	LEAQ(Mem{Base: off, Index: taps, Scale: 8}, off)
	NEGQ(taps)
	ADDQ(Imm(32), line)
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
	MOVQ(arg("mask"), o)
	TESTQ(o, o)
	JNZ(LabelRef("masked"))
	for _, a := range acc {
		VMOVUPS(a, at(dst, 0))
		ADDQ(step, dst)
	}
	Label("next")
	ADDQ(U32(32*n), x)
	DECQ(tilesLeft)
	JNZ(LabelRef("tile"))
	ADDQ(arg("dstRow"), dstRow)
	DECQ(rowsLeft)
	JNZ(LabelRef("row"))
	MOVQ(arg("plane"), o)
	ADDQ(o, arg("x"))
	ADDQ(Imm(32), arg("dst"))
	ADDQ(Imm(64), last)
	MOVQ(arg("weight"), o)
	ADDQ(o, arg("w"))
	DECQ(arg("blocks"))
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()

	Label("masked")
	VMOVUPS(at(o, 0), wv)
	for _, a := range acc {
		VMASKMOVPS(a, wv, at(dst, 0))
		ADDQ(step, dst)
	}
	JMP(LabelRef("next"))
}

// gradient generates the sums of n taps over rows x cols pixels.
func gradient(n int) {
	name := fmt.Sprintf("gradient%d", n)
	TEXT(name, NOSPLIT, "func(sum, x *float32, off *int, dy *float32, cols, rows, xRow, dyRow, blocks, xPlane, dyPlane, weight int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s adds %d taps of blocks blocks of 8 channels over rows x cols pixels. It equals, for tap t of one block,", name, n),
		"with all distances in bytes:",
		"",
		"\tfor r := range rows {",
		"\t\tfor c := range cols { sum[32*t] += dy[r*dyRow+32*c] * x[off[t]+r*xRow+32*c] }",
		"\t}",
		"",
		"The next block lies weight further in sum, xPlane in x and dyPlane in dy.")
	rowsLeft := AllocLocal(8)
	x, off := GP64(), GP64()
	end := GP64()
	MOVQ(arg("cols"), end)
	SHLQ(Imm(5), end)
	MOVQ(end, arg("cols"))
	Label("block")
	MOVQ(arg("x"), x)
	MOVQ(arg("off"), off)
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
	taps[n-1] = x

	sums := GP64()
	MOVQ(arg("sum"), sums)
	acc := make([]reg.VecVirtual, n)
	for t := range acc {
		acc[t] = YMM()
		VMOVUPS(at(sums, 32*t), acc[t])
	}
	dy, idx := GP64(), GP64()
	d := YMM()
	MOVQ(arg("rows"), end)
	MOVQ(end, rowsLeft)
	MOVQ(arg("dy"), dy)
	MOVQ(arg("cols"), end)
	XORQ(idx, idx)

	Comment("idx runs over x and, because dy moves by dyPitch - xPitch at every row, over dy too.")
	Label("pixel")
	VMOVUPS(Mem{Base: dy, Index: idx, Scale: 1}, d)
	for t, a := range acc {
		VFMADD231PS(Mem{Base: taps[t], Index: idx, Scale: 1}, d, a)
	}
	ADDQ(Imm(32), idx)
	CMPQ(idx, end)
	JNE(LabelRef("pixel"))
	SUBQ(arg("cols"), idx)
	ADDQ(arg("xRow"), idx)
	ADDQ(arg("xRow"), end)
	ADDQ(arg("dyRow"), dy)
	SUBQ(arg("xRow"), dy)
	DECQ(rowsLeft)
	JNZ(LabelRef("pixel"))

	MOVQ(arg("sum"), end)
	for t, a := range acc {
		VMOVUPS(a, at(end, 32*t))
	}
	ADDQ(arg("weight"), end)
	MOVQ(end, arg("sum"))
	MOVQ(arg("xPlane"), end)
	ADDQ(end, arg("x"))
	MOVQ(arg("dyPlane"), end)
	ADDQ(end, arg("dy"))
	DECQ(arg("blocks"))
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
}

// pack generates copying 8 channels of pixels, or 16 to two planes, or those in
// a mask.
func pack(name string, two, masked bool, doc ...string) {
	signature := "func(dst, src *float32, n, pitch, rows, dstRow, srcRow int"
	if two {
		signature += ", plane int"
	}
	if masked {
		signature += ", mask *int32"
	}
	TEXT(name, NOSPLIT, signature+")")
	Pragma("noescape")
	Doc(doc...)
	dstRow, srcRow := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	pitch := Load(Param("pitch"), GP64())
	rows := Load(Param("rows"), GP64())
	var plane, mask reg.Register
	a, b, m := YMM(), YMM(), YMM()
	if two {
		plane = Load(Param("plane"), GP64())
	}
	if masked {
		mask = Load(Param("mask"), GP64())
		VMOVUPS(at(mask, 0), m)
	}
	dstPitch := Load(Param("dstRow"), GP64())
	srcPitch := Load(Param("srcRow"), GP64())
	cols := Load(Param("n"), GP64())
	n, dst, src := GP64(), GP64(), GP64()
	Label("row")
	MOVQ(dstRow, dst)
	MOVQ(srcRow, src)
	MOVQ(cols, n)
	Label("pixel")
	if masked {
		VMASKMOVPS(at(src, 0), m, a)
	} else {
		VMOVUPS(at(src, 0), a)
	}
	if two {
		VMOVUPS(at(src, 32), b)
	}
	VMOVUPS(a, at(dst, 0))
	if two {
		VMOVUPS(b, Mem{Base: dst, Index: plane, Scale: 1})
	}
	ADDQ(pitch, src)
	ADDQ(Imm(32), dst)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	ADDQ(dstPitch, dstRow)
	ADDQ(srcPitch, srcRow)
	DECQ(rows)
	JNZ(LabelRef("row"))
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
