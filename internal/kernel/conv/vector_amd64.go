//go:build !purego

package conv

import (
	"unsafe"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

//go:generate go run -C ../_asm ./conv -out ../conv/transform_amd64.s -stubs ../conv/transform_amd64.go -pkg conv

// lanes is the number of channels in a vector.
func lanes() int {
	if chosen == cpu.AVX512 {
		return 16
	}
	return 8
}

// The argument blocks of the assembly, whose generator knows the offsets.
// Distances are in bytes.
type (
	inputArgs struct {
		src, dst         unsafe.Pointer
		line, pixel      int
		part             int
		vectors          int
		mask             unsafe.Pointer // of the channels beyond whole vectors, or nil
		tiles            int
		srcStep, dstStep int
	}
	outputArgs struct {
		src, dst          unsafe.Pointer
		part              int
		places            unsafe.Pointer
		tiles             int
		line, pixel       int
		flags             int
		bias, scale, res  unsafe.Pointer
		resLine, resPixel int
		mask              unsafe.Pointer
		step              int
	}
	filterArgs struct {
		src, dst         unsafe.Pointer
		tap, part        int
		rows             int
		srcStep, dstStep int
	}
	sumArgs struct {
		src, dst  unsafe.Pointer
		part, tap int
		vectors   int
		mask      unsafe.Pointer
	}
)

// Bits of outputArgs.flags.
const (
	flagBias = 1 << iota
	flagScale
	flagResidual
	flagReLUFirst
	flagReLULast
)

// masks holds, from element 16-n on, a mask of n columns.
var masks = [32]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}

func (w *inputTiles) run(f form) {
	if chosen == cpu.Generic {
		w.generic(f)
		return
	}
	n := f.in()
	if w.gradient {
		n = f.out()
	}
	// What is touched lies between the first and these.
	_ = w.src[(w.tiles-1)*w.srcStep+(n-1)*(w.line+w.pixel)+w.c-1]
	_ = w.dst[(w.tiles-1)*w.dstStep+(f.parts()-1)*w.part+(w.c+7)/8*8-1]
	each := lanes()
	t := inputArgs{
		src: unsafe.Pointer(&w.src[0]), dst: unsafe.Pointer(&w.dst[0]),
		line: 4 * w.line, pixel: 4 * w.pixel, part: 4 * w.part, vectors: w.c / each,
		tiles: w.tiles, srcStep: 4 * w.srcStep, dstStep: 4 * w.dstStep,
	}
	if rest := w.c % each; rest != 0 {
		t.mask = unsafe.Pointer(&masks[16-rest])
	}
	p, wide := (*byte)(unsafe.Pointer(&t)), each == 16
	switch {
	case f == f2 && w.gradient && wide:
		gradient2z(p)
	case f == f2 && w.gradient:
		gradient2(p)
	case f == f2 && wide:
		input2z(p)
	case f == f2:
		input2(p)
	case w.gradient && wide:
		gradient4z(p)
	case w.gradient:
		gradient4(p)
	case wide:
		input4z(p)
	default:
		input4(p)
	}
}

func (w *outputTiles) run(f form) {
	if chosen == cpu.Generic {
		w.generic(f)
		return
	}
	_ = w.src[(f.parts()-1)*w.part+(len(w.places)-1)*w.step+panel-1]
	last := 0
	for _, p := range w.places {
		last = max(last, p.pixel*w.pixel+(p.rows-1)*w.line+(p.cols-1)*w.pixel)
	}
	_ = w.dst[last+w.cols-1]
	t := outputArgs{
		src: unsafe.Pointer(&w.src[0]), dst: unsafe.Pointer(&w.dst[0]), part: 4 * w.part,
		places: unsafe.Pointer(&w.places[0]), tiles: len(w.places), line: 4 * w.line, pixel: 4 * w.pixel,
		mask: unsafe.Pointer(&masks[16-w.cols]), step: 4 * w.step,
	}
	if e := w.epi; e != nil {
		if e.Bias != nil {
			t.flags |= flagBias
			t.bias = unsafe.Pointer(&e.Bias[:w.cols][0])
		}
		if e.Scale != nil {
			t.flags |= flagScale
			t.scale = unsafe.Pointer(&e.Scale[:w.cols][0])
		}
		if e.Residual != nil {
			t.flags |= flagResidual
			t.res = unsafe.Pointer(&e.Residual[0])
			t.resLine, t.resPixel = 4*w.resLine, 4*w.resPixel
			_ = e.Residual[last/w.pixel*w.resPixel+w.cols-1]
		}
		switch {
		case e.Act == kernel.ReLU && e.ActLast:
			t.flags |= flagReLULast
		case e.Act == kernel.ReLU:
			t.flags |= flagReLUFirst
		}
	}
	p, wide := (*byte)(unsafe.Pointer(&t)), chosen == cpu.AVX512
	switch {
	case f == f2 && wide:
		output2z(p)
	case f == f2 && w.cols == panel:
		output2(p)
	case f == f2:
		output2mask(p)
	case wide:
		output4z(p)
	case w.cols == panel:
		output4(p)
	default:
		output4mask(p)
	}
}

func (w *filterRows) run(f form) {
	if chosen == cpu.Generic {
		w.generic(f)
		return
	}
	first, last := w.at, w.at
	if w.tap < 0 {
		first += 8 * w.tap
	} else {
		last += 8 * w.tap
	}
	_, _ = w.src[first], w.src[last+(w.rows-1)*w.srcStep+panel-1]
	_ = w.dst[(w.rows-1)*w.dstStep+(f.parts()-1)*w.part+panel-1]
	t := filterArgs{
		src: unsafe.Pointer(&w.src[w.at]), dst: unsafe.Pointer(&w.dst[0]), tap: 4 * w.tap, part: 4 * w.part,
		rows: w.rows, srcStep: 4 * w.srcStep, dstStep: 4 * w.dstStep,
	}
	p, wide := (*byte)(unsafe.Pointer(&t)), chosen == cpu.AVX512
	switch {
	case f == f2 && wide:
		filter2z(p)
	case f == f2:
		filter2(p)
	case wide:
		filter4z(p)
	default:
		filter4(p)
	}
}

func (w *filterSums) run(f form) {
	if chosen == cpu.Generic {
		w.generic(f)
		return
	}
	_ = w.src[(f.parts()-1)*w.part+(w.c+7)/8*8-1]
	_ = w.dst[8*w.tap+w.c-1]
	each := lanes()
	t := sumArgs{src: unsafe.Pointer(&w.src[0]), dst: unsafe.Pointer(&w.dst[0]), part: 4 * w.part, tap: 4 * w.tap, vectors: w.c / each}
	if rest := w.c % each; rest != 0 {
		t.mask = unsafe.Pointer(&masks[16-rest])
	}
	p, wide := (*byte)(unsafe.Pointer(&t)), each == 16
	switch {
	case f == f2 && wide:
		filterGradient2z(p)
	case f == f2:
		filterGradient2(p)
	case wide:
		filterGradient4z(p)
	default:
		filterGradient4(p)
	}
}
