package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/kernel/mlp"
)

// pair is the packed weights of two linear layers.
type pair struct{ w1, w2 *gemm.Packed }

func (p *pair) Bytes() int        { return p.w1.Bytes() + p.w2.Bytes() }
func (p *pair) Elem() kernel.Elem { return p.w1.Elem() }

// PackMLP arranges weights for MLP.
func (b *Backend) PackMLP(old device.Weights, w1, w2 device.Buffer, m device.MLP) device.Weights {
	p, ok := old.(*pair)
	if !ok {
		p = &pair{new(gemm.Packed), new(gemm.Packed)}
	}
	b.pack(p.w1, f32(w1), m.Hidden, m.C)
	b.pack(p.w2, f32(w2), m.Out, m.Hidden)
	return p
}

// pack arranges the weights w [out,in] of a linear layer.
func (b *Backend) pack(p *gemm.Packed, w []float32, out, in int) {
	p.Reserve(in, out)
	b.pool.Split(p.Panels(), rowsPer(p.Panels(), len(p.Panel(0))), func(lo, hi, _ int) {
		p.SetPanels(lo, hi, gemm.Operand[float32]{Data: w, RowStride: 1, ColStride: in})
	})
}

// MLP normalises and applies two linear layers, tile by tile.
func (b *Backend) MLP(dst, x device.Buffer, w device.Weights, gamma, beta, b1, b2, scale, residual device.Buffer, m device.MLP) {
	p := w.(*pair)
	mlp.Forward(b.pool, &b.arena, f32(dst), f32(x), f32(residual), m.Rows, &mlp.Layer{
		Gamma: f32(gamma), Beta: f32(beta), Epsilon: m.Epsilon,
		W1: p.w1, B1: f32(b1), Act: m.Act,
		W2: p.w2, B2: f32(b2), Scale: f32(scale),
	})
}

// KeepsMLP reports whether the weights are few.
func (b *Backend) KeepsMLP(m device.MLP) bool { return mlp.Suits(m.C, m.Hidden, m.Out) }

// MLPKeep applies two linear layers, tile by tile.
func (b *Backend) MLPKeep(dst, h, x device.Buffer, w device.Weights, b1, b2 device.Buffer, m device.MLP) {
	p := w.(*pair)
	mlp.ForwardKeep(b.pool, &b.arena, f32(dst), f32(h), f32(x), m.Rows, &mlp.Layer{W1: p.w1, B1: f32(b1), Act: m.Act, W2: p.w2, B2: f32(b2)})
}

// MLPBackward computes the gradients of MLPKeep.
func (b *Backend) MLPBackward(dx, dw1, db1, dw2, dy, x, h, w1, w2 device.Buffer, m device.MLP) {
	g := &mlp.Gradients{DX: f32(dx), DW1: f32(dw1), DB1: f32(db1), DW2: f32(dw2)}
	mlp.Backward(b.pool, &b.arena, g, f32(dy), f32(x), f32(h), f32(w1), f32(w2), m.Rows, m.C, m.Hidden, m.Out, m.Act)
}
