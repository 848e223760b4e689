package conv

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/pool"
)

// Weights are a convolution's filters, arranged for [Forward]. Any number of
// goroutines may use them at once.
type Weights struct {
	form   form
	groups []*gemm.Packed // [KH*KW*C/Groups, K/Groups] each; transformed: one, [n*n*C,K]
}

// Pack arranges w [K,KH,KW,C/Groups] for convolutions with s's K, KH, KW, C,
// Groups, stride and dilation, whatever their batch, image size and padding.
// w is not kept.
func Pack(w []float32, s kernel.Conv) *Weights {
	p := new(Weights)
	p.Repack(nil, w, s)
	return p
}

// Repack arranges w [K,KH,KW,C/Groups] in the memory at hand where that
// suffices. Nobody may be using it.
func (p *Weights) Repack(threads *pool.Pool, w []float32, s kernel.Conv) {
	check(s, -1, -1, len(w))
	for len(p.groups) < s.Groups {
		p.groups = append(p.groups, new(gemm.Packed))
	}
	p.groups = p.groups[:s.Groups]
	p.form = choose(s)
	if p.form != direct {
		to := p.groups[0]
		to.Reserve(p.form.parts()*s.C, s.K)
		threads.Run(to.Panels(), func(i, _ int) { forwardFilters(p.form, to, i, w, s) })
		return
	}
	kg, inner := s.K/s.Groups, s.Inner()
	for g, to := range p.groups {
		to.Reserve(inner, kg)
		threads.Split(to.Panels(), 1<<15/(panel*inner)+1, func(lo, hi, _ int) {
			to.SetPanels(lo, hi, gemm.Operand[float32]{Data: w[g*kg*inner:], RowStride: 1, ColStride: inner})
		})
	}
}

// fit reports whether s is a convolution that p was arranged for.
func (p *Weights) fit(s kernel.Conv) bool {
	if len(p.groups) != s.Groups || p.groups[0].N() != s.K/s.Groups {
		return false
	}
	if p.form == direct {
		return p.groups[0].K() == s.Inner()
	}
	return suits(s) && p.groups[0].K() == p.form.parts()*s.C
}

// Elem is the type of the elements.
func (p *Weights) Elem() kernel.Elem { return kernel.F32 }

// Bytes is the memory that the arranged weights occupy.
func (p *Weights) Bytes() int {
	n := 0
	for _, g := range p.groups {
		n += g.Bytes()
	}
	return n
}

// Forward computes dst [N,OH,OW,K] from x [N,H,W,C]: what [ForwardGeneric]
// computes, within the bound of the package comment. The epilogue's rows are
// the N*OH*OW pixels of dst; its residual may be dst itself. Scratch memory
// comes from a and returns to it. dst and x must not overlap.
func Forward(p *pool.Pool, a *kernel.Arena, dst, x []float32, w *Weights, s kernel.Conv, epi *kernel.Epilogue[float32]) {
	ForwardBetween(p, a, dst, x, w, s, epi, gemm.Passes{})
}

// ForwardBetween is [Forward] between passes over the pixels of x and of dst,
// which meet those of a pointwise convolution while they are near.
func ForwardBetween(p *pool.Pool, a *kernel.Arena, dst, x []float32, w *Weights, s kernel.Conv, epi *kernel.Epilogue[float32], passes gemm.Passes) {
	check(s, len(x), len(dst), -1)
	if !w.fit(s) {
		panic("conv: weights of another convolution")
	}
	oh, ow := s.OutH(), s.OutW()
	if s.Pointwise() {
		gemm.MulBetween(p, dst, s.K, s.N*oh*ow, gemm.Operand[float32]{Data: x, RowStride: s.C, ColStride: 1}, w.groups[0], epi, passes)
		return
	}
	passes.Before.Split(p, s.N*s.H*s.W)
	forward(p, a, dst, x, w, s, epi)
	passes.After.Split(p, s.N*oh*ow)
}

// forward is Forward for what is not pointwise.
func forward(p *pool.Pool, a *kernel.Arena, dst, x []float32, w *Weights, s kernel.Conv, epi *kernel.Epilogue[float32]) {
	oh, ow := s.OutH(), s.OutW()
	if w.form != direct {
		c := winograd{
			form: w.form, n: s.N, h: s.H, w: s.W, c: s.C, oh: oh, ow: ow, k: s.K, padH: s.PadH, padW: s.PadW,
			src: x, dst: dst, filters: w.groups[0], epi: epi,
		}
		c.run(p, a)
		return
	}
	c := correlation{
		n: s.N, src: x, c: s.C,
		h:   axis{out: oh, first: -s.PadH, stride: s.StrideH, taps: s.KH, dil: s.DilH, in: s.H},
		w:   axis{out: ow, first: -s.PadW, stride: s.StrideW, taps: s.KW, dil: s.DilW, in: s.W},
		dst: dst, k: s.K, outImage: oh * ow * s.K, outLine: ow * s.K, outPixel: s.K,
		weights: w.groups, epi: epi,
	}
	c.run(p, a)
}

// Every thread should find so many tasks, that they end at about the same time,
// but a task should have so many rows, because all filters pass for it.
const (
	tasksPerThread = 4
	minRows        = 96
)

// share is how many of n > 0 rows a task takes: whole tiles of products, and
// the last task about as many as the others.
func share(p *pool.Pool, n int) int {
	if p.Threads() == 1 {
		return n
	}
	tasks := max(1, min(n/minRows, tasksPerThread*p.Threads()))
	tile := sizes().rows
	return min(n, ((n+tasks-1)/tasks+tile-1)/tile*tile)
}

// split is among how many the panels of the filters are divided where there are
// fewer tasks than are wanted for each thread.
func split(p *pool.Pool, tasks, perThread, panels int) int {
	if p.Threads() == 1 || tasks == 0 {
		return 1
	}
	return max(1, min(perThread*p.Threads()/tasks, together(panels)))
}

// cut is where the i-th of n shares of the panels begins: those that are
// multiplied at once stay together.
func cut(panels, n, i int) int {
	return min(pool.Cut(together(panels), n, i)*sizes().panels, panels)
}

// together is how often panels are multiplied, as many at once as can be.
func together(panels int) int { return (panels + sizes().panels - 1) / sizes().panels }
