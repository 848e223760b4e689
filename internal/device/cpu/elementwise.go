package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
)

// Fill sets every element.
func (b *Backend) Fill(dst device.Buffer, v float32) { elementwise.Fill(f32(dst), v) }

// Activate applies an activation.
func (b *Backend) Activate(dst, x device.Buffer, act kernel.Activation) {
	d, in := f32(dst), f32(x)
	b.each(len(d), func(lo, hi int) { activation.Forward(d[lo:hi], in[lo:hi], act) })
}

// ActivateBackward multiplies by the derivative at the input.
func (b *Backend) ActivateBackward(dx, dy, x device.Buffer, act kernel.Activation) {
	d, g, in := f32(dx), f32(dy), f32(x)
	b.each(len(d), func(lo, hi int) { activation.Backward(d[lo:hi], g[lo:hi], in[lo:hi], act) })
}

// ReLUBackward multiplies by the derivative, told from the output.
func (b *Backend) ReLUBackward(dx, dy, y device.Buffer) {
	d, g, out := f32(dx), f32(dy), f32(y)
	b.each(len(d), func(lo, hi int) { activation.ReLUBackwardFromOutput(d[lo:hi], g[lo:hi], out[lo:hi]) })
}

// Add adds.
func (b *Backend) Add(dst, x, y device.Buffer) {
	d, p, q := f32(dst), f32(x), f32(y)
	b.each(len(d), func(lo, hi int) { elementwise.Add(d[lo:hi], p[lo:hi], q[lo:hi]) })
}

// Mul multiplies element by element.
func (b *Backend) Mul(dst, x, y device.Buffer) {
	d, p, q := f32(dst), f32(x), f32(y)
	b.each(len(d), func(lo, hi int) { elementwise.Mul(d[lo:hi], p[lo:hi], q[lo:hi]) })
}

// MulScalar multiplies by k.
func (b *Backend) MulScalar(dst, x device.Buffer, k float32) {
	d, in := f32(dst), f32(x)
	b.each(len(d), func(lo, hi int) { elementwise.Scale(d[lo:hi], in[lo:hi], k) })
}
