package attention

import (
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

// One query is the first row of attention in which all have it.
func TestAQueryIsARowOfAttention(t *testing.T) {
	s := Shape{N: 2, T: 9, Heads: 3, Dim: 5}
	e := s.Heads * s.Dim
	q, k, v := make([]float64, s.N*e), make([]float64, s.N*s.T*e), make([]float64, s.N*s.T*e)
	all := make([]float64, len(k))
	for i, x := range [][]float64{q, k, v} {
		kerneltest.Normal(x, uint64(i), 0, 1)
	}
	for n := range s.N {
		for i := range s.T {
			copy(all[(n*s.T+i)*e:][:e], q[n*e:])
		}
	}
	want, wantP := make([]float64, len(k)), make([]float64, s.Probs())
	ForwardGeneric(want, wantP, all, k, v, s)
	for _, threads := range []int{1, 3} {
		got, probs := make([]float64, len(q)), make([]float64, s.N*s.Heads*s.T)
		Query(pool.New(threads), got, probs, q, k, v, s)
		for n := range s.N {
			if !slices.Equal(got[n*e:][:e], want[n*s.T*e:][:e]) {
				t.Errorf("result %v, want %v", got[n*e:][:e], want[n*s.T*e:][:e])
			}
			for h := range s.Heads {
				task := n*s.Heads + h
				if p, want := probs[task*s.T:][:s.T], wantP[task*s.T*s.T:][:s.T]; !slices.Equal(p, want) {
					t.Errorf("probabilities %v, want %v", p, want)
				}
			}
		}
	}
}

func TestQueryGradient(t *testing.T) {
	s := Shape{N: 2, T: 4, Heads: 2, Dim: 3}
	e := s.Heads * s.Dim
	q, k, v := make([]float64, s.N*e), make([]float64, s.N*s.T*e), make([]float64, s.N*s.T*e)
	for i, x := range [][]float64{q, k, v} {
		kerneltest.Normal(x, uint64(i)+3, 0, 1)
	}
	w, loss := kerneltest.Weighted(len(q), 9)
	y, probs := make([]float64, len(q)), make([]float64, s.N*s.Heads*s.T)
	f := func([]float64) float64 { Query(nil, y, probs, q, k, v, s); return loss(y) }
	f(nil)
	dq, dk, dv := make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
	QueryBackward(nil, dq, dk, dv, w, probs, q, k, v, s)
	kerneltest.Gradient(t, f, q, dq)
	kerneltest.Gradient(t, f, k, dk)
	kerneltest.Gradient(t, f, v, dv)
}

func TestWrongQueryShapesPanic(t *testing.T) {
	s := Shape{N: 1, T: 2, Heads: 1, Dim: 2}
	one, all := make([]float32, 2), make([]float32, 4)
	for name, f := range map[string]func(){
		"short query":      func() { Query(nil, one, nil, one[1:], all, all, s) },
		"short keys":       func() { Query(nil, one, nil, one, one, all, s) },
		"probabilities":    func() { Query(nil, one, one[1:], one, all, all, s) },
		"negative":         func() { Query(nil, one, nil, one, all, all, Shape{N: -1}) },
		"no probabilities": func() { QueryBackward(nil, one, all, all, one, nil, one, all, all, s) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
	Query[float32](nil, nil, nil, nil, nil, nil, Shape{T: 3, Heads: 1, Dim: 2})
}
