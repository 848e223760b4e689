package nn

import "github.com/winnow-go/winnow/internal/device"

// Gate multiplies each channel of each image of x [N,H,W,C] by a number of its
// own, s [N,C], and applies e, which may not have a Norm: how squeeze and
// excitation and its relatives weigh channels.
func (t *Tape) Gate(x, s *Tensor, e Epilogue) *Tensor { return t.gate("", x, s, e) }

// gate is Gate as the end of a layer of that name.
func (t *Tape) gate(layer string, x, s *Tensor, e Epilogue) *Tensor {
	const kind = "gate"
	if !t.ready(layer, kind, x, s) {
		return t.empty()
	}
	switch {
	case len(x.shape) != 4 || len(s.shape) != 2 || s.shape[0] != x.shape[0] || s.shape[1] != x.shape[3]:
		t.fail(layer, kind, "factors %v do not fit input %v: want [N,C] and [N,H,W,C]", s.shape, x.shape)
	case e.Norm != nil:
		t.fail(layer, kind, "a batch norm in the epilogue of a gate")
	}
	if t.err != nil || !t.epilogueFits(layer, kind, x.shape, &e) {
		return t.empty()
	}
	o := &gateOp{}
	if t.mode == Inference {
		if rest, ok := o.fuse(e); ok {
			in := []*Tensor{x, s}
			if e.Residual != nil && rest.Residual == nil {
				in = append(in, e.Residual)
			}
			return t.unfused(t.record(layer, o, x.shape, nil, in...), rest)
		}
	}
	return t.unfused(t.record(layer, o, x.shape, nil, x, s), e)
}

type gateOp struct{ fusedEnd }

func (o *gateOp) kind() string       { return "gate" }
func (o *gateOp) macs() int64        { return 0 }
func (o *gateOp) readsIn(int) bool   { return true }
func (o *gateOp) readsOut() bool     { return false }
func (o *gateOp) inPlace(i int) bool { return i != 1 }

func (o *gateOp) forward(t *Tape, n *node) {
	i, hw, c := images(n.in[0])
	dst := t.out(n)
	var residual device.Buffer
	if len(n.in) > 2 {
		residual = n.value(2)
	}
	t.b.Gate(dst, n.value(0), n.in[1].buf, residual, o.relu, i, hw, c)
}

func (o *gateOp) backward(t *Tape, n *node) {
	x, s, dy := n.in[0], n.in[1], n.out.grad.buf
	i, hw, c := images(x)
	if s.needs {
		ds := t.b.Alloc(s.size())
		t.b.GateGradient(ds, dy, x.buf, i, hw, c)
		t.addGrad(s, ds)
	}
	if x.needs {
		dx := t.b.Alloc(x.size())
		t.b.Gate(dx, dy, s.buf, nil, false, i, hw, c)
		t.addGrad(x, dx)
	}
}

// SqueezeExcite weighs channels by what the whole image holds (Hu et al. 2018,
// arXiv:1709.01507): x times sigmoid(fc2(relu(fc1(mean of x over the pixels)))).
type SqueezeExcite struct {
	Reduce, Expand *Linear
	name           string
}

// NewSqueezeExcite declares the parameters "fc1" and "fc2", convolutions of one
// pixel in files, in s; reduced is the number of channels between them.
func NewSqueezeExcite(s *Scope, channels, reduced int) *SqueezeExcite {
	return &SqueezeExcite{
		Reduce: NewLinear(s.Sub("fc1"), LinearConfig{In: channels, Out: reduced, Conv: true, Init: KaimingFanOut, BiasInit: UniformFanIn(channels)}),
		Expand: NewLinear(s.Sub("fc2"), LinearConfig{In: reduced, Out: channels, Conv: true, Init: KaimingFanOut, BiasInit: UniformFanIn(reduced)}),
		name:   s.Name(),
	}
}

// Forward weighs x [N,H,W,C] and applies e, which may not have a Norm.
func (l *SqueezeExcite) Forward(t *Tape, x *Tensor, e Epilogue) *Tensor {
	if !t.layer("squeeze and excitation", l != nil) {
		return t.empty()
	}
	s := l.Reduce.Forward(t, t.GlobalPool(x), Epilogue{Act: ReLU})
	return t.gate(l.name, x, l.Expand.Forward(t, s, Epilogue{Act: Sigmoid}), e)
}

// ChannelAttention weighs channels by their neighbours (ECA: Wang et al. 2020,
// arXiv:1910.03151): x times the sigmoid of the channels' means over the
// pixels, filtered along the channels.
type ChannelAttention struct {
	Weight *Param // [1,1,taps]
	name   string
}

// NewChannelAttention declares the parameter "conv.weight" in s; taps is odd.
func NewChannelAttention(s *Scope, taps int) *ChannelAttention {
	// PyTorch's default for convolutions: uniform by the fan-in.
	return &ChannelAttention{Weight: s.Sub("conv").Param("weight", UniformFanIn(taps), 1, 1, taps), name: s.Name()}
}

// Forward weighs x [N,H,W,C] and applies e, which may not have a Norm.
func (l *ChannelAttention) Forward(t *Tape, x *Tensor, e Epilogue) *Tensor {
	const kind = "channel attention"
	if !t.layer(kind, l != nil) {
		return t.empty()
	}
	s := t.GlobalPool(x)
	if !t.ready(l.name, kind, s) {
		return t.empty()
	}
	taps := l.Weight.Len()
	if taps%2 == 0 {
		t.fail(l.name, kind, "%d taps, want an odd number", taps)
		return t.empty()
	}
	return t.gate(l.name, x, t.Activate(t.along(l.name, s, l.Weight), Sigmoid), e)
}
