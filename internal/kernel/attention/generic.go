package attention

import (
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// ForwardGeneric is the definition of [Forward]. Sums are taken in float64.
func ForwardGeneric[T kernel.Float](dst, probs, q, k, v []T, s Shape) {
	check("ForwardGeneric", s, dst, probs, q, k, v)
	if s.empty() {
		return
	}
	row := make([]float64, s.T)
	for task := range s.N * s.Heads {
		in, out := s.at(task)
		for i := range s.T {
			seen := s.seen(i)
			scoresOf(s, row[:seen], q[in+i*s.stride():], k[in:])
			for d := range s.Dim {
				var o float64
				for j, p := range row[:seen] {
					o += float64(p * float64(v[in+j*s.stride()+d]))
				}
				dst[out+i*s.outStride()+d] = T(o)
			}
			if probs != nil {
				to := probs[(task*s.T+i)*s.T:][:s.T]
				clear(to)
				for j, p := range row[:seen] {
					to[j] = T(p)
				}
			}
		}
	}
}

// scoresOf is softmax(q kᵀ · scale) of one row.
func scoresOf[T kernel.Float](s Shape, row []float64, q, k []T) {
	m := math.Inf(-1)
	for j := range row {
		var dot float64
		for d, a := range q[:s.Dim] {
			dot += float64(float64(a) * float64(k[j*s.stride()+d]))
		}
		row[j] = dot * s.scale()
		if row[j] > m || math.IsNaN(row[j]) {
			m = row[j]
		}
	}
	var sum float64
	for j, x := range row {
		row[j] = math.Exp(x - m)
		sum += row[j]
	}
	for j := range row {
		row[j] /= sum
	}
}

// BackwardGeneric is the definition of [Backward].
func BackwardGeneric[T kernel.Float](dq, dk, dv, dout, probs, q, k, v []T, s Shape) {
	check("BackwardGeneric", s, dout, probs, dq, dk, dv, q, k, v)
	if s.empty() {
		return
	}
	ds := make([]float64, s.T)
	acc := make([]float64, 2*s.T*s.Dim) // dk, dv of one head
	for task := range s.N * s.Heads {
		in, out := s.at(task)
		clear(acc)
		ak, av := acc[:s.T*s.Dim], acc[s.T*s.Dim:]
		for i := range s.T {
			g := dout[out+i*s.outStride():][:s.Dim]
			p := probs[(task*s.T+i)*s.T:][:s.T]
			var dot float64
			for j := range ds {
				ds[j] = 0
				for d, o := range g {
					ds[j] += float64(float64(o) * float64(v[in+j*s.stride()+d]))
				}
				dot += float64(ds[j] * float64(p[j]))
			}
			for j := range ds {
				ds[j] = float64(p[j]) * (ds[j] - dot) * s.scale()
			}
			for d, o := range g {
				var sum float64
				qi := float64(q[in+i*s.stride()+d])
				for j := range s.T {
					sum += float64(ds[j] * float64(k[in+j*s.stride()+d]))
					ak[j*s.Dim+d] += float64(ds[j] * qi)
					av[j*s.Dim+d] += float64(float64(p[j]) * float64(o))
				}
				dq[in+i*s.stride()+d] = T(sum)
			}
		}
		for j := range s.T {
			for d := range s.Dim {
				dk[in+j*s.stride()+d] = T(ak[j*s.Dim+d])
				dv[in+j*s.stride()+d] = T(av[j*s.Dim+d])
			}
		}
	}
}
