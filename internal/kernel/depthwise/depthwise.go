package depthwise

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

// fast is the variant that the exported functions use, the fastest that may
// run.
var fast = func() cpu.Variant {
	vs := cpu.Variants()
	return vs[len(vs)-1]
}()

// Forward computes the output lines [lo,hi) of N*OutH into dst [N,OutH,OutW,C]
// from x [N,H,W,C] and w [KH,KW,C], and applies the epilogue, nil for none, with
// rows numbered over all pixels. dst may be the epilogue's residual but may not
// overlap x or w. An element does not depend on lo and hi.
func Forward(dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32], lo, hi int) {
	check(s, len(x), len(dst), len(w))
	checkLines("Forward", s.N*s.OutH(), lo, hi)
	forward(fast, dst, x, w, s, epi, part{lo, hi, 0, s.C})
}

// BackwardInput computes the input lines [lo,hi) of N*H of dx [N,H,W,C], the
// gradient with respect to x, from dy [N,OutH,OutW,C] and w [KH,KW,C]. It
// overwrites: input that no window covers gets 0. dx may not overlap dy or w.
// An element does not depend on lo and hi.
func BackwardInput(dx, dy, w []float32, s kernel.Conv, lo, hi int) {
	check(s, len(dx), len(dy), len(w))
	checkLines("BackwardInput", s.N*s.H, lo, hi)
	backwardInput(fast, dx, dy, w, s, part{lo, hi, 0, s.C})
}

// BackwardWeight adds to dw [KH,KW,C], the gradient with respect to w, the
// contribution of the output lines [lo,hi) of N*OutH, from dy [N,OutH,OutW,C]
// and x [N,H,W,C]. Pixels are added one by one in their order in memory, so
// that [lo,mid) and then [mid,hi) give what [lo,hi) gives; workers that add to
// dw of their own, to be summed later, round differently. dw may not overlap
// the others.
func BackwardWeight(dw, dy, x []float32, s kernel.Conv, lo, hi int) {
	check(s, len(x), len(dy), len(dw))
	checkLines("BackwardWeight", s.N*s.OutH(), lo, hi)
	backwardWeight(fast, dw, dy, x, s, part{lo, hi, 0, s.C})
}

func check(s kernel.Conv, x, y, w int) {
	if err := s.Check(); err != nil {
		panic("depthwise: " + err.Error())
	}
	if s.Groups != s.C || s.K != s.C {
		panic(fmt.Sprintf("depthwise: %d groups and %d output channels for %d channels", s.Groups, s.K, s.C))
	}
	if want := s.N * s.H * s.W * s.C; x != want {
		panic(fmt.Sprintf("depthwise: input has %d elements, want %d", x, want))
	}
	if want := s.N * s.OutH() * s.OutW() * s.C; y != want {
		panic(fmt.Sprintf("depthwise: output has %d elements, want %d", y, want))
	}
	if want := s.KH * s.KW * s.C; w != want {
		panic(fmt.Sprintf("depthwise: weight has %d elements, want %d", w, want))
	}
}

func checkLines(name string, n, lo, hi int) {
	if lo < 0 || lo > hi || hi > n {
		panic(fmt.Sprintf("depthwise: %s: lines [%d,%d) of %d", name, lo, hi, n))
	}
}
