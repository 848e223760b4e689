package nn

import (
	"github.com/winnow-go/winnow/internal/device"
)

// Attention is multi-head self-attention (Vaswani et al. 2017,
// arXiv:1706.03762) with PyTorch's parameters: one projection to queries, keys
// and values, softmax(QKᵀ/√D)V per head, one projection back.
type Attention struct {
	InWeight, InBias   *Param // [3E,E], [3E]
	OutWeight, OutBias *Param // [E,E], [E]
	in, out            *Linear
	name               string
	heads              int
	causal             bool
}

// NewAttention declares an attention layer over E channels in s, under the
// names of torch.nn.MultiheadAttention. Causal attention looks at positions up
// to its own only.
func NewAttention(s *Scope, channels, heads int, causal bool) *Attention {
	in := &Linear{name: s.Name() + ".in_proj", c: LinearConfig{In: channels, Out: 3 * channels}}
	in.Weight = s.Param("in_proj_weight", UniformFanIn(channels), 3*channels, channels)
	in.Bias = s.Param("in_proj_bias", Zeros, 3*channels)
	out := NewLinear(s.Sub("out_proj"), LinearConfig{In: channels, Out: channels})
	return &Attention{InWeight: in.Weight, InBias: in.Bias, OutWeight: out.Weight, OutBias: out.Bias,
		in: in, out: out, name: s.Name(), heads: heads, causal: causal}
}

// Forward attends over x [N,T,E].
func (l *Attention) Forward(t *Tape, x *Tensor) *Tensor { return l.Apply(t, x, Epilogue{}) }

// Apply is Forward and applies e to the result, which may not have a Norm: a
// residual costs nothing in inference.
func (l *Attention) Apply(t *Tape, x *Tensor, e Epilogue) *Tensor { return l.attend(t, x, nil, e) }

// At is Apply for token index[i] of sequence i alone: [N,E], e's residual
// included. The other tokens are looked at and not computed.
func (l *Attention) At(t *Tape, x *Tensor, index []int, e Epilogue) *Tensor {
	if index == nil {
		index = []int{}
	}
	return l.attend(t, x, index, e)
}

func (l *Attention) attend(t *Tape, x *Tensor, index []int, e Epilogue) *Tensor {
	const kind = "attention"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	c := l.out.c.In
	if len(x.shape) != 3 || x.shape[2] != c {
		t.fail(l.name, kind, "input %v, want [N,T,%d]", x.shape, c)
		return t.empty()
	}
	if _, ok := volume([]int{x.shape[0], l.heads, x.shape[1], x.shape[1]}); !ok && l.heads > 0 {
		t.fail(l.name, kind, "input %v is too long", x.shape)
		return t.empty()
	}
	if l.heads < 1 || c%l.heads != 0 {
		t.fail(l.name, kind, "%d heads do not divide %d channels", l.heads, c)
		return t.empty()
	}
	qkv := l.in.Forward(t, x, Epilogue{})
	if t.err != nil {
		return t.empty()
	}
	h := device.Heads{N: x.shape[0], T: x.shape[1], H: l.heads, D: c / l.heads, Causal: l.causal}
	y := t.record(l.name, &attentionOp{h: h}, x.shape, nil, qkv)
	if index != nil {
		y = t.SelectTokens(y, index)
	}
	return l.out.Forward(t, y, e)
}

type attentionOp struct {
	h     device.Heads
	probs device.Buffer
}

func (o *attentionOp) kind() string { return "attention" }
func (o *attentionOp) macs() int64 {
	return 2 * int64(o.h.N) * int64(o.h.H) * int64(o.h.T) * int64(o.h.T) * int64(o.h.D)
}
func (o *attentionOp) readsIn(int) bool { return true }
func (o *attentionOp) readsOut() bool   { return false }

func (o *attentionOp) forward(t *Tape, n *node) {
	if n.back {
		o.probs = t.b.Alloc(o.h.N * o.h.H * o.h.T * o.h.T)
	}
	t.b.Attention(t.out(n), o.probs, n.in[0].buf, o.h)
}

func (o *attentionOp) backward(t *Tape, n *node) {
	dx := t.b.Alloc(n.in[0].size())
	t.b.AttentionBackward(dx, n.out.grad.buf, n.in[0].buf, o.probs, o.h)
	t.addGrad(n.in[0], dx)
}

func (o *attentionOp) drop(t *Tape) {
	if o.probs != nil {
		t.b.Free(o.probs)
		o.probs = nil
	}
}
