package conv

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/pool"
)

// Weights are a convolution's filters, arranged for [Forward]. Any number of
// goroutines may use them at once.
type Weights struct {
	w []float32
}

// Pack arranges w [K,KH,KW,C/Groups] for convolutions with s's K, KH, KW, C
// and Groups, whatever their batch, image size, stride, padding and dilation.
// w is not kept.
func Pack(w []float32, s kernel.Conv) *Weights {
	p := new(Weights)
	p.Repack(w, s)
	return p
}

// Repack arranges w [K,KH,KW,C/Groups] in the memory at hand where that
// suffices. Nobody may be using it.
func (p *Weights) Repack(w []float32, s kernel.Conv) {
	check(s, -1, -1, len(w))
	p.w = append(p.w[:0], w...)
}

// Elem is the type of the elements.
func (p *Weights) Elem() kernel.Elem { return kernel.F32 }

// Bytes is the memory that the arranged weights occupy.
func (p *Weights) Bytes() int { return len(p.w) * p.Elem().Size() }

// Forward computes dst [N,OH,OW,K] from x [N,H,W,C]: what [ForwardGeneric]
// computes, within the bound of the package comment. The epilogue's rows are
// the N*OH*OW pixels of dst; its residual may be dst itself. Scratch memory
// comes from a and returns to it. dst and x must not overlap.
func Forward(p *pool.Pool, a *kernel.Arena, dst, x []float32, w *Weights, s kernel.Conv, epi *kernel.Epilogue[float32]) {
	ForwardGeneric(dst, x, w.w, s, epi)
}

// BackwardInput overwrites dx [N,H,W,C] with the gradient of the input, given
// dy [N,OH,OW,K] and the plain weights w [K,KH,KW,C/Groups]. Pixels that no
// window meets receive 0.
func BackwardInput(p *pool.Pool, a *kernel.Arena, dx, dy, w []float32, s kernel.Conv) {
	BackwardInputGeneric(dx, dy, w, s)
}

// BackwardWeight overwrites dw [K,KH,KW,C/Groups] with the gradient of the
// weights, given dy [N,OH,OW,K] and x [N,H,W,C].
func BackwardWeight(p *pool.Pool, a *kernel.Arena, dw, dy, x []float32, s kernel.Conv) {
	BackwardWeightGeneric(dw, dy, x, s)
}
