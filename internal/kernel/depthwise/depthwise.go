package depthwise

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/pool"
)

// fast is the variant that the exported functions use, the fastest that may
// run.
var fast = func() cpu.Variant {
	vs := cpu.Variants()
	return vs[len(vs)-1]
}()

// Convolve computes dst [N,OutH,OutW,C] from x [N,H,W,C] and w [KH,KW,C], and
// applies the epilogue, nil for none, with rows numbered over all pixels. dst
// may be the epilogue's residual but may not overlap x or w.
func Convolve(p *pool.Pool, dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32]) {
	check(s, len(x), len(dst), len(w))
	eachPart(p, s.N, s.OutH(), s.OutW(), s.C, func(share part) {
		forward(fast, dst, x, w, s, epi, share)
	})
}

// InputGradient computes dx [N,H,W,C], the gradient with respect to x, from dy
// [N,OutH,OutW,C] and w [KH,KW,C]; input that no window covers gets 0. It adds
// to dx if accumulate is set and overwrites it otherwise. dx may not overlap dy
// or w.
func InputGradient(p *pool.Pool, dx, dy, w []float32, s kernel.Conv, accumulate bool) {
	check(s, len(dx), len(dy), len(w))
	eachPart(p, s.N, s.H, s.W, s.C, func(share part) {
		backwardInput(fast, dx, dy, w, s, accumulate, share)
	})
}

// WeightGradient computes dw [KH,KW,C], the gradient with respect to w, from dy
// [N,OutH,OutW,C] and x [N,H,W,C]. It overwrites. It cuts between channels
// only, so that pixels are added one by one in their order in memory. dw may
// not overlap the others.
func WeightGradient(p *pool.Pool, dw, dy, x []float32, s kernel.Conv) {
	check(s, len(x), len(dy), len(dw))
	lines := s.N * s.OutH()
	blocks := (s.C + partChannels - 1) / partChannels
	c := max(blocks/parts(p, lines*s.OutW()*s.C), 1) * partChannels
	p.Run((s.C+c-1)/c, func(task, _ int) {
		share := part{0, lines, task * c, min((task+1)*c, s.C)}
		for t := range s.KH * s.KW {
			clear(dw[t*s.C:][share.c0:share.c1])
		}
		backwardWeight(fast, dw, dy, x, s, share)
	})
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
