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
func (b *Backend) PackMLP(w1, w2 device.Buffer, m device.MLP) device.Weights {
	return &pair{b.pack(f32(w1), m.Hidden, m.C), b.pack(f32(w2), m.Out, m.Hidden)}
}

// pack arranges the weights w [out,in] of a linear layer.
func (b *Backend) pack(w []float32, out, in int) *gemm.Packed {
	p := new(gemm.Packed)
	p.Reserve(in, out)
	b.pool.Split(p.Panels(), rowsPer(p.Panels(), len(p.Panel(0))), func(lo, hi, _ int) {
		p.SetPanels(lo, hi, gemm.Operand[float32]{Data: w, RowStride: 1, ColStride: in})
	})
	return p
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
