package devicetest

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/kernel/norm"
	"github.com/winnow-go/winnow/internal/kernel/pooling"
)

// batches are shapes for operations that go image by image.
var batches = []struct{ n, hw, c, groups int }{{1, 1, 2, 1}, {2, 1, 8, 2}, {3, 7, 6, 3}, {2, 49, 32, 32}, {1, 64, 33, 3}, {4, 500, 12, 4}, {2, 3000, 10, 5}}

// rowScales holds RMSNorm and SimpleNorm to their definitions.
func (s *suite) rowScales() {
	const eps = 1e-6
	for _, m := range matrices {
		rows, c := m.rows, m.c
		x, gamma, dy := s.draw(rows*c), s.draw(c), s.draw(rows*c)
		xb, gb := s.up(x), s.up(gamma)
		for _, simple := range []bool{false, true} {
			if simple && c == 1 {
				continue // no unbiased variance
			}
			what := fmt.Sprintf("%+v simple=%v", m, simple)
			y64, mean64, rstd64 := make([]float64, rows*c), make([]float64, rows), make([]float64, rows)
			dx64, dg64 := make([]float64, rows*c), make([]float64, c)
			mb, rb, dgb := s.out(rows), s.out(rows), s.out(c)
			forward := func(dst, x device.Buffer) { s.b.RMSNorm(dst, x, gb, rb, rows, c, eps) }
			backward := func(dst, dy device.Buffer) { s.b.RMSNormBackward(dst, dgb, dy, xb, gb, rb, rows, c) }
			quiet := func(dst, x device.Buffer) { s.b.RMSNorm(dst, x, gb, nil, rows, c, eps) }
			if simple {
				norm.SimpleNormGeneric(y64, wide(x), wide(gamma), mean64, rstd64, rows, c, eps)
				norm.SimpleNormBackwardGeneric(dx64, dg64, wide(dy), wide(x), wide(gamma), mean64, rstd64, rows, c)
				forward = func(dst, x device.Buffer) { s.b.SimpleNorm(dst, x, gb, mb, rb, rows, c, eps) }
				backward = func(dst, dy device.Buffer) { s.b.SimpleNormBackward(dst, dgb, dy, xb, gb, mb, rb, rows, c) }
				quiet = func(dst, x device.Buffer) { s.b.SimpleNorm(dst, x, gb, nil, nil, rows, c, eps) }
			} else {
				norm.RMSNormGeneric(y64, wide(x), wide(gamma), rstd64, rows, c, eps)
				norm.RMSNormBackwardGeneric(dx64, dg64, wide(dy), wide(x), wide(gamma), rstd64, rows, c)
			}
			y := s.unary(what, rows*c, x, forward, false)
			s.close(what, y, y64, c, 8)
			s.close(what+" rstd", s.down(rb), rstd64, c, 8)
			if simple {
				s.close(what+" mean", s.down(mb), mean64, c, 8)
			}
			kerneltest.Equal(s, what+" without statistics", s.unary(what+" without statistics", rows*c, x, quiet, false), y)
			dx := s.unary(what+" dx", rows*c, dy, backward, false)
			if c > 1 { // RMSNorm of one channel has gradient 0
				s.close(what+" dx", dx, dx64, c, 16)
			}
			s.near(what+" dgamma", s.down(dgb), dg64, columns(products(dy, y64, gamma), rows, c), rows, 8)
			for _, b := range []device.Buffer{mb, rb, dgb} {
				s.b.Free(b)
			}
		}
		s.b.Free(xb)
		s.b.Free(gb)
	}
}

// products are |dy·y/gamma|: the terms of a scale's gradient.
func products(dy []float32, y []float64, gamma []float32) []float64 {
	p := magnitude(dy)
	for i := range p {
		p[i] *= math.Abs(y[i] / float64(gamma[i%len(gamma)]))
	}
	return p
}

func (s *suite) groupNorm() {
	const eps = 1e-5
	for _, m := range batches {
		n, hw, c, groups := m.n, m.hw, m.c, m.groups
		size := n * hw * c
		if hw*c/groups == 1 {
			continue
		}
		x, gamma, beta, dy, residual := s.draw(size), s.draw(c), s.draw(c), s.draw(size), s.draw(size)
		for i := range x {
			x[i] += 3
		}
		y64, mean64, rstd64 := make([]float64, size), make([]float64, n*groups), make([]float64, n*groups)
		norm.GroupNormGeneric(y64, wide(x), wide(gamma), wide(beta), mean64, rstd64, n, hw, c, groups, eps)
		xb, gb, bb, mb, rb, res := s.up(x), s.up(gamma), s.up(beta), s.out(n*groups), s.out(n*groups), s.up(residual)
		for bits := range 4 {
			what := fmt.Sprintf("%+v relu=%v residual=%v", m, bits&1 != 0, bits&2 != 0)
			var r device.Buffer
			want := append([]float64(nil), y64...)
			for i := range want {
				if bits&2 != 0 {
					r = res
					want[i] += float64(residual[i])
				}
				if bits&1 != 0 {
					want[i] = max(want[i], 0)
				}
			}
			y := s.unary(what, size, x, func(dst, x device.Buffer) {
				s.b.GroupNorm(dst, x, gb, bb, mb, rb, r, bits&1 != 0, n, hw, c, groups, eps)
			}, true)
			s.close(what, y, want, hw*c/groups, 32) // the mean is three deviations: x·scale and shift cancel
			quiet := s.unary(what+" without statistics", size, x, func(dst, x device.Buffer) {
				s.b.GroupNorm(dst, x, gb, bb, nil, nil, r, bits&1 != 0, n, hw, c, groups, eps)
			}, false)
			kerneltest.Equal(s, what+" without statistics", quiet, y)
		}
		what := fmt.Sprintf("%+v", m)
		s.close(what+" mean", s.down(mb), mean64, hw*c/groups, 8)
		s.close(what+" rstd", s.down(rb), rstd64, hw*c/groups, 8)
		dx64, dg64, db64 := make([]float64, size), make([]float64, c), make([]float64, c)
		norm.GroupNormBackwardGeneric(dx64, dg64, db64, wide(dy), wide(x), wide(gamma), mean64, rstd64, n, hw, c, groups)
		dgb, dbb := s.out(c), s.out(c)
		dx := s.unary(what+" dx", size, dy, func(dst, dy device.Buffer) {
			s.b.GroupNormBackward(dst, dgb, dbb, dy, xb, gb, mb, rb, n, hw, c, groups)
		}, false)
		if hw*c/groups > 2 { // fewer have x̂ = ±1 and dx = 0, all rounding errors
			s.close(what+" dx", dx, dx64, hw*c/groups, 32)
		}
		s.near(what+" dbeta", s.down(dbb), db64, columns(magnitude(dy), n*hw, c), n*hw, 4)
		s.close(what+" dgamma", s.down(dgb), dg64, n*hw, 64)
		kerneltest.Equal(s, what+": x", s.down(xb), x)
		for _, b := range []device.Buffer{xb, gb, bb, mb, rb, res, dgb, dbb} {
			s.b.Free(b)
		}
	}
}

func (s *suite) grn() {
	const eps = 1e-6
	for _, m := range batches {
		n, hw, c := m.n, m.hw, m.c
		size, what := n*hw*c, fmt.Sprintf("%+v", m)
		x, weight, bias, dy := s.draw(size), s.draw(c), s.draw(c), s.draw(size)
		if c > 2 {
			for p := range hw {
				x[p*c+1] = 0 // a channel without response
			}
		}
		y64, norms64 := make([]float64, size), make([]float64, n*c)
		norm.GRNGeneric(y64, wide(x), wide(weight), wide(bias), norms64, n, hw, c, eps)
		xb, wb, bb, nb := s.up(x), s.up(weight), s.up(bias), s.out(n*c)
		y := s.unary(what, size, x, func(dst, x device.Buffer) { s.b.GRN(dst, x, wb, bb, nb, n, hw, c, eps) }, true)
		s.close(what, y, y64, hw, 4)
		s.close(what+" norms", s.down(nb), norms64, hw, 4)
		quiet := s.unary(what+" without norms", size, x, func(dst, x device.Buffer) { s.b.GRN(dst, x, wb, bb, nil, n, hw, c, eps) }, false)
		kerneltest.Equal(s, what+" without norms", quiet, y)

		dx64, dw64, db64 := make([]float64, size), make([]float64, c), make([]float64, c)
		norm.GRNBackwardGeneric(dx64, dw64, db64, wide(dy), wide(x), wide(weight), norms64, n, hw, c, eps)
		dwb, dbb := s.out(c), s.out(c)
		dx := s.unary(what+" dx", size, dy, func(dst, dy device.Buffer) {
			s.b.GRNBackward(dst, dwb, dbb, dy, xb, wb, nb, n, hw, c, eps)
		}, false)
		s.close(what+" dx", dx, dx64, hw, 16)
		s.close(what+" dweight", s.down(dwb), dw64, n*hw, 32)
		s.near(what+" dbias", s.down(dbb), db64, columns(magnitude(dy), n*hw, c), n*hw, 4)
		for _, b := range []device.Buffer{xb, wb, bb, nb, dwb, dbb} {
			s.b.Free(b)
		}
	}
}

func (s *suite) gate() {
	for _, m := range batches {
		n, hw, c := m.n, m.hw, m.c
		size := n * hw * c
		x, f, residual, dy := s.draw(size), s.draw(n*c), s.draw(size), s.draw(size)
		fb, res := s.up(f), s.up(residual)
		ds64, sizes := make([]float64, n*c), make([]float64, n*c)
		for i := range x {
			at := i/(hw*c)*c + i%c
			p := float64(x[i]) * float64(dy[i])
			ds64[at] += p
			sizes[at] += math.Abs(p)
		}
		for bits := range 4 {
			what := fmt.Sprintf("%+v relu=%v residual=%v", m, bits&1 != 0, bits&2 != 0)
			want, scales := make([]float64, size), make([]float64, size)
			var r device.Buffer
			for i := range want {
				want[i] = float64(x[i]) * float64(f[i/(hw*c)*c+i%c])
				scales[i] = math.Abs(want[i])
				if bits&2 != 0 {
					r = res
					want[i] += float64(residual[i])
					scales[i] += math.Abs(float64(residual[i]))
				}
				if bits&1 != 0 {
					want[i] = max(want[i], 0)
				}
			}
			y := s.unary(what, size, x, func(dst, x device.Buffer) { s.b.Gate(dst, x, fb, r, bits&1 != 0, n, hw, c) }, true)
			s.near(what, y, want, scales, 1, 2)
		}
		what := fmt.Sprintf("%+v gradient", m)
		xb := s.up(x)
		ds := s.unary(what, n*c, dy, func(dst, dy device.Buffer) { s.b.GateGradient(dst, dy, xb, n, hw, c) }, false)
		s.near(what, ds, ds64, sizes, hw, 4)
		for _, b := range []device.Buffer{fb, res, xb} {
			s.b.Free(b)
		}
	}
}

func (s *suite) blur() {
	for _, c := range []struct{ n, h, w, c, stride int }{{1, 2, 2, 1, 2}, {2, 5, 6, 3, 2}, {1, 7, 4, 33, 1}, {3, 20, 20, 40, 2}} {
		g := kernel.Window{N: c.n, H: c.h, W: c.w, C: c.c, KH: 3, KW: 3, StrideH: c.stride, StrideW: c.stride, PadH: 1, PadW: 1, DilH: 1, DilW: 1}
		what := fmt.Sprintf("%+v", c)
		in, out := c.n*c.h*c.w*c.c, c.n*g.OutH()*g.OutW()*c.c
		x, dy := s.draw(in), s.draw(out)
		want, sizes := make([]float64, out), make([]float64, out)
		pooling.BlurGeneric(want, wide(x), g, 0, c.n*g.OutH())
		pooling.BlurGeneric(sizes, magnitude(x), g, 0, c.n*g.OutH())
		y := s.unary(what, out, x, func(dst, x device.Buffer) { s.b.Blur(dst, x, g) }, false)
		s.near(what, y, want, sizes, 9, 3)
		dx64, back := make([]float64, in), make([]float64, in)
		pooling.BlurBackwardGeneric(dx64, wide(dy), g, 0, c.n)
		pooling.BlurBackwardGeneric(back, magnitude(dy), g, 0, c.n)
		dx := s.unary(what+" backward", in, dy, func(dst, dy device.Buffer) { s.b.BlurBackward(dst, dy, g) }, false)
		s.near(what+" backward", dx, dx64, back, 9, 3)
	}
}
