package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The kernels of this file, for AVX-512, are for rows of seven taps on
// neighbouring columns: a pixel is loaded once for all the products that it is
// part of. Where the padding is three columns of zeros, as many as the taps
// reach, they leave it out, and so may read tensors where they lie.

const (
	seven   = 7
	pad     = seven / 2
	maxRows = 3 // rows of taps of a weight gradient in registers
)

// Bits of the argument how.
const (
	leftEdge  = 1 << iota // the columns begin with padding
	rightEdge             // the columns end with padding
	finish                // something is to be added to the sums
	limit                 // and there is a lower limit
)

// row is a row of pixels, some bytes apart, that are read one after the other.
type row struct {
	at, pitch, pitch3 reg.Register // at moves on
}

// pixel is where pixel p of the row is. They have to be asked for in order,
// from 0 or where the row is moved to.
func (r row) pixel(p, disp int) Mem {
	switch p % 4 {
	case 1:
		return Mem{Base: r.at, Index: r.pitch, Scale: 1, Disp: disp}
	case 2:
		return Mem{Base: r.at, Index: r.pitch, Scale: 2, Disp: disp}
	case 3:
		return Mem{Base: r.at, Index: r.pitch3, Scale: 1, Disp: disp}
	}
	return at(r.at, disp)
}

// next moves on to pixel p, if need be.
func (r row) next(p int) {
	if p%4 == 0 && p > 0 {
		LEAQ(Mem{Base: r.at, Index: r.pitch, Scale: 4}, r.at)
	}
}

// window calls each for the pixels of a window of n columns, pixel p being the
// one that tap t shares with column p-t. Pixels in the padding have code of
// their own, which is jumped over as how says. Labels end in suffix.
func window(n int, how Op, suffix string, each func(p int)) {
	TESTQ(U32(leftEdge), how)
	JNZ(LabelRef("left" + suffix))
	for p := range n + seven - 1 {
		if p == pad {
			Label("left" + suffix)
		}
		if p == n+pad {
			TESTQ(U32(rightEdge), how)
			JNZ(LabelRef("right" + suffix))
		}
		each(p)
	}
	Label("right" + suffix)
}

// taps are those of column p-t for pixel p of n columns.
func taps(p, n int) (lo, hi int) { return max(p-n+1, 0), min(p, seven-1) + 1 }

// slide generates n output columns of one block or two.
func slide(n, blocks int) {
	name := "slide"
	if blocks == 2 {
		name = "slidePair"
	}
	name = begin(name, fmt.Sprint(n), "func(dst, x, w *float32, line *int, from, pitch, step, rows, dstRow, weight, xRow int, last *float32, mask *int32, how int)")
	what := "a block"
	if blocks == 2 {
		what = "two blocks"
	}
	Doc(fmt.Sprintf("%s computes, for %s of 16 channels and rows rows, %d columns of a kernel with rows of 7 taps.", name, what, n),
		"Row r is described by four integers: where its pixels and its weights begin, one that is not used, and how many",
		"rows of taps it has. With all distances in bytes it equals, for one block, row and column, and lane i of it:",
		"",
		"\tx, w := x[line[0]+from:], w[line[1]:]",
		"\tsum := 0",
		"\tfor r := range line[3] {",
		"\t\tfor t := range 7 { sum += w[64*(7*r+t)] * x[xRow*r+pitch*t] }",
		"\t}",
		"\t*dst = max(last[16+i], sum+last[i])",
		"",
		"The next column lies step further in dst and pitch in x, the next row dstRow in dst, the next block 64 in dst",
		"and x, weight in w and 128 in last. mask, if not nil, has a bit for every lane of a block that is stored.",
		"how says whether x begins and ends with 3 columns of zeros, which are not read then, and whether there is",
		"something in last, and a limit.")
	stored := lanesIn(Load(Param("mask"), GP64()))
	var acc, wv [2][]reg.VecVirtual
	for b := range blocks {
		acc[b], wv[b] = vectors(n), vectors(seven)
	}
	step, xRow := Load(Param("step"), GP64()), Load(Param("xRow"), GP64())
	pitch, pitch3, weight := Load(Param("pitch"), GP64()), GP64(), GP64()
	LEAQ(Mem{Base: pitch, Index: pitch, Scale: 2}, pitch3)
	if blocks == 2 {
		Load(Param("weight"), weight)
	}
	how, line := Load(Param("how"), GP64()), Load(Param("line"), GP64())
	dst, x, xr, w, i, t := GP64(), GP64(), GP64(), GP64(), GP64(), GP64()

	Label("row")
	MOVQ(arg("x"), x)
	ADDQ(arg("from"), x)
	ADDQ(at(line, 0), x)
	MOVQ(arg("w"), w)
	ADDQ(at(line, 8), w)
	MOVQ(at(line, 24), i)
	ADDQ(Imm(32), line)
	for b := range blocks {
		for _, a := range acc[b] {
			clear(a)
		}
	}
	TESTQ(i, i)
	JZ(LabelRef("finish"))
	Label("taps")
	for b := range blocks {
		for t, v := range wv[b] {
			if b == 0 {
				VMOVUPS(at(w, 64*t), v)
			} else {
				VMOVUPS(Mem{Base: w, Index: weight, Scale: 1, Disp: 64 * t}, v)
			}
		}
	}
	MOVQ(x, xr)
	pixels := row{xr, pitch, pitch3}
	window(n, how, "", func(p int) {
		pixels.next(p)
		for b := range blocks {
			v := ZMM()
			VMOVUPS(pixels.pixel(p, 64*b), v)
			lo, hi := taps(p, n)
			for t := lo; t < hi; t++ {
				VFMADD231PS(wv[b][t], v, acc[b][p-t])
			}
		}
	})
	ADDQ(xRow, x)
	ADDQ(U32(64*seven), w)
	DECQ(i)
	JNZ(LabelRef("taps"))

	Label("finish")
	TESTQ(U32(finish), how)
	JZ(LabelRef("store"))
	MOVQ(arg("last"), t)
	for b := range blocks {
		for _, a := range acc[b] {
			VADDPS(at(t, 128*b), a, a)
		}
	}
	TESTQ(U32(limit), how)
	JZ(LabelRef("store"))
	for b := range blocks {
		v := ZMM()
		VMOVUPS(at(t, 128*b+64), v)
		for _, a := range acc[b] {
			VMAXPS(a, v, a) // a NaN in a stays
		}
	}
	Label("store")
	MOVQ(arg("dst"), dst)
	for j := range n {
		for b := range blocks {
			VMOVUPS(acc[b][j], stored, at(dst, 64*b))
		}
		if j < n-1 {
			ADDQ(step, dst)
		}
	}
	MOVQ(arg("dstRow"), t)
	ADDQ(t, arg("dst"))
	DECQ(arg("rows"))
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// sums generates the sums of some rows of seven taps over pixels of which it
// takes so many at a time, 7 or 8.
func sums(rows, cols int) {
	name := begin("sums", fmt.Sprintf("%dx%d", cols, rows), "func(sum, x *float32, from int, dy *float32, cols, rows, pitch, xRow, dyRow, xTaps, how int)")
	Doc(fmt.Sprintf("%s adds %d rows of 7 taps of 16 channels over rows x cols pixels. It equals, for tap t of the q-th row,", name, rows),
		"with all distances in bytes:",
		"",
		"\tfor r := range rows {",
		"\t\tfor c := range cols { sum[64*(7*q+t)] += dy[r*dyRow+pitch*c] * x[from+q*xTaps+r*xRow+pitch*(c+t)] }",
		"\t}",
		"",
		"how says whether the rows of x begin and end with 3 columns of zeros, which are not read then if cols is a",
		fmt.Sprintf("multiple of %d.", cols))
	whole, rest := AllocLocal(8), AllocLocal(8)
	var acc [maxRows][]reg.VecVirtual
	for q := range rows {
		acc[q] = vectors(seven)
	}
	pitch, pitch3 := Load(Param("pitch"), GP64()), GP64()
	LEAQ(Mem{Base: pitch, Index: pitch, Scale: 2}, pitch3)
	dy, i, how, t, xq := GP64(), GP64(), GP64(), GP64(), GP64()
	x := []reg.GPVirtual{GP64(), GP64(), GP64()}[:rows]
	onward := func(p reg.Register, n int) { // by n pixels
		switch n {
		case 8:
			LEAQ(Mem{Base: p, Index: pitch, Scale: 8}, p)
			return
		case 7, 4:
			LEAQ(Mem{Base: p, Index: pitch, Scale: 4}, p)
		}
		if n%4 == 3 {
			ADDQ(pitch3, p)
		}
	}
	each := func(f func(a reg.VecVirtual, disp int)) {
		for q := range rows {
			for t, a := range acc[q] {
				f(a, 64*(seven*q+t))
			}
		}
	}

	Comment(fmt.Sprintf("cols = %d whole + rest", cols))
	MOVQ(arg("cols"), t)
	XORQ(i, i)
	Label("divide")
	CMPQ(t, Imm(uint64(cols)))
	JLT(LabelRef("divided"))
	SUBQ(Imm(uint64(cols)), t)
	INCQ(i)
	JMP(LabelRef("divide"))
	Label("divided")
	MOVQ(t, rest)
	MOVQ(i, whole)

	MOVQ(arg("sum"), t)
	each(func(a reg.VecVirtual, disp int) { VMOVUPS(at(t, disp), a) })
	Label("row")
	MOVQ(arg("dy"), dy)
	MOVQ(arg("x"), x[0])
	ADDQ(arg("from"), x[0])
	for q := 1; q < rows; q++ {
		MOVQ(x[q-1], x[q])
		ADDQ(arg("xTaps"), x[q])
	}
	MOVQ(arg("how"), how)
	ANDQ(Imm(leftEdge), how)
	MOVQ(whole, i)
	TESTQ(i, i)
	JZ(LabelRef("rest"))

	Label("pixels")
	CMPQ(i, Imm(1))
	JNE(LabelRef("begin"))
	CMPQ(rest, Imm(0))
	JNE(LabelRef("begin"))
	MOVQ(arg("how"), t)
	ANDQ(Imm(rightEdge), t)
	ORQ(t, how)
	Label("begin")
	d := vectors(cols)
	gradients := row{dy, pitch, pitch3}
	for j, v := range d {
		gradients.next(j)
		VMOVUPS(gradients.pixel(j, 0), v)
	}
	onward(dy, cols-4)
	for q := range rows {
		MOVQ(x[q], xq)
		pixels := row{xq, pitch, pitch3}
		window(cols, how, fmt.Sprint(q), func(p int) {
			pixels.next(p)
			v := ZMM()
			VMOVUPS(pixels.pixel(p, 0), v)
			lo, hi := taps(p, cols)
			for t := lo; t < hi; t++ {
				VFMADD231PS(d[p-t], v, acc[q][t])
			}
		})
		onward(x[q], cols)
	}
	XORQ(how, how)
	DECQ(i)
	JNZ(LabelRef("pixels"))

	Label("rest")
	MOVQ(rest, i)
	TESTQ(i, i)
	JZ(LabelRef("next"))
	Label("pixel")
	v := ZMM()
	VMOVUPS(at(dy, 0), v)
	ADDQ(pitch, dy)
	for q := range rows {
		MOVQ(x[q], xq)
		ADDQ(pitch, x[q])
		pixels := row{xq, pitch, pitch3}
		for t, a := range acc[q] {
			pixels.next(t)
			VFMADD231PS(pixels.pixel(t, 0), v, a)
		}
	}
	DECQ(i)
	JNZ(LabelRef("pixel"))

	Label("next")
	MOVQ(arg("dyRow"), t)
	ADDQ(t, arg("dy"))
	MOVQ(arg("xRow"), t)
	ADDQ(t, arg("x"))
	DECQ(arg("rows"))
	JNZ(LabelRef("row"))
	MOVQ(arg("sum"), t)
	each(func(a reg.VecVirtual, disp int) { VMOVUPS(a, at(t, disp)) })
	VZEROUPPER()
	RET()
}
