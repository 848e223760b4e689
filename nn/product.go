package nn

import (
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
)

// MulTransposed computes a bᵀ of two activations a [M,E] and b [K,E]: [M,K],
// all dot products of their rows.
func (t *Tape) MulTransposed(a, b *Tensor) *Tensor {
	const kind = "product"
	if !t.ready("", kind, a, b) {
		return t.empty()
	}
	if len(a.shape) != 2 || len(b.shape) != 2 || a.shape[1] != b.shape[1] {
		t.fail("", kind, "operands %v and %v, want [M,E] and [K,E]", a.shape, b.shape)
		return t.empty()
	}
	return t.record("", &productOp{m: a.shape[0], k: b.shape[0], e: a.shape[1]}, []int{a.shape[0], b.shape[0]}, nil, a, b)
}

type productOp struct{ m, k, e int }

func (o *productOp) kind() string     { return "product" }
func (o *productOp) macs() int64      { return int64(o.m) * int64(o.k) * int64(o.e) }
func (o *productOp) readsIn(int) bool { return true }
func (o *productOp) readsOut() bool   { return false }

func (o *productOp) forward(t *Tape, n *node) {
	a, b := n.in[0], n.in[1]
	dst := t.out(n)
	t.b.Linear(dst, a.buf, t.b.PackLinear(nil, b.buf, o.k, o.e), o.m, o.k, o.e, device.Epilogue{})
}

func (o *productOp) backward(t *Tape, n *node) {
	a, b, dy := n.in[0], n.in[1], n.out.grad.buf
	if a.needs {
		t.intoGrad(a, func(da device.Buffer, accumulate bool) {
			t.b.LinearBackwardInput(da, dy, b.buf, o.m, o.k, o.e, accumulate)
		})
	}
	if b.needs {
		db := t.b.Alloc(b.size())
		t.b.LinearBackwardWeight(db, nil, dy, a.buf, o.m, o.k, o.e)
		t.addGrad(b, db)
	}
}

// Times multiplies every element of x by k.
func (t *Tape) Times(x *Tensor, k float32) *Tensor {
	if !t.ready("", "times", x) {
		return t.empty()
	}
	return t.record("", &timesOp{k}, x.shape, nil, x)
}

type timesOp struct{ k float32 }

func (o *timesOp) kind() string     { return "times" }
func (o *timesOp) macs() int64      { return 0 }
func (o *timesOp) readsIn(int) bool { return false }
func (o *timesOp) readsOut() bool   { return false }
func (o *timesOp) inPlace(int) bool { return true }
func (o *timesOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	t.b.MulScalar(dst, n.value(0), o.k)
}

func (o *timesOp) backward(t *Tape, n *node) {
	g := t.takeGrad(n.out)
	t.b.MulScalar(g, g, o.k)
	t.addGrad(n.in[0], g)
}

// TimesExp multiplies every element of x [..., C] by e to the power of p, which
// has one element: a temperature that is learned as its logarithm.
func (t *Tape) TimesExp(x *Tensor, p *Param) *Tensor {
	const kind = "times exp"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if p == nil || p.Len() != 1 || p.kind == Counter {
		t.fail("", kind, "want a parameter of one element")
		return t.empty()
	}
	return t.record("", &timesExpOp{p}, x.shape, []*Param{p}, x)
}

type timesExpOp struct{ p *Param }

func (o *timesExpOp) kind() string     { return "times exp" }
func (o *timesExpOp) macs() int64      { return 0 }
func (o *timesExpOp) readsIn(int) bool { return true }
func (o *timesExpOp) readsOut() bool   { return false }
func (o *timesExpOp) factor() float32  { return float32(math.Exp(float64(o.p.data[0]))) }
func (o *timesExpOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	t.b.MulScalar(dst, n.value(0), o.factor())
}

// With y = x eᵖ, the derivative by p is y: the gradient is eᵖ Σ dy x.
func (o *timesExpOp) backward(t *Tape, n *node) {
	x, g := n.in[0], n.out.grad.buf
	rows, c := x.rows(), x.channels()
	columns, sum := t.b.Alloc(c), t.b.Alloc(1)
	t.b.GammaGradient(columns, g, x.buf, nil, rows, c, 1)
	t.b.ColumnSums(sum, columns, c, 1)
	t.b.MulScalar(sum, sum, o.factor())
	t.b.Free(columns)
	t.paramGrad(o.p, sum)
	if x.needs {
		dx := t.b.Alloc(x.size())
		t.b.MulScalar(dx, g, o.factor())
		t.addGrad(x, dx)
	}
}

// Projection computes y = x P over the last axis, with P [In,Out] as it is
// multiplied from the right and no bias: CLIP's projections into the common
// space, whose files hold them that way round.
type Projection struct {
	Weight *Param // [In,Out]
	name   string
	in     int
	out    int
}

// NewProjection declares the matrix under a name of its own in s.
func NewProjection(s *Scope, name string, in, out int, init Init) *Projection {
	return &Projection{Weight: s.Param(name, init, in, out), name: s.Sub(name).Name(), in: in, out: out}
}

// Forward computes x [..., In] to [..., Out].
func (l *Projection) Forward(t *Tape, x *Tensor) *Tensor {
	const kind = "projection"
	if !t.layer(kind, l != nil) || !t.ready(l.name, kind, x) {
		return t.empty()
	}
	if len(x.shape) < 2 || x.channels() != l.in {
		t.fail(l.name, kind, "input %v does not fit %v", x.shape, l.Weight.shape)
		return t.empty()
	}
	shape := append(append([]int(nil), x.shape[:len(x.shape)-1]...), l.out)
	return t.record(l.name, &projectionOp{l: l, rows: x.rows()}, shape, []*Param{l.Weight}, x)
}

type projectionOp struct {
	l    *Projection
	rows int
}

func (o *projectionOp) kind() string     { return "projection" }
func (o *projectionOp) macs() int64      { return int64(o.rows) * int64(o.l.in) * int64(o.l.out) }
func (o *projectionOp) readsIn(int) bool { return true }
func (o *projectionOp) readsOut() bool   { return false }

// P is the weight [out,in] of a linear layer that leads from Out to In: this
// layer is that one's gradient by the input, and the other way round.
func (o *projectionOp) forward(t *Tape, n *node) {
	l := o.l
	dst := t.out(n)
	if t.mode == Training {
		t.b.LinearBackwardInput(dst, n.in[0].buf, t.param(l.Weight), o.rows, l.in, l.out, false)
		return
	}
	p := t.prepare(l, []*Param{l.Weight}, func() packed {
		w := kernel.Aligned(l.Weight.Len())
		for i := range l.in {
			for j := range l.out {
				w[j*l.in+i] = l.Weight.data[i*l.out+j]
			}
		}
		return packed{weights: t.b.PackLinear(nil, t.b.Wrap(w), l.out, l.in)}
	})
	t.b.Linear(dst, n.in[0].buf, p.weights, o.rows, l.out, l.in, device.Epilogue{})
}

func (o *projectionOp) backward(t *Tape, n *node) {
	l, x, dy := o.l, n.in[0], n.out.grad.buf
	dw := t.b.Alloc(l.Weight.Len())
	t.b.LinearBackwardWeight(dw, nil, x.buf, dy, o.rows, l.in, l.out)
	t.paramGrad(l.Weight, dw)
	if x.needs {
		w := t.packLinear(l.Weight, l.in, l.out)
		dx := t.b.Alloc(x.size())
		t.b.Linear(dx, dy, w, o.rows, l.in, l.out, device.Epilogue{})
		t.addGrad(x, dx)
	}
}
