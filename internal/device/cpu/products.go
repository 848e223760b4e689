package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/conv"
	"github.com/winnow-go/winnow/internal/kernel/depthwise"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
)

func epilogue(e device.Epilogue) *kernel.Epilogue[float32] {
	return &kernel.Epilogue[float32]{
		Bias: f32(e.Bias), Scale: f32(e.Scale), Residual: f32(e.Residual),
		Act: e.Act, ActLast: e.ActLast,
	}
}

// taps are depthwise weights, which need no packing.
type taps []float32

func (w taps) Bytes() int        { return 4 * len(w) }
func (w taps) Elem() kernel.Elem { return kernel.F32 }

// PackConv arranges weights for Conv.
func (b *Backend) PackConv(old device.Weights, w device.Buffer, s kernel.Conv) device.Weights {
	if s.Depthwise() {
		return taps(f32(w))
	}
	p, ok := old.(*conv.Weights)
	if !ok {
		p = new(conv.Weights)
	}
	p.Repack(b.pool, f32(w), s)
	return p
}

// Conv convolves.
func (b *Backend) Conv(dst, x device.Buffer, w device.Weights, s kernel.Conv, e device.Epilogue) {
	rows := s.N * s.OutH() * s.OutW()
	var passes gemm.Passes
	combine := func() {}
	if e.Mean != nil {
		passes.After, combine = b.moments(f32(e.Mean), f32(e.Variance), f32(dst), rows, s.K)
	}
	if s.Depthwise() {
		depthwise.Convolve(b.pool, f32(dst), f32(x), w.(taps), s, epilogue(e))
		passes.After.Split(b.pool, rows)
	} else {
		conv.ForwardBetween(b.pool, &b.arena, f32(dst), f32(x), w.(*conv.Weights), s, epilogue(e), passes)
	}
	combine()
}

// ConvBackwardInput computes the gradient of the input, or adds it.
func (b *Backend) ConvBackwardInput(dx, dy, w device.Buffer, s kernel.Conv, accumulate bool, n device.Norms) {
	in, out := s.N*s.H*s.W, s.N*s.OutH()*s.OutW()
	var passes gemm.Passes
	sum := func() {}
	if n.Output != nil {
		passes.Before = b.batchNormBackward(f32(dy), f32(n.DY), *n.Output, out, s.K)
	}
	if n.Input != nil {
		passes.After, sum = b.batchNormSums(f32(dx), *n.Input, in, s.C)
	}
	if s.Depthwise() {
		passes.Before.Split(b.pool, out)
		depthwise.InputGradient(b.pool, f32(dx), f32(dy), f32(w), s, accumulate)
		passes.After.Split(b.pool, in)
	} else {
		conv.BackwardInputBetween(b.pool, &b.arena, f32(dx), f32(dy), f32(w), s, accumulate, passes)
	}
	sum()
}

// ConvBackwardWeight computes the gradient of the weights.
func (b *Backend) ConvBackwardWeight(dw, db, dy, x device.Buffer, s kernel.Conv) {
	if !s.Depthwise() {
		conv.BackwardWeight(b.pool, &b.arena, f32(dw), f32(db), f32(dy), f32(x), s)
		return
	}
	depthwise.WeightGradient(b.pool, f32(dw), f32(dy), f32(x), s)
	if db != nil {
		b.ColumnSums(db, dy, s.N*s.OutH()*s.OutW(), s.K)
	}
}

// pointwise is a linear layer as a convolution over a single line of pixels.
func pointwise(rows, out, in int) kernel.Conv {
	return kernel.Conv{
		Window: kernel.Window{N: 1, H: 1, W: rows, C: in, KH: 1, KW: 1, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1},
		K:      out, Groups: 1,
	}
}

// PackLinear arranges weights for Linear.
func (b *Backend) PackLinear(old device.Weights, w device.Buffer, out, in int) device.Weights {
	return b.PackConv(old, w, pointwise(1, out, in))
}

// Linear multiplies rows by weights.
func (b *Backend) Linear(dst, x device.Buffer, w device.Weights, rows, out, in int, e device.Epilogue) {
	conv.Forward(b.pool, &b.arena, f32(dst), f32(x), w.(*conv.Weights), pointwise(rows, out, in), epilogue(e))
}

// LinearBackwardInput computes dx = dy W, or dx += dy W.
func (b *Backend) LinearBackwardInput(dx, dy, w device.Buffer, rows, out, in int, accumulate bool) {
	conv.BackwardInput(b.pool, &b.arena, f32(dx), f32(dy), f32(w), pointwise(rows, out, in), accumulate)
}

// LinearBackwardWeight computes dw = dyᵀ x.
func (b *Backend) LinearBackwardWeight(dw, db, dy, x device.Buffer, rows, out, in int) {
	conv.BackwardWeight(b.pool, &b.arena, f32(dw), f32(db), f32(dy), f32(x), pointwise(rows, out, in))
}
