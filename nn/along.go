package nn

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
)

// along filters each row of x [R,C] with one filter of an odd number of taps,
// zeros beyond the ends: to the device, a convolution over R lines of C pixels
// that have one channel.
func (t *Tape) along(layer string, x *Tensor, w *Param) *Tensor {
	taps := w.Len()
	return t.record(layer, &alongOp{w: w, g: kernel.Conv{
		Window: kernel.Window{N: x.rows(), H: 1, W: x.channels(), C: 1, KH: 1, KW: taps,
			StrideH: 1, StrideW: 1, PadW: taps / 2, DilH: 1, DilW: 1},
		K: 1, Groups: 1,
	}}, x.shape, []*Param{w}, x)
}

type alongOp struct {
	w *Param
	g kernel.Conv
}

func (o *alongOp) kind() string     { return "filter along channels" }
func (o *alongOp) macs() int64      { return o.g.MACs() }
func (o *alongOp) readsIn(int) bool { return true }
func (o *alongOp) readsOut() bool   { return false }

func (o *alongOp) forward(t *Tape, n *node) {
	dst := t.out(n)
	if t.mode == Training {
		w := t.packConv(o.w, o.g)
		t.b.Conv(dst, n.in[0].buf, w, o.g, device.Epilogue{})
		return
	}
	p := t.prepare(o.w, nil, func() packed { return packed{weights: t.b.PackConv(nil, t.param(o.w), o.g)} })
	t.b.Conv(dst, n.in[0].buf, p.weights, o.g, device.Epilogue{})
}

func (o *alongOp) backward(t *Tape, n *node) {
	x, dy := n.in[0], n.out.grad.buf
	dw := t.b.Alloc(o.w.Len())
	t.b.ConvBackwardWeight(dw, nil, dy, x.buf, o.g)
	t.paramGrad(o.w, dw)
	if x.needs {
		t.intoGrad(x, func(dx device.Buffer, accumulate bool) {
			t.b.ConvBackwardInput(dx, dy, t.param(o.w), o.g, accumulate, device.Norms{})
		})
	}
}
