package attention

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

func shapes() map[string]Shape {
	return map[string]Shape{
		"one token":    {N: 2, T: 1, Heads: 2, Dim: 4},
		"interleaved":  {N: 2, T: 7, Heads: 3, Dim: 5, Stride: 45, OutStride: 17},
		"causal":       {N: 1, T: 9, Heads: 2, Dim: 8, Causal: true, Stride: 48},
		"scale":        {N: 1, T: 5, Heads: 1, Dim: 3, Scale: 0.1},
		"vision":       {N: 1, T: 50, Heads: 2, Dim: 64, Stride: 3 * 128},
		"text":         {N: 1, T: 77, Heads: 1, Dim: 64, Causal: true},
		"odd blocks":   {N: 1, T: 130, Heads: 1, Dim: 17},
		"nothing":      {N: 0, T: 5, Heads: 1, Dim: 3},
		"no dimension": {N: 1, T: 5, Heads: 1, Dim: 0},
	}
}

// inputs are q, k, v and dout for s, interleaved if s's stride has room.
func inputs(t *testing.T, s Shape) (q, k, v, dout []float32) {
	e := s.Heads * s.Dim
	if s.Stride >= 3*e && s.Stride > 0 {
		qkv := kerneltest.Guarded(t, max(s.N*s.T-1, 0)*s.Stride+3*e)
		kerneltest.Normal(qkv, 1, 0.2, 1)
		q, k, v = qkv, qkv[e:], qkv[2*e:]
	} else {
		for i, x := range []*[]float32{&q, &k, &v} {
			*x = kerneltest.Guarded(t, s.length(s.stride()))
			kerneltest.Normal(*x, uint64(i)+2, 0.2, 1)
		}
	}
	dout = kerneltest.Guarded(t, s.length(s.outStride()))
	kerneltest.Normal(dout, 5, 0, 1)
	return q, k, v, dout
}

func TestAttentionMatchesFloat64(t *testing.T) {
	for name, s := range shapes() {
		t.Run(name, func(t *testing.T) {
			q, k, v, dout := inputs(t, s)
			q64, k64, v64 := kerneltest.Widen(q), kerneltest.Widen(k), kerneltest.Widen(v)
			want, wantP := make([]float64, len(dout)), make([]float64, s.Probs())
			ForwardGeneric(want, wantP, q64, k64, v64, s)
			wantDq, wantDk, wantDv := make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
			BackwardGeneric(wantDq, wantDk, wantDv, kerneltest.Widen(dout), wantP, q64, k64, v64, s)

			score := 0.0 // the largest
			for task := range s.N * s.Heads {
				at, _ := s.at(task)
				for i := range s.T * s.T {
					dot := 0.0
					for d := range s.Dim {
						dot += q64[at+i/s.T*s.stride()+d] * k64[at+i%s.T*s.stride()+d]
					}
					score = max(score, math.Abs(dot*s.scale()))
				}
			}
			worst := 0.0
			check := func(what string, got []float32, want []float64) {
				t.Helper()
				largest := 0.0
				for _, x := range want {
					largest = max(largest, math.Abs(x))
				}
				bound := kerneltest.Sum{N: s.T + s.Dim, K: 1, Scale: largest * (1 + score)}
				worst = max(worst, bound.Check(t, what, got, want))
			}
			for _, threads := range []int{1, 3} {
				var a kernel.Arena
				p := pool.New(threads)
				dst, alone := kerneltest.Guarded(t, len(want)), kerneltest.Guarded(t, len(want))
				probs := kerneltest.Guarded(t, s.Probs())
				Forward(p, &a, dst, probs, q, k, v, s)
				Forward(p, &a, alone, nil, q, k, v, s)
				kerneltest.Equal(t, "without probabilities", alone, dst)
				check("o", dst, want)
				check("probabilities", probs, wantP)
				dq, dk, dv := kerneltest.Guarded(t, len(q)), kerneltest.Guarded(t, len(k)), kerneltest.Guarded(t, len(v))
				Backward(p, &a, dq, dk, dv, dout, probs, q, k, v, s)
				check("dq", dq, wantDq)
				check("dk", dk, wantDk)
				check("dv", dv, wantDv)
				t.Logf("worst error: %.2f of the bound", worst)
				if a.Lent() != 0 {
					t.Errorf("%d elements of scratch were not returned", a.Lent())
				}
			}
		})
	}
}

func TestGradientsInterleave(t *testing.T) {
	s := shapes()["interleaved"]
	e := s.Heads * s.Dim
	q, k, v, dout := inputs(t, s)
	var a kernel.Arena
	dst, probs := make([]float32, len(dout)), make([]float32, s.Probs())
	Forward(nil, &a, dst, probs, q, k, v, s)
	dq, dk, dv, dqkv := make([]float32, len(q)), make([]float32, len(q)), make([]float32, len(q)), make([]float32, len(q))
	Backward(nil, &a, dq, dk, dv, dout, probs, q, k, v, s)
	Backward(nil, &a, dqkv, dqkv[e:], dqkv[2*e:], dout, probs, q, k, v, s)
	for i, g := range dqkv {
		want := [][]float32{dq, dk, dv}[i/e%3][i/(3*e)*3*e+i%e]
		if g != want {
			t.Fatalf("element %d is %v, want %v", i, g, want)
		}
	}
}

func TestUniformScoresAverageV(t *testing.T) {
	// With q = 0 every token weighs the same.
	s := Shape{N: 1, T: 4, Heads: 1, Dim: 1}
	var a kernel.Arena
	dst := make([]float32, 4)
	Forward(nil, &a, dst, nil, make([]float32, 4), []float32{5, 6, 7, 8}, []float32{1, 3, 5, 7}, s)
	kerneltest.Equal(t, "all", dst, []float32{4, 4, 4, 4})
	s.Causal = true
	Forward(nil, &a, dst, nil, make([]float32, 4), []float32{5, 6, 7, 8}, []float32{1, 3, 5, 7}, s)
	kerneltest.ULPs(t, "causal", dst, []float32{1, 2, 3, 4}, 1)
}

func TestCausalRowsDoNotSeeLaterTokens(t *testing.T) {
	s := shapes()["text"]
	q, k, v, _ := inputs(t, s)
	var a kernel.Arena
	want, got := make([]float32, s.length(s.outStride())), make([]float32, s.length(s.outStride()))
	Forward(nil, &a, want, nil, q, k, v, s)
	const cut = 30
	for _, x := range [][]float32{q, k, v} {
		kerneltest.Normal(x[cut*s.Dim:], 8, 3, 2)
	}
	Forward(nil, &a, got, nil, q, k, v, s)
	kerneltest.Equal(t, "rows before the change", got[:cut*s.Dim], want[:cut*s.Dim])
}

func TestAttentionGradient(t *testing.T) {
	for _, s := range []Shape{
		{N: 2, T: 4, Heads: 2, Dim: 3},
		{N: 1, T: 5, Heads: 1, Dim: 2, Causal: true, Stride: 6, OutStride: 3},
	} {
		t.Run(fmt.Sprintf("causal=%v", s.Causal), func(t *testing.T) {
			n, m := s.length(s.stride()), s.length(s.outStride())
			q, k, v := make([]float64, n), make([]float64, n), make([]float64, n)
			for i, x := range [][]float64{q, k, v} {
				kerneltest.Normal(x, uint64(i), 0, 1)
			}
			w, loss := kerneltest.Weighted(m, 9)
			y, probs := make([]float64, m), make([]float64, s.Probs())
			f := func([]float64) float64 { ForwardGeneric(y, probs, q, k, v, s); return loss(y) }
			f(nil)
			dq, dk, dv := make([]float64, n), make([]float64, n), make([]float64, n)
			BackwardGeneric(dq, dk, dv, w, probs, q, k, v, s)
			kerneltest.Gradient(t, f, q, dq)
			kerneltest.Gradient(t, f, k, dk)
			kerneltest.Gradient(t, f, v, dv)
		})
	}
}

func TestWrongShapesPanic(t *testing.T) {
	s := Shape{N: 1, T: 2, Heads: 1, Dim: 2}
	x := make([]float32, 4)
	var a kernel.Arena
	narrow := s
	narrow.Stride = 1
	for name, f := range map[string]func(){
		"short":            func() { Forward(nil, &a, x, nil, x, x[1:], x, s) },
		"stride":           func() { Forward(nil, &a, x, nil, x, x, x, narrow) },
		"probabilities":    func() { Forward(nil, &a, x, x[:3], x, x, x, s) },
		"no probabilities": func() { Backward(nil, &a, x, x, x, x, nil, x, x, x, s) },
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
}
