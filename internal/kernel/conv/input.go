package conv

import (
	"slices"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// phase is one direction of a phase of the stride: the pixels first,
// first+stride, ... of dx, and the taps tap, tap+every, ... that meet them.
type phase struct {
	first      int // a pixel of dx
	tap, every int
	axis       axis // over dy, its taps in descending order of the filter's
}

// phases divides an axis of the input, in pixels long, so that within a phase
// dx is an ordinary correlation of dy, out pixels long, with some of the taps:
// pixel i and tap t meet at output (i+pad-t*dil)/stride, if that is whole.
func phases(in, out, taps, stride, pad, dil int) []phase {
	var all []phase
	for r := range stride {
		j0 := (pad - r + stride - 1) / stride // i = r + stride*j - pad, j from j0 on
		if pad < r {
			j0 = 0
		}
		ph := phase{first: r + stride*j0 - pad}
		if ph.first >= in {
			continue
		}
		ph.axis = axis{out: (in-1-ph.first)/stride + 1, stride: 1, dil: 1, in: out}
		last := 0
		for t := range taps {
			if t*dil%stride != r {
				continue
			}
			switch ph.axis.taps++; ph.axis.taps {
			case 1:
				ph.tap = t
			case 2:
				ph.every = t - ph.tap
				ph.axis.dil = ph.every * dil / stride
			}
			last = (t*dil - r) / stride
		}
		ph.axis.first = j0 - last
		all = append(all, ph)
	}
	return all
}

// idle reports whether some phase meets no tap, so that its pixels receive 0.
func idle(all []phase) bool {
	return slices.ContainsFunc(all, func(p phase) bool { return p.axis.taps == 0 })
}

// BackwardInput overwrites dx [N,H,W,C] with the gradient of the input, or adds
// it to dx if accumulate is set, given dy [N,OH,OW,K] and the plain weights w
// [K,KH,KW,C/Groups]: what [BackwardInputGeneric] computes, within the bound of
// the package comment, for which what dx held counts as one more product.
// Pixels that no window meets receive 0. Scratch memory comes from a and
// returns to it. dx and dy must not overlap.
func BackwardInput(p *pool.Pool, a *kernel.Arena, dx, dy, w []float32, s kernel.Conv, accumulate bool) {
	BackwardInputBetween(p, a, dx, dy, w, s, accumulate, gemm.Passes{})
}

// BackwardInputBetween is [BackwardInput] between passes over the pixels of dy
// and of dx, which meet those of a pointwise convolution while they are near.
func BackwardInputBetween(p *pool.Pool, a *kernel.Arena, dx, dy, w []float32, s kernel.Conv, accumulate bool, passes gemm.Passes) {
	check(s, len(dx), len(dy), len(w))
	if s.N == 0 {
		return
	}
	var epi *kernel.Epilogue[float32]
	if accumulate {
		epi = &kernel.Epilogue[float32]{Residual: dx}
	}
	if s.Pointwise() {
		memory := a.Get(gemm.PackedLen(s.K, s.C))
		defer a.Put(memory)
		packed := gemm.PackedIn(memory, s.K, s.C)
		p.Split(s.K, 1<<16/s.C+1, func(lo, hi, _ int) {
			packed.SetRows(lo, gemm.Operand[float32]{Data: w[lo*s.C:], RowStride: s.C, ColStride: 1}, hi-lo)
		})
		gemm.MulBetween(p, dx, s.C, s.N*s.H*s.W, gemm.Operand[float32]{Data: dy, RowStride: s.K, ColStride: 1}, packed, epi, passes)
		return
	}
	passes.Before.Split(p, s.N*s.OutH()*s.OutW())
	backwardInput(p, a, dx, dy, w, s, epi)
	passes.After.Split(p, s.N*s.H*s.W)
}

// backwardInput is BackwardInput for what is not pointwise; epi adds what dx has
// unless it is nil.
func backwardInput(p *pool.Pool, a *kernel.Arena, dx, dy, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32]) {
	oh, ow, inner := s.OutH(), s.OutW(), s.Inner()
	if f := chooseInput(s); f != direct {
		memory := a.Get(gemm.PackedLen(f.parts()*s.K, s.C))
		defer a.Put(memory)
		filters := gemm.PackedIn(memory, f.parts()*s.K, s.C)
		p.Run(filters.Panels(), func(task, _ int) { backwardFilters(f, filters, task, w, s) })
		c := winograd{
			form: f, n: s.N, h: oh, w: ow, c: s.K, oh: s.H, ow: s.W, k: s.C, padH: 2 - s.PadH, padW: 2 - s.PadW,
			src: dy, dst: dx, filters: filters, epi: epi,
		}
		c.run(p, a)
		return
	}
	cg, kg := s.C/s.Groups, s.K/s.Groups
	memory := a.Get(s.Groups * gemm.PackedLen(kg*s.KH*s.KW, cg))
	defer a.Put(memory)
	weights := make([]*gemm.Packed, s.Groups)
	rows, cols := phases(s.H, oh, s.KH, s.StrideH, s.PadH, s.DilH), phases(s.W, ow, s.KW, s.StrideW, s.PadW, s.DilW)
	if epi == nil && (idle(rows) || idle(cols)) {
		p.Split(len(dx), 1<<16, func(lo, hi, _ int) { clear(dx[lo:hi]) })
	}
	for _, v := range rows {
		for _, h := range cols {
			taps := v.axis.taps * h.axis.taps
			if taps == 0 {
				continue
			}
			size := gemm.PackedLen(taps*kg, cg)
			for g := range weights {
				weights[g] = gemm.PackedIn(memory[g*size:][:size], taps*kg, cg)
			}
			p.Run(taps*s.Groups, func(task, _ int) {
				g, t := task/taps, task%taps
				kh := v.tap + (v.axis.taps-1-t/h.axis.taps)*v.every
				kw := h.tap + (h.axis.taps-1-t%h.axis.taps)*h.every
				at := g*kg*inner + (kh*s.KW+kw)*cg
				weights[g].SetRows(t*kg, gemm.Operand[float32]{Data: w[at:], RowStride: inner, ColStride: 1}, kg)
			})
			c := correlation{
				n: s.N, h: v.axis, w: h.axis, src: dy, c: s.K,
				dst: dx[(v.first*s.W+h.first)*s.C:], k: s.C,
				outImage: s.H * s.W * s.C, outLine: s.StrideH * s.W * s.C, outPixel: s.StrideW * s.C,
				weights: weights, accumulate: epi != nil,
			}
			c.run(p, a)
		}
	}
}
