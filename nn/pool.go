package nn

import (
	"github.com/winnow-go/winnow/internal/kernel"
)

// Window describes a pooling window.
type Window struct {
	Size    int // taps per side
	Stride  int // 0 means Size
	Padding int // on each side, at most half of Size

	// Ceil adds a window at the end where pixels would be left over, as
	// PyTorch's ceil_mode does; for averages, only of what is not padding.
	Ceil bool
}

// maxWindow bounds windows, dilation and padding, so that geometry does not
// overflow: no picture is larger.
const maxWindow = 1 << 16

func (t *Tape) window(kind string, x *Tensor, w Window) (kernel.Window, bool) {
	if !t.ready("", kind, x) {
		return kernel.Window{}, false
	}
	if w.Stride == 0 {
		w.Stride = w.Size
	}
	if len(x.shape) != 4 {
		t.fail("", kind, "input %v, want [N,H,W,C]", x.shape)
		return kernel.Window{}, false
	}
	g := kernel.Window{N: x.shape[0], H: x.shape[1], W: x.shape[2], C: x.shape[3],
		KH: w.Size, KW: w.Size, StrideH: w.Stride, StrideW: w.Stride, PadH: w.Padding, PadW: w.Padding, DilH: 1, DilW: 1}
	if w.Ceil && w.Size >= 1 && w.Size <= maxWindow && w.Stride >= 1 {
		g.MoreH, g.MoreW = more(g.H, g.KH, g.StrideH, g.PadH), more(g.W, g.KW, g.StrideW, g.PadW)
	}
	if w.Size < 1 || w.Size > maxWindow || w.Stride < 1 || w.Padding < 0 || w.Padding > w.Size/2 || g.OutH() < 1 || g.OutW() < 1 {
		t.fail("", kind, "window %dx%d, stride %d, padding %d does not fit input %v", w.Size, w.Size, w.Stride, w.Padding, x.shape)
		return kernel.Window{}, false
	}
	return g, true
}

// more is the padding that one more window at the end of a line of n pixels
// needs, 0 if no pixels are left over. A window must begin before the padding.
func more(n, size, stride, pad int) int {
	room := n + 2*pad - size
	if room+stride <= 0 {
		return 0 // not even one window, and one more would not reach a pixel
	}
	last := (room + stride - 1) / stride * stride
	if last >= n+pad {
		return 0
	}
	return max(last-room, 0)
}

// MaxPool takes the largest value of each window of x [N,H,W,C]. Padding never
// wins; of equal values the first does; NaN wins over everything.
func (t *Tape) MaxPool(x *Tensor, w Window) *Tensor {
	g, ok := t.window("max pool", x, w)
	if !ok {
		return t.empty()
	}
	return t.record("", &maxPoolOp{g: g}, []int{g.N, g.OutH(), g.OutW(), g.C}, nil, x)
}

type maxPoolOp struct {
	g     kernel.Window
	index []int32
}

func (o *maxPoolOp) kind() string     { return "max pool" }
func (o *maxPoolOp) macs() int64      { return 0 }
func (o *maxPoolOp) readsIn(int) bool { return false }
func (o *maxPoolOp) readsOut() bool   { return false }

func (o *maxPoolOp) forward(t *Tape, n *node) {
	if n.back {
		o.index = t.indices(n.out.size())
	}
	t.b.MaxPool(t.out(n), o.index, n.in[0].buf, o.g)
}

func (o *maxPoolOp) backward(t *Tape, n *node) {
	dx := t.b.Alloc(n.in[0].size())
	t.b.MaxPoolBackward(dx, n.out.grad.buf, o.index, o.g)
	t.addGrad(n.in[0], dx)
}

// indices lends memory of an earlier maximum, if it suffices, with undefined
// contents.
func (t *Tape) indices(n int) []int32 {
	s := t.spare
	if cap(s) < n {
		return make([]int32, n)
	}
	t.spare = nil
	return s[:n]
}

func (o *maxPoolOp) drop(t *Tape) {
	if cap(o.index) > cap(t.spare) {
		t.spare = o.index
	}
	o.index = nil
}

// AvgPool averages each window of x [N,H,W,C]. Padding counts as zeros if
// countPad, and not at all otherwise.
func (t *Tape) AvgPool(x *Tensor, w Window, countPad bool) *Tensor {
	g, ok := t.window("average pool", x, w)
	if !ok {
		return t.empty()
	}
	if w.Ceil && countPad {
		t.fail("", "average pool", "windows beyond the end do not count padding")
		return t.empty()
	}
	return t.record("", &avgPoolOp{g: g, countPad: countPad}, []int{g.N, g.OutH(), g.OutW(), g.C}, nil, x)
}

type avgPoolOp struct {
	g        kernel.Window
	countPad bool
}

func (o *avgPoolOp) kind() string     { return "average pool" }
func (o *avgPoolOp) macs() int64      { return 0 }
func (o *avgPoolOp) readsIn(int) bool { return false }
func (o *avgPoolOp) readsOut() bool   { return false }
func (o *avgPoolOp) forward(t *Tape, n *node) {
	t.b.AvgPool(t.out(n), n.in[0].buf, o.g, o.countPad)
}

func (o *avgPoolOp) backward(t *Tape, n *node) {
	dx := t.b.Alloc(n.in[0].size())
	t.b.AvgPoolBackward(dx, n.out.grad.buf, o.g, o.countPad)
	t.addGrad(n.in[0], dx)
}

// GlobalPool averages x [N,H,W,C] over H and W to [N,C].
func (t *Tape) GlobalPool(x *Tensor) *Tensor {
	const kind = "global pool"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if len(x.shape) != 4 {
		t.fail("", kind, "input %v, want [N,H,W,C]", x.shape)
		return t.empty()
	}
	return t.record("", &globalPoolOp{}, []int{x.shape[0], x.shape[3]}, nil, x)
}

type globalPoolOp struct{}

func (o *globalPoolOp) kind() string     { return "global pool" }
func (o *globalPoolOp) macs() int64      { return 0 }
func (o *globalPoolOp) readsIn(int) bool { return false }
func (o *globalPoolOp) readsOut() bool   { return false }
func (o *globalPoolOp) forward(t *Tape, n *node) {
	x := n.in[0]
	t.b.GlobalPool(t.out(n), x.buf, x.shape[0], x.shape[1]*x.shape[2], x.shape[3])
}

func (o *globalPoolOp) backward(t *Tape, n *node) {
	x := n.in[0]
	dx := t.b.Alloc(x.size())
	t.b.GlobalPoolBackward(dx, n.out.grad.buf, x.shape[0], x.shape[1]*x.shape[2], x.shape[3])
	t.addGrad(x, dx)
}

// Subsample keeps every stride-th pixel of x [N,H,W,C] and puts zero channels
// before and after: the parameter-free shortcut "option A" of CIFAR ResNets
// (He et al. 2016, arXiv:1512.03385, section 4.2).
func (t *Tape) Subsample(x *Tensor, stride, before, after int) *Tensor {
	const kind = "subsample"
	if !t.ready("", kind, x) {
		return t.empty()
	}
	if len(x.shape) != 4 || stride < 1 || before < 0 || after < 0 {
		t.fail("", kind, "input %v, stride %d, %d and %d more channels", x.shape, stride, before, after)
		return t.empty()
	}
	h, w := (x.shape[1]+stride-1)/stride, (x.shape[2]+stride-1)/stride
	return t.record("", &subsampleOp{stride: stride, before: before}, []int{x.shape[0], h, w, before + x.shape[3] + after}, nil, x)
}

type subsampleOp struct{ stride, before int }

func (o *subsampleOp) kind() string     { return "subsample" }
func (o *subsampleOp) macs() int64      { return 0 }
func (o *subsampleOp) readsIn(int) bool { return false }
func (o *subsampleOp) readsOut() bool   { return false }

func (o *subsampleOp) geometry(x *Tensor) kernel.Window {
	return kernel.Window{N: x.shape[0], H: x.shape[1], W: x.shape[2], C: x.shape[3],
		KH: 1, KW: 1, StrideH: o.stride, StrideW: o.stride, DilH: 1, DilW: 1}
}

func (o *subsampleOp) forward(t *Tape, n *node) {
	t.b.Subsample(t.out(n), n.in[0].buf, o.geometry(n.in[0]), o.before, n.out.channels())
}

func (o *subsampleOp) backward(t *Tape, n *node) {
	dx := t.b.Alloc(n.in[0].size())
	t.b.SubsampleBackward(dx, n.out.grad.buf, o.geometry(n.in[0]), o.before, n.out.channels())
	t.addGrad(n.in[0], dx)
}
