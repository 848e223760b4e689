package pooling

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

// chosen is the variant that runs; the conformance suite replaces it.
var chosen = fastest()

func fastest() cpu.Variant {
	all := cpu.Variants()
	return all[len(all)-1]
}

// check panics unless the window fits, [lo,hi) lies in [0,limit) and the
// slices hold n input and m output elements.
func check(what string, g kernel.Window, lo, hi, limit, input, output int) {
	switch {
	case g.KH < 1 || g.KW < 1 || g.StrideH < 1 || g.StrideW < 1 || g.DilH < 1 || g.DilW < 1 || g.PadH < 0 || g.PadW < 0 || g.MoreH < 0 || g.MoreW < 0:
		panic(fmt.Sprintf("pooling: %s: geometry %+v", what, g))
	case lo < 0 || hi < lo || hi > limit:
		panic(fmt.Sprintf("pooling: %s: [%d,%d) of %d", what, lo, hi, limit))
	case input < g.N*g.H*g.W*g.C || output < g.N*g.OutH()*g.OutW()*g.C:
		panic(fmt.Sprintf("pooling: %s: %d input and %d output elements for %+v", what, input, output, g))
	}
}

// taps returns the range [k0,k1) of taps that lie inside the input for output
// position o, and the position of tap 0.
func taps(o, stride, pad, dil, k, size int) (at, k0, k1 int) {
	at = o*stride - pad
	if at < 0 {
		k0 = (-at + dil - 1) / dil
	}
	k1 = k
	if last := at + (k-1)*dil; last >= size {
		k1 = 0
		if at < size {
			k1 = (size - at + dil - 1) / dil
		}
	}
	return at, min(k0, k1), k1
}
