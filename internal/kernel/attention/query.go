package attention

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/pool"
)

// Query is [Forward] with a single query to a sequence, as attention pooling
// has it: q [N,Heads*Dim], k and v [N,T,Heads*Dim], dst [N,Heads*Dim]; probs
// [N,Heads,T] may be nil. Strides and Causal of s do not count. It is its own
// definition: each product is so small that packing its operands would take as
// long as the product. Sums are taken in float64.
func Query[T kernel.Float](p *pool.Pool, dst, probs, q, k, v []T, s Shape) {
	checkQuery("Query", s, probs, [][]T{dst, q}, [][]T{k, v})
	if s.empty() {
		return
	}
	e := s.Heads * s.Dim
	p.Run(s.N*s.Heads, func(task, _ int) {
		one, all := s.query(task)
		row := make([]float64, s.T)
		scoresOf(Shape{T: s.T, Heads: 1, Dim: s.Dim, Stride: e, Scale: s.Scale}, row, q[one:], k[all:])
		sum := make([]float64, s.Dim)
		for j, w := range row {
			for d, x := range v[all+j*e:][:s.Dim] {
				sum[d] += float64(w * float64(x))
			}
			if probs != nil {
				probs[task*s.T+j] = T(w)
			}
		}
		for d, x := range sum {
			dst[one+d] = T(x)
		}
	})
}

// QueryBackward overwrites dq, dk and dv with the gradients of [Query].
func QueryBackward[T kernel.Float](p *pool.Pool, dq, dk, dv, dout, probs, q, k, v []T, s Shape) {
	checkQuery("QueryBackward", s, probs, [][]T{dq, dout, q}, [][]T{dk, dv, k, v})
	if s.empty() {
		return
	}
	if probs == nil {
		panic("attention: QueryBackward: no probabilities")
	}
	e := s.Heads * s.Dim
	p.Run(s.N*s.Heads, func(task, _ int) {
		one, all := s.query(task)
		g, prob := dout[one:][:s.Dim], probs[task*s.T:][:s.T]
		ds, dot := make([]float64, s.T), 0.0
		for j := range ds {
			for d, x := range v[all+j*e:][:s.Dim] {
				ds[j] += float64(float64(g[d]) * float64(x))
			}
			dot += float64(ds[j] * float64(prob[j]))
		}
		sum := make([]float64, s.Dim)
		for j, w := range prob {
			score := float64(w) * (ds[j] - dot) * s.scale()
			for d := range sum {
				at := all + j*e + d
				sum[d] += float64(score * float64(k[at]))
				dk[at] = T(score * float64(q[one+d]))
				dv[at] = T(float64(w) * float64(g[d]))
			}
		}
		for d, x := range sum {
			dq[one+d] = T(x)
		}
	})
}

// query is where head task%Heads of sequence task/Heads begins in what has one
// token and in what has all.
func (s Shape) query(task int) (one, all int) {
	n, h := task/s.Heads, task%s.Heads
	return (n*s.Heads + h) * s.Dim, (n*s.T*s.Heads + h) * s.Dim
}

func checkQuery[T any](what string, s Shape, probs []T, one, all [][]T) {
	if s.N < 0 || s.T < 0 || s.Heads < 0 || s.Dim < 0 {
		panic(fmt.Sprintf("attention: %s: shape %+v", what, s))
	}
	n := s.N * s.Heads * s.Dim
	for i, x := range append(one, all...) {
		want := n
		if i >= len(one) {
			want *= s.T
		}
		if len(x) < want {
			panic(fmt.Sprintf("attention: %s: slice %d has %d elements, want %d for %+v", what, i, len(x), want, s))
		}
	}
	if probs != nil && len(probs) < s.N*s.Heads*s.T {
		panic(fmt.Sprintf("attention: %s: %d probabilities, want %d", what, len(probs), s.N*s.Heads*s.T))
	}
}
