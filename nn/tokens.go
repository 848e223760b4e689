package nn

import (
	"slices"

	"github.com/winnow-go/winnow/internal/device"
)

// Embedding is a table with a row for each token of a vocabulary.
type Embedding struct {
	Weight *Param // [rows,C]
	name   string
}

// NewEmbedding declares a table, "weight" [rows,channels], in s. init nil means
// a normal distribution of standard deviation 0.02.
func NewEmbedding(s *Scope, rows, channels int, init Init) *Embedding {
	if init == nil {
		init = Normal(0.02)
	}
	return &Embedding{Weight: s.Param("weight", init, rows, channels), name: s.Name()}
}

// Forward looks up ids, which are n sequences of equal length one after the
// other, and returns their rows [n,T,C]. The tape keeps a copy of ids.
func (l *Embedding) Forward(t *Tape, ids []int32, n int) *Tensor {
	const kind = "embedding"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind) {
		return t.empty()
	}
	if n < 1 || len(ids) == 0 || len(ids)%n != 0 {
		t.fail(l.name, kind, "%d tokens for %d sequences", len(ids), n)
		return t.empty()
	}
	rows, c := l.Weight.shape[0], l.Weight.shape[1]
	for i, id := range ids {
		if id < 0 || int(id) >= rows {
			t.fail(l.name, kind, "token %d of sequence %d is %d, want 0..%d", i%(len(ids)/n), i/(len(ids)/n), id, rows-1)
			return t.empty()
		}
	}
	shape := []int{n, len(ids) / n, c}
	if _, ok := volume(shape); !ok {
		t.fail(l.name, kind, "the result %v is too large", shape)
		return t.empty()
	}
	return t.record(l.name, &embeddingOp{w: l.Weight, ids: slices.Clone(ids)}, shape, []*Param{l.Weight})
}

type embeddingOp struct {
	w   *Param
	ids []int32
}

func (o *embeddingOp) kind() string     { return "embedding" }
func (o *embeddingOp) macs() int64      { return 0 }
func (o *embeddingOp) readsIn(int) bool { return false }
func (o *embeddingOp) readsOut() bool   { return false }
func (o *embeddingOp) forward(t *Tape, n *node) {
	t.b.GatherRows(t.out(n), t.param(o.w), o.ids, n.out.channels())
}

func (o *embeddingOp) backward(t *Tape, n *node) {
	dw := t.b.Alloc(o.w.Len())
	t.b.ScatterRows(dw, n.out.grad.buf, o.ids, n.out.channels())
	t.paramGrad(o.w, dw)
}

// Prepend puts a token before those of x [N,...,C], whose axes between become
// one: the result is [N,T+1,C]. The token is head [C], the same for all, as the
// class token of a Vision Transformer (Dosovitskiy et al. 2021,
// arXiv:2010.11929).
func (t *Tape) Prepend(x *Tensor, head *Param) *Tensor {
	const kind = "prepend"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if len(x.shape) < 3 || head == nil || head.Len() != x.channels() {
		t.fail("", kind, "input %v, want [N,...,C] and a token of C elements", x.shape)
		return t.empty()
	}
	return t.prepend(x, nil, head)
}

// PrependEach is Prepend with a token of its own for each sample: head [N,C].
func (t *Tape) PrependEach(x, head *Tensor) *Tensor {
	const kind = "prepend"
	if !t.ready("", kind, x, head) {
		return t.empty()
	}
	if len(x.shape) < 3 || !slices.Equal(head.shape, []int{x.shape[0], x.channels()}) {
		t.fail("", kind, "input %v and tokens %v, want [N,...,C] and [N,C]", x.shape, head.shape)
		return t.empty()
	}
	return t.prepend(x, head, nil)
}

func (t *Tape) prepend(x, head *Tensor, shared *Param) *Tensor {
	n, c := x.shape[0], x.channels()
	o := &prependOp{shared: shared, size: x.size() / n}
	shape := []int{n, o.size/c + 1, c}
	if head != nil {
		return t.record("", o, shape, nil, x, head)
	}
	return t.record("", o, shape, []*Param{shared}, x)
}

type prependOp struct {
	shared *Param // nil if the second operand has the tokens
	size   int    // elements of one sample
}

func (o *prependOp) kind() string     { return "prepend" }
func (o *prependOp) macs() int64      { return 0 }
func (o *prependOp) readsIn(int) bool { return false }
func (o *prependOp) readsOut() bool   { return false }

// body and front are where the samples and the tokens lie in the result.
func (o *prependOp) body(n *node) device.Blocks {
	c := n.out.channels()
	return device.Blocks{N: n.out.shape[0], Len: o.size, Dst: c, DstStride: o.size + c, SrcStride: o.size}
}

func (o *prependOp) front(n *node) device.Blocks {
	c := n.out.channels()
	g := device.Blocks{N: n.out.shape[0], Len: c, DstStride: o.size + c, SrcStride: c}
	if o.shared != nil {
		g.SrcStride = 0
	}
	return g
}

func (o *prependOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	head := t.param(o.shared)
	if o.shared == nil {
		head = n.in[1].buf
	}
	t.b.CopyBlocks(dst, n.in[0].buf, o.body(n))
	t.b.CopyBlocks(dst, head, o.front(n))
}

func (o *prependOp) backward(t *Tape, n *node) {
	x, g := n.in[0], n.out.grad.buf
	if x.needs {
		dx := t.b.Alloc(x.size())
		t.b.CopyBlocks(dx, g, o.body(n).Reverse())
		t.addGrad(x, dx)
	}
	rows, c := n.out.shape[0], n.out.channels()
	front := device.Blocks{N: rows, Len: c, DstStride: c, SrcStride: o.size + c}
	if o.shared == nil && !n.in[1].needs {
		return
	}
	dh := t.b.Alloc(rows * c)
	t.b.CopyBlocks(dh, g, front)
	if o.shared == nil {
		t.addGrad(n.in[1], dh)
		return
	}
	sum := t.b.Alloc(c)
	t.b.ColumnSums(sum, dh, rows, c)
	t.b.Free(dh)
	t.paramGrad(o.shared, sum)
}

// AddPositions adds to token i of each sequence of x [N,T,C] row i of pos
// [L,C], which has at least T rows.
func (t *Tape) AddPositions(x *Tensor, pos *Param) *Tensor {
	const kind = "positions"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if len(x.shape) != 3 || pos == nil || len(pos.shape) != 2 || pos.shape[1] != x.shape[2] || pos.shape[0] < x.shape[1] {
		var have []int
		if pos != nil {
			have = pos.shape
		}
		t.fail("", kind, "input %v and positions %v, want [N,T,C] and at least T rows of C", x.shape, have)
		return t.empty()
	}
	return t.record("", &positionsOp{pos: pos, n: x.size() / x.shape[0]}, x.shape, []*Param{pos}, x)
}

type positionsOp struct {
	pos *Param
	n   int // elements of a sequence
}

func (o *positionsOp) kind() string     { return "positions" }
func (o *positionsOp) macs() int64      { return 0 }
func (o *positionsOp) readsIn(int) bool { return false }
func (o *positionsOp) readsOut() bool   { return false }
func (o *positionsOp) inPlace(int) bool { return true }
func (o *positionsOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	t.b.AddRepeated(dst, n.value(0), t.b.Wrap(o.pos.data[:o.n]))
}

func (o *positionsOp) backward(t *Tape, n *node) {
	g := n.out.grad
	sum := t.b.Alloc(o.n)
	t.b.ColumnSums(sum, g.buf, n.out.shape[0], o.n)
	if o.n == o.pos.Len() {
		t.paramGrad(o.pos, sum)
	} else {
		all := t.b.Alloc(o.pos.Len())
		t.b.Fill(all, 0)
		t.b.CopyBlocks(all, sum, device.Blocks{N: 1, Len: o.n})
		t.b.Free(sum)
		t.paramGrad(o.pos, all)
	}
	t.shareGrad(n.in[0], g)
}

// SelectTokens takes token index[i] of sequence i of x [N,T,C]: [N,C].
func (t *Tape) SelectTokens(x *Tensor, index []int) *Tensor {
	const kind = "select tokens"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if len(x.shape) != 3 || len(index) != x.shape[0] {
		t.fail("", kind, "input %v and %d positions, want [N,T,C] and N", x.shape, len(index))
		return t.empty()
	}
	o := &selectOp{rows: make([]int32, len(index))}
	for i, at := range index {
		if at < 0 || at >= x.shape[1] || x.rows() > maxRows {
			t.fail("", kind, "position %d of sequence %d of %v", at, i, x.shape)
			return t.empty()
		}
		o.rows[i] = int32(i*x.shape[1] + at)
	}
	return t.record("", o, []int{x.shape[0], x.shape[2]}, nil, x)
}

// maxRows bounds what an int32 has to count.
const maxRows = 1<<31 - 1

type selectOp struct{ rows []int32 }

func (o *selectOp) kind() string     { return "select tokens" }
func (o *selectOp) macs() int64      { return 0 }
func (o *selectOp) readsIn(int) bool { return false }
func (o *selectOp) readsOut() bool   { return false }
func (o *selectOp) forward(t *Tape, n *node) {
	t.b.GatherRows(t.out(n), n.in[0].buf, o.rows, n.out.channels())
}

func (o *selectOp) backward(t *Tape, n *node) {
	dx := t.b.Alloc(n.in[0].size())
	t.b.ScatterRows(dx, n.out.grad.buf, o.rows, n.out.channels())
	t.addGrad(n.in[0], dx)
}
