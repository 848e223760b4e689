package devicetest

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/attention"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/kernel/norm"
	"github.com/winnow-go/winnow/internal/kernel/softmax"
)

func (s *suite) softmax() {
	for _, m := range matrices {
		rows, c := m.rows, m.c
		what := fmt.Sprintf("%+v", m)
		x, dy := s.draw(rows*c), s.draw(rows*c)
		for i := range x {
			x[i] *= 4
		}
		x[0] += 90 // beyond what exp in float32 holds
		want := make([]float64, rows*c)
		softmax.SoftmaxGeneric(want, wide(x), rows, c)
		y := s.unary(what, rows*c, x, func(dst, x device.Buffer) { s.b.Softmax(dst, x, rows, c) }, false)
		floor := make([]float64, rows*c)
		for i, v := range want {
			floor[i] = v + 0x1p-102 // what is denormal may become 0
		}
		s.near(what, y, want, floor, c, 8)

		dx64, sizes := make([]float64, rows*c), make([]float64, rows*c)
		softmax.SoftmaxBackwardGeneric(dx64, wide(dy), wide(y), rows, c)
		for r := range rows {
			mass := 0.0
			for i := r * c; i < (r+1)*c; i++ {
				mass += math.Abs(float64(dy[i] * y[i]))
			}
			for i := r * c; i < (r+1)*c; i++ {
				sizes[i] = float64(y[i])*(math.Abs(float64(dy[i]))+mass) + 0x1p-102
			}
		}
		yb := s.up(y)
		dx := s.unary(what+" backward", rows*c, dy, func(dst, dy device.Buffer) { s.b.SoftmaxBackward(dst, dy, yb, rows, c) }, false)
		s.near(what+" backward", dx, dx64, sizes, c, 8)
		kerneltest.Equal(s, what+": y", s.take(yb), y)
	}
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	x := s.up([]float32{-inf, 0, 0, nan})
	dst := s.out(4)
	s.b.Softmax(dst, x, 2, 2)
	kerneltest.Equal(s, "softmax of -Inf and of NaN", s.take(dst), []float32{0, 1, nan, nan})
}

func (s *suite) normalize() {
	const eps = 1e-12
	for _, m := range matrices {
		rows, c := m.rows, m.c
		what := fmt.Sprintf("%+v", m)
		x, dy := s.draw(rows*c), s.draw(rows*c)
		if rows > 1 {
			clear(x[:c]) // a row without direction
		}
		want, norms64 := make([]float64, rows*c), make([]float64, rows)
		norm.NormalizeGeneric(want, wide(x), norms64, rows, c, float64(float32(eps)))
		nb := s.out(rows)
		y := s.unary(what, rows*c, x, func(dst, x device.Buffer) { s.b.Normalize(dst, x, nb, rows, c, eps) }, false)
		s.close(what, y, want, c, 4)
		s.near(what+" norms", s.down(nb), norms64, norms64, c, 4)
		quiet := s.unary(what+" without norms", rows*c, x, func(dst, x device.Buffer) { s.b.Normalize(dst, x, nil, rows, c, eps) }, false)
		kerneltest.Equal(s, what+" without norms", quiet, y)

		norms := s.down(nb)
		dx64, sizes := make([]float64, rows*c), make([]float64, rows*c)
		norm.NormalizeBackwardGeneric(dx64, wide(dy), wide(y), wide(norms), rows, c, float64(float32(eps)))
		for i := range sizes {
			length := 0.0
			for _, v := range dy[i/c*c:][:c] {
				length += math.Abs(float64(v))
			}
			sizes[i] = length / float64(norms[i/c])
		}
		yb := s.up(y)
		dx := s.unary(what+" backward", rows*c, dy, func(dst, dy device.Buffer) { s.b.NormalizeBackward(dst, dy, yb, nb, rows, c, eps) }, false)
		s.near(what+" backward", dx, dx64, sizes, c, 4)
		s.b.Free(yb)
		s.b.Free(nb)
	}
}

// crossEntropy is the definition in device.Loss's terms: one loss per row, the
// gradient of their sum by each logit, and what a mean divides by.
func crossEntropy(x []float64, l device.Loss, soft, weight []float32) (each, dx []float64, total float64) {
	rows, k := l.Rows, l.Classes
	each, dx = make([]float64, rows), make([]float64, rows*k)
	w := func(i int) float64 {
		if weight == nil {
			return 1
		}
		return float64(weight[i])
	}
	for r := range rows {
		row := x[r*k:][:k]
		target := make([]float64, k)
		switch {
		case soft != nil:
			for i := range k {
				target[i] = float64(soft[r*k+i])
			}
			total++
		case l.Labels[r] < 0:
			continue
		default:
			target[l.Labels[r]] = 1
			total += w(int(l.Labels[r]))
		}
		top := row[0]
		for _, v := range row {
			top = max(top, v)
		}
		sum, mass := 0.0, 0.0
		for _, v := range row {
			sum += math.Exp(v - top)
		}
		lse := top + math.Log(sum)
		for i, v := range row {
			target[i] = w(i) * ((1-l.Smoothing)*target[i] + l.Smoothing/float64(k))
			mass += target[i]
			each[r] += target[i] * (lse - v)
		}
		for i, v := range row {
			dx[r*k+i] = mass*math.Exp(v-lse) - target[i]
		}
	}
	return each, dx, total
}

func (s *suite) crossEntropy() {
	for _, m := range []struct{ rows, k int }{{1, 1}, {1, 7}, {5, 3}, {12, 10}, {33, 129}, {4, 1000}} {
		rows, k := m.rows, m.k
		for _, reduction := range []device.Reduction{device.Mean, device.Sum, device.PerItem} {
			for bits := range 8 {
				isSoft, weighted, smoothing := bits&1 != 0, bits&2 != 0, float64(bits>>2)*0.1
				what := fmt.Sprintf("%+v reduction=%d soft=%v weighted=%v smoothing=%v", m, reduction, isSoft, weighted, smoothing)
				x := s.draw(rows * k)
				l := device.Loss{Rows: rows, Classes: k, Smoothing: smoothing, Reduction: reduction}
				var soft, weight []float32
				if isSoft {
					soft = make([]float32, rows*k)
					kerneltest.Uniform(soft, s.seed, 0, 2/float64(k))
					l.Soft = s.up(soft)
				} else {
					l.Labels = make([]int32, rows)
					for r := range l.Labels {
						l.Labels[r] = int32(r * 7 % k)
					}
					if rows > 2 {
						l.Labels[1] = -1
					}
				}
				if weighted {
					weight = make([]float32, k)
					kerneltest.Uniform(weight, s.seed+1, 0.5, 2)
					l.Weight = s.up(weight)
				}
				each, dx64, total := crossEntropy(wide(x), l, soft, weight)
				want := each
				if reduction != device.PerItem {
					want = []float64{0}
					for _, v := range each {
						want[0] += v
					}
				}
				if reduction == device.Mean {
					want[0] /= total
					for i := range dx64 {
						dx64[i] /= total
					}
				}
				db := s.out(rows * k)
				got := s.unary(what, len(want), x, func(dst, x device.Buffer) { s.b.CrossEntropy(dst, db, x, l) }, false)
				s.close(what, got, want, k, 4)
				s.close(what+" dx", s.take(db), dx64, k, 4)
				quiet := s.unary(what+" without dx", len(want), x, func(dst, x device.Buffer) { s.b.CrossEntropy(dst, nil, x, l) }, false)
				kerneltest.Equal(s, what+" without dx", quiet, got)
			}
		}
	}
	x, loss, dx := s.up([]float32{1, 2}), s.out(1), s.out(2)
	s.b.CrossEntropy(loss, dx, x, device.Loss{Rows: 1, Classes: 2, Labels: []int32{-1}})
	kerneltest.Equal(s, "a mean over no rows", s.take(loss), []float32{float32(math.NaN())})
	for _, v := range s.take(dx) {
		if v != 0 {
			s.Errorf("the gradient of a mean over no rows is %v", v)
		}
	}
}

func (s *suite) attention() {
	for _, h := range []device.Heads{
		{N: 1, T: 1, H: 1, D: 1}, {N: 3, T: 5, H: 2, D: 4, Causal: true}, {N: 2, T: 7, H: 3, D: 5}, {N: 1, T: 77, H: 2, D: 8, Causal: true}, {N: 2, T: 50, H: 1, D: 64},
	} {
		what := fmt.Sprintf("%+v", h)
		e := h.H * h.D
		g := attention.Shape{N: h.N, T: h.T, Heads: h.H, Dim: h.D, Causal: h.Causal, Stride: 3 * e, OutStride: e}
		n := h.N * h.T * e
		qkv, dy := s.draw(3*n), s.draw(n)
		x64, y64, probs64 := wide(qkv), make([]float64, n), make([]float64, g.Probs())
		attention.ForwardGeneric(y64, probs64, x64, x64[e:], x64[2*e:], g)
		pb := s.out(g.Probs())
		y := s.unary(what, n, qkv, func(dst, x device.Buffer) { s.b.Attention(dst, pb, x, h) }, false)
		probs := s.down(pb)
		s.close(what, y, y64, h.T+h.D, 4)
		s.close(what+" probabilities", probs, probs64, h.D, 4)
		quiet := s.unary(what+" without probabilities", n, qkv, func(dst, x device.Buffer) { s.b.Attention(dst, nil, x, h) }, false)
		s.close(what+" without probabilities", quiet, y64, h.T+h.D, 4)

		d64 := make([]float64, 3*n)
		attention.BackwardGeneric(d64, d64[e:], d64[2*e:], wide(dy), probs64, x64, x64[e:], x64[2*e:], g)
		xb := s.up(qkv)
		d := s.unary(what+" backward", 3*n, dy, func(dst, dy device.Buffer) { s.b.AttentionBackward(dst, dy, xb, pb, h) }, false)
		s.close(what+" backward", d, d64, h.T+h.D, 8)
		kerneltest.Equal(s, what+": qkv", s.take(xb), qkv)
		s.b.Free(pb)
	}
}
