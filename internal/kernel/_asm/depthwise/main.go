// Command depthwise generates the micro-kernels of internal/kernel/depthwise
// for AVX2 and FMA, and for AVX-512.
//
// All work on planes: 8 channels of a tensor, 16 for AVX-512, packed so that
// neighbouring pixels are one vector apart.
package main

import (
	"fmt"
	"math/bits"

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
	for _, wide = range []bool{false, true} {
		for n := 1; n <= maxColumns; n++ {
			correlate(n)
		}
		for n := 1; n <= maxTaps; n++ {
			gradient(n)
		}
		pack()
		packTwo()
		packMasked()
		unpack()
	}
	for n := 1; n <= maxColumns; n++ {
		slide(n, 1)
	}
	for n := 1; n <= maxColumns/2; n++ {
		slide(n, 2)
	}
	for _, cols := range []int{7, 8} {
		for rows := 1; rows <= maxRows; rows++ {
			sums(rows, cols)
		}
	}
	prefetch()
	Generate()
}

// wide is AVX-512, which has masks in registers of their own.
var wide bool

// size is the size of a vector in bytes.
func size() int {
	if wide {
		return 64
	}
	return 32
}

func lanes() int { return size() / 4 }

func vector() reg.VecVirtual {
	if wide {
		return ZMM()
	}
	return YMM()
}

func vectors(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = vector()
	}
	return v
}

func clear(v reg.VecVirtual) {
	if wide {
		VPXORD(v, v, v)
	} else {
		VXORPS(v, v, v)
	}
}

// begin begins a function, whose name for AVX-512 has Wide in it.
func begin(name, number, signature string) string {
	if wide {
		name += "Wide"
	}
	name += number
	TEXT(name, NOSPLIT, signature)
	Pragma("noescape")
	return name
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

// correlate generates n output columns of a plane's channels.
func correlate(n int) {
	name := begin("correlate", fmt.Sprint(n), "func(dst, x, w *float32, off, line *int, from, tiles, step, rows, dstRow, blocks, plane, weight int, last *float32, mask *int32)")
	Doc(fmt.Sprintf("%s computes, for every one of blocks blocks of %d channels and rows rows, tiles tiles of %d columns.", name, lanes(), n),
		"Row r is described by four integers: where its pixels, its weights and its offsets begin, and how many taps",
		"it has. With all distances in bytes it equals, for one block, row and column, and lane i of it:",
		"",
		"\tx, w, off, taps := x[line[0]-from:], w[line[1]:], off[line[2]:], line[3]",
		"\tsum := 0",
		fmt.Sprintf("\tfor t := range taps { sum += w[%d*t] * x[off[t]] }", size()),
		fmt.Sprintf("\t*dst = max(last[%d+i], sum+last[i])", lanes()),
		"",
		fmt.Sprintf("The next column lies step further in dst and %d in x, the next row dstRow in dst, the next block %d in", size(), size()),
		fmt.Sprintf("dst, plane in x, weight in w and %d in last. %s", 2*size(), maskDoc()))
	tilesLeft, rowsLeft := AllocLocal(8), AllocLocal(8)
	step := Load(Param("step"), GP64())
	last := Load(Param("last"), GP64())
	acc, wv := vectors(n), vector()
	var stored reg.Register
	if wide {
		stored = lanesIn(Load(Param("mask"), GP64()))
	}
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
		clear(a)
	}
	MOVQ(w0, w)
	MOVQ(taps, i)
	TESTQ(i, i)
	JZ(LabelRef("finish"))
	Label("tap")
	MOVQ(Mem{Base: off, Index: i, Scale: 8}, o)
	VMOVUPS(at(w, 0), wv)
	for j, a := range acc {
		VFMADD231PS(Mem{Base: x, Index: o, Scale: 1, Disp: size() * j}, wv, a)
	}
	ADDQ(Imm(uint64(size())), w)
	INCQ(i)
	JNZ(LabelRef("tap"))

	Label("finish")
	VMOVUPS(at(last, 0), wv)
	for _, a := range acc {
		VADDPS(wv, a, a)
	}
	VMOVUPS(at(last, size()), wv)
	for _, a := range acc {
		VMAXPS(a, wv, a) // a NaN in a stays
	}
	if wide {
		for _, a := range acc {
			VMOVUPS(a, stored, at(dst, 0))
			ADDQ(step, dst)
		}
	} else {
		MOVQ(arg("mask"), o)
		TESTQ(o, o)
		JNZ(LabelRef("masked"))
		for _, a := range acc {
			VMOVUPS(a, at(dst, 0))
			ADDQ(step, dst)
		}
	}
	Label("next")
	ADDQ(U32(size()*n), x)
	DECQ(tilesLeft)
	JNZ(LabelRef("tile"))
	ADDQ(arg("dstRow"), dstRow)
	DECQ(rowsLeft)
	JNZ(LabelRef("row"))
	MOVQ(arg("plane"), o)
	ADDQ(o, arg("x"))
	ADDQ(Imm(uint64(size())), arg("dst"))
	ADDQ(U32(2*size()), last)
	MOVQ(arg("weight"), o)
	ADDQ(o, arg("w"))
	DECQ(arg("blocks"))
	JNZ(LabelRef("block"))
	VZEROUPPER()
	RET()
	if wide {
		return
	}

	Label("masked")
	VMOVUPS(at(o, 0), wv)
	for _, a := range acc {
		VMASKMOVPS(a, wv, at(dst, 0))
		ADDQ(step, dst)
	}
	JMP(LabelRef("next"))
}

func maskDoc() string {
	if wide {
		return "mask, if not nil, has a bit for every lane that is stored."
	}
	return "mask, if not nil, chooses the lanes that are stored."
}

// lanesIn loads the lanes that the mask at p has bits for, all if p is nil.
func lanesIn(p reg.Register) reg.Register {
	k := K()
	KXNORW(k, k, k)
	TESTQ(p, p)
	JZ(LabelRef("whole"))
	KMOVW(at(p, 0), k)
	Label("whole")
	return k
}

// gradient generates the sums of n taps over rows x cols pixels.
func gradient(n int) {
	name := begin("gradient", fmt.Sprint(n), "func(sum, x *float32, off *int, dy *float32, cols, rows, xRow, dyRow, blocks, xPlane, dyPlane, weight int)")
	Doc(fmt.Sprintf("%s adds %d taps of blocks blocks of %d channels over rows x cols pixels. It equals, for tap t of one block,", name, n, lanes()),
		"with all distances in bytes:",
		"",
		"\tfor r := range rows {",
		fmt.Sprintf("\t\tfor c := range cols { sum[%d*t] += dy[r*dyRow+%d*c] * x[off[t]+r*xRow+%d*c] }", size(), size(), size()),
		"\t}",
		"",
		"The next block lies weight further in sum, xPlane in x and dyPlane in dy.")
	rowsLeft := AllocLocal(8)
	x, off := GP64(), GP64()
	end := GP64()
	MOVQ(arg("cols"), end)
	SHLQ(Imm(uint64(bits.Len(uint(size()))-1)), end)
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
	acc := vectors(n)
	for t := range acc {
		VMOVUPS(at(sums, size()*t), acc[t])
	}
	dy, idx := GP64(), GP64()
	d := vector()
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
	ADDQ(Imm(uint64(size())), idx)
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
		VMOVUPS(a, at(end, size()*t))
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

// copying generates a loop over rows of pixels, of which each calls pixel.
func copying(pixel func(dst, src reg.Register)) {
	dstRow, srcRow := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	pitch := Load(Param("pitch"), GP64())
	rows := Load(Param("rows"), GP64())
	dstPitch := Load(Param("dstRow"), GP64())
	srcPitch := Load(Param("srcRow"), GP64())
	cols := Load(Param("n"), GP64())
	n, dst, src := GP64(), GP64(), GP64()
	Label("row")
	MOVQ(dstRow, dst)
	MOVQ(srcRow, src)
	MOVQ(cols, n)
	Label("pixel")
	pixel(dst, src)
	ADDQ(pitch, src)
	ADDQ(Imm(uint64(size())), dst)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	ADDQ(dstPitch, dstRow)
	ADDQ(srcPitch, srcRow)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

func pack() {
	name := begin("pack", "1", "func(dst, src *float32, n, pitch, rows, dstRow, srcRow int)")
	Doc(fmt.Sprintf("%s copies %d channels of rows x n pixels to a plane. Pixels of src are pitch bytes apart, rows srcRow", name, lanes()),
		"bytes in src and dstRow bytes in the plane.")
	a := vector()
	copying(func(dst, src reg.Register) {
		VMOVUPS(at(src, 0), a)
		VMOVUPS(a, at(dst, 0))
	})
}

func packTwo() {
	name := begin("pack", "2", "func(dst, src *float32, n, pitch, rows, dstRow, srcRow, plane int)")
	Doc(fmt.Sprintf("%s is the same for %d channels and two planes, which are plane bytes apart.", name, 2*lanes()))
	plane := Load(Param("plane"), GP64())
	a, b := vector(), vector()
	copying(func(dst, src reg.Register) {
		VMOVUPS(at(src, 0), a)
		VMOVUPS(at(src, size()), b)
		VMOVUPS(a, at(dst, 0))
		VMOVUPS(b, Mem{Base: dst, Index: plane, Scale: 1})
	})
}

func packMasked() {
	name := begin("packMasked", "", "func(dst, src *float32, n, pitch, rows, dstRow, srcRow int, mask *int32)")
	Doc(name + " reads only the channels in mask; the others become 0.")
	mask, a := Load(Param("mask"), GP64()), vector()
	if wide {
		k := lanesIn(mask)
		copying(func(dst, src reg.Register) {
			VMOVUPS_Z(at(src, 0), k, a)
			VMOVUPS(a, at(dst, 0))
		})
		return
	}
	m := YMM()
	VMOVUPS(at(mask, 0), m)
	copying(func(dst, src reg.Register) {
		VMASKMOVPS(at(src, 0), m, a)
		VMOVUPS(a, at(dst, 0))
	})
}

func unpack() {
	name := begin("unpack", "1", "func(dst, src *float32, n, pitch int)")
	Doc(fmt.Sprintf("%s copies n vectors of a plane to %d elements of pixels that are pitch bytes apart.", name, lanes()))
	dst, src := Load(Param("dst"), GP64()), Load(Param("src"), GP64())
	n, pitch := Load(Param("n"), GP64()), Load(Param("pitch"), GP64())
	v := vector()
	Label("pixel")
	VMOVUPS(at(src, 0), v)
	VMOVUPS(v, at(dst, 0))
	ADDQ(pitch, dst)
	ADDQ(Imm(uint64(size())), src)
	DECQ(n)
	JNZ(LabelRef("pixel"))
	VZEROUPPER()
	RET()
}

// prefetch is the same for every variant.
func prefetch() {
	TEXT("prefetch", NOSPLIT, "func(x *float32, lines, rows, pitch int)")
	Pragma("noescape")
	Doc("prefetch brings the first lines cache lines, at least one, of each of rows rows, which are pitch bytes", "apart, into the second-level cache.")
	x, lines, rows, pitch := Load(Param("x"), GP64()), Load(Param("lines"), GP64()), Load(Param("rows"), GP64()), Load(Param("pitch"), GP64())
	p, n := GP64(), GP64()
	Label("row")
	MOVQ(x, p)
	MOVQ(lines, n)
	Label("line")
	PREFETCHT1(Mem{Base: p})
	ADDQ(Imm(64), p)
	DECQ(n)
	JNZ(LabelRef("line"))
	ADDQ(pitch, x)
	DECQ(rows)
	JNZ(LabelRef("row"))
	RET()
}
