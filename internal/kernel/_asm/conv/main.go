// Command conv generates the transforms of Winograd's convolution for AVX2 and
// FMA, a vector of eight channels at a time: of tiles of the source, of products, of
// filters, and for the gradient of the filters of tiles of the result and of
// their products.
//
// Each is a transform of the columns, whose results wait on the stack, and the
// same transform of the rows. Vectors Y10 to Y15 hold constants, the lower ones
// a line of values and what becomes of it.
package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

var y = []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}

var t, tmp = reg.R13, reg.R15

func arg(off int) Mem { return Mem{Base: t, Disp: off} }

// form is F(m x m, 3x3) with tiles of n = m+2.
type form struct {
	name string
	m, n int
}

var forms = []form{{"2", 2, 4}, {"4", 4, 6}}

// The points of F(4x4) are 0, a, -a, b, -b and infinity.
const a, b = 0.75, 1.5

func main() {
	ConstraintExpr("amd64,!purego")
	for _, f := range forms {
		input(f, false)
		input(f, true)
	}
	for _, f := range forms {
		output(f, false)
		output(f, true)
	}
	for _, f := range forms {
		filter(f)
		filterGradient(f)
	}
	Generate()
}

var made = map[float32]Mem{}

// constant spreads a number over a register.
func constant(v float64, to reg.VecPhysical) {
	f := float32(v)
	m, ok := made[f]
	if !ok {
		m = GLOBL(fmt.Sprintf("c%08x", math.Float32bits(f)), RODATA|NOPTR)
		DATA(0, F32(f))
		made[f] = m
	}
	VBROADCASTSS(m, to)
}

// lines are the places base, base+step, ... up to five steps on, given
// registers with one, three and five steps.
func lines(base, one, three, five reg.Register) []Mem {
	return []Mem{
		{Base: base}, {Base: base, Index: one, Scale: 1}, {Base: base, Index: one, Scale: 2},
		{Base: base, Index: three, Scale: 1}, {Base: base, Index: one, Scale: 4}, {Base: base, Index: five, Scale: 1},
	}
}

// multiples puts three and five times a register into others.
func multiples(one, three, five reg.Register) {
	LEAQ(Mem{Base: one, Index: one, Scale: 2}, three)
	LEAQ(Mem{Base: one, Index: one, Scale: 4}, five)
}

// Offsets in conv's type inputArgs; a test there compares them.
const (
	inSrc     = 0
	inDst     = 8
	inLine    = 16
	inPixel   = 24
	inPart    = 32
	inVectors = 40
	inMask    = 48
	inTiles   = 56
	inSrcStep = 64
	inDstStep = 72
)

// input transforms tiles of the source, or those of the result's gradient.
func input(f form, gradient bool) {
	name, width := "input"+f.name, f.n
	line := inputLine
	if gradient {
		name, width = "gradient"+f.name, f.m
		line = gradientLine
	}
	TEXT(name, 0, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s transforms t.tiles tiles of %dx%d pixels; t is an *inputArgs, its fields are used up.", name, width, width))
	Load(Param("t"), t)
	wait := AllocLocal(32 * width * f.n)
	var (
		src, dst, left          = reg.RAX, reg.RBX, reg.RCX
		pitch, pitch3, pitch5   = reg.RDX, reg.RSI, reg.RDI
		part, part3, part5      = reg.R8, reg.R9, reg.R10
		pixel, column, rowOfDst = reg.R11, reg.R12, reg.R14
	)
	MOVQ(arg(inLine), pitch)
	multiples(pitch, pitch3, pitch5)
	MOVQ(arg(inPart), part)
	multiples(part, part3, part5)
	MOVQ(arg(inPixel), pixel)
	switch {
	case f.m == 4 && gradient:
		constant(a, y[10])
		constant(b, y[11])
		constant(a*a, y[12])
		constant(b*b, y[13])
		constant(a*a*a, y[14])
		constant(b*b*b, y[15])
	case f.m == 4:
		constant(-b*b, y[10])
		constant(-a*a, y[11])
		constant(a, y[12])
		constant(b, y[13])
		constant(a*a*b*b, y[14])
		constant(-a*a-b*b, y[15])
	}
	body := func(masked bool) {
		MOVQ(src, column)
		if masked {
			MOVQ(arg(inMask), tmp)
		}
		from := lines(column, pitch, pitch3, pitch5)
		for j := range width {
			if masked {
				VMOVUPS(Mem{Base: tmp}, y[9])
			}
			for i := range width {
				if masked {
					VMASKMOVPS(from[i], y[9], y[i])
				} else {
					VMOVUPS(from[i], y[i])
				}
			}
			for i, v := range line(f) {
				VMOVUPS(v, wait.Offset(32*(i*width+j)))
			}
			if j < width-1 {
				ADDQ(pixel, column)
			}
		}
		MOVQ(dst, rowOfDst)
		to := lines(rowOfDst, part, part3, part5)
		for i := range f.n {
			for j := range width {
				VMOVUPS(wait.Offset(32*(i*width+j)), y[j])
			}
			for j, v := range line(f) {
				VMOVUPS(v, to[j])
			}
			if i == f.n-1 {
				break
			}
			if f.n == 4 {
				LEAQ(Mem{Base: rowOfDst, Index: part, Scale: 4}, rowOfDst)
			} else {
				LEAQ(Mem{Base: rowOfDst, Index: part3, Scale: 2}, rowOfDst)
			}
		}
	}

	Label("tile")
	MOVQ(arg(inSrc), src)
	MOVQ(arg(inDst), dst)
	MOVQ(arg(inVectors), left)
	TESTQ(left, left)
	JZ(LabelRef("rest"))
	Label("vector")
	body(false)
	ADDQ(U8(32), src)
	ADDQ(U8(32), dst)
	DECQ(left)
	JNZ(LabelRef("vector"))
	Label("rest")
	CMPQ(arg(inMask), U8(0))
	JE(LabelRef("next"))
	body(true)
	Label("next")
	MOVQ(arg(inSrcStep), tmp)
	ADDQ(tmp, arg(inSrc))
	MOVQ(arg(inDstStep), tmp)
	ADDQ(tmp, arg(inDst))
	DECQ(arg(inTiles))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// inputLine transforms the line in the first registers and says where the
// results are.
func inputLine(f form) []reg.VecPhysical {
	if f.m == 2 {
		VSUBPS(y[2], y[0], y[4])
		VADDPS(y[2], y[1], y[5])
		VSUBPS(y[1], y[2], y[6])
		VSUBPS(y[3], y[1], y[7])
		return []reg.VecPhysical{y[4], y[5], y[6], y[7]}
	}
	minusB2, minusA2, va, vb, a2b2, minusSum := y[10], y[11], y[12], y[13], y[14], y[15]
	VMOVAPS(y[4], y[6])
	VMOVAPS(y[3], y[7])
	VMOVAPS(y[4], y[8])
	VMOVAPS(y[3], y[9])
	VFMADD231PS(minusB2, y[2], y[6])
	VFMADD231PS(minusB2, y[1], y[7])
	VFMADD231PS(minusA2, y[2], y[8])
	VFMADD231PS(minusA2, y[1], y[9])
	VFMADD231PS(minusSum, y[2], y[4])
	VFMADD231PS(minusSum, y[3], y[5])
	VFMADD231PS(a2b2, y[0], y[4])
	VFMADD231PS(a2b2, y[1], y[5])
	VMOVAPS(y[6], y[0])
	VMOVAPS(y[8], y[1])
	VFMADD231PS(va, y[7], y[0])
	VFNMADD231PS(va, y[7], y[6])
	VFMADD231PS(vb, y[9], y[1])
	VFNMADD231PS(vb, y[9], y[8])
	return []reg.VecPhysical{y[4], y[0], y[6], y[1], y[8], y[5]}
}

// gradientLine transforms the line of a tile of the result's gradient.
func gradientLine(f form) []reg.VecPhysical {
	if f.m == 2 {
		VADDPS(y[1], y[0], y[2])
		VSUBPS(y[1], y[0], y[3])
		VXORPS(y[4], y[4], y[4])
		VSUBPS(y[1], y[4], y[4])
		return []reg.VecPhysical{y[0], y[2], y[3], y[4]}
	}
	va, vb, a2, b2, a3, b3 := y[10], y[11], y[12], y[13], y[14], y[15]
	VMOVAPS(y[0], y[4])
	VMOVAPS(y[0], y[6])
	VMULPS(va, y[1], y[5])
	VMULPS(vb, y[1], y[7])
	VFMADD231PS(a2, y[2], y[4])
	VFMADD231PS(b2, y[2], y[6])
	VFMADD231PS(a3, y[3], y[5])
	VFMADD231PS(b3, y[3], y[7])
	VADDPS(y[5], y[4], y[8])
	VSUBPS(y[5], y[4], y[4])
	VADDPS(y[7], y[6], y[9])
	VSUBPS(y[7], y[6], y[6])
	return []reg.VecPhysical{y[0], y[8], y[4], y[9], y[6], y[3]}
}

// Offsets in conv's type outputArgs.
const (
	outSrc      = 0
	outDst      = 8
	outPart     = 16
	outPlaces   = 24
	outTiles    = 32
	outLine     = 40
	outPixel    = 48
	outFlags    = 56
	outBias     = 64
	outScale    = 72
	outRes      = 80
	outResLine  = 88
	outResPixel = 96
	outMask     = 104
)

// Offsets in conv's type place.
const (
	placePixel = 0
	placeRows  = 8
	placeCols  = 16
	placeSize  = 24
)

// Bits of outputArgs.flags.
const (
	bias = 1 << iota
	scale
	residual
	reluFirst
	reluLast
)

func output(f form, masked bool) {
	name := "output" + f.name
	what := "16 columns"
	if masked {
		name += "mask"
		what = "the columns that t.mask selects"
	}
	TEXT(name, 0, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s makes t.tiles tiles of %dx%d pixels and %s from their products; t is an *outputArgs, its fields are used up.", name, f.m, f.m, what))
	Load(Param("t"), t)
	wait := AllocLocal(32 * f.m * f.n)
	var (
		src, column        = reg.RAX, reg.RBX
		row, row3, row5    = reg.RCX, reg.RDX, reg.RSI // of parts
		part               = reg.RDI
		dst, pixel, pixel3 = reg.R8, reg.R9, reg.R10
		res, rows, cols    = reg.R11, reg.R12, reg.R14
	)
	MOVQ(arg(outPart), part)
	if f.n == 4 {
		MOVQ(part, row)
		SHLQ(U8(2), row)
	} else {
		LEAQ(Mem{Base: part, Index: part, Scale: 2}, row)
		ADDQ(row, row)
	}
	multiples(row, row3, row5)
	MOVQ(arg(outPixel), pixel)
	LEAQ(Mem{Base: pixel, Index: pixel, Scale: 2}, pixel3)
	if f.m == 4 {
		constant(a, y[10])
		constant(b, y[11])
		constant(a*a, y[12])
		constant(b*b, y[13])
		constant(a*a*a, y[14])
		constant(b*b*b, y[15])
	}
	Label("tile")
	MOVQ(arg(outSrc), src)
	for v := range 2 {
		label := func(s string, n int) string { return fmt.Sprintf("%s%d%d", s, v, n) }
		off := 32 * v
		LEAQ(Mem{Base: src, Disp: off}, column)
		from := lines(column, row, row3, row5)
		for j := range f.n {
			for i := range f.n {
				VMOVUPS(from[i], y[i])
			}
			for i, r := range outputLine(f) {
				VMOVUPS(r, wait.Offset(32*(i*f.n+j)))
			}
			if j < f.n-1 {
				ADDQ(part, column)
			}
		}
		MOVQ(arg(outPlaces), tmp)
		MOVQ(Mem{Base: tmp, Disp: placeRows}, rows)
		MOVQ(Mem{Base: tmp, Disp: placeCols}, cols)
		MOVQ(Mem{Base: tmp, Disp: placePixel}, dst)
		MOVQ(dst, res)
		IMULQ(pixel, dst)
		ADDQ(arg(outDst), dst)
		IMULQ(arg(outResPixel), res)
		ADDQ(arg(outRes), res)
		for i := range f.m {
			for j := range f.n {
				VMOVUPS(wait.Offset(32*(i*f.n+j)), y[j])
			}
			out := outputLine(f)
			vec, mask := y[9], y[8]
			if masked {
				MOVQ(arg(outMask), tmp)
				VMOVUPS(Mem{Base: tmp, Disp: off}, mask)
			}
			load := func(m Mem) {
				if masked {
					VMASKMOVPS(m, mask, vec)
				} else {
					VMOVUPS(m, vec)
				}
			}
			relu := func(flag int, skip string) {
				TESTB(U8(flag), arg(outFlags))
				JZ(LabelRef(skip))
				VXORPS(vec, vec, vec)
				for _, r := range out {
					VMAXPS(r, vec, r)
				}
				Label(skip)
			}
			TESTB(U8(bias|scale|residual|reluFirst|reluLast), arg(outFlags))
			JZ(LabelRef(label("store", i)))
			TESTB(U8(bias), arg(outFlags))
			JZ(LabelRef(label("bias", i)))
			MOVQ(arg(outBias), tmp)
			load(Mem{Base: tmp, Disp: off})
			for _, r := range out {
				VADDPS(vec, r, r)
			}
			Label(label("bias", i))
			relu(reluFirst, label("reluFirst", i))
			TESTB(U8(scale), arg(outFlags))
			JZ(LabelRef(label("scale", i)))
			MOVQ(arg(outScale), tmp)
			load(Mem{Base: tmp, Disp: off})
			for _, r := range out {
				VMULPS(vec, r, r)
			}
			Label(label("scale", i))
			TESTB(U8(residual), arg(outFlags))
			JZ(LabelRef(label("residual", i)))
			MOVQ(res, tmp)
			for j, r := range out {
				if j > 0 {
					CMPQ(cols, U8(j))
					JLE(LabelRef(label("residual", i)))
					ADDQ(arg(outResPixel), tmp)
				}
				load(Mem{Base: tmp, Disp: off})
				VADDPS(vec, r, r)
			}
			Label(label("residual", i))
			relu(reluLast, label("reluLast", i))
			Label(label("store", i))
			to := lines(dst, pixel, pixel3, nil)
			for j, r := range out {
				if j > 0 {
					CMPQ(cols, U8(j))
					JLE(LabelRef(label("stored", i)))
				}
				if masked {
					VMASKMOVPS(r, mask, to[j].Offset(off))
				} else {
					VMOVUPS(r, to[j].Offset(off))
				}
			}
			Label(label("stored", i))
			if i == f.m-1 {
				break
			}
			CMPQ(rows, U8(i+1))
			JLE(LabelRef(label("vector", 0)))
			ADDQ(arg(outLine), dst)
			ADDQ(arg(outResLine), res)
		}
		Label(label("vector", 0))
	}
	ADDQ(U8(64), arg(outSrc))
	ADDQ(U8(placeSize), arg(outPlaces))
	DECQ(arg(outTiles))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// outputLine makes m values of the n in the first registers and says where
// they are, Y8 and Y9 not among them.
func outputLine(f form) []reg.VecPhysical {
	if f.m == 2 {
		VADDPS(y[1], y[0], y[0])
		VSUBPS(y[2], y[1], y[1])
		VADDPS(y[2], y[0], y[0])
		VSUBPS(y[3], y[1], y[1])
		return []reg.VecPhysical{y[0], y[1]}
	}
	va, vb, a2, b2, a3, b3 := y[10], y[11], y[12], y[13], y[14], y[15]
	VADDPS(y[2], y[1], y[6])
	VSUBPS(y[2], y[1], y[7])
	VADDPS(y[4], y[3], y[8])
	VSUBPS(y[4], y[3], y[9])
	VADDPS(y[6], y[0], y[0])
	VMULPS(va, y[7], y[1])
	VMULPS(a2, y[6], y[2])
	VFMADD231PS(a3, y[7], y[5])
	VADDPS(y[8], y[0], y[0])
	VFMADD231PS(vb, y[9], y[1])
	VFMADD231PS(b2, y[8], y[2])
	VFMADD231PS(b3, y[9], y[5])
	return []reg.VecPhysical{y[0], y[1], y[2], y[5]}
}

// Offsets in conv's type filterArgs.
const (
	filterSrc     = 0
	filterDst     = 8
	filterTap     = 16
	filterPart    = 24
	filterRows    = 32
	filterSrcStep = 40
	filterDstStep = 48
)

func filter(f form) {
	name := "filter" + f.name
	TEXT(name, 0, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s transforms t.rows times sixteen filters of 3x3 taps; t is a *filterArgs, its fields are used up.", name))
	Load(Param("t"), t)
	wait := AllocLocal(2 * 32 * 3 * f.n)
	var (
		src, dst           = reg.RAX, reg.RBX
		tap, tap3          = reg.RCX, reg.RDX
		part, part3, part5 = reg.RSI, reg.RDI, reg.R8
		at, left           = reg.R9, reg.R10
	)
	MOVQ(arg(filterSrc), src)
	MOVQ(arg(filterDst), dst)
	MOVQ(arg(filterTap), tap)
	LEAQ(Mem{Base: tap, Index: tap, Scale: 2}, tap3)
	MOVQ(arg(filterPart), part)
	multiples(part, part3, part5)
	MOVQ(arg(filterRows), left)
	if f.m == 4 {
		constant(a, y[9])
		constant(b, y[10])
		constant(a*a, y[11])
		constant(b*b, y[12])
		constant(1/(a*a*b*b), y[13])
		constant(1/(2*a*a*(a*a-b*b)), y[14])
		constant(1/(2*b*b*(b*b-a*a)), y[15])
	} else {
		constant(0.5, y[15])
	}
	Label("row")
	MOVQ(src, at)
	for j := range 3 {
		for half := range 2 {
			off := 32 * half
			VMOVUPS(Mem{Base: at, Disp: off}, y[0])
			VMOVUPS(Mem{Base: at, Index: tap3, Scale: 1, Disp: off}, y[1])
			VMOVUPS(Mem{Base: at, Index: tap3, Scale: 2, Disp: off}, y[2])
			for i, v := range filterLine(f) {
				VMOVUPS(v, wait.Offset(32*((half*f.n+i)*3+j)))
			}
		}
		ADDQ(tap, at)
	}
	MOVQ(dst, at)
	to := lines(at, part, part3, part5)
	for i := range f.n {
		for half := range 2 { // so that a cache line is written at once
			for j := range 3 {
				VMOVUPS(wait.Offset(32*((half*f.n+i)*3+j)), y[j])
			}
			for j, v := range filterLine(f) {
				VMOVUPS(v, to[j].Offset(32*half))
			}
		}
		if f.n == 4 {
			LEAQ(Mem{Base: at, Index: part, Scale: 4}, at)
		} else {
			LEAQ(Mem{Base: at, Index: part3, Scale: 2}, at)
		}
	}
	ADDQ(arg(filterSrcStep), src)
	ADDQ(arg(filterDstStep), dst)
	DECQ(left)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// filterLine makes n values of the three in the first registers and says where
// they are.
func filterLine(f form) []reg.VecPhysical {
	if f.m == 2 {
		VADDPS(y[2], y[0], y[3])
		VMULPS(y[15], y[3], y[3])
		VMULPS(y[15], y[1], y[4])
		VADDPS(y[4], y[3], y[5])
		VSUBPS(y[4], y[3], y[6])
		return []reg.VecPhysical{y[0], y[5], y[6], y[2]}
	}
	va, vb, a2, b2, s0, sa, sb := y[9], y[10], y[11], y[12], y[13], y[14], y[15]
	VMOVAPS(y[0], y[3])
	VMOVAPS(y[0], y[5])
	VFMADD231PS(a2, y[2], y[3])
	VFMADD231PS(b2, y[2], y[5])
	VMOVAPS(y[3], y[4])
	VMOVAPS(y[5], y[6])
	VFMADD231PS(va, y[1], y[4])
	VFNMADD231PS(va, y[1], y[3])
	VFMADD231PS(vb, y[1], y[6])
	VFNMADD231PS(vb, y[1], y[5])
	VMULPS(s0, y[0], y[0])
	VMULPS(sa, y[4], y[4])
	VMULPS(sa, y[3], y[3])
	VMULPS(sb, y[6], y[6])
	VMULPS(sb, y[5], y[5])
	return []reg.VecPhysical{y[0], y[4], y[3], y[6], y[5], y[2]}
}

// Offsets in conv's type sumArgs.
const (
	sumSrc     = 0
	sumDst     = 8
	sumPart    = 16
	sumTap     = 24
	sumVectors = 32
	sumMask    = 40
)

// filterGradient makes the gradients of filters from those of their transforms.
func filterGradient(f form) {
	name := "filterGradient" + f.name
	TEXT(name, 0, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s makes the gradients of 3x3 taps from %d parts; t is a *sumArgs, its fields are used up.", name, f.n*f.n))
	Load(Param("t"), t)
	wait := AllocLocal(32 * 3 * f.n)
	var (
		src, dst        = reg.RAX, reg.RBX
		part, column    = reg.RCX, reg.RDX
		row, row3, row5 = reg.RSI, reg.RDI, reg.R8
		tap, at, left   = reg.R9, reg.R10, reg.R11
	)
	MOVQ(arg(sumSrc), src)
	MOVQ(arg(sumDst), dst)
	MOVQ(arg(sumPart), part)
	if f.n == 4 {
		MOVQ(part, row)
		SHLQ(U8(2), row)
	} else {
		LEAQ(Mem{Base: part, Index: part, Scale: 2}, row)
		ADDQ(row, row)
	}
	multiples(row, row3, row5)
	MOVQ(arg(sumTap), tap)
	MOVQ(arg(sumVectors), left)
	const sa, sb = 1 / (2 * a * a * (a*a - b*b)), 1 / (2 * b * b * (b*b - a*a))
	if f.m == 4 {
		constant(sa, y[10])
		constant(sb, y[11])
		constant(sa*a, y[12])
		constant(sb*b, y[13])
		constant(sa*a*a, y[14])
		constant(sb*b*b, y[15])
	} else {
		constant(0.5, y[15])
	}
	body := func(masked bool) {
		MOVQ(src, column)
		from := lines(column, row, row3, row5)
		for j := range f.n {
			for i := range f.n {
				VMOVUPS(from[i], y[i])
			}
			for i, v := range sumLine(f) {
				VMOVUPS(v, wait.Offset(32*(i*f.n+j)))
			}
			if j < f.n-1 {
				ADDQ(part, column)
			}
		}
		MOVQ(dst, at)
		for i := range 3 {
			for j := range f.n {
				VMOVUPS(wait.Offset(32*(i*f.n+j)), y[j])
			}
			out := sumLine(f)
			if masked {
				MOVQ(arg(sumMask), tmp)
				VMOVUPS(Mem{Base: tmp}, y[9])
			}
			for _, v := range out {
				if masked {
					VMASKMOVPS(v, y[9], Mem{Base: at})
				} else {
					VMOVUPS(v, Mem{Base: at})
				}
				ADDQ(tap, at)
			}
		}
	}
	TESTQ(left, left)
	JZ(LabelRef("rest"))
	Label("vector")
	body(false)
	ADDQ(U8(32), src)
	ADDQ(U8(32), dst)
	DECQ(left)
	JNZ(LabelRef("vector"))
	Label("rest")
	CMPQ(arg(sumMask), U8(0))
	JE(LabelRef("end"))
	body(true)
	Label("end")
	VZEROUPPER()
	RET()
}

// sumLine makes three values of the n in the first registers and says where
// they are.
func sumLine(f form) []reg.VecPhysical {
	if f.m == 2 {
		VADDPS(y[2], y[1], y[4])
		VSUBPS(y[2], y[1], y[5])
		VMULPS(y[15], y[4], y[4])
		VMULPS(y[15], y[5], y[5])
		VADDPS(y[4], y[0], y[0])
		VADDPS(y[4], y[3], y[3])
		return []reg.VecPhysical{y[0], y[5], y[3]}
	}
	va, vb, va1, vb1, va2, vb2 := y[10], y[11], y[12], y[13], y[14], y[15]
	VADDPS(y[2], y[1], y[6])
	VSUBPS(y[2], y[1], y[7])
	VADDPS(y[4], y[3], y[8])
	VSUBPS(y[4], y[3], y[9])
	constant(1/(a*a*b*b), y[1])
	VMULPS(y[1], y[0], y[0])
	VMULPS(va1, y[7], y[3])
	VFMADD231PS(va, y[6], y[0])
	VFMADD231PS(va2, y[6], y[5])
	VFMADD231PS(vb1, y[9], y[3])
	VFMADD231PS(vb, y[8], y[0])
	VFMADD231PS(vb2, y[8], y[5])
	return []reg.VecPhysical{y[0], y[3], y[5]}
}
