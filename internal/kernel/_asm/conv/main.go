// Command conv generates the transforms of Winograd's convolution, for AVX2 and
// FMA a vector of eight channels at a time, for AVX-512 one of sixteen: of tiles
// of the source, of products, of filters, and for the gradient of the filters of
// tiles of the result and of their products.
//
// Each is a transform of the columns and the same transform of the rows. The
// last vectors hold constants, others a line of values and what becomes of it.
// What the columns give waits for the rows in the vectors that are left, with
// AVX2 none, and on the stack.
package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

type vector = reg.VecPhysical

// unit is a set of instructions with its vectors.
type unit struct {
	suffix string // of the functions' names
	bytes  int    // of a vector
	all    []vector
}

var units = []unit{
	{"", 32, []vector{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}},
	{"z", 64, []vector{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}},
}

// wide reports whether u is AVX-512, which has registers for masks.
func (u unit) wide() bool { return u.bytes == 64 }

// t points to the arguments; spare is where what waits on the stack begins, in
// whole cache lines, for AVX-512.
var t, tmp, spare = reg.R13, reg.R15, reg.R14

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
	for _, u := range units {
		for _, f := range forms {
			u.input(f, false)
			u.input(f, true)
		}
		for _, f := range forms {
			if !u.wide() {
				u.output(f, false)
			}
			u.output(f, true)
		}
		for _, f := range forms {
			u.filter(f)
			u.filterGradient(f)
		}
	}
	Generate()
}

// body is what functions have in common: values on their way.
type body struct {
	unit
	line   int      // vectors that a transform of a line takes, its constants not counted
	k      []vector // the constants
	free   []vector // in ascending order
	kept   map[int]vector
	parked Mem // where values wait on the stack
}

// function begins one. A line takes so many vectors; values is how many wait
// between the columns and the rows.
func (u unit) function(name, doc string, line, values int) *body {
	TEXT(name, 0, "func(t *byte)")
	Pragma("noescape")
	Doc(doc)
	Load(Param("t"), t)
	x := &body{unit: u, line: line, kept: map[int]vector{}}
	if u.wide() {
		LEAQ(AllocLocal(u.bytes*values+u.bytes).Offset(u.bytes-1), spare)
		ANDQ(I8(-u.bytes), spare)
		x.parked = Mem{Base: spare}
	} else {
		x.parked = AllocLocal(u.bytes * values)
	}
	return x
}

// constants puts numbers into the last vectors.
func (x *body) constants(v ...float64) {
	first := len(x.all) - len(v)
	x.k = x.all[first:]
	for i, c := range v {
		constant(c, x.k[i])
	}
	x.free = slices.Clone(x.all[:first])
	if !x.wide() {
		x.free = x.free[:x.line]
	}
}

var made = map[float32]Mem{}

// constant spreads a number over a register.
func constant(v float64, to vector) {
	f := float32(v)
	m, ok := made[f]
	if !ok {
		m = GLOBL(fmt.Sprintf("c%08x", math.Float32bits(f)), RODATA|NOPTR)
		DATA(0, F32(f))
		made[f] = m
	}
	VBROADCASTSS(m, to)
}

// vectors are the first free ones, for a line.
func (x *body) vectors() []vector {
	m := x.free[:x.line:x.line]
	x.free = x.free[x.line:]
	return m
}

// keep lets values out of a line's vectors m wait until row asks for them; the
// i-th has the number at(i). The other vectors are free again.
func (x *body) keep(m, out []vector, at func(i int) int) {
	room := len(x.free) + len(m) - x.line
	for i, v := range out {
		if i < room {
			x.kept[at(i)] = v
			m = slices.DeleteFunc(m, func(o vector) bool { return o == v })
		} else {
			VMOVUPS(v, x.parked.Offset(x.bytes*at(i)))
		}
	}
	x.release(m)
}

// row is a line's vectors, n of them with the waiting values at(0), at(1), ...
func (x *body) row(n int, at func(j int) int) []vector {
	var m []vector
	for j := range n {
		v, ok := x.kept[at(j)]
		if ok {
			delete(x.kept, at(j))
		} else {
			v, x.free = x.free[0], x.free[1:]
			VMOVUPS(x.parked.Offset(x.bytes*at(j)), v)
		}
		m = append(m, v)
	}
	rest := x.line - n
	m = append(m, x.free[:rest]...)
	x.free = x.free[rest:]
	return m
}

// release makes a line's vectors free again.
func (x *body) release(m []vector) {
	x.free = append(x.free, m...)
	slices.SortFunc(x.free, func(a, b vector) int { return slices.Index(x.all, a) - slices.Index(x.all, b) })
}

// mask takes a mask from memory, with AVX2 into a vector, with AVX-512 through
// it into K1.
func (x *body) mask(m Mem, v vector) {
	VMOVUPS(m, v)
	if x.wide() {
		VPMOVD2M(v, reg.K1)
	}
}

// load and store move a vector or what a mask selects of it.
func (x *body) load(m Mem, masked bool, mask, to vector) {
	switch {
	case !masked:
		VMOVUPS(m, to)
	case x.wide():
		VMOVUPS_Z(m, reg.K1, to)
	default:
		VMASKMOVPS(m, mask, to)
	}
}

func (x *body) store(v vector, masked bool, mask vector, m Mem) {
	switch {
	case !masked:
		VMOVUPS(v, m)
	case x.wide():
		VMOVUPS(v, reg.K1, m)
	default:
		VMASKMOVPS(v, mask, m)
	}
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
func (u unit) input(f form, gradient bool) {
	name, width := "input"+f.name, f.n
	transform := (*body).inputLine
	if gradient {
		name, width = "gradient"+f.name, f.m
		transform = (*body).gradientLine
	}
	name += u.suffix
	x := u.function(name, fmt.Sprintf("%s transforms t.tiles tiles of %dx%d pixels; t is an *inputArgs, its fields are used up.", name, width, width), 10, width*f.n)
	var (
		src, dst, left        = reg.RAX, reg.RBX, reg.RCX
		pitch, pitch3, pitch5 = reg.RDX, reg.RSI, reg.RDI
		part, part3, part5    = reg.R8, reg.R9, reg.R10
		pixel, at             = reg.R11, reg.R12 // at a column of the source, a row of the result
	)
	MOVQ(arg(inLine), pitch)
	multiples(pitch, pitch3, pitch5)
	MOVQ(arg(inPart), part)
	multiples(part, part3, part5)
	MOVQ(arg(inPixel), pixel)
	switch {
	case f.m == 4 && gradient:
		x.constants(a, b, a*a, b*b, a*a*a, b*b*b)
	case f.m == 4:
		x.constants(-b*b, -a*a, a, b, a*a*b*b, -a*a-b*b)
	default:
		x.constants()
	}
	tile := func(masked bool) {
		MOVQ(src, at)
		if masked {
			MOVQ(arg(inMask), tmp)
		}
		from := lines(at, pitch, pitch3, pitch5)
		for j := range width {
			m := x.vectors()
			mask := m[9]
			if masked && (j == 0 || !x.wide()) {
				x.mask(Mem{Base: tmp}, mask)
			}
			for i := range width {
				x.load(from[i], masked, mask, m[i])
			}
			x.keep(m, transform(x, f, m), func(i int) int { return i*width + j })
			if j < width-1 {
				ADDQ(pixel, at)
			}
		}
		MOVQ(dst, at)
		to := lines(at, part, part3, part5)
		for i := range f.n {
			m := x.row(width, func(j int) int { return i*width + j })
			for j, v := range transform(x, f, m) {
				x.store(v, masked && x.wide(), nil, to[j]) // for AVX2 there is room
			}
			x.release(m)
			if i == f.n-1 {
				break
			}
			if f.n == 4 {
				LEAQ(Mem{Base: at, Index: part, Scale: 4}, at)
			} else {
				LEAQ(Mem{Base: at, Index: part3, Scale: 2}, at)
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
	tile(false)
	ADDQ(U8(u.bytes), src)
	ADDQ(U8(u.bytes), dst)
	DECQ(left)
	JNZ(LabelRef("vector"))
	Label("rest")
	CMPQ(arg(inMask), U8(0))
	JE(LabelRef("next"))
	tile(true)
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

// inputLine transforms the line in the first vectors and says where the
// results are.
func (x *body) inputLine(f form, m []vector) []vector {
	if f.m == 2 {
		VSUBPS(m[2], m[0], m[4])
		VADDPS(m[2], m[1], m[5])
		VSUBPS(m[1], m[2], m[6])
		VSUBPS(m[3], m[1], m[7])
		return []vector{m[4], m[5], m[6], m[7]}
	}
	minusB2, minusA2, va, vb, a2b2, minusSum := x.k[0], x.k[1], x.k[2], x.k[3], x.k[4], x.k[5]
	VMOVAPS(m[4], m[6])
	VMOVAPS(m[3], m[7])
	VMOVAPS(m[4], m[8])
	VMOVAPS(m[3], m[9])
	VFMADD231PS(minusB2, m[2], m[6])
	VFMADD231PS(minusB2, m[1], m[7])
	VFMADD231PS(minusA2, m[2], m[8])
	VFMADD231PS(minusA2, m[1], m[9])
	VFMADD231PS(minusSum, m[2], m[4])
	VFMADD231PS(minusSum, m[3], m[5])
	VFMADD231PS(a2b2, m[0], m[4])
	VFMADD231PS(a2b2, m[1], m[5])
	VMOVAPS(m[6], m[0])
	VMOVAPS(m[8], m[1])
	VFMADD231PS(va, m[7], m[0])
	VFNMADD231PS(va, m[7], m[6])
	VFMADD231PS(vb, m[9], m[1])
	VFNMADD231PS(vb, m[9], m[8])
	return []vector{m[4], m[0], m[6], m[1], m[8], m[5]}
}

// gradientLine transforms the line of a tile of the result's gradient.
func (x *body) gradientLine(f form, m []vector) []vector {
	if f.m == 2 {
		VADDPS(m[1], m[0], m[2])
		VSUBPS(m[1], m[0], m[3])
		VXORPS(m[4], m[4], m[4])
		VSUBPS(m[1], m[4], m[4])
		return []vector{m[0], m[2], m[3], m[4]}
	}
	va, vb, a2, b2, a3, b3 := x.k[0], x.k[1], x.k[2], x.k[3], x.k[4], x.k[5]
	VMOVAPS(m[0], m[4])
	VMOVAPS(m[0], m[6])
	VMULPS(va, m[1], m[5])
	VMULPS(vb, m[1], m[7])
	VFMADD231PS(a2, m[2], m[4])
	VFMADD231PS(b2, m[2], m[6])
	VFMADD231PS(a3, m[3], m[5])
	VFMADD231PS(b3, m[3], m[7])
	VADDPS(m[5], m[4], m[8])
	VSUBPS(m[5], m[4], m[4])
	VADDPS(m[7], m[6], m[9])
	VSUBPS(m[7], m[6], m[6])
	return []vector{m[0], m[8], m[4], m[9], m[6], m[3]}
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
	outStep     = 112
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

// output transforms products. AVX-512 has no use for a function without masks.
func (u unit) output(f form, masked bool) {
	name := "output" + f.name + u.suffix
	what := "16 columns"
	if masked {
		what = "the columns that t.mask selects"
		if !u.wide() {
			name += "mask"
		}
	}
	x := u.function(name, fmt.Sprintf("%s makes t.tiles tiles of %dx%d pixels and %s from their products; t is an *outputArgs, its fields are used up.", name, f.m, f.m, what), 10, f.m*f.n)
	var (
		src, at            = reg.RAX, reg.RBX
		next               = src                       // the next tile's dst; after the columns
		row, row3, row5    = reg.RCX, reg.RDX, reg.RSI // of parts
		part               = reg.RDI
		dst, pixel, pixel3 = reg.R8, reg.R9, reg.R10
		res, rows, cols    = reg.R11, reg.R12, at
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
		x.constants(a, b, a*a, b*b, a*a*a, b*b*b)
	} else {
		x.constants()
	}
	if masked && u.wide() {
		MOVQ(arg(outMask), tmp)
		x.mask(Mem{Base: tmp}, x.free[0])
	}
	Label("tile")
	MOVQ(arg(outSrc), src)
	for v := range 64 / u.bytes {
		label := func(s string, n int) string { return fmt.Sprintf("%s%d%d", s, v, n) }
		off := u.bytes * v
		LEAQ(Mem{Base: src, Disp: off}, at)
		from := lines(at, row, row3, row5)
		for j := range f.n {
			m := x.vectors()
			for i := range f.n {
				VMOVUPS(from[i], m[i])
			}
			x.keep(m, x.outputLine(f, m), func(i int) int { return i*f.n + j })
			if j < f.n-1 {
				ADDQ(part, at)
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
		if x.wide() {
			LEAQ(Mem{Base: tmp, Disp: placeSize}, next)
			CMPQ(arg(outTiles), U8(1))
			CMOVQEQ(tmp, next)
			MOVQ(Mem{Base: next, Disp: placePixel}, next)
			IMULQ(pixel, next)
			ADDQ(arg(outDst), next)
		}
		for i := range f.m {
			m := x.row(f.n, func(j int) int { return i*f.n + j })
			out := x.outputLine(f, m)
			mask, vec := m[8], m[9]
			if masked && !u.wide() {
				MOVQ(arg(outMask), tmp)
				x.mask(Mem{Base: tmp, Disp: off}, mask)
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
			x.load(Mem{Base: tmp, Disp: off}, masked, mask, vec)
			for _, r := range out {
				VADDPS(vec, r, r)
			}
			Label(label("bias", i))
			relu(reluFirst, label("reluFirst", i))
			TESTB(U8(scale), arg(outFlags))
			JZ(LabelRef(label("scale", i)))
			MOVQ(arg(outScale), tmp)
			x.load(Mem{Base: tmp, Disp: off}, masked, mask, vec)
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
				x.load(Mem{Base: tmp, Disp: off}, masked, mask, vec)
				VADDPS(vec, r, r)
			}
			Label(label("residual", i))
			relu(reluLast, label("reluLast", i))
			Label(label("store", i))
			if x.wide() { // most results lie far away
				for _, m := range lines(next, pixel, pixel3, nil)[:f.m] {
					PREFETCHT0(m)
				}
				ADDQ(arg(outLine), next)
			}
			to := lines(dst, pixel, pixel3, nil)
			for j, r := range out {
				if j > 0 {
					CMPQ(cols, U8(j))
					JLE(LabelRef(label("stored", i)))
				}
				x.store(r, masked, mask, to[j].Offset(off))
			}
			Label(label("stored", i))
			x.release(m)
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
	MOVQ(arg(outStep), tmp)
	ADDQ(tmp, arg(outSrc))
	ADDQ(U8(placeSize), arg(outPlaces))
	DECQ(arg(outTiles))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// outputLine makes m values of the n in the first vectors and says where they
// are, the last two vectors not among them.
func (x *body) outputLine(f form, m []vector) []vector {
	if f.m == 2 {
		VADDPS(m[1], m[0], m[0])
		VSUBPS(m[2], m[1], m[1])
		VADDPS(m[2], m[0], m[0])
		VSUBPS(m[3], m[1], m[1])
		return []vector{m[0], m[1]}
	}
	va, vb, a2, b2, a3, b3 := x.k[0], x.k[1], x.k[2], x.k[3], x.k[4], x.k[5]
	VADDPS(m[2], m[1], m[6])
	VSUBPS(m[2], m[1], m[7])
	VADDPS(m[4], m[3], m[8])
	VSUBPS(m[4], m[3], m[9])
	VADDPS(m[6], m[0], m[0])
	VMULPS(va, m[7], m[1])
	VMULPS(a2, m[6], m[2])
	VFMADD231PS(a3, m[7], m[5])
	VADDPS(m[8], m[0], m[0])
	VFMADD231PS(vb, m[9], m[1])
	VFMADD231PS(b2, m[8], m[2])
	VFMADD231PS(b3, m[9], m[5])
	return []vector{m[0], m[1], m[2], m[5]}
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

func (u unit) filter(f form) {
	name := "filter" + f.name + u.suffix
	halves := 64 / u.bytes
	x := u.function(name, fmt.Sprintf("%s transforms t.rows times sixteen filters of 3x3 taps; t is a *filterArgs, its fields are used up.", name), 7, halves*3*f.n)
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
		x.constants(a, b, a*a, b*b, 1/(a*a*b*b), 1/(2*a*a*(a*a-b*b)), 1/(2*b*b*(b*b-a*a)))
	} else {
		x.constants(0.5)
	}
	Label("row")
	MOVQ(src, at)
	number := func(half, i, j int) int { return (half*f.n+i)*3 + j }
	for j := range 3 {
		for half := range halves {
			off := u.bytes * half
			m := x.vectors()
			VMOVUPS(Mem{Base: at, Disp: off}, m[0])
			VMOVUPS(Mem{Base: at, Index: tap3, Scale: 1, Disp: off}, m[1])
			VMOVUPS(Mem{Base: at, Index: tap3, Scale: 2, Disp: off}, m[2])
			x.keep(m, x.filterLine(f, m), func(i int) int { return number(half, i, j) })
		}
		ADDQ(tap, at)
	}
	MOVQ(dst, at)
	to := lines(at, part, part3, part5)
	for i := range f.n {
		for half := range halves { // so that a cache line is written at once
			m := x.row(3, func(j int) int { return number(half, i, j) })
			for j, v := range x.filterLine(f, m) {
				VMOVUPS(v, to[j].Offset(u.bytes*half))
			}
			x.release(m)
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

// filterLine makes n values of the three in the first vectors and says where
// they are.
func (x *body) filterLine(f form, m []vector) []vector {
	if f.m == 2 {
		half := x.k[0]
		VADDPS(m[2], m[0], m[3])
		VMULPS(half, m[3], m[3])
		VMULPS(half, m[1], m[4])
		VADDPS(m[4], m[3], m[5])
		VSUBPS(m[4], m[3], m[6])
		return []vector{m[0], m[5], m[6], m[2]}
	}
	va, vb, a2, b2, s0, sa, sb := x.k[0], x.k[1], x.k[2], x.k[3], x.k[4], x.k[5], x.k[6]
	VMOVAPS(m[0], m[3])
	VMOVAPS(m[0], m[5])
	VFMADD231PS(a2, m[2], m[3])
	VFMADD231PS(b2, m[2], m[5])
	VMOVAPS(m[3], m[4])
	VMOVAPS(m[5], m[6])
	VFMADD231PS(va, m[1], m[4])
	VFNMADD231PS(va, m[1], m[3])
	VFMADD231PS(vb, m[1], m[6])
	VFNMADD231PS(vb, m[1], m[5])
	VMULPS(s0, m[0], m[0])
	VMULPS(sa, m[4], m[4])
	VMULPS(sa, m[3], m[3])
	VMULPS(sb, m[6], m[6])
	VMULPS(sb, m[5], m[5])
	return []vector{m[0], m[4], m[3], m[6], m[5], m[2]}
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
func (u unit) filterGradient(f form) {
	name := "filterGradient" + f.name + u.suffix
	x := u.function(name, fmt.Sprintf("%s makes the gradients of 3x3 taps from %d parts; t is a *sumArgs, its fields are used up.", name, f.n*f.n), 10, 3*f.n)
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
		x.constants(sa, sb, sa*a, sb*b, sa*a*a, sb*b*b)
	} else {
		x.constants(0.5)
	}
	sums := func(masked bool) {
		if masked && x.wide() {
			MOVQ(arg(sumMask), tmp)
			x.mask(Mem{Base: tmp}, x.free[0])
		}
		MOVQ(src, column)
		from := lines(column, row, row3, row5)
		for j := range f.n {
			m := x.vectors()
			for i := range f.n {
				x.load(from[i], masked && x.wide(), nil, m[i]) // for AVX2 there is more
			}
			x.keep(m, x.sumLine(f, m), func(i int) int { return i*f.n + j })
			if j < f.n-1 {
				ADDQ(part, column)
			}
		}
		MOVQ(dst, at)
		for i := range 3 {
			m := x.row(f.n, func(j int) int { return i*f.n + j })
			out := x.sumLine(f, m)
			mask := m[9]
			if masked && !x.wide() {
				MOVQ(arg(sumMask), tmp)
				x.mask(Mem{Base: tmp}, mask)
			}
			for _, v := range out {
				x.store(v, masked, mask, Mem{Base: at})
				ADDQ(tap, at)
			}
			x.release(m)
		}
	}
	TESTQ(left, left)
	JZ(LabelRef("rest"))
	Label("vector")
	sums(false)
	ADDQ(U8(u.bytes), src)
	ADDQ(U8(u.bytes), dst)
	DECQ(left)
	JNZ(LabelRef("vector"))
	Label("rest")
	CMPQ(arg(sumMask), U8(0))
	JE(LabelRef("end"))
	sums(true)
	Label("end")
	VZEROUPPER()
	RET()
}

// sumLine makes three values of the n in the first vectors and says where they
// are.
func (x *body) sumLine(f form, m []vector) []vector {
	if f.m == 2 {
		half := x.k[0]
		VADDPS(m[2], m[1], m[4])
		VSUBPS(m[2], m[1], m[5])
		VMULPS(half, m[4], m[4])
		VMULPS(half, m[5], m[5])
		VADDPS(m[4], m[0], m[0])
		VADDPS(m[4], m[3], m[3])
		return []vector{m[0], m[5], m[3]}
	}
	va, vb, va1, vb1, va2, vb2 := x.k[0], x.k[1], x.k[2], x.k[3], x.k[4], x.k[5]
	VADDPS(m[2], m[1], m[6])
	VSUBPS(m[2], m[1], m[7])
	VADDPS(m[4], m[3], m[8])
	VSUBPS(m[4], m[3], m[9])
	constant(1/(a*a*b*b), m[1])
	VMULPS(m[1], m[0], m[0])
	VMULPS(va1, m[7], m[3])
	VFMADD231PS(va, m[6], m[0])
	VFMADD231PS(va2, m[6], m[5])
	VFMADD231PS(vb1, m[9], m[3])
	VFMADD231PS(vb, m[8], m[0])
	VFMADD231PS(vb2, m[8], m[5])
	return []vector{m[0], m[3], m[5]}
}
