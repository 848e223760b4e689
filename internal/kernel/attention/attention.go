package attention

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/kernel/softmax"
	"github.com/winnow-go/winnow/internal/pool"
)

// Shape says where the heads lie and what happens to their scores.
type Shape struct {
	N, T, Heads, Dim int     // images, tokens of each, heads, elements of a head
	Stride           int     // elements from one token of q, k, v, dq, dk, dv to the next; 0 means Heads*Dim
	OutStride        int     // the same for the result and its gradient
	Scale            float32 // of the scores; 0 means 1/√Dim
	Causal           bool    // token i attends to tokens 0 to i only
}

// Probs is the number of elements of the probabilities, [N,Heads,T,T].
func (s Shape) Probs() int { return s.N * s.Heads * s.T * s.T }

func (s Shape) stride() int {
	if s.Stride != 0 {
		return s.Stride
	}
	return s.Heads * s.Dim
}

func (s Shape) outStride() int {
	if s.OutStride != 0 {
		return s.OutStride
	}
	return s.Heads * s.Dim
}

func (s Shape) scale() float64 {
	if s.Scale != 0 {
		return float64(s.Scale)
	}
	return 1 / math.Sqrt(float64(s.Dim))
}

// seen is the number of columns that row i attends to.
func (s Shape) seen(i int) int {
	if s.Causal {
		return i + 1
	}
	return s.T
}

// empty reports whether there is nothing to compute.
func (s Shape) empty() bool { return s.N == 0 || s.T == 0 || s.Heads == 0 || s.Dim == 0 }

// length is how many elements a slice with that stride must have.
func (s Shape) length(stride int) int {
	if s.empty() {
		return 0
	}
	return (s.N*s.T-1)*stride + s.Heads*s.Dim
}

func check[T any](what string, s Shape, out []T, probs []T, inputs ...[]T) {
	if s.N < 0 || s.T < 0 || s.Heads < 0 || s.Dim < 0 || s.stride() < s.Heads*s.Dim || s.outStride() < s.Heads*s.Dim {
		panic(fmt.Sprintf("attention: %s: shape %+v", what, s))
	}
	if want := s.length(s.outStride()); len(out) < want {
		panic(fmt.Sprintf("attention: %s: result has %d elements, want %d for %+v", what, len(out), want, s))
	}
	if probs != nil && len(probs) < s.Probs() {
		panic(fmt.Sprintf("attention: %s: %d probabilities, want %d", what, len(probs), s.Probs()))
	}
	for i, in := range inputs {
		if want := s.length(s.stride()); len(in) < want {
			panic(fmt.Sprintf("attention: %s: slice %d has %d elements, want %d for %+v", what, i, len(in), want, s))
		}
	}
}

// block is the number of rows whose scores are held at once when nobody wants
// the probabilities: for 577 tokens they take 150 kB.
const block = 64

// Forward computes dst [N,T,Heads*Dim] (rows OutStride apart) from q, k and v
// (rows Stride apart). probs [N,Heads,T,T] receives the probabilities, which
// the backward pass needs; nil, in inference, leaves them out. Heads without
// elements (Dim 0) have no probabilities either. dst must not overlap the
// inputs. Scratch memory comes from a and returns to it.
func Forward(p *pool.Pool, a *kernel.Arena, dst, probs, q, k, v []float32, s Shape) {
	check("Forward", s, dst, probs, q, k, v)
	if s.empty() {
		return
	}
	scale := columns(a, s)
	defer a.Put(scale)
	p.Run(s.N*s.Heads, func(task, _ int) {
		in, out := s.at(task)
		kt, kMem := pack(a, transposed(k[in:], s.stride()), s.Dim, s.T)
		// Reading V where it lies, with gemm.MulLines, saved 5% at 50 tokens and
		// cost 8% at 197.
		vp, vMem := pack(a, rows(v[in:], s.stride()), s.T, s.Dim)
		var scores []float32
		rowsAtOnce := s.T
		if probs == nil {
			rowsAtOnce = min(block, s.T)
			scores = a.Get(rowsAtOnce * s.T)
		} else {
			scores = probs[task*s.T*s.T:][:s.T*s.T]
		}
		for i := 0; i < s.T; i += rowsAtOnce {
			m := min(rowsAtOnce, s.T-i)
			gemm.Mul(scores, s.T, m, rows(q[in+i*s.stride():], s.stride()), kt, false, &kernel.Epilogue[float32]{Scale: scale}, 0)
			s.softmax(scores, i, m)
			gemm.Mul(dst[out+i*s.outStride():], s.outStride(), m, rows(scores, s.T), vp, false, nil, 0)
		}
		if probs == nil {
			a.Put(scores)
		}
		a.Put(kMem)
		a.Put(vMem)
	})
}

// Backward overwrites the heads' elements of dq, dk and dv (rows Stride apart)
// with the gradients of q, k and v, given that of the result (rows OutStride
// apart) and the probabilities of the forward pass. The gradients may lie
// beside each other as q, k and v do, but must not overlap anything else.
func Backward(p *pool.Pool, a *kernel.Arena, dq, dk, dv, dout, probs, q, k, v []float32, s Shape) {
	check("Backward", s, dout, probs, dq, dk, dv, q, k, v)
	if s.empty() {
		return
	}
	if probs == nil {
		panic("attention: Backward: no probabilities")
	}
	scale := columns(a, s)
	defer a.Put(scale)
	p.Run(s.N*s.Heads, func(task, _ int) {
		in, out := s.at(task)
		prob := probs[task*s.T*s.T:][:s.T*s.T]
		dO := rows(dout[out:], s.outStride())
		scaled := &kernel.Epilogue[float32]{Scale: scale}

		dOp, mem := pack(a, dO, s.T, s.Dim)
		gemm.Mul(dv[in:], s.stride(), s.T, transposed(prob, s.T), dOp, false, nil, 0)
		a.Put(mem)

		ds := a.Get(s.T * s.T)
		vt, mem := pack(a, transposed(v[in:], s.stride()), s.Dim, s.T)
		gemm.Mul(ds, s.T, s.T, dO, vt, false, nil, 0)
		a.Put(mem)
		softmax.SoftmaxBackward(ds, ds, prob, s.T, s.T)

		kp, mem := pack(a, rows(k[in:], s.stride()), s.T, s.Dim)
		gemm.Mul(dq[in:], s.stride(), s.T, rows(ds, s.T), kp, false, scaled, 0)
		a.Put(mem)

		qp, mem := pack(a, rows(q[in:], s.stride()), s.T, s.Dim)
		gemm.Mul(dk[in:], s.stride(), s.T, transposed(ds, s.T), qp, false, scaled, 0)
		a.Put(mem)
		a.Put(ds)
	})
}

// at is where head task%Heads of image task/Heads begins in the inputs and in
// the result.
func (s Shape) at(task int) (in, out int) {
	n, h := task/s.Heads, task%s.Heads
	return n*s.T*s.stride() + h*s.Dim, n*s.T*s.outStride() + h*s.Dim
}

// softmax turns the scores of m rows from row i on into probabilities, 0 for
// what the rows do not see. (-Inf there and one call for all rows is slower:
// twice the exponentials.)
func (s Shape) softmax(scores []float32, i, m int) {
	if !s.Causal {
		softmax.Softmax(scores, scores, m, s.T)
		return
	}
	for r := range m {
		row, seen := scores[r*s.T:][:s.T], s.seen(i+r)
		softmax.Softmax(row, row, 1, seen)
		clear(row[seen:])
	}
}

// columns is the scale repeated for every column of a product.
func columns(a *kernel.Arena, s Shape) []float32 {
	scale := a.Get(max(s.T, s.Dim))
	for i := range scale {
		scale[i] = float32(s.scale())
	}
	return scale
}

func rows(data []float32, stride int) gemm.Operand[float32] {
	return gemm.Operand[float32]{Data: data, RowStride: stride, ColStride: 1}
}

func transposed(data []float32, stride int) gemm.Operand[float32] {
	return gemm.Operand[float32]{Data: data, RowStride: 1, ColStride: stride}
}

// pack arranges a [k,n] operand in memory from the arena.
func pack(a *kernel.Arena, b gemm.Operand[float32], k, n int) (*gemm.Packed, []float32) {
	mem := a.Get(gemm.PackedLen(k, n))
	p := gemm.PackedIn(mem, k, n)
	p.SetRows(0, b, k)
	return p, mem
}
