package nn

import (
	"github.com/winnow-go/winnow/internal/device"
)

// MLP is a norm and two linear layers with an activation between, the second
// half of a ConvNeXt block. It has no parameters of its own: it says that
// layers belong together, so that they can be run in one pass in which the
// hidden layer never reaches memory; or once, in training, where that saves time.
type MLP struct {
	Norm     *LayerNorm // nil for none
	FC1, FC2 *Linear
	Act      Activation
}

// Forward computes x [..., C] to [..., Out] and applies e, which may have a
// scale, drop path and a residual.
func (l *MLP) Forward(t *Tape, x *Tensor, e Epilogue) *Tensor {
	if l == nil || l.FC1 == nil || l.FC2 == nil {
		t.fail("", "mlp", "a layer is missing")
		return t.empty()
	}
	if e.Act != Identity || e.Norm != nil || l.FC1.c.Out != l.FC2.c.In {
		if l.Norm != nil {
			x = l.Norm.Forward(t, x)
		}
		return l.FC2.Forward(t, l.FC1.Forward(t, x, Epilogue{Act: l.Act}), e)
	}
	name := l.FC2.name
	const kind = "mlp"
	if !t.ready(name, kind, x) {
		return t.empty()
	}
	if len(x.shape) < 2 || x.channels() != l.FC1.c.In || l.Norm != nil && x.channels() != l.Norm.Weight.Len() {
		t.fail(name, kind, "input %v does not fit weight %v", x.shape, l.FC1.Weight.shape)
		return t.empty()
	}
	shape := append(append([]int(nil), x.shape[:len(x.shape)-1]...), l.FC2.c.Out)
	if !t.known(name, kind, l.Act) || !t.epilogueFits(name, kind, shape, &e) {
		return t.empty()
	}
	m := device.MLP{Rows: x.rows(), C: l.FC1.c.In, Hidden: l.FC1.c.Out, Out: l.FC2.c.Out, Act: l.Act}
	params := []*Param{l.FC1.Weight, l.FC1.Bias, l.FC2.Weight, l.FC2.Bias}
	if t.mode == Training {
		if l.Norm != nil {
			x = l.Norm.Forward(t, x)
			if t.err != nil {
				return t.empty()
			}
		}
		if !t.b.KeepsMLP(m) {
			return l.FC2.Forward(t, l.FC1.Forward(t, x, Epilogue{Act: l.Act}), e)
		}
		return t.unfused(t.record(name, &mlpTrainOp{l: l, m: m}, shape, params, x), e)
	}
	o := &mlpOp{l: l, m: m}
	if l.Norm != nil {
		o.m.Epsilon = l.Norm.eps
		params = append(params, l.Norm.Weight, l.Norm.Bias)
	}
	return t.recordFused(name, o, &o.e, shape, params, x, e)
}

// mlpOp is the fused form, for inference alone.
type mlpOp struct {
	l *MLP
	m device.MLP
	e Epilogue
}

func (o *mlpOp) kind() string       { return "mlp" }
func (o *mlpOp) macs() int64        { return mlpMACs(o.m) }
func (o *mlpOp) readsIn(int) bool   { return false }
func (o *mlpOp) readsOut() bool     { return false }
func (o *mlpOp) inPlace(i int) bool { return i == 1 } // the residual, read just before it is written

func (o *mlpOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	l := o.l
	var residual, gamma, beta device.Buffer
	if len(n.in) > 1 {
		residual = n.value(1)
	}
	if l.Norm != nil {
		gamma, beta = t.param(l.Norm.Weight), t.param(l.Norm.Bias)
	}
	w := t.prepare(l, []*Param{l.FC1.Weight, l.FC2.Weight}, func() packed {
		return packed{weights: t.b.PackMLP(nil, t.param(l.FC1.Weight), t.param(l.FC2.Weight), o.m)}
	}).weights
	t.b.MLP(dst, n.in[0].buf, w, gamma, beta, t.param(l.FC1.Bias), t.param(l.FC2.Bias), t.param(o.e.Scale), residual, o.m)
}

func (o *mlpOp) backward(*Tape, *node) { panic("nn: the fused mlp is for inference") }

func mlpMACs(m device.MLP) int64 { return int64(m.Rows) * int64(m.Hidden) * int64(m.C+m.Out) }

// mlpTrainOp is the form for training: the two linear layers and the
// activation between.
type mlpTrainOp struct {
	l *MLP
	m device.MLP
	h device.Buffer // before the activation
}

func (o *mlpTrainOp) kind() string     { return "mlp" }
func (o *mlpTrainOp) macs() int64      { return mlpMACs(o.m) }
func (o *mlpTrainOp) readsIn(int) bool { return true }
func (o *mlpTrainOp) readsOut() bool   { return false }

func (o *mlpTrainOp) forward(t *Tape, n *node) {
	fc1, fc2, x := o.l.FC1, o.l.FC2, n.in[0].buf
	dst := t.out(n)
	w := t.packMLP(fc1.Weight, fc2.Weight, o.m)
	if !n.back {
		t.b.MLP(dst, x, w, nil, nil, t.param(fc1.Bias), t.param(fc2.Bias), nil, nil, o.m)
		return
	}
	o.h = t.b.Alloc(o.m.Rows * o.m.Hidden)
	t.b.MLPKeep(dst, o.h, x, w, t.param(fc1.Bias), t.param(fc2.Bias), o.m)
}

func (o *mlpTrainOp) backward(t *Tape, n *node) {
	fc1, fc2, x, dy := o.l.FC1, o.l.FC2, n.in[0], n.out.grad.buf
	dw1, dw2 := t.b.Alloc(fc1.Weight.Len()), t.b.Alloc(fc2.Weight.Len())
	db1, db2 := t.allocGrad(fc1.Bias), t.allocGrad(fc2.Bias)
	var dx device.Buffer
	if x.needs {
		dx = t.b.Alloc(x.size())
	}
	t.b.MLPBackward(dx, dw1, db1, dw2, dy, x.buf, o.h, t.param(fc1.Weight), t.param(fc2.Weight), o.m)
	t.paramGrad(fc2.Weight, dw2)
	if db2 != nil {
		t.b.ColumnSums(db2, dy, n.out.rows(), n.out.channels())
	}
	t.paramGrad(fc2.Bias, db2)
	t.paramGrad(fc1.Weight, dw1)
	t.paramGrad(fc1.Bias, db1)
	if dx != nil {
		t.addGrad(x, dx)
	}
}

func (o *mlpTrainOp) drop(t *Tape) {
	if o.h != nil {
		t.b.Free(o.h)
		o.h = nil
	}
}
