package nn

import "github.com/winnow-go/winnow/internal/device"

// Softmax turns each row of x [..., K] into probabilities.
func (t *Tape) Softmax(x *Tensor) *Tensor {
	if !t.ready("", "softmax", x) {
		return t.empty()
	}
	return t.record("", &softmaxOp{}, x.shape, nil, x)
}

type softmaxOp struct{}

func (o *softmaxOp) kind() string     { return "softmax" }
func (o *softmaxOp) macs() int64      { return 0 }
func (o *softmaxOp) readsIn(int) bool { return false }
func (o *softmaxOp) readsOut() bool   { return true }
func (o *softmaxOp) forward(t *Tape, n *node) {
	x := n.in[0]
	t.b.Softmax(t.out(n), x.buf, x.rows(), x.channels())
}

func (o *softmaxOp) backward(t *Tape, n *node) {
	x := n.in[0]
	dx := t.b.Alloc(x.size())
	t.b.SoftmaxBackward(dx, n.out.grad.buf, n.out.buf, x.rows(), x.channels())
	t.addGrad(x, dx)
}

// Normalize divides each row of x [..., C] by its Euclidean norm, or by 1e-12
// where the norm is smaller, as torch.nn.functional.normalize does.
func (t *Tape) Normalize(x *Tensor) *Tensor {
	if !t.ready("", "normalize", x) {
		return t.empty()
	}
	return t.record("", &normalizeOp{}, x.shape, nil, x)
}

const normalizeEps = 1e-12

type normalizeOp struct{ norms device.Buffer }

func (o *normalizeOp) kind() string     { return "normalize" }
func (o *normalizeOp) macs() int64      { return 0 }
func (o *normalizeOp) readsIn(int) bool { return false }
func (o *normalizeOp) readsOut() bool   { return true }
func (o *normalizeOp) forward(t *Tape, n *node) {
	x := n.in[0]
	o.norms = t.b.Alloc(x.rows())
	t.b.Normalize(t.out(n), x.buf, o.norms, x.rows(), x.channels(), normalizeEps)
	if !n.back {
		o.drop(t)
	}
}

func (o *normalizeOp) backward(t *Tape, n *node) {
	x := n.in[0]
	dx := t.b.Alloc(x.size())
	t.b.NormalizeBackward(dx, n.out.grad.buf, n.out.buf, o.norms, x.rows(), x.channels(), normalizeEps)
	t.addGrad(x, dx)
}

func (o *normalizeOp) drop(t *Tape) {
	if o.norms != nil {
		t.b.Free(o.norms)
		o.norms = nil
	}
}
