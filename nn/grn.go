package nn

import "github.com/winnow-go/winnow/internal/device"

// GRN is the global response normalisation of ConvNeXt V2 (Woo et al. 2023,
// arXiv:2301.00808, equations 1 to 3). With G the Euclidean norm of a channel
// over the pixels of an image:
//
//	y = x + bias + weight * x * G/(mean over the channels of G + ε)
//
// It starts as the identity, its parameters at 0.
type GRN struct {
	Weight, Bias *Param // γ and β, [C]
	name         string
}

// grnEps is what all implementations have.
const grnEps = 1e-6

// NewGRN declares a norm's parameters, "weight" and "bias", in s.
func NewGRN(s *Scope, channels int) *GRN {
	return &GRN{Weight: s.Param("weight", Zeros, channels), Bias: s.Param("bias", Zeros, channels), name: s.Name()}
}

// Forward normalises x [N,H,W,C].
func (l *GRN) Forward(t *Tape, x *Tensor) *Tensor {
	const kind = "global response norm"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if len(x.shape) != 4 || x.channels() != l.Weight.Len() {
		t.fail(l.name, kind, "input %v does not fit weight %v: want [N,H,W,%d]", x.shape, l.Weight.shape, l.Weight.Len())
		return t.empty()
	}
	return t.record(l.name, &grnOp{l: l}, x.shape, []*Param{l.Weight, l.Bias}, x)
}

type grnOp struct {
	l     *GRN
	norms device.Buffer // [N,C]
}

func (o *grnOp) kind() string     { return "global response norm" }
func (o *grnOp) macs() int64      { return 0 }
func (o *grnOp) readsIn(int) bool { return true }
func (o *grnOp) readsOut() bool   { return false }
func (o *grnOp) inPlace(int) bool { return true }

// images is the shape [N,HW,C] of x.
func images(x *Tensor) (n, hw, c int) { return x.shape[0], x.shape[1] * x.shape[2], x.shape[3] }

func (o *grnOp) forward(t *Tape, n *node) {
	i, hw, c := images(n.in[0])
	if n.back {
		o.norms = t.b.Alloc(i * c)
	}
	dst := t.out(n)
	t.b.GRN(dst, n.value(0), t.param(o.l.Weight), t.param(o.l.Bias), o.norms, i, hw, c, grnEps)
}

func (o *grnOp) backward(t *Tape, n *node) {
	x := n.in[0]
	i, hw, c := images(x)
	dx, dw, db := t.b.Alloc(x.size()), t.b.Alloc(c), t.b.Alloc(c)
	t.b.GRNBackward(dx, dw, db, n.out.grad.buf, x.buf, t.param(o.l.Weight), o.norms, i, hw, c, grnEps)
	t.paramGrad(o.l.Weight, dw)
	t.paramGrad(o.l.Bias, db)
	t.addGrad(x, dx)
}

func (o *grnOp) drop(t *Tape) {
	if o.norms != nil {
		t.b.Free(o.norms)
		o.norms = nil
	}
}
