package nn

import "github.com/winnow-go/winnow/internal/kernel"

// Blur filters x [N,H,W,C] with the binomial [1 2 1]ᵀ[1 2 1]/16, mirrored at the
// edges, and keeps every stride-th pixel, so that what is too fine for the
// smaller image does not alias (Zhang 2019, arXiv:1904.11486). It has no
// parameters and needs 2x2 pixels.
func (t *Tape) Blur(x *Tensor, stride int) *Tensor {
	const kind = "blur"
	g, ok := t.window(kind, x, Window{Size: 3, Stride: stride, Padding: 1})
	if !ok {
		return t.empty()
	}
	if g.H < 2 || g.W < 2 {
		t.fail("", kind, "input %v cannot be mirrored: want 2x2 pixels or more", x.shape)
		return t.empty()
	}
	return t.record("", &blurOp{g: g}, []int{g.N, g.OutH(), g.OutW(), g.C}, nil, x)
}

type blurOp struct{ g kernel.Window }

func (o *blurOp) kind() string             { return "blur" }
func (o *blurOp) macs() int64              { return 0 }
func (o *blurOp) readsIn(int) bool         { return false }
func (o *blurOp) readsOut() bool           { return false }
func (o *blurOp) forward(t *Tape, n *node) { t.b.Blur(t.out(n), n.in[0].buf, o.g) }

func (o *blurOp) backward(t *Tape, n *node) {
	dx := t.b.Alloc(n.in[0].size())
	t.b.BlurBackward(dx, n.out.grad.buf, o.g)
	t.addGrad(n.in[0], dx)
}
