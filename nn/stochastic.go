package nn

import (
	"slices"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/rng"
)

// Branch is a residual block with drop path: f computes a branch of x [N, ...]
// and ends it with the epilogue that it is given, which adds x; f may add a
// scale and an activation to that epilogue.
//
//	y := t.Branch(x, 0.1, func(x *nn.Tensor, e nn.Epilogue) *nn.Tensor {
//		e.Scale = gamma
//		return mlp.Forward(t, depthwise.Forward(t, x, nn.Epilogue{}), e)
//	})
//
// In training each sample loses the branch with probability dropPath, and what
// is left of the branch is multiplied by 1/(1-dropPath) (stochastic depth: Huang
// et al. 2016, arXiv:1603.09382). Other than with [Epilogue].DropPath, what is
// dropped is not computed: f sees the samples alone that keep the branch, as one
// batch of at least one sample, and its result has the shape of what it sees. So
// f has to treat samples apart; layers such as [BatchNorm], whose statistics
// are the batch's, would see another batch.
func (t *Tape) Branch(x *Tensor, dropPath float64, f func(x *Tensor, e Epilogue) *Tensor) *Tensor {
	const kind = "branch"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if t.mode == Inference || dropPath == 0 {
		return f(x, Epilogue{Residual: x})
	}
	if !t.canDrop(kind, x, dropPath) {
		return t.empty()
	}
	sample := survivors(rng.New(t.seed, rng.Branch, t.step, uint64(len(t.nodes))), x.shape[0], dropPath)
	var kept []int32
	var left []float32 // of sample
	for i, v := range sample {
		if v != 0 {
			kept, left = append(kept, int32(i)), append(left, v)
		}
	}
	if len(kept) == 0 || len(kept) == len(sample) { // of none, so that parameters get a gradient
		return f(x, Epilogue{Residual: x, sample: sample})
	}
	shape := append([]int{len(kept)}, x.shape[1:]...)
	take := &takeSamplesOp{kept: kept, size: x.size() / x.shape[0]}
	some := t.record("", take, shape, nil, x)
	y := f(some, Epilogue{Residual: some, sample: left})
	if !t.ready("", kind, y) {
		return t.empty()
	}
	if !slices.Equal(y.shape, shape) {
		t.fail("", kind, "the result %v does not fit its samples %v", y.shape, shape)
		return t.empty()
	}
	return t.record("", &putSamplesOp{take}, x.shape, nil, y, x)
}

// takeSamplesOp takes the samples that keep a branch out of a batch.
type takeSamplesOp struct {
	kept []int32
	size int           // elements of a sample
	rest device.Buffer // the batch's gradient from the putSamplesOp, right for the other samples
}

func (o *takeSamplesOp) kind() string     { return "take samples" }
func (o *takeSamplesOp) macs() int64      { return 0 }
func (o *takeSamplesOp) readsIn(int) bool { return false }
func (o *takeSamplesOp) readsOut() bool   { return false }

func (o *takeSamplesOp) forward(t *Tape, n *node) {
	t.b.GatherRows(t.out(n), n.in[0].buf, o.kept, o.size)
}

func (o *takeSamplesOp) backward(t *Tape, n *node) {
	x := n.in[0]
	if !x.needs {
		return
	}
	dx := o.rest
	if o.rest = nil; dx == nil { // something in the branch led to the loss, its end did not
		dx = t.b.Alloc(x.size())
		t.b.Fill(dx, 0)
	}
	o.replace(t, dx, n.out.grad.buf)
	t.addGrad(x, dx)
}

// replace overwrites the samples of all that keep the branch.
func (o *takeSamplesOp) replace(t *Tape, all, some device.Buffer) {
	for i, run := 0, 0; i < len(o.kept); i += run {
		first := int(o.kept[i])
		for run = 1; i+run < len(o.kept) && int(o.kept[i+run]) == first+run; run++ {
		}
		t.b.CopyBlocks(all, some, device.Blocks{
			N: run, Len: o.size, Dst: first * o.size, DstStride: o.size, Src: i * o.size, SrcStride: o.size,
		})
	}
}

func (o *takeSamplesOp) drop(t *Tape) {
	if o.rest != nil {
		t.b.Free(o.rest)
		o.rest = nil
	}
}

// putSamplesOp puts the samples of its first operand into the batch, its second,
// that take took them from.
type putSamplesOp struct{ take *takeSamplesOp }

func (o *putSamplesOp) kind() string       { return "put samples" }
func (o *putSamplesOp) macs() int64        { return 0 }
func (o *putSamplesOp) readsIn(int) bool   { return false }
func (o *putSamplesOp) readsOut() bool     { return false }
func (o *putSamplesOp) inPlace(i int) bool { return i == 1 }

func (o *putSamplesOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	if x := n.in[1]; x.buf != nil {
		t.b.Copy(dst, x.buf)
	}
	o.take.replace(t, dst, n.in[0].buf)
}

func (o *putSamplesOp) backward(t *Tape, n *node) {
	y, x := n.in[0], n.in[1]
	if y.needs {
		dy := t.b.Alloc(y.size())
		t.b.GatherRows(dy, n.out.grad.buf, o.take.kept, o.take.size)
		t.addGrad(y, dy)
	}
	if x.needs {
		o.take.rest = t.takeGrad(n.out)
	}
}
