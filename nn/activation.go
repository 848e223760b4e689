package nn

import (
	"github.com/winnow-go/winnow/internal/kernel"
)

// Activation is a scalar function that layers apply element by element.
type Activation = kernel.Activation

// Activations. Formulas and sources are with the kernels; GELU is the exact
// one, by erf.
const (
	Identity  = kernel.Identity
	ReLU      = kernel.ReLU
	GELU      = kernel.GELU
	GELUTanh  = kernel.GELUTanh
	QuickGELU = kernel.QuickGELU
	SiLU      = kernel.SiLU
	Sigmoid   = kernel.Sigmoid
)

// Activate applies act to every element.
func (t *Tape) Activate(x *Tensor, act Activation) *Tensor {
	if !t.ready("", act.String(), x) || !t.known("", "activation", act) {
		return t.empty()
	}
	if act == Identity {
		return x
	}
	return t.record("", &activateOp{act: act}, x.shape, nil, x)
}

type activateOp struct{ act Activation }

func (o *activateOp) kind() string { return o.act.String() }
func (o *activateOp) macs() int64  { return 0 }

// The derivative of ReLU can be had from its output, that of the others needs
// the input.
func (o *activateOp) readsIn(int) bool { return o.act != ReLU }
func (o *activateOp) readsOut() bool   { return o.act == ReLU }
func (o *activateOp) inPlace(int) bool { return true }
func (o *activateOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	t.b.Activate(dst, n.value(0), o.act)
}

func (o *activateOp) backward(t *Tape, n *node) {
	g := t.takeGrad(n.out)
	if o.act == ReLU {
		t.b.ReLUBackward(g, g, n.out.buf)
	} else {
		t.b.ActivateBackward(g, g, n.in[0].buf, o.act)
	}
	t.addGrad(n.in[0], g)
}
