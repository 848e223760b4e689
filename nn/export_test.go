package nn

import (
	"github.com/winnow-go/winnow/internal/device/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

// Arena is where the memory of d's tapes comes from.
func (d *Device) Arena() *kernel.Arena { return d.backend.(*cpu.Backend).Arena() }

// Shapes lists the shapes of everything that the recorded operations return,
// and of the hidden layers that they keep.
func (t *Tape) Shapes() [][]int {
	var all [][]int
	for _, n := range t.nodes {
		all = append(all, n.out.shape)
		if o, ok := n.op.(*mlpTrainOp); ok {
			all = append(all, []int{o.m.Rows, o.m.Hidden})
		}
	}
	return all
}

// Dot returns the sum of x's elements times w, a loss whose gradient by x is
// w: tests hand any gradient to an operation with it.
func (t *Tape) Dot(x *Tensor, w []float32) *Tensor {
	if !t.ready("", "dot", x) {
		return t.empty()
	}
	if len(w) != x.size() {
		t.fail("", "dot", "%d factors for %v", len(w), x.shape)
		return t.empty()
	}
	return t.record("", &dotOp{w}, []int{1}, nil, x)
}

type dotOp struct{ w []float32 }

func (o *dotOp) kind() string     { return "dot" }
func (o *dotOp) macs() int64      { return 0 }
func (o *dotOp) readsIn(int) bool { return false }
func (o *dotOp) readsOut() bool   { return false }

func (o *dotOp) forward(t *Tape, n *node) {
	sum := 0.0
	for i, v := range t.b.Host(n.in[0].buf) {
		sum += float64(v) * float64(o.w[i])
	}
	t.b.Upload(t.out(n), []float32{float32(sum)})
}

func (o *dotOp) backward(t *Tape, n *node) {
	k := t.b.Host(n.out.grad.buf)[0]
	dx := t.b.Alloc(len(o.w))
	t.b.Upload(dx, o.w)
	t.b.MulScalar(dx, dx, k)
	t.addGrad(n.in[0], dx)
}

// WithSamples is e with what Branch multiplies each sample by.
func (e Epilogue) WithSamples(sample []float32) Epilogue {
	e.sample = sample
	return e
}

// Add is l.Forward with a residual, and ReLU after it.
func (l *BatchNorm) Add(t *Tape, x, residual *Tensor) *Tensor { return l.apply(t, x, residual, true) }
