// Package mlp is the second half of a ConvNeXt block in one pass over the rows:
// normalisation, two linear layers with an activation between, layer scale and
// residual (Liu et al. 2022, arXiv:2201.03545, figure 4).
//
//	h = act(LayerNorm(x) W1 + b1)            [R,H], H usually 4C
//	y = residual + scale * (h W2 + b2)       [R,C]
//
// The hidden layer has four times the input's size. Here it exists for a tile
// of rows at a time, small enough to stay in the second-level cache, so it
// never reaches memory.
//
// Every element is computed exactly as by package norm and package gemm, one
// after the other; results do not depend on tiles or on the number of threads.
//
// For training, ForwardKeep and Backward do the same with the two linear layers,
// the hidden layer before its activation being kept.
package mlp

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/kernel/norm"
	"github.com/winnow-go/winnow/internal/pool"
)

// Layer is what Forward applies.
type Layer struct {
	Gamma, Beta []float32 // [C] of the norm; nil Gamma leaves the norm out
	Epsilon     float32
	W1          *gemm.Packed // [C,H]
	B1          []float32    // [H] or nil
	Act         kernel.Activation
	W2          *gemm.Packed // [H,C']
	B2          []float32    // [C'] or nil
	Scale       []float32    // [C'] or nil
}

// Forward computes dst [R,C'] from x [R,C]. residual [R,C'] may be nil, or dst
// itself; dst must not overlap x otherwise than by being it, which it may when
// residual is x as well.
func Forward(p *pool.Pool, a *kernel.Arena, dst, x, residual []float32, rows int, l *Layer) {
	c, h, out := l.W1.K(), l.W1.N(), l.W2.N()
	if l.W2.K() != h || len(x) != rows*c || len(dst) != rows*out || residual != nil && len(residual) != len(dst) {
		panic("mlp: lengths do not fit")
	}
	first := &kernel.Epilogue[float32]{Bias: l.B1, Act: l.Act}
	second := &kernel.Epilogue[float32]{Bias: l.B2, Scale: l.Scale, Residual: residual}
	if threads := p.Threads(); threads > 1 && rows < minRows*threads {
		// So few rows that all weights would pass once more for each thread.
		hidden := a.Get(rows * (h + pad))
		defer a.Put(hidden)
		in := x
		if l.Gamma != nil {
			in = a.Get(rows * c)
			defer a.Put(in)
			size := (rows + threads - 1) / threads
			p.Split(rows, size, func(lo, hi, _ int) {
				norm.LayerNorm(in[lo*c:hi*c], x[lo*c:hi*c], l.Gamma, l.Beta, nil, nil, hi-lo, c, l.Epsilon)
			})
		}
		gemm.MulOn(p, hidden, h+pad, rows, gemm.Operand[float32]{Data: in, RowStride: c, ColStride: 1}, l.W1, first)
		gemm.MulOn(p, dst, out, rows, gemm.Operand[float32]{Data: hidden, RowStride: h + pad, ColStride: 1}, l.W2, second)
		return
	}
	tiles, pieces := divide(rows, h, p.Threads())
	p.Run(pieces, func(i, _ int) {
		lo, hi := pool.Cut(tiles, pieces, i)*gemm.TileRows(), min(pool.Cut(tiles, pieces, i+1)*gemm.TileRows(), rows)
		n := hi - lo
		hidden := a.Get(n * (h + pad))
		defer a.Put(hidden)
		in := gemm.Operand[float32]{Data: x[lo*c : hi*c], RowStride: c, ColStride: 1}
		if l.Gamma != nil {
			y := a.Get(n * c)
			defer a.Put(y)
			norm.LayerNorm(y, in.Data, l.Gamma, l.Beta, nil, nil, n, c, l.Epsilon)
			in.Data = y
		}
		gemm.Mul(hidden, h+pad, n, in, l.W1, false, first, 0)
		second := *second
		if residual != nil {
			second.Residual = residual[lo*out : hi*out]
		}
		// The next piece is the same thread's, as a rule.
		var next [2][]float32
		if end := min(hi+n, rows); l.W1.K()*h <= nearWeights {
			next[0] = x[hi*c : end*c]
			if residual != nil {
				next[1] = residual[hi*out : end*out]
			}
		}
		gemm.MulAhead(dst[lo*out:hi*out], out, n, gemm.Operand[float32]{Data: hidden, RowStride: h + pad, ColStride: 1}, l.W2, false, &second, 0, next)
	})
}

// nearWeights is up to how many elements the weights of a layer stay in the
// second cache, so that the next rows are what should be fetched early.
const nearWeights = 1 << 16

// pad keeps the rows of the hidden layer from falling on the same cache sets:
// their number of elements is often a power of two times three.
const pad = 16

// divide says how many whole tiles of the micro-kernel the rows have, and into
// how many pieces these are divided. 64 K elements of hidden layer are a
// quarter of the 1 MB second-level cache of a Zen 4 core, which leaves room for
// weights; but with fewer than 98 rows weights that do not fit that cache are
// streamed too often. Twice the cache is no reason for more: on Emerald Rapids
// any number from 98 to 392 is as fast. Every thread gets as many pieces.
func divide(rows, hidden, threads int) (tiles, pieces int) {
	n := min(max(64<<10/hidden, minRows), 168)
	tiles = (rows + gemm.TileRows() - 1) / gemm.TileRows()
	pieces = (rows + n - 1) / n
	pieces = (pieces + threads - 1) / threads * threads
	return tiles, min(pieces, tiles)
}

const minRows = 98

// ForwardGeneric is the definition of Forward, with plain weights w1 [H,C] and
// w2 [C',H]: out is C'.
func ForwardGeneric[T kernel.Float](dst, x, residual, gamma, beta, w1, b1, w2, b2, scale []T, rows, c, h, out int, eps T, act kernel.Activation) {
	in := x
	if gamma != nil {
		in = make([]T, rows*c)
		norm.LayerNormGeneric(in, x, gamma, beta, nil, nil, rows, c, eps)
	}
	hidden := make([]T, rows*h)
	gemm.MulGeneric(hidden, h, rows, h, c, gemm.Operand[T]{Data: in, RowStride: c, ColStride: 1},
		gemm.Operand[T]{Data: w1, RowStride: 1, ColStride: c}, false, &kernel.Epilogue[T]{Bias: b1, Act: act}, 0)
	gemm.MulGeneric(dst, out, rows, out, h, gemm.Operand[T]{Data: hidden, RowStride: h, ColStride: 1},
		gemm.Operand[T]{Data: w2, RowStride: 1, ColStride: h}, false, &kernel.Epilogue[T]{Bias: b2, Scale: scale, Residual: residual}, 0)
}
