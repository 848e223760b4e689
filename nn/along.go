package nn

import "github.com/winnow-go/winnow/internal/kernel"

// alongOp filters each row of x [R,C] with one odd filter, zeros beyond the
// ends: to the device, a convolution of R lines of C pixels with one channel.
type alongOp struct{ w *Param }

func (o *alongOp) kind() string     { return "filter along channels" }
func (o *alongOp) readsIn(int) bool { return true }
func (o *alongOp) readsOut() bool   { return false }

// macs is 0 because counts are those of layers; the few thousand products of a
// filter along channels are counted by record's caller's rows and taps.
func (o *alongOp) macs() int64 { return 0 }

func (o *alongOp) geometry(x *Tensor) kernel.Conv {
	taps := o.w.Len()
	return kernel.Conv{
		Window: kernel.Window{N: x.rows(), H: 1, W: x.channels(), C: 1, KH: 1, KW: taps,
			StrideH: 1, StrideW: 1, PadW: taps / 2, DilH: 1, DilW: 1},
		K: 1, Groups: 1,
	}
}
