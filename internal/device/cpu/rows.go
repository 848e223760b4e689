package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/attention"
	"github.com/winnow-go/winnow/internal/kernel/norm"
	"github.com/winnow-go/winnow/internal/kernel/softmax"
)

// Softmax turns rows into probabilities.
func (b *Backend) Softmax(dst, x device.Buffer, rows, c int) {
	d, in := f32(dst), f32(x)
	b.eachRows(rows, c, func(lo, hi int) { softmax.Softmax(part(d, lo, hi, c), part(in, lo, hi, c), hi-lo, c) })
}

// SoftmaxBackward computes the gradient of Softmax from its output.
func (b *Backend) SoftmaxBackward(dx, dy, y device.Buffer, rows, c int) {
	d, g, out := f32(dx), f32(dy), f32(y)
	b.eachRows(rows, c, func(lo, hi int) {
		softmax.SoftmaxBackward(part(d, lo, hi, c), part(g, lo, hi, c), part(out, lo, hi, c), hi-lo, c)
	})
}

// Normalize divides rows by their norms.
func (b *Backend) Normalize(dst, x, norms device.Buffer, rows, c int, eps float32) {
	d, in, n := f32(dst), f32(x), f32(norms)
	b.eachRows(rows, c, func(lo, hi int) {
		norm.Normalize(part(d, lo, hi, c), part(in, lo, hi, c), part(n, lo, hi, 1), hi-lo, c, eps)
	})
}

// NormalizeBackward computes the gradient of Normalize.
func (b *Backend) NormalizeBackward(dx, dy, y, norms device.Buffer, rows, c int, eps float32) {
	d, g, out, n := f32(dx), f32(dy), f32(y), f32(norms)
	b.eachRows(rows, c, func(lo, hi int) {
		norm.NormalizeBackward(part(d, lo, hi, c), part(g, lo, hi, c), part(out, lo, hi, c), part(n, lo, hi, 1), hi-lo, c, eps)
	})
}

// CrossEntropy computes losses and the gradient of the logits. It runs on one
// thread: logits are few.
func (b *Backend) CrossEntropy(loss, dx, x device.Buffer, l device.Loss) {
	o := softmax.CrossEntropy{
		Labels: l.Labels, Targets: f32(l.Soft), Weights: f32(l.Weight), Smoothing: l.Smoothing,
		Reduction: map[device.Reduction]softmax.Reduction{
			device.Mean: softmax.Mean, device.Sum: softmax.Sum, device.PerItem: softmax.None,
		}[l.Reduction],
	}
	out := f32(loss)
	if l.Reduction == device.PerItem {
		o.Loss(f32(dx), out, f32(x), l.Rows, l.Classes)
		return
	}
	out[0] = float32(o.Loss(f32(dx), nil, f32(x), l.Rows, l.Classes))
}

func heads(h device.Heads) attention.Shape {
	e := h.H * h.D
	return attention.Shape{N: h.N, T: h.T, Heads: h.H, Dim: h.D, Causal: h.Causal, Stride: 3 * e, OutStride: e}
}

// Attention attends.
func (b *Backend) Attention(dst, probs, qkv device.Buffer, h device.Heads) {
	x, e := f32(qkv), h.H*h.D
	attention.Forward(b.pool, &b.arena, f32(dst), f32(probs), x, x[e:], x[2*e:], heads(h))
}

// AttentionBackward computes the gradient of Attention.
func (b *Backend) AttentionBackward(dqkv, dy, qkv, probs device.Buffer, h device.Heads) {
	x, d, e := f32(qkv), f32(dqkv), h.H*h.D
	attention.Backward(b.pool, &b.arena, d, d[e:], d[2*e:], f32(dy), f32(probs), x, x[e:], x[2*e:], heads(h))
}
