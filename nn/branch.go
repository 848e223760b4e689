package nn

import (
	"math/rand/v2"
	"slices"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/rng"
)

// Add returns a + b, which must have the same shape.
func (t *Tape) Add(a, b *Tensor) *Tensor {
	if !t.ready("", "add", a, b) {
		return t.empty()
	}
	if !slices.Equal(a.shape, b.shape) {
		t.fail("", "add", "operands %v and %v differ in shape", a.shape, b.shape)
		return t.empty()
	}
	return t.record("", &addOp{}, a.shape, nil, a, b)
}

type addOp struct{}

func (o *addOp) kind() string     { return "add" }
func (o *addOp) macs() int64      { return 0 }
func (o *addOp) readsIn(int) bool { return false }
func (o *addOp) readsOut() bool   { return false }
func (o *addOp) inPlace(int) bool { return true }
func (o *addOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	t.b.Add(dst, n.value(0), n.value(1))
}

func (o *addOp) backward(t *Tape, n *node) {
	g := n.out.grad
	t.shareGrad(n.in[0], g)
	t.shareGrad(n.in[1], g)
}

// DropPath zeroes whole samples of a branch with probability p in training and
// scales the others by 1/(1-p) (stochastic depth: Huang et al. 2016,
// arXiv:1603.09382). In inference it does nothing.
func (t *Tape) DropPath(x *Tensor, p float64) *Tensor {
	return t.join(x, Epilogue{DropPath: p})
}

// Scale multiplies each channel of x [..., C] by gamma [C] (layer scale:
// Touvron et al. 2021, arXiv:2103.17239).
func (t *Tape) Scale(x *Tensor, gamma *Param) *Tensor {
	return t.join(x, Epilogue{Scale: gamma})
}

// join computes residual + x * gamma * sample with whatever of these e has.
func (t *Tape) join(x *Tensor, e Epilogue) *Tensor {
	const kind = "scale"
	gamma, dropPath, residual := e.Scale, e.DropPath, e.Residual
	if t.mode == Inference {
		dropPath = 0
	}
	in := []*Tensor{x}
	if residual != nil {
		in = append(in, residual)
	}
	if !t.ready("", kind, in...) || !t.canDrop(kind, x, dropPath) {
		return t.empty()
	}
	switch {
	case gamma != nil && gamma.Len() != x.channels():
		t.fail("", kind, "input %v does not fit scale %v", x.shape, gamma.shape)
		return t.empty()
	case residual != nil && !slices.Equal(residual.shape, x.shape):
		t.fail("", kind, "residual %v does not fit branch %v", residual.shape, x.shape)
		return t.empty()
	case e.sample != nil && len(e.sample) != x.shape[0]:
		t.fail("", kind, "%v has not the samples that its branch was given", x.shape)
		return t.empty()
	case gamma == nil && dropPath == 0 && e.sample == nil && residual == nil:
		return x
	case gamma == nil && dropPath == 0 && e.sample == nil:
		return t.Add(x, residual)
	}
	o := &branchOp{gamma: gamma, sample: e.sample}
	if dropPath > 0 {
		o.sample = survivors(t.mask(), x.shape[0], dropPath)
		for i, v := range e.sample {
			o.sample[i] *= v
		}
	}
	return t.record("", o, x.shape, []*Param{gamma}, in...)
}

// canDrop checks that samples of x can be dropped with probability p.
func (t *Tape) canDrop(kind string, x *Tensor, p float64) bool {
	switch {
	case p > 0 && len(x.shape) < 2:
		t.fail("", kind, "drop path on %v, which has no samples", x.shape)
	case !(p >= 0 && p < 1):
		t.fail("", kind, "drop path %v, want [0,1)", p)
	}
	return t.err == nil
}

// survivors draws what drop path multiplies n samples by: 0 with probability p,
// else 1/(1-p).
func survivors(r *rand.Rand, n int, p float64) []float32 {
	sample := make([]float32, n)
	for i := range sample {
		if r.Float64() >= p {
			sample[i] = float32(1 / (1 - p))
		}
	}
	return sample
}

// mask is the generator of the next operation's random mask.
func (t *Tape) mask() *rand.Rand { return rng.New(t.seed, rng.Mask, t.step, uint64(len(t.nodes))) }

type branchOp struct {
	gamma  *Param
	sample []float32
}

func (o *branchOp) kind() string       { return "scale" }
func (o *branchOp) macs() int64        { return 0 }
func (o *branchOp) readsIn(i int) bool { return i == 0 && o.gamma != nil }
func (o *branchOp) readsOut() bool     { return false }
func (o *branchOp) inPlace(int) bool   { return true }

func (o *branchOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	var residual device.Buffer
	if len(n.in) > 1 {
		residual = n.value(1)
	}
	x := n.in[0]
	t.b.ScaleSamples(dst, n.value(0), t.param(o.gamma), o.sample, residual, x.rows(), x.channels(), x.shape[0])
}

func (o *branchOp) backward(t *Tape, n *node) {
	x := n.in[0]
	g := n.out.grad
	if o.gamma != nil {
		dg := t.b.Alloc(o.gamma.Len())
		t.b.GammaGradient(dg, g.buf, x.buf, o.sample, x.rows(), x.channels(), x.shape[0])
		t.paramGrad(o.gamma, dg)
	}
	if x.needs {
		dx := t.b.Alloc(x.size())
		t.b.ScaleSamples(dx, g.buf, t.param(o.gamma), o.sample, nil, x.rows(), x.channels(), x.shape[0])
		t.addGrad(x, dx)
	}
	if len(n.in) > 1 {
		t.shareGrad(n.in[1], g)
	}
}

// Dropout zeroes elements with probability p in training and scales the others
// by 1/(1-p) (Srivastava et al. 2014). In inference it does nothing.
func (t *Tape) Dropout(x *Tensor, p float64) *Tensor {
	const kind = "dropout"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if p < 0 || p >= 1 || p != p {
		t.fail("", kind, "probability %v, want [0,1)", p)
		return t.empty()
	}
	if t.mode == Inference || p == 0 {
		return x
	}
	return t.record("", &dropoutOp{p: p, r: t.mask()}, x.shape, nil, x)
}

type dropoutOp struct {
	p    float64
	r    *rand.Rand
	mask device.Buffer // 0 or 1/(1-p)
}

func (o *dropoutOp) kind() string     { return "dropout" }
func (o *dropoutOp) macs() int64      { return 0 }
func (o *dropoutOp) readsIn(int) bool { return false }
func (o *dropoutOp) readsOut() bool   { return false }
func (o *dropoutOp) inPlace(int) bool { return true }

func (o *dropoutOp) forward(t *Tape, n *node) {
	mask := make([]float32, n.out.size())
	for i := range mask {
		if o.r.Float64() >= o.p {
			mask[i] = float32(1 / (1 - o.p))
		}
	}
	o.mask = t.b.Alloc(len(mask))
	t.b.Upload(o.mask, mask)
	dst := t.out(n)
	t.b.Mul(dst, n.value(0), o.mask)
}

func (o *dropoutOp) backward(t *Tape, n *node) {
	g := t.takeGrad(n.out)
	t.b.Mul(g, g, o.mask)
	t.addGrad(n.in[0], g)
}

func (o *dropoutOp) drop(t *Tape) {
	if o.mask != nil {
		t.b.Free(o.mask)
		o.mask = nil
	}
}
