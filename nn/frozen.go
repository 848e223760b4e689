package nn

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// Frozen normalises x [..., C] with the running statistics whatever the tape is
// for, and leaves them as they are: the form for training on batches that are
// too small or too different for statistics of their own. Weight and bias are
// still learned.
func (l *BatchNorm) Frozen(t *Tape, x *Tensor) *Tensor {
	const kind = "frozen batch norm"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if x.channels() != l.Weight.Len() {
		t.fail(l.name, kind, "input %v does not fit weight %v", x.shape, l.Weight.shape)
		return t.empty()
	}
	return t.record(l.name, &frozenOp{l: l}, x.shape, []*Param{l.Weight, l.Bias, l.Mean, l.Var}, x)
}

type frozenOp struct {
	l     *BatchNorm
	scale []float32 // of the forward pass
}

func (o *frozenOp) kind() string     { return "frozen batch norm" }
func (o *frozenOp) macs() int64      { return 0 }
func (o *frozenOp) readsIn(int) bool { return true }
func (o *frozenOp) readsOut() bool   { return false }

func (o *frozenOp) forward(t *Tape, n *node) {
	l, c := o.l, n.out.channels()
	scale, shift := kernel.Aligned(c), kernel.Aligned(c)
	for i := range c {
		s := float64(l.Weight.data[i]) / math.Sqrt(float64(l.Var.data[i])+float64(l.eps))
		scale[i], shift[i] = float32(s), float32(float64(l.Bias.data[i])-float64(s*float64(l.Mean.data[i])))
	}
	o.scale = scale
	t.b.Affine(t.out(n), n.in[0].buf, t.b.Wrap(scale), t.b.Wrap(shift), nil, false, n.out.rows(), c)
}

// The gradient of the weight is Σ dy (x-mean)/√(var+ε), taken from the sums of
// dy x and dy in float64.
func (o *frozenOp) backward(t *Tape, n *node) {
	l, x, g := o.l, n.in[0], n.out.grad.buf
	rows, c := n.out.rows(), n.out.channels()
	dg, db := t.b.Alloc(c), t.b.Alloc(c)
	t.b.GammaGradient(dg, g, x.buf, nil, rows, c, 1)
	t.b.ColumnSums(db, g, rows, c)
	products, sums := t.b.Host(dg), t.b.Host(db)
	dw := make([]float32, c)
	for i := range c {
		centred := float64(products[i]) - float64(float64(l.Mean.data[i])*float64(sums[i]))
		dw[i] = float32(centred / math.Sqrt(float64(l.Var.data[i])+float64(l.eps)))
	}
	t.b.Upload(dg, dw)
	t.paramGrad(l.Weight, dg)
	t.paramGrad(l.Bias, db)
	if x.needs {
		dx := t.b.Alloc(x.size())
		t.b.Affine(dx, g, t.b.Wrap(o.scale), nil, nil, false, rows, c)
		t.addGrad(x, dx)
	}
}
