//go:build !purego

package gemm

import (
	"testing"
	"unsafe"
)

func TestTileLiesAsTheGeneratorBelieves(t *testing.T) {
	var x tile
	for i, got := range []uintptr{
		unsafe.Offsetof(x.a), unsafe.Offsetof(x.b), unsafe.Offsetof(x.c), unsafe.Offsetof(x.rows), unsafe.Offsetof(x.outs),
		unsafe.Offsetof(x.segs), unsafe.Offsetof(x.bsegs), unsafe.Offsetof(x.nseg), unsafe.Offsetof(x.run), unsafe.Offsetof(x.step),
		unsafe.Offsetof(x.bstep), unsafe.Offsetof(x.tiles), unsafe.Offsetof(x.flags), unsafe.Offsetof(x.bias), unsafe.Offsetof(x.scale),
		unsafe.Offsetof(x.res), unsafe.Offsetof(x.resStride), unsafe.Offsetof(x.mask), unsafe.Offsetof(x.panel),
		unsafe.Offsetof(x.columns), unsafe.Offsetof(x.seg), unsafe.Offsetof(x.fetch), unsafe.Offsetof(x.fetchStep), unsafe.Offsetof(x.fetching),
		unsafe.Offsetof(x.next), unsafe.Offsetof(x.nextStep),
	} {
		if got != uintptr(8*i) {
			t.Errorf("field %d is at %d", i, got)
		}
	}
}
