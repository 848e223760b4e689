// Command gemm generates the micro-kernels of internal/kernel/gemm: for AVX2
// and FMA mul1x16 ... mul6x16, and the same with masked columns; for AVX-512
// mul1x32 ... mul7x32 and, for a single panel, mul1x16z ... mul7x16z.
//
// Register plan of a kernel with r rows, for AVX2 and AVX-512:
//
//	Y0 ... Y(2r-1)   Z0 ... Z(2r-1)  the tile, two vectors a row
//	Y12 Y13          Z28 Z29         a row of B
//	Y14 Y15          Z30 Z31         elements of A, spread
//	                 K1 K2           masks of the columns
//	AX BX CX DX SI DI (and BP)       the rows of A
//	R8 R9            position in the rows, position in B
//	R10 R11 R12      steps left in the run; bytes from step to step in A, in B
//	R13              the argument block
//	R14              number of the run; the way to the second panel
//	R15              scratch
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
	tilePanel     = 144
	tileSelect    = 152
	tileSeg       = 160
	tileFetch     = 168
	tileFetchStep = 176
	tileFetching  = 184
	tileNext      = 192
	tileNextStep  = 200
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
	at, bAt, left = reg.R8, reg.R9, reg.R10
	step, bStep   = reg.R11, reg.R12
	t, seg, tmp   = reg.R13, reg.R14, reg.R15
	panel         = reg.R14 // of AVX-512, whose number of the run is in memory

	row = []reg.GPPhysical{reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI, reg.RBP}
)

func arg(off int) Mem { return Mem{Base: t, Disp: off} }

func main() {
	ConstraintExpr("amd64,!purego")
	for _, masked := range []bool{false, true} {
		for rows := 1; rows <= 6; rows++ {
			avx2(rows, masked).kernel()
		}
	}
	for _, vectors := range []int{2, 1} {
		for rows := 1; rows <= 7; rows++ {
			avx512(rows, vectors).kernel()
		}
	}
	transpose()
	spread("spread8", reg.Y0)
	spread("spread16", reg.Y0, reg.Y1)
	peak("peak", 8, vectors("Y", 12))
	peak("peakWide", 16, vectors("Z", 24))
	Generate()
}

func vectors(kind string, n int) []reg.VecPhysical {
	all := map[string][]reg.VecPhysical{
		"Y": {reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11},
		"Z": {
			reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11,
			reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		},
	}
	return all[kind][:n]
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

// spread copies rows to panels as wide as the registers together.
func spread(name string, v ...reg.VecPhysical) {
	TEXT(name, NOSPLIT, "func(to, from *float32, plane, step, panels, n int)")
	Pragma("noescape")
	width := 32 * len(v)
	Doc(fmt.Sprintf("%s copies n rows of panels times %d elements: from[i*step+p*%d+j] to to[p*plane+i*%d+j], plane and step in bytes.", name, width/4, width/4, width/4))
	var (
		to, from, plane, step, panels, n = reg.RAX, reg.RBX, reg.RCX, reg.RDX, reg.RSI, reg.RDI
		out, in, left                    = reg.R8, reg.R9, reg.R10
	)
	Load(Param("to"), to)
	Load(Param("from"), from)
	Load(Param("plane"), plane)
	Load(Param("step"), step)
	Load(Param("panels"), panels)
	Load(Param("n"), n)
	Label("row")
	MOVQ(to, out)
	MOVQ(from, in)
	MOVQ(panels, left)
	Label("panel")
	for i, r := range v {
		VMOVUPS(Mem{Base: in, Disp: 32 * i}, r)
	}
	for i, r := range v {
		VMOVUPS(r, Mem{Base: out, Disp: 32 * i})
	}
	ADDQ(U8(width), in)
	ADDQ(plane, out)
	DECQ(left)
	JNZ(LabelRef("panel"))
	ADDQ(U8(width), to)
	ADDQ(step, from)
	DECQ(n)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// peak keeps as many sums going in registers as acc has.
func peak(name string, width int, acc []reg.VecPhysical) {
	TEXT(name, NOSPLIT, "func(n int)")
	Doc(fmt.Sprintf("%s does %d n floating-point operations (%d fused multiply-adds of %d elements, n times) on registers; benchmarks measure the processor with it.",
		name, 2*len(acc)*width, len(acc), width))
	Load(Param("n"), left)
	zero := reg.VecPhysical(reg.Y15)
	if width == 16 {
		zero = reg.Z31
	}
	VXORPS(zero, zero, zero)
	for _, v := range acc {
		VXORPS(v, v, v)
	}
	Label("loop")
	for _, v := range acc {
		VFMADD231PS(zero, zero, v)
	}
	DECQ(left)
	JNZ(LabelRef("loop"))
	VZEROUPPER()
	RET()
}

// shape is a kernel in the making: so many rows of so many vectors.
type shape struct {
	name, doc    string
	rows, vector int // vectors in a row of the tile
	acc, b       []reg.VecPhysical
	spread       [2]reg.VecPhysical
	width        int  // bytes of a vector
	wide         bool // AVX-512
	masked       bool // its columns: in the registers of spread, or always if wide
	fours        bool // takes steps by fours: the kernels that most sums are left to
}

func avx2(rows int, masked bool) *shape {
	s := &shape{
		name: fmt.Sprintf("mul%dx16", rows), doc: "16 columns", rows: rows, vector: 2, width: 32, masked: masked,
		acc: vectors("Y", 2*rows), b: []reg.VecPhysical{reg.Y12, reg.Y13}, spread: [2]reg.VecPhysical{reg.Y14, reg.Y15},
	}
	s.fours = rows == 6 && !masked
	if masked {
		s.name += "mask"
		s.doc = "the columns that t.mask selects"
	}
	return s
}

func avx512(rows, vector int) *shape {
	s := &shape{
		name: fmt.Sprintf("mul%dx32", rows), doc: "the columns of two panels that t.columns selects", rows: rows, vector: vector, width: 64, wide: true, masked: true,
		acc: vectors("Z", vector*rows), b: []reg.VecPhysical{reg.Z28, reg.Z29}[:vector], spread: [2]reg.VecPhysical{reg.Z30, reg.Z31},
	}
	s.fours = rows == 7
	if vector == 1 {
		s.name, s.doc = fmt.Sprintf("mul%dx16z", rows), "the columns of a panel that t.columns selects"
	}
	return s
}

func (s *shape) kernel() {
	TEXT(s.name, NOSPLIT, "func(t *byte)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s computes t.tiles tiles of %d rows and %s; t is a *tile, its fields are used up.", s.name, s.rows, s.doc))
	if s.rows > 6 {
		AllocLocal(8) // the assembler keeps BP in a function with a frame
	}
	Load(Param("t"), t)
	MOVQ(arg(tileStep), step)
	MOVQ(arg(tileBStep), bStep)
	if s.wide {
		MOVQ(arg(tileSelect), tmp)
		KMOVW(tmp.As32(), reg.K1)
		SHRQ(U8(16), tmp)
		KMOVW(tmp.As32(), reg.K2)
	}

	Label("tile")
	MOVQ(arg(tileRows), tmp)
	MOVQ(arg(tileA), seg)
	for i := range s.rows {
		MOVQ(Mem{Base: tmp, Disp: 8 * i}, row[i])
		LEAQ(Mem{Base: seg, Index: row[i], Scale: 4}, row[i])
	}
	TESTB(U8(accumulate), arg(tileFlags))
	JNZ(LabelRef("resume"))
	for _, v := range s.acc {
		VXORPS(v, v, v)
	}
	JMP(LabelRef("sum"))
	Label("resume")
	s.masks()
	s.eachRow(func(i int, c Mem) { s.load(c, s.sums(i)) })
	s.ahead()

	Label("sum")
	MOVQ(arg(tileB), bAt)
	if s.wide {
		MOVQ(U32(0), arg(tileSeg))
		MOVQ(arg(tilePanel), panel)
	} else {
		XORQ(seg, seg)
	}
	Label("run")
	s.run(tileSegs, at)
	CMPQ(arg(tileBSegs), U8(0))
	JEQ(LabelRef("follow"))
	s.run(tileBSegs, bAt)
	ADDQ(arg(tileB), bAt)
	Label("follow")
	MOVQ(arg(tileRun), left)
	MOVQ(arg(tileFetch), tmp)
	CMPQ(arg(tileFetching), U8(0))
	JNE(LabelRef("stepAhead"))
	if s.fours {
		s.four()
	}
	Label("step")
	s.step()
	DECQ(left)
	JNZ(LabelRef("step"))
	Label("ran")
	if s.wide {
		INCQ(arg(tileSeg))
		MOVQ(arg(tileSeg), tmp)
		CMPQ(tmp, arg(tileNSeg))
	} else {
		INCQ(seg)
		CMPQ(seg, arg(tileNSeg))
	}
	JNE(LabelRef("run"))
	CMPQ(arg(tileFetching), U8(0))
	JEQ(LabelRef("summed"))
	DECQ(arg(tileFetching))
	JMP(LabelRef("summed"))

	Label("stepAhead")
	PREFETCHT1(Mem{Base: tmp})
	if s.wide && s.vector == 2 {
		PREFETCHT1(Mem{Base: tmp, Index: panel, Scale: 1})
	}
	ADDQ(arg(tileFetchStep), tmp)
	s.step()
	DECQ(left)
	JNZ(LabelRef("stepAhead"))
	MOVQ(tmp, arg(tileFetch))
	JMP(LabelRef("ran"))

	Label("summed")
	s.masks()
	TESTB(U8(bias|scale|residual|reluFirst|reluLast), arg(tileFlags))
	JZ(LabelRef("store"))
	s.columns(bias, tileBias, "bias", func(v, acc reg.VecPhysical) { VADDPS(v, acc, acc) })
	s.relu(reluFirst, "reluFirst")
	s.columns(scale, tileScale, "scale", func(v, acc reg.VecPhysical) { VMULPS(v, acc, acc) })
	TESTB(U8(residual), arg(tileFlags))
	JZ(LabelRef("residual"))
	MOVQ(arg(tileRes), tmp)
	for i := range s.rows {
		s.load(Mem{Base: tmp}, s.b)
		for v, acc := range s.sums(i) {
			VADDPS(s.b[v], acc, acc)
		}
		ADDQ(arg(tileResStride), tmp)
	}
	MOVQ(tmp, arg(tileRes))
	Label("residual")
	s.relu(reluLast, "reluLast")

	Label("store")
	s.eachRow(func(i int, c Mem) { s.store(s.sums(i), c) })
	ADDQ(U8(8*s.rows), arg(tileRows))
	ADDQ(U8(8*s.rows), arg(tileOuts))
	DECQ(arg(tileTiles))
	JNZ(LabelRef("tile"))
	VZEROUPPER()
	RET()
}

// ahead prefetches what the next tile adds to.
func (s *shape) ahead() {
	CMPQ(arg(tileTiles), U8(1))
	JEQ(LabelRef("sum"))
	MOVQ(arg(tileOuts), tmp)
	MOVQ(arg(tileC), seg)
	for i := range s.rows {
		MOVQ(Mem{Base: tmp, Disp: 8 * (s.rows + i)}, left)
		for line := 0; line < s.vector*s.width; line += 64 {
			PREFETCHT0(Mem{Base: seg, Index: left, Scale: 4, Disp: line})
		}
	}
}

// sums are the registers of a row of the tile.
func (s *shape) sums(i int) []reg.VecPhysical { return s.acc[s.vector*i:][:s.vector] }

// run sets to to where the present run begins according to a table.
func (s *shape) run(table int, to reg.GPPhysical) {
	MOVQ(arg(table), tmp)
	number := seg
	if s.wide {
		number = left
		MOVQ(arg(tileSeg), number)
	}
	MOVQ(Mem{Base: tmp, Index: number, Scale: 8}, to)
	SHLQ(U8(2), to)
}

// step adds the products of one column of A and one row of B.
func (s *shape) step() {
	VMOVUPS(Mem{Base: bAt}, s.b[0])
	switch {
	case s.wide && s.vector == 2:
		VMOVUPS(Mem{Base: bAt, Index: panel, Scale: 1}, s.b[1])
	case s.vector == 2:
		VMOVUPS(Mem{Base: bAt, Disp: s.width}, s.b[1])
	}
	for i := range s.rows {
		spread := s.spread[i%2]
		VBROADCASTSS(Mem{Base: row[i], Index: at, Scale: 1}, spread)
		for v, acc := range s.sums(i) {
			VFMADD231PS(s.b[v], spread, acc)
		}
	}
	ADDQ(step, at)
	ADDQ(bStep, bAt)
}

// four takes steps by fours, which leaves less to do besides the sums (3 % at
// 768x768x768), and prefetches t.next meanwhile unless that is nil.
func (s *shape) four() {
	MOVQ(arg(tileNext), tmp)
	SUBQ(U8(4), left)
	JLT(LabelRef("few"))
	TESTQ(tmp, tmp)
	JNZ(LabelRef("fourNext"))
	Label("four")
	for range 4 {
		s.step()
	}
	SUBQ(U8(4), left)
	JGE(LabelRef("four"))
	Label("few")
	ADDQ(U8(4), left)
	JZ(LabelRef("ran"))
	JMP(LabelRef("step"))

	Label("fourNext")
	PREFETCHT1(Mem{Base: tmp})
	ADDQ(arg(tileNextStep), tmp)
	for range 4 {
		s.step()
	}
	SUBQ(U8(4), left)
	JGE(LabelRef("fourNext"))
	MOVQ(tmp, arg(tileNext))
	JMP(LabelRef("few"))
}

// masks puts AVX2's two masks where the spread elements of A were.
func (s *shape) masks() {
	if s.masked && !s.wide {
		MOVQ(arg(tileMask), tmp)
		VMOVUPS(Mem{Base: tmp}, s.spread[0])
		VMOVUPS(Mem{Base: tmp, Disp: 32}, s.spread[1])
	}
}

var columnMasks = []reg.OpmaskPhysical{reg.K1, reg.K2}

func (s *shape) load(m Mem, to []reg.VecPhysical) {
	for v, r := range to {
		from := m.Offset(s.width * v)
		switch {
		case s.wide:
			VMOVUPS_Z(from, columnMasks[v], r)
		case s.masked:
			VMASKMOVPS(from, s.spread[v], r)
		default:
			VMOVUPS(from, r)
		}
	}
}

func (s *shape) store(from []reg.VecPhysical, m Mem) {
	for v, r := range from {
		to := m.Offset(s.width * v)
		switch {
		case s.wide:
			VMOVUPS(r, columnMasks[v], to)
		case s.masked:
			VMASKMOVPS(r, s.spread[v], to)
		default:
			VMOVUPS(r, to)
		}
	}
}

// eachRow calls f with the place of each row of the tile in the result.
func (s *shape) eachRow(f func(i int, c Mem)) {
	MOVQ(arg(tileOuts), tmp)
	MOVQ(arg(tileC), seg)
	for i := range s.rows {
		MOVQ(Mem{Base: tmp, Disp: 8 * i}, left)
		f(i, Mem{Base: seg, Index: left, Scale: 4})
	}
}

// columns applies a term of the epilogue that has an element per column.
func (s *shape) columns(flag, off int, label string, f func(v, acc reg.VecPhysical)) {
	TESTB(U8(flag), arg(tileFlags))
	JZ(LabelRef(label))
	MOVQ(arg(off), tmp)
	s.load(Mem{Base: tmp}, s.b)
	for i := range s.rows {
		for v, acc := range s.sums(i) {
			f(s.b[v], acc)
		}
	}
	Label(label)
}

// relu takes the maximum with zero; the operand order lets NaN through.
func (s *shape) relu(flag int, label string) {
	TESTB(U8(flag), arg(tileFlags))
	JZ(LabelRef(label))
	VXORPS(s.b[0], s.b[0], s.b[0])
	for _, acc := range s.acc {
		VMAXPS(acc, s.b[0], acc)
	}
	Label(label)
}
