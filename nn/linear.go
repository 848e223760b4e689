package nn

import (
	"github.com/winnow-go/winnow/internal/device"
)

// LinearConfig describes a linear layer.
type LinearConfig struct {
	In, Out  int
	NoBias   bool
	Conv     bool // weights are [Out,In,1,1] in files, as in timm's conv_mlp models
	Init     Init // of the weight; nil means UniformFanIn(In), PyTorch's default
	BiasInit Init // nil means Zeros
}

// Linear computes y = x Wᵀ + b over the last axis.
type Linear struct {
	Weight *Param // [Out,In]
	Bias   *Param // [Out] or nil
	name   string
	c      LinearConfig
}

// NewLinear declares a linear layer's parameters, "weight" and "bias", in s.
func NewLinear(s *Scope, c LinearConfig) *Linear {
	if c.Init == nil {
		c.Init = UniformFanIn(c.In)
	}
	if c.BiasInit == nil {
		c.BiasInit = Zeros
	}
	l := &Linear{name: s.Name(), c: c}
	shape := []int{c.Out, c.In}
	if c.Conv {
		shape = append(shape, 1, 1)
	}
	l.Weight = s.Param("weight", c.Init, shape...)
	if !c.NoBias {
		l.Bias = s.Param("bias", c.BiasInit, c.Out)
	}
	return l
}

// Forward computes x [..., In] to [..., Out] and applies e, which may not have
// a Norm.
func (l *Linear) Forward(t *Tape, x *Tensor, e Epilogue) *Tensor {
	const kind = "linear"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if x.channels() != l.c.In || len(x.shape) < 2 {
		t.fail(l.name, kind, "input %v does not fit weight %v", x.shape, l.Weight.shape)
		return t.empty()
	}
	if e.Norm != nil {
		t.fail(l.name, kind, "a batch norm in the epilogue of a linear layer")
		return t.empty()
	}
	shape := append(append([]int(nil), x.shape[:len(x.shape)-1]...), l.c.Out)
	if !t.epilogueFits(l.name, kind, shape, &e) {
		return t.empty()
	}
	o := &linearOp{l: l, rows: x.rows()}
	if t.mode == Inference {
		return t.recordFused(l.name, o, &o.e, shape, []*Param{l.Weight, l.Bias}, x, e)
	}
	y := t.record(l.name, o, shape, []*Param{l.Weight, l.Bias}, x)
	return t.unfused(y, e)
}

type linearOp struct {
	l    *Linear
	rows int
	e    Epilogue // inference only
}

func (o *linearOp) kind() string { return "linear" }
func (o *linearOp) macs() int64 {
	return int64(o.rows) * int64(o.l.c.In) * int64(o.l.c.Out)
}
func (o *linearOp) readsIn(i int) bool { return i == 0 }
func (o *linearOp) readsOut() bool     { return false }
func (o *linearOp) inPlace(i int) bool { return i == 1 }

func (o *linearOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	l := o.l
	e := device.Epilogue{Act: o.e.Act, ActLast: o.e.ActLast, Scale: t.param(o.e.Scale), Bias: t.param(l.Bias)}
	if len(n.in) > 1 {
		e.Residual = n.value(1)
	}
	var w device.Weights
	if t.mode == Training {
		w = t.packLinear(l.Weight, l.c.Out, l.c.In)
	} else {
		w = t.prepare(l, []*Param{l.Weight}, func() packed {
			return packed{weights: t.b.PackLinear(nil, t.param(l.Weight), l.c.Out, l.c.In)}
		}).weights
	}
	t.b.Linear(dst, n.in[0].buf, w, o.rows, l.c.Out, l.c.In, e)
}

func (o *linearOp) backward(t *Tape, n *node) {
	dy := n.out.grad.buf
	w, x := o.l.Weight, n.in[0]
	dw := t.b.Alloc(w.Len())
	db := t.allocGrad(o.l.Bias)
	t.b.LinearBackwardWeight(dw, db, dy, x.buf, o.rows, o.l.c.Out, o.l.c.In)
	t.paramGrad(w, dw)
	t.paramGrad(o.l.Bias, db)
	if x.needs {
		t.intoGrad(x, func(dx device.Buffer, accumulate bool) {
			t.b.LinearBackwardInput(dx, dy, t.param(w), o.rows, o.l.c.Out, o.l.c.In, accumulate)
		})
	}
}
