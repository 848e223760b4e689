// Command gemm generates the micro-kernels of internal/kernel/gemm for AVX2
// and FMA: mul1x16 ... mul6x16, and the same with masked columns.
//
// Register plan of the kernel with r rows:
//
//	Y0 ... Y(2r-1)   the tile, two vectors a row
//	Y12 Y13          a row of B
//	Y14 Y15          elements of A, spread
//	AX BX CX DX SI DI the rows of A
//	R8 R9            position in the rows, position in B
//	R10 R11 R12      steps left in the run; bytes from step to step in A, in B
//	R13              the argument block
//	R14 R15          number of the run; scratch
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Offsets in gemm's type tile; a test there compares them.
const (
	tileA         = 0
	tileB         = 8
	tileC         = 16
	tileRows      = 24
	tileOuts      = 32
	tileSegs      = 40
	tileBSegs     = 48
	tileNSeg      = 56
	tileRun       = 64
	tileStep      = 72
	tileBStep     = 80
	tileTiles     = 88
	tileFlags     = 96
	tileBias      = 104
	tileScale     = 112
	tileRes       = 120
	tileResStride = 128
	tileMask      = 136
	tileAhead     = 144
)

// Bits of tile.flags.
const (
	accumulate = 1 << iota
	bias
	scale
	residual
	reluFirst
	reluLast
)

var (
	acc  = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11}
	b0   = reg.Y12
	b1   = reg.Y13
	even = reg.Y14
	odd  = reg.Y15
	row  = []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI}
)

var (
	at, bAt, left = reg.R8, reg.R9, reg.R10
	step, bStep   = reg.R11, reg.R12
	t, seg, tmp   = reg.R13, reg.R14, reg.R15
)

func arg(off int) Mem { return Mem{Base: t, Disp: off} }

func main() {
	ConstraintExpr("amd64,!purego")
	for _, masked := range []bool{false, true} {
		for rows := 1; rows <= 6; rows++ {
			kernel(rows, masked)
		}
	}
	transpose()
	peak()
	Generate()
}

// transpose exchanges rows and columns of squares of eight by eight.
func transpose() {
	TEXT("transpose", NOSPLIT, "func(dst, src *float32, step, squares int)")
	Pragma("noescape")
	Doc("transpose computes dst[l*16+c] = src[c*step+l] for l from 0 to 8*squares-1 and c from 0 to 7.")
	var (
		dst, src, step, squares = reg.RAX, reg.RBX, reg.RCX, reg.RDX
		step3, half             = reg.RSI, reg.RDI
	)
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("step"), step)
	Load(Param("squares"), squares)
	SHLQ(U8(2), step)
	LEAQ(Mem{Base: step, Index: step, Scale: 2}, step3)
	v := []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7}
	w := []reg.VecPhysical{reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}
	Label("square")
	LEAQ(Mem{Base: src, Index: step, Scale: 4}, half)
	for i, base := range []reg.Register{src, half} {
		VMOVUPS(Mem{Base: base}, v[4*i])
		VMOVUPS(Mem{Base: base, Index: step, Scale: 1}, v[4*i+1])
		VMOVUPS(Mem{Base: base, Index: step, Scale: 2}, v[4*i+2])
		VMOVUPS(Mem{Base: base, Index: step3, Scale: 1}, v[4*i+3])
	}
	for i := 0; i < 8; i += 2 { // pairs of rows, alternating
		VUNPCKLPS(v[i+1], v[i], w[i])
		VUNPCKHPS(v[i+1], v[i], w[i+1])
	}
	for i := 0; i < 8; i += 4 { // four rows of a column, in each half
		VSHUFPS(U8(0x44), w[i+2], w[i], v[i])
		VSHUFPS(U8(0xee), w[i+2], w[i], v[i+1])
		VSHUFPS(U8(0x44), w[i+3], w[i+1], v[i+2])
		VSHUFPS(U8(0xee), w[i+3], w[i+1], v[i+3])
	}
	for i := range 4 {
		VPERM2F128(U8(0x20), v[i+4], v[i], w[i])
		VPERM2F128(U8(0x31), v[i+4], v[i], w[i+4])
	}
	for i, r := range w {
		VMOVUPS(r, Mem{Base: dst, Disp: 64 * i})
	}
	ADDQ(U8(32), src)
	ADDQ(U32(512), dst)
	DECQ(squares)
	JNZ(LabelRef("square"))
	VZEROUPPER()
	RET()
}

// peak keeps twelve sums going in registers.
func peak() {
	TEXT("peak", NOSPLIT, "func(n int)")
	Doc("peak does 192 n floating-point operations (12 fused multiply-adds of 8 elements, n times) on registers; benchmarks measure the processor with it.")
	Load(Param("n"), left)
	for _, v := range acc {
		VXORPS(v, v, v)
	}
	VXORPS(even, even, even)
	Label("loop")
	for _, v := range acc {
		VFMADD231PS(even, even, v)
	}
	DECQ(left)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

func kernel(rows int, masked bool) {
	name := fmt.Sprintf("mul%dx16", rows)
	what := "16 columns"
	if masked {
		name += "mask"
		what = "the columns that t.mask selects"
	}
	TEXT(name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes t.tiles tiles of %d rows and %s; t is a *tile, its fields are used up.", name, rows, what))
	Load(Param("t"), t)
	MOVQ(arg(tileStep), step)
	MOVQ(arg(tileBStep), bStep)

	Label("tile")
	MOVQ(arg(tileRows), tmp)
	MOVQ(arg(tileA), seg)
	for i := range rows {
		MOVQ(Mem{Base: tmp, Disp: 8 * i}, row[i])
		LEAQ(Mem{Base: seg, Index: row[i], Scale: 4}, row[i])
	}
	TESTB(U8(accumulate), arg(tileFlags))
	JNZ(LabelRef("resume"))
	for i := range 2 * rows {
		VXORPS(acc[i], acc[i], acc[i])
	}
	JMP(LabelRef("sum"))
	Label("resume")
	masks(masked)
	eachRow(rows, func(i int, c Mem) { load(masked, c, acc[2*i], acc[2*i+1]) })

	Label("sum")
	MOVQ(arg(tileB), bAt)
	XORQ(seg, seg)
	Label("run")
	MOVQ(arg(tileSegs), tmp)
	MOVQ(Mem{Base: tmp, Index: seg, Scale: 8}, at)
	SHLQ(U8(2), at)
	MOVQ(arg(tileBSegs), tmp)
	TESTQ(tmp, tmp)
	JZ(LabelRef("follow"))
	MOVQ(Mem{Base: tmp, Index: seg, Scale: 8}, bAt)
	SHLQ(U8(2), bAt)
	ADDQ(arg(tileB), bAt)
	Label("follow")
	MOVQ(arg(tileRun), left)
	MOVQ(arg(tileAhead), tmp)
	TESTQ(tmp, tmp)
	JNZ(LabelRef("stepAhead"))
	Label("step")
	steps(rows)
	DECQ(left)
	JNZ(LabelRef("step"))
	Label("ran")
	INCQ(seg)
	CMPQ(seg, arg(tileNSeg))
	JNE(LabelRef("run"))
	MOVQ(U32(0), arg(tileAhead))
	JMP(LabelRef("summed"))

	Label("stepAhead")
	PREFETCHT1(Mem{Base: bAt, Index: tmp, Scale: 1})
	steps(rows)
	DECQ(left)
	JNZ(LabelRef("stepAhead"))
	JMP(LabelRef("ran"))

	Label("summed")
	masks(masked)
	TESTB(U8(bias|scale|residual|reluFirst|reluLast), arg(tileFlags))
	JZ(LabelRef("store"))
	vector(masked, bias, tileBias, "bias", func(v0, v1 reg.VecPhysical) {
		for i := range rows {
			VADDPS(v0, acc[2*i], acc[2*i])
			VADDPS(v1, acc[2*i+1], acc[2*i+1])
		}
	})
	relu(rows, reluFirst, "reluFirst")
	vector(masked, scale, tileScale, "scale", func(v0, v1 reg.VecPhysical) {
		for i := range rows {
			VMULPS(v0, acc[2*i], acc[2*i])
			VMULPS(v1, acc[2*i+1], acc[2*i+1])
		}
	})
	TESTB(U8(residual), arg(tileFlags))
	JZ(LabelRef("residual"))
	MOVQ(arg(tileRes), tmp)
	for i := range rows {
		load(masked, Mem{Base: tmp}, b0, b1)
		VADDPS(b0, acc[2*i], acc[2*i])
		VADDPS(b1, acc[2*i+1], acc[2*i+1])
		ADDQ(arg(tileResStride), tmp)
	}
	MOVQ(tmp, arg(tileRes))
	Label("residual")
	relu(rows, reluLast, "reluLast")

	Label("store")
	eachRow(rows, func(i int, c Mem) {
		if masked {
			VMASKMOVPS(acc[2*i], even, c)
			VMASKMOVPS(acc[2*i+1], odd, c.Offset(32))
			return
		}
		VMOVUPS(acc[2*i], c)
		VMOVUPS(acc[2*i+1], c.Offset(32))
	})
	ADDQ(U8(8*rows), arg(tileRows))
	ADDQ(U8(8*rows), arg(tileOuts))
	DECQ(arg(tileTiles))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// steps adds the products of one column of A and one row of B.
func steps(rows int) {
	VMOVUPS(Mem{Base: bAt}, b0)
	VMOVUPS(Mem{Base: bAt, Disp: 32}, b1)
	for i := range rows {
		spread := even
		if i%2 == 1 {
			spread = odd
		}
		VBROADCASTSS(Mem{Base: row[i], Index: at, Scale: 1}, spread)
		VFMADD231PS(b0, spread, acc[2*i])
		VFMADD231PS(b1, spread, acc[2*i+1])
	}
	ADDQ(step, at)
	ADDQ(bStep, bAt)
}

// masks puts the two masks where the spread elements of A were.
func masks(masked bool) {
	if masked {
		MOVQ(arg(tileMask), tmp)
		VMOVUPS(Mem{Base: tmp}, even)
		VMOVUPS(Mem{Base: tmp, Disp: 32}, odd)
	}
}

func load(masked bool, m Mem, v0, v1 reg.VecPhysical) {
	if masked {
		VMASKMOVPS(m, even, v0)
		VMASKMOVPS(m.Offset(32), odd, v1)
		return
	}
	VMOVUPS(m, v0)
	VMOVUPS(m.Offset(32), v1)
}

// eachRow calls f with the place of each row of the tile in the result.
func eachRow(rows int, f func(i int, c Mem)) {
	MOVQ(arg(tileOuts), tmp)
	MOVQ(arg(tileC), seg)
	for i := range rows {
		MOVQ(Mem{Base: tmp, Disp: 8 * i}, left)
		f(i, Mem{Base: seg, Index: left, Scale: 4})
	}
}

// vector applies a term of the epilogue that has an element per column.
func vector(masked bool, flag, off int, label string, f func(v0, v1 reg.VecPhysical)) {
	TESTB(U8(flag), arg(tileFlags))
	JZ(LabelRef(label))
	MOVQ(arg(off), tmp)
	load(masked, Mem{Base: tmp}, b0, b1)
	f(b0, b1)
	Label(label)
}

// relu takes the maximum with zero; the operand order lets NaN through.
func relu(rows, flag int, label string) {
	TESTB(U8(flag), arg(tileFlags))
	JZ(LabelRef(label))
	VXORPS(b0, b0, b0)
	for i := range 2 * rows {
		VMAXPS(acc[i], b0, acc[i])
	}
	Label(label)
}
