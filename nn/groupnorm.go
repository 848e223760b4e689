package nn

import "github.com/winnow-go/winnow/internal/device"

// GroupNorm normalises groups of channels over the pixels of each image to mean
// 0 and variance 1, then scales and shifts each channel (Wu, He 2018,
// arXiv:1803.08494). It does the same in training and inference.
type GroupNorm struct {
	Weight, Bias *Param // [C]
	name         string
	groups       int
	eps          float32
}

// GroupNormConfig describes a group norm.
type GroupNormConfig struct {
	Channels   int
	Groups     int     // must divide Channels; 0 means 32
	Epsilon    float64 // 0 means 1e-5
	WeightInit Init    // nil means Ones
}

// NewGroupNorm declares a norm's parameters, "weight" and "bias", in s.
func NewGroupNorm(s *Scope, c GroupNormConfig) *GroupNorm {
	if c.Groups == 0 {
		c.Groups = 32
	}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-5
	}
	if c.WeightInit == nil {
		c.WeightInit = Ones
	}
	return &GroupNorm{
		Weight: s.Param("weight", c.WeightInit, c.Channels),
		Bias:   s.Param("bias", Zeros, c.Channels),
		name:   s.Name(), groups: c.Groups, eps: float32(c.Epsilon),
	}
}

// Forward normalises x [N,H,W,C] and applies e, which may not have a Norm.
func (l *GroupNorm) Forward(t *Tape, x *Tensor, e Epilogue) *Tensor {
	const kind = "group norm"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	switch {
	case len(x.shape) != 4 || x.channels() != l.Weight.Len():
		t.fail(l.name, kind, "input %v does not fit weight %v: want [N,H,W,%d]", x.shape, l.Weight.shape, l.Weight.Len())
	case l.groups < 1 || x.channels()%l.groups != 0:
		t.fail(l.name, kind, "%d groups do not divide %d channels", l.groups, x.channels())
	case e.Norm != nil:
		t.fail(l.name, kind, "a batch norm in the epilogue of a group norm")
	}
	if t.err != nil || !t.epilogueFits(l.name, kind, x.shape, &e) {
		return t.empty()
	}
	o := &groupNormOp{l: l}
	params := []*Param{l.Weight, l.Bias}
	if t.mode == Inference {
		if rest, ok := o.fuse(e); ok {
			in := []*Tensor{x}
			if e.Residual != nil && rest.Residual == nil {
				in = append(in, e.Residual)
			}
			return t.unfused(t.record(l.name, o, x.shape, params, in...), rest)
		}
	}
	return t.unfused(t.record(l.name, o, x.shape, params, x), e)
}

type groupNormOp struct {
	l          *GroupNorm
	fusedEnd   // inference only
	mean, rstd device.Buffer
}

// fusedEnd is the end of an epilogue that an operation of a whole image can take
// over in inference: the residual, its second operand, and ReLU.
type fusedEnd struct{ relu bool }

// fuse takes from e what the operation computes itself and returns the rest.
func (f *fusedEnd) fuse(e Epilogue) (rest Epilogue, ok bool) {
	e.DropPath = 0
	switch {
	case e.Scale != nil:
		return e, false
	case e.ActLast || e.Residual == nil:
		e.Residual = nil
		if e.Act == ReLU {
			f.relu, e.Act = true, Identity
		}
		return e, true
	case e.Act == Identity:
		e.Residual = nil
		return e, true
	}
	return e, false
}

func (o *groupNormOp) kind() string       { return "group norm" }
func (o *groupNormOp) macs() int64        { return 0 }
func (o *groupNormOp) readsIn(i int) bool { return i == 0 }
func (o *groupNormOp) readsOut() bool     { return false }
func (o *groupNormOp) inPlace(int) bool   { return true }

func (o *groupNormOp) forward(t *Tape, n *node) {
	i, hw, c := images(n.in[0])
	if n.back {
		o.mean, o.rstd = t.b.Alloc(i*o.l.groups), t.b.Alloc(i*o.l.groups)
	}
	dst := t.out(n)
	var residual device.Buffer
	if len(n.in) > 1 {
		residual = n.value(1)
	}
	t.b.GroupNorm(dst, n.value(0), t.param(o.l.Weight), t.param(o.l.Bias), o.mean, o.rstd, residual, o.relu, i, hw, c, o.l.groups, o.l.eps)
}

func (o *groupNormOp) backward(t *Tape, n *node) {
	x := n.in[0]
	i, hw, c := images(x)
	dx, dg, db := t.b.Alloc(x.size()), t.b.Alloc(c), t.b.Alloc(c)
	t.b.GroupNormBackward(dx, dg, db, n.out.grad.buf, x.buf, t.param(o.l.Weight), o.mean, o.rstd, i, hw, c, o.l.groups)
	t.paramGrad(o.l.Weight, dg)
	t.paramGrad(o.l.Bias, db)
	t.addGrad(x, dx)
}

func (o *groupNormOp) drop(t *Tape) {
	if o.mean != nil {
		t.b.Free(o.mean)
		t.b.Free(o.rstd)
		o.mean, o.rstd = nil, nil
	}
}
