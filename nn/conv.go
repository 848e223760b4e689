package nn

import (
	"math"
	"slices"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
)

// Epilogue is what follows a convolution or a linear layer. In inference it is
// fused into the product; in training it becomes operations of its own. With
// x the product, bias included:
//
//	y = Residual + Scale * Act(Norm(x))     usually
//	y = Act(Residual + Scale * Norm(x))     if ActLast
//
// The zero value adds nothing.
type Epilogue struct {
	Norm     *BatchNorm // after convolutions only
	Act      Activation
	ActLast  bool
	Scale    *Param  // layer scale, [C]
	DropPath float64 // probability that a sample loses this branch, in training; see Tape.Branch
	Residual *Tensor

	sample []float32 // what Branch multiplies each sample by, or nil
}

// ConvConfig describes a convolution.
type ConvConfig struct {
	In, Out  int    // channels
	Kernel   [2]int // height, width
	Stride   int    // 0 means 1
	Padding  int    // zeros on each side
	Dilation int    // 0 means 1
	Groups   int    // 0 means 1
	Bias     bool
	Init     Init // of the weight; nil means KaimingFanIn. The bias starts at 0.
}

// Conv is a two-dimensional convolution over [N,H,W,In].
type Conv struct {
	Weight *Param // [Out,In/Groups,KH,KW]
	Bias   *Param // [Out] or nil
	name   string
	c      ConvConfig
}

// Square is a kernel of n by n taps.
func Square(n int) [2]int { return [2]int{n, n} }

// NewConv declares a convolution's parameters, "weight" and "bias", in s.
func NewConv(s *Scope, c ConvConfig) *Conv {
	c.Stride, c.Dilation, c.Groups = max(c.Stride, 1), max(c.Dilation, 1), max(c.Groups, 1)
	if c.Init == nil {
		c.Init = KaimingFanIn
	}
	l := &Conv{name: s.Name(), c: c}
	lay := convOHWI
	if l.geometry([]int{1, 1, 1, c.In}).Depthwise() {
		lay = depthHWC
	}
	l.Weight = s.add("weight", Learnable, lay, c.Init, []int{c.Out, c.In / c.Groups, c.Kernel[0], c.Kernel[1]})
	if c.Bias {
		l.Bias = s.add("bias", Learnable, plain, Zeros, []int{c.Out})
	}
	return l
}

func (l *Conv) geometry(in []int) kernel.Conv {
	c := &l.c
	return kernel.Conv{
		Window: kernel.Window{
			N: in[0], H: in[1], W: in[2], C: in[3],
			KH: c.Kernel[0], KW: c.Kernel[1],
			StrideH: c.Stride, StrideW: c.Stride,
			PadH: c.Padding, PadW: c.Padding,
			DilH: c.Dilation, DilW: c.Dilation,
		},
		K: c.Out, Groups: c.Groups,
	}
}

// Forward convolves x [N,H,W,In] to [N,H',W',Out] and applies e.
func (l *Conv) Forward(t *Tape, x *Tensor, e Epilogue) *Tensor {
	const kind = "convolution"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if len(x.shape) != 4 || x.shape[3] != l.c.In {
		t.fail(l.name, kind, "input %v does not fit weight %v: want [N,H,W,%d]", x.shape, l.Weight.shape, l.c.In)
		return t.empty()
	}
	if c := &l.c; max(c.Kernel[0], c.Kernel[1], c.Dilation, c.Padding) > maxWindow {
		t.fail(l.name, kind, "kernel %v, dilation %d, padding %d: want at most %d", c.Kernel, c.Dilation, c.Padding, maxWindow)
		return t.empty()
	}
	g := l.geometry(x.shape)
	if err := g.Check(); err != nil {
		t.fail(l.name, kind, "input %v, weight %v: %w", x.shape, l.Weight.shape, err)
		return t.empty()
	}
	shape := []int{g.N, g.OutH(), g.OutW(), g.K}
	if !t.epilogueFits(l.name, kind, shape, &e) {
		return t.empty()
	}
	o := &convOp{l: l, g: g}
	if t.mode == Inference {
		return t.recordFused(l.name, o, &o.e, shape, []*Param{l.Weight, l.Bias}, x, e)
	}
	y := t.record(l.name, o, shape, []*Param{l.Weight, l.Bias}, x)
	return t.unfused(y, e)
}

// epilogueFits checks an epilogue's operands against the product's shape.
func (t *Tape) epilogueFits(layer, kind string, shape []int, e *Epilogue) bool {
	c := shape[len(shape)-1]
	t.known(layer, kind, e.Act)
	if e.Scale != nil && e.Scale.Len() != c {
		t.fail(layer, kind, "layer scale %v does not fit the result %v", e.Scale.shape, shape)
	}
	if e.Norm != nil && e.Norm.Weight.Len() != c {
		t.fail(layer, kind, "norm of %d channels does not fit the result %v", e.Norm.Weight.Len(), shape)
	}
	if e.Residual != nil && t.ready(layer, kind, e.Residual) && !slices.Equal(e.Residual.shape, shape) {
		t.fail(layer, kind, "residual %v does not fit the result %v", e.Residual.shape, shape)
	}
	return t.err == nil
}

// unfused appends an epilogue to a product as operations of its own.
func (t *Tape) unfused(y *Tensor, e Epilogue) *Tensor {
	if e.Norm != nil {
		relu := e.Act == ReLU && (e.ActLast || e.Residual == nil && e.Scale == nil && e.DropPath == 0)
		if e.ActLast && relu && e.Scale == nil && e.DropPath == 0 {
			return e.Norm.apply(t, y, e.Residual, true)
		}
		if relu && !e.ActLast {
			return e.Norm.apply(t, y, nil, true)
		}
		y = e.Norm.apply(t, y, nil, false)
	}
	if !e.ActLast {
		y = t.Activate(y, e.Act)
	}
	y = t.join(y, e)
	if e.ActLast {
		y = t.Activate(y, e.Act)
	}
	return y
}

// recordFused records a product whose epilogue is part of it. The residual is
// the second operand.
func (t *Tape) recordFused(layer string, o op, slot *Epilogue, shape []int, params []*Param, x *Tensor, e Epilogue) *Tensor {
	*slot = e
	params = append(params, e.Scale)
	if e.Norm != nil {
		params = append(params, e.Norm.Weight, e.Norm.Bias, e.Norm.Mean, e.Norm.Var)
	}
	if e.Residual != nil {
		return t.record(layer, o, shape, params, x, e.Residual)
	}
	return t.record(layer, o, shape, params, x)
}

type convOp struct {
	l *Conv
	g kernel.Conv
	e Epilogue // inference only

	norm *batchNormOp // training: what comes next and wants the result's moments
}

func (o *convOp) kind() string       { return "convolution" }
func (o *convOp) macs() int64        { return o.g.MACs() }
func (o *convOp) readsIn(i int) bool { return i == 0 }
func (o *convOp) readsOut() bool     { return false }

// The residual may be overwritten by the result: each element is read once,
// just before its place is written.
func (o *convOp) inPlace(i int) bool { return i == 1 }

func (o *convOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	e := device.Epilogue{Act: o.e.Act, ActLast: o.e.ActLast, Scale: t.param(o.e.Scale)}
	if len(n.in) > 1 {
		e.Residual = n.value(1)
	}
	if t.mode == Training {
		w := t.packConv(o.l.Weight, o.g)
		e.Bias = t.param(o.l.Bias)
		if o.norm != nil {
			e.Mean, e.Variance = o.norm.statistics(t)
		}
		t.b.Conv(dst, n.in[0].buf, w, o.g, e)
		return
	}
	p := t.prepare(folded{o.l, o.e.Norm}, []*Param{o.l.Weight}, func() packed { return o.l.fold(t, o.g, o.e.Norm) })
	e.Bias = p.bias
	t.b.Conv(dst, n.in[0].buf, p.weights, o.g, e)
}

// fold packs the weights, the running statistics of a following norm folded
// in: w' = w*s, b' = (b-mean)*s + β with s = γ/√(var+ε), which is found in float64.
func (l *Conv) fold(t *Tape, g kernel.Conv, bn *BatchNorm) packed {
	if bn == nil {
		return packed{t.b.PackConv(nil, t.param(l.Weight), g), t.param(l.Bias)}
	}
	k := l.c.Out
	scale, bias := make([]float32, k), kernel.Aligned(k)
	for c := range k {
		s := float64(bn.Weight.data[c]) / math.Sqrt(float64(bn.Var.data[c])+float64(bn.eps))
		b := -float64(bn.Mean.data[c])
		if l.Bias != nil {
			b += float64(l.Bias.data[c])
		}
		scale[c] = float32(s)
		bias[c] = float32(float64(b*s) + float64(bn.Bias.data[c]))
	}
	per := l.Weight.Len() / k
	if l.Weight.lay == depthHWC { // packed, they may be this very memory
		w := kernel.Aligned(l.Weight.Len())
		elementwise.ScaleChannels(w, l.Weight.data, scale, per, k)
		return packed{t.b.PackConv(nil, t.b.Wrap(w), g), t.b.Wrap(bias)}
	}
	w := t.b.Alloc(l.Weight.Len())
	defer t.b.Free(w)
	f := t.b.Host(w)
	for c := range k {
		elementwise.Scale(f[c*per:(c+1)*per], l.Weight.data[c*per:(c+1)*per], scale[c])
	}
	t.b.Upload(w, f)
	return packed{t.b.PackConv(nil, w, g), t.b.Wrap(bias)}
}

func (o *convOp) backward(t *Tape, n *node) { o.gradients(t, n, n.out.grad.buf, device.Norms{}) }

// gradients is backward for the gradient dy, which a norm after the convolution
// may still have to find.
func (o *convOp) gradients(t *Tape, n *node, dy device.Buffer, norms device.Norms) {
	w, x := o.l.Weight, n.in[0]
	switch {
	case x.needs:
		if bn, ok := x.made().(*batchNormOp); ok && x.lastGrad() {
			norms.Input = bn.sums(t, x.from)
		}
		t.intoGrad(x, func(dx device.Buffer, accumulate bool) {
			t.b.ConvBackwardInput(dx, dy, t.param(w), o.g, accumulate, norms)
		})
	case norms.Output != nil:
		t.b.BatchNormBackward(dy, norms.DY, *norms.Output, n.out.rows(), n.out.channels())
	}
	dw := t.b.Alloc(w.Len())
	db := t.allocGrad(o.l.Bias)
	t.b.ConvBackwardWeight(dw, db, dy, x.buf, o.g)
	t.paramGrad(w, dw)
	t.paramGrad(o.l.Bias, db)
}
