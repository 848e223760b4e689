//go:build !purego

package conv

import (
	"testing"
	"unsafe"
)

func TestArgumentsLieAsTheGeneratorBelieves(t *testing.T) {
	var in inputArgs
	var out outputArgs
	var filter filterArgs
	var sum sumArgs
	var at place
	for what, offsets := range map[string][]uintptr{
		"input": {unsafe.Offsetof(in.src), unsafe.Offsetof(in.dst), unsafe.Offsetof(in.line), unsafe.Offsetof(in.pixel), unsafe.Offsetof(in.part),
			unsafe.Offsetof(in.vectors), unsafe.Offsetof(in.mask), unsafe.Offsetof(in.tiles), unsafe.Offsetof(in.srcStep), unsafe.Offsetof(in.dstStep)},
		"output": {unsafe.Offsetof(out.src), unsafe.Offsetof(out.dst), unsafe.Offsetof(out.part), unsafe.Offsetof(out.places), unsafe.Offsetof(out.tiles),
			unsafe.Offsetof(out.line), unsafe.Offsetof(out.pixel), unsafe.Offsetof(out.flags), unsafe.Offsetof(out.bias), unsafe.Offsetof(out.scale),
			unsafe.Offsetof(out.res), unsafe.Offsetof(out.resLine), unsafe.Offsetof(out.resPixel), unsafe.Offsetof(out.mask), unsafe.Offsetof(out.step)},
		"filter": {unsafe.Offsetof(filter.src), unsafe.Offsetof(filter.dst), unsafe.Offsetof(filter.tap), unsafe.Offsetof(filter.part),
			unsafe.Offsetof(filter.rows), unsafe.Offsetof(filter.srcStep), unsafe.Offsetof(filter.dstStep)},
		"sum": {unsafe.Offsetof(sum.src), unsafe.Offsetof(sum.dst), unsafe.Offsetof(sum.part), unsafe.Offsetof(sum.tap),
			unsafe.Offsetof(sum.vectors), unsafe.Offsetof(sum.mask)},
		"place": {unsafe.Offsetof(at.pixel), unsafe.Offsetof(at.rows), unsafe.Offsetof(at.cols)},
	} {
		for i, got := range offsets {
			if got != uintptr(8*i) {
				t.Errorf("%s: field %d is at %d", what, i, got)
			}
		}
	}
	if unsafe.Sizeof(at) != 24 {
		t.Errorf("a place has %d bytes", unsafe.Sizeof(at))
	}
}
