package nn

import (
	"github.com/winnow-go/winnow/internal/device"
)

// Reduction says how the losses of a batch become one.
type Reduction = device.Reduction

// Reductions.
const (
	Mean    = device.Mean    // weighted by the class weights, over what is not ignored
	Sum     = device.Sum     // over the batch
	PerItem = device.PerItem // no reduction: one loss per row
)

// Targets are what CrossEntropy compares logits with.
type Targets struct {
	Labels []int     // one class per row, or
	Soft   []float32 // [R,K] target probabilities

	Smoothing float64   // share of the target spread evenly over all classes, 0..1
	Weight    []float32 // [K] class weights, nil for none
	Ignore    *int      // a label whose rows do not count, nil for none
	Reduction Reduction // default Mean
}

// CrossEntropy is the softmax cross-entropy of logits [R,K], natural log, as
// torch.nn.functional.cross_entropy computes it: with class weights the mean
// divides by the sum of the targets' weights, and smoothing spreads the weighted
// target (Szegedy et al. 2016, arXiv:1512.00567). The result is [1], or [R]
// without reduction. A mean over no rows is NaN.
func (t *Tape) CrossEntropy(logits *Tensor, y Targets) *Tensor {
	const kind = "cross-entropy"
	if !t.ready("", kind, logits) {
		return t.empty()
	}
	if len(logits.shape) != 2 {
		t.fail("", kind, "logits %v, want [R,K]", logits.shape)
		return t.empty()
	}
	rows, k := logits.shape[0], logits.shape[1]
	l := device.Loss{Rows: rows, Classes: k, Smoothing: y.Smoothing, Reduction: y.Reduction}
	switch {
	case (y.Labels == nil) == (y.Soft == nil):
		t.fail("", kind, "want labels or soft targets, and not both")
	case y.Labels != nil && len(y.Labels) != rows:
		t.fail("", kind, "%d labels for logits %v", len(y.Labels), logits.shape)
	case y.Soft != nil && len(y.Soft) != rows*k:
		t.fail("", kind, "%d soft targets for logits %v", len(y.Soft), logits.shape)
	case y.Weight != nil && len(y.Weight) != k:
		t.fail("", kind, "%d class weights for logits %v", len(y.Weight), logits.shape)
	case !(y.Smoothing >= 0 && y.Smoothing <= 1):
		t.fail("", kind, "label smoothing %v, want 0..1", y.Smoothing)
	case y.Reduction > PerItem:
		t.fail("", kind, "unknown reduction %d", y.Reduction)
	}
	for i, c := range y.Labels {
		switch {
		case y.Ignore != nil && c == *y.Ignore:
			c = -1
		case c < 0 || c >= k:
			t.fail("", kind, "label %d of row %d, want 0..%d", c, i, k-1)
		}
		l.Labels = append(l.Labels, int32(c))
	}
	if t.err != nil {
		return t.empty()
	}
	if y.Soft != nil {
		l.Soft = t.b.Wrap(y.Soft)
	}
	if y.Weight != nil {
		l.Weight = t.b.Wrap(y.Weight)
	}
	shape := []int{1}
	if y.Reduction == PerItem {
		shape = []int{rows}
	}
	return t.record("", &crossEntropyOp{l: l}, shape, nil, logits)
}

type crossEntropyOp struct {
	l  device.Loss
	dx device.Buffer // gradient by the logits, made on the way forward
}

func (o *crossEntropyOp) kind() string     { return "cross-entropy" }
func (o *crossEntropyOp) macs() int64      { return 0 }
func (o *crossEntropyOp) readsIn(int) bool { return false }
func (o *crossEntropyOp) readsOut() bool   { return false }

func (o *crossEntropyOp) forward(t *Tape, n *node) {
	if n.back {
		o.dx = t.b.Alloc(n.in[0].size())
	}
	t.b.CrossEntropy(t.out(n), o.dx, n.in[0].buf, o.l)
}

func (o *crossEntropyOp) backward(t *Tape, n *node) {
	dx := o.dx
	o.dx = nil
	g := t.b.Host(n.out.grad.buf)
	if o.l.Reduction == PerItem {
		d := t.b.Host(dx)
		for r, k := 0, o.l.Classes; r < o.l.Rows; r++ {
			for i := range k {
				d[r*k+i] *= g[r]
			}
		}
		t.b.Upload(dx, d)
	} else if g[0] != 1 {
		t.b.MulScalar(dx, dx, g[0])
	}
	t.addGrad(n.in[0], dx)
}

func (o *crossEntropyOp) drop(t *Tape) {
	if o.dx != nil {
		t.b.Free(o.dx)
		o.dx = nil
	}
}
