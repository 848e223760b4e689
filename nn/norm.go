package nn

import (
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
)

// LayerNorm normalises each row of C channels to mean 0 and variance 1, then
// scales and shifts it: y = (x-μ)/√(σ²+ε) * weight + bias (Ba, Kiros, Hinton
// 2016, arXiv:1607.06450). Over [N,H,W,C] that is ConvNeXt's LayerNorm2d.
type LayerNorm struct {
	Weight, Bias *Param // [C]
	name         string
	eps          float32
}

// NewLayerNorm declares a norm's parameters, "weight" and "bias", in s.
func NewLayerNorm(s *Scope, channels int, eps float64) *LayerNorm {
	return &LayerNorm{
		Weight: s.Param("weight", Ones, channels),
		Bias:   s.Param("bias", Zeros, channels),
		name:   s.Name(), eps: float32(eps),
	}
}

// Forward normalises x [..., C].
func (l *LayerNorm) Forward(t *Tape, x *Tensor) *Tensor {
	const kind = "layer norm"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if x.channels() != l.Weight.Len() {
		t.fail(l.name, kind, "input %v does not fit weight %v", x.shape, l.Weight.shape)
		return t.empty()
	}
	return t.record(l.name, &layerNormOp{l: l}, x.shape, []*Param{l.Weight, l.Bias}, x)
}

type layerNormOp struct {
	l          *LayerNorm
	mean, rstd device.Buffer
}

func (o *layerNormOp) kind() string     { return "layer norm" }
func (o *layerNormOp) macs() int64      { return 0 }
func (o *layerNormOp) readsIn(int) bool { return true }
func (o *layerNormOp) readsOut() bool   { return false }

func (o *layerNormOp) forward(t *Tape, n *node) {
	x := n.in[0]
	dst := t.out(n)
	if n.back {
		o.mean, o.rstd = t.b.Alloc(x.rows()), t.b.Alloc(x.rows())
	}
	t.b.LayerNorm(dst, x.buf, t.param(o.l.Weight), t.param(o.l.Bias), o.mean, o.rstd, x.rows(), x.channels(), o.l.eps)
}

func (o *layerNormOp) backward(t *Tape, n *node) {
	x := n.in[0]
	c := x.channels()
	dx, dg, db := t.b.Alloc(x.size()), t.b.Alloc(c), t.b.Alloc(c)
	t.b.LayerNormBackward(dx, dg, db, n.out.grad.buf, x.buf, t.param(o.l.Weight), o.mean, o.rstd, x.rows(), c)
	t.paramGrad(o.l.Weight, dg)
	t.paramGrad(o.l.Bias, db)
	t.addGrad(x, dx)
}

func (o *layerNormOp) drop(t *Tape) {
	if o.mean != nil {
		t.b.Free(o.mean)
		t.b.Free(o.rstd)
		o.mean, o.rstd = nil, nil
	}
}

// BatchNorm normalises each channel over the batch (Ioffe, Szegedy 2015,
// arXiv:1502.03167) as PyTorch does: training uses the batch's mean and biased
// variance and moves the running statistics by the momentum, the variance
// unbiased; inference uses the running ones, folded into the convolution
// before.
type BatchNorm struct {
	Weight, Bias *Param // γ and β, [C]
	Mean, Var    *Param // running statistics, [C]
	Batches      *Param // counter
	name         string
	eps          float32
	momentum     float32
}

// BatchNormConfig describes a batch norm.
type BatchNormConfig struct {
	Channels   int
	Epsilon    float64 // 0 means 1e-5
	Momentum   float64 // weight of the new batch; 0 means 0.1
	WeightInit Init    // nil means Ones
}

// NewBatchNorm declares a norm's parameters in s: "weight", "bias",
// "running_mean", "running_var" and "num_batches_tracked".
func NewBatchNorm(s *Scope, c BatchNormConfig) *BatchNorm {
	if c.Epsilon == 0 {
		c.Epsilon = 1e-5
	}
	if c.Momentum == 0 {
		c.Momentum = 0.1
	}
	if c.WeightInit == nil {
		c.WeightInit = Ones
	}
	return &BatchNorm{
		Weight:  s.Param("weight", c.WeightInit, c.Channels),
		Bias:    s.Param("bias", Zeros, c.Channels),
		Mean:    s.add("running_mean", Statistic, plain, Zeros, []int{c.Channels}),
		Var:     s.add("running_var", Statistic, plain, Ones, []int{c.Channels}),
		Batches: s.add("num_batches_tracked", Counter, plain, nil, nil),
		name:    s.Name(), eps: float32(c.Epsilon), momentum: float32(c.Momentum),
	}
}

// Forward normalises x [..., C] and applies act.
func (l *BatchNorm) Forward(t *Tape, x *Tensor, act Activation) *Tensor {
	if act == ReLU {
		return l.apply(t, x, nil, true)
	}
	return t.Activate(l.apply(t, x, nil, false), act)
}

// apply normalises x, adds the residual if there is one and applies ReLU if
// asked to.
func (l *BatchNorm) apply(t *Tape, x, residual *Tensor, relu bool) *Tensor {
	const kind = "batch norm"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if x.channels() != l.Weight.Len() {
		t.fail(l.name, kind, "input %v does not fit weight %v", x.shape, l.Weight.shape)
		return t.empty()
	}
	if t.mode == Training && x.rows() < 2 {
		t.fail(l.name, kind, "input %v: training needs more than one value per channel", x.shape)
		return t.empty()
	}
	o := &batchNormOp{l: l, relu: relu}
	params := []*Param{l.Weight, l.Bias, l.Mean, l.Var}
	in := []*Tensor{x}
	if residual != nil {
		in = append(in, residual)
	}
	y := t.record(l.name, o, x.shape, params, in...)
	if c, ok := x.made().(*convOp); ok && t.err == nil && t.mode == Training && c.norm == nil && x.buf == nil {
		c.norm = o
	}
	return y
}

type batchNormOp struct {
	l          *BatchNorm
	relu       bool
	mean, rstd device.Buffer
	dg, db     device.Buffer // of the parameters, once they are summed up
}

func (o *batchNormOp) kind() string       { return "batch norm" }
func (o *batchNormOp) macs() int64        { return 0 }
func (o *batchNormOp) readsIn(i int) bool { return i == 0 }
func (o *batchNormOp) readsOut() bool     { return o.relu }
func (o *batchNormOp) inPlace(i int) bool { return true }

func (o *batchNormOp) forward(t *Tape, n *node) {
	l, c, rows := o.l, n.out.channels(), n.out.rows()
	scale, shift := kernel.Aligned(c), kernel.Aligned(c)
	if t.mode == Training {
		if o.mean == nil { // no convolution saw to it
			o.statistics(t)
			t.b.BatchMoments(o.mean, o.rstd, n.in[0].buf, rows, c)
		}
		mean, variance := t.b.Host(o.mean), t.b.Host(o.rstd)
		l.update(mean, variance, rows)
		rstd := make([]float32, c)
		for i := range c {
			r := 1 / math.Sqrt(float64(variance[i])+float64(l.eps))
			rstd[i] = float32(r)
			s := r * float64(l.Weight.data[i])
			scale[i], shift[i] = float32(s), float32(float64(l.Bias.data[i])-float64(s*float64(mean[i])))
		}
		t.b.Upload(o.rstd, rstd)
	} else {
		for i := range c {
			s := float64(l.Weight.data[i]) / math.Sqrt(float64(l.Var.data[i])+float64(l.eps))
			scale[i], shift[i] = float32(s), float32(float64(l.Bias.data[i])-float64(s*float64(l.Mean.data[i])))
		}
	}
	dst := t.out(n)
	var residual device.Buffer
	if len(n.in) > 1 {
		residual = n.value(1)
	}
	t.b.Affine(dst, n.value(0), t.b.Wrap(scale), t.b.Wrap(shift), residual, o.relu, rows, c)
}

// statistics allocates memory for the batch's mean and variance.
func (o *batchNormOp) statistics(t *Tape) (mean, variance device.Buffer) {
	c := o.l.Weight.Len()
	o.mean, o.rstd = t.b.Alloc(c), t.b.Alloc(c)
	return o.mean, o.rstd
}

// update moves the running statistics by one batch. A batch whose statistics
// are not finite leaves them alone: the step that it belongs to fails anyway,
// and the model should survive it. (PyTorch lets such a batch in for good.)
func (l *BatchNorm) update(mean, variance []float32, rows int) {
	for i := range mean {
		if v := mean[i] + variance[i]; v-v != 0 {
			return
		}
	}
	m := l.momentum
	unbias := float32(float64(rows) / float64(rows-1))
	for i := range mean {
		l.Mean.data[i] = float32((1-m)*l.Mean.data[i]) + float32(m*mean[i])
		l.Var.data[i] = float32((1-m)*l.Var.data[i]) + float32(m*float32(variance[i]*unbias))
	}
	l.Batches.count++
}

func (o *batchNormOp) backward(t *Tape, n *node) {
	x, rows, c := n.in[0], n.out.rows(), n.out.channels()
	g := t.takeGrad(n.out)
	if o.dg == nil { // no convolution saw to it
		t.b.BatchNormSums(g, *o.sums(t, n), rows, c)
	}
	norm, shared := o.gradient(t, n), len(n.in) > 1 && n.in[1].needs
	conv, ok := x.made().(*convOp)
	switch {
	case ok && x.adds == 1 && x.uses == 1 && !x.want && !x.keep && shared:
		// Nobody else reads x, which the gradient by it takes the place of.
		conv.gradients(t, x.from, x.buf, device.Norms{Output: &norm, DY: g})
	case shared: // g is the residual's gradient as well
		dx := t.b.Alloc(x.size())
		t.b.BatchNormBackward(dx, g, norm, rows, c)
		t.addGrad(x, dx)
	default:
		t.b.BatchNormBackward(g, g, norm, rows, c)
		t.addGrad(x, g)
	}
	if shared {
		t.addGrad(n.in[1], g)
	}
	t.paramGrad(o.l.Weight, o.dg)
	t.paramGrad(o.l.Bias, o.db)
	o.dg, o.db = nil, nil
}

// sums allocates memory for the gradients of the parameters.
func (o *batchNormOp) sums(t *Tape, n *node) *device.BatchNorm {
	c := o.l.Weight.Len()
	o.dg, o.db = t.b.Alloc(c), t.b.Alloc(c)
	norm := o.gradient(t, n)
	return &norm
}

// gradient is what the device needs to know for it.
func (o *batchNormOp) gradient(t *Tape, n *node) device.BatchNorm {
	g := device.BatchNorm{X: n.in[0].buf, Mean: o.mean, RStd: o.rstd, Gamma: t.param(o.l.Weight), DGamma: o.dg, DBeta: o.db}
	if o.relu {
		g.Y = n.out.buf
	}
	return g
}

func (o *batchNormOp) drop(t *Tape) {
	for _, b := range []*device.Buffer{&o.mean, &o.rstd, &o.dg, &o.db} {
		if *b != nil {
			t.b.Free(*b)
			*b = nil
		}
	}
}
