package nn

import (
	"math"

	"github.com/winnow-go/winnow/internal/device"
)

// AttentionPool pools an image by attention with a single query, the mean of
// its pixels, as CLIP's ResNets do (Radford et al. 2021, arXiv:2103.00020,
// section 2.4; names and order of openai/CLIP clip/model.py, AttentionPool2d):
// the mean is put before the pixels, positions are added, and the mean looks at
// all of them, itself included.
type AttentionPool struct {
	Positions         *Param // [H*W+1,C]
	Key, Query, Value *Linear
	Out               *Linear
	name              string
	heads             int
}

// NewAttentionPool declares a pool of images of pixels pixels and channels
// channels to out channels in s: "positional_embedding", "k_proj", "q_proj",
// "v_proj" and "c_proj".
func NewAttentionPool(s *Scope, pixels, channels, heads, out int) *AttentionPool {
	std := Normal(1 / math.Sqrt(float64(max(channels, 1))))
	linear := func(name string, out int) *Linear {
		return NewLinear(s.Sub(name), LinearConfig{In: channels, Out: out, Init: std})
	}
	l := &AttentionPool{name: s.Name(), heads: heads}
	l.Positions = s.Param("positional_embedding", std, pixels+1, channels)
	l.Key, l.Query, l.Value = linear("k_proj", channels), linear("q_proj", channels), linear("v_proj", channels)
	l.Out = linear("c_proj", out)
	return l
}

// Forward pools x [N,H,W,C], of as many pixels as there are positions, to
// [N,Out].
func (l *AttentionPool) Forward(t *Tape, x *Tensor) *Tensor {
	const kind = "attention pool"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	c := l.Positions.shape[1]
	if len(x.shape) != 4 || x.shape[3] != c || x.shape[1]*x.shape[2]+1 != l.Positions.shape[0] {
		t.fail(l.name, kind, "input %v does not fit %d positions of %d channels", x.shape, l.Positions.shape[0]-1, c)
		return t.empty()
	}
	if l.heads < 1 || c%l.heads != 0 {
		t.fail(l.name, kind, "%d heads do not divide %d channels", l.heads, c)
		return t.empty()
	}
	n := x.shape[0]
	x = t.AddPositions(t.PrependEach(x, t.GlobalPool(x)), l.Positions)
	q := l.Query.Forward(t, t.SelectTokens(x, make([]int, n)), Epilogue{})
	k := l.Key.Forward(t, x, Epilogue{})
	v := l.Value.Forward(t, x, Epilogue{})
	if t.err != nil {
		return t.empty()
	}
	g := device.Query{N: n, T: x.shape[1], H: l.heads, D: c / l.heads}
	return l.Out.Forward(t, t.record(l.name, &queryOp{g: g}, q.shape, nil, q, k, v), Epilogue{})
}

type queryOp struct {
	g     device.Query
	probs device.Buffer
}

func (o *queryOp) kind() string { return "attention pool" }
func (o *queryOp) macs() int64 {
	return 2 * int64(o.g.N) * int64(o.g.H) * int64(o.g.T) * int64(o.g.D)
}
func (o *queryOp) readsIn(int) bool { return true }
func (o *queryOp) readsOut() bool   { return false }

func (o *queryOp) forward(t *Tape, n *node) {
	if n.back {
		o.probs = t.b.Alloc(o.g.N * o.g.H * o.g.T)
	}
	t.b.QueryAttention(t.out(n), o.probs, n.in[0].buf, n.in[1].buf, n.in[2].buf, o.g)
}

func (o *queryOp) backward(t *Tape, n *node) {
	q, k, v := n.in[0], n.in[1], n.in[2]
	dq, dk, dv := t.b.Alloc(q.size()), t.b.Alloc(k.size()), t.b.Alloc(v.size())
	t.b.QueryAttentionBackward(dq, dk, dv, n.out.grad.buf, q.buf, k.buf, v.buf, o.probs, o.g)
	t.addGrad(q, dq)
	t.addGrad(k, dk)
	t.addGrad(v, dv)
}

func (o *queryOp) drop(t *Tape) {
	if o.probs != nil {
		t.b.Free(o.probs)
		o.probs = nil
	}
}
