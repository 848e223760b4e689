package devicetest

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/kernel/mlp"
)

func (s *suite) mlp() {
	for _, m := range []device.MLP{
		{Rows: 1, C: 1, Hidden: 1, Out: 1, Act: kernel.ReLU, Epsilon: 1e-5},
		{Rows: 7, C: 3, Hidden: 5, Out: 2, Act: kernel.GELU, Epsilon: 1e-6},
		{Rows: 181, C: 24, Hidden: 96, Out: 24, Act: kernel.GELU, Epsilon: 1e-6},
		{Rows: 33, C: 17, Hidden: 66, Out: 17, Act: kernel.SiLU, Epsilon: 1e-6},
		{Rows: 700, C: 16, Hidden: 64, Out: 16, Act: kernel.QuickGELU, Epsilon: 1e-6},
	} {
		for _, bare := range []bool{false, true} {
			what := fmt.Sprintf("%+v bare=%v", m, bare)
			x, w1, w2 := s.draw(m.Rows*m.C), s.draw(m.Hidden*m.C), s.draw(m.Out*m.Hidden)
			var gamma, beta, b1, b2, scale, residual []float32
			if !bare {
				gamma, beta, b1 = s.draw(m.C), s.draw(m.C), s.draw(m.Hidden)
				b2, scale, residual = s.draw(m.Out), s.draw(m.Out), s.draw(m.Rows*m.Out)
			}
			opt := func(x []float32) []float64 {
				if x == nil {
					return nil
				}
				return wide(x)
			}
			want := make([]float64, m.Rows*m.Out)
			mlp.ForwardGeneric(want, wide(x), opt(residual), opt(gamma), opt(beta), wide(w1), opt(b1), wide(w2), opt(b2), opt(scale),
				m.Rows, m.C, m.Hidden, m.Out, float64(m.Epsilon), m.Act)
			w := s.b.PackMLP(nil, s.up(w1), s.up(w2), m)
			if w.Bytes() < 4*(len(w1)+len(w2)) && w.Elem() == kernel.F32 {
				s.Errorf("%s: %d bytes of packed weights", what, w.Bytes())
			}
			g, be, bb1, bb2, sc, r := s.up(gamma), s.up(beta), s.up(b1), s.up(b2), s.up(scale), s.up(residual)
			got := s.unary(what, len(want), x, func(dst, x device.Buffer) { s.b.MLP(dst, x, w, g, be, bb1, bb2, sc, r, m) }, false)
			s.close(what, got, want, m.C*m.Hidden, 6)
			if r != nil { // the result may take the residual's place
				xb := s.up(x)
				s.b.MLP(r, xb, w, g, be, bb1, bb2, sc, r, m)
				kerneltest.Equal(s, what+" onto its residual", s.take(r), got)
				s.b.Free(xb)
			}
		}
		s.trainedMLP(m)
	}
	s.trainedMLP(device.MLP{Rows: 1203, C: 8, Hidden: 32, Out: 6, Act: kernel.GELU})
	s.trainedMLP(device.MLP{Rows: 200, C: 96, Hidden: 384, Out: 96, Act: kernel.GELU})
}

func (s *suite) trainedMLP(m device.MLP) {
	what := fmt.Sprintf("training %+v", m)
	x, w1, w2, dy := s.draw(m.Rows*m.C), s.draw(m.Hidden*m.C), s.draw(m.Out*m.Hidden), s.draw(m.Rows*m.Out)
	b1, b2 := s.draw(m.Hidden), s.draw(m.Out)
	y := make([]float64, m.Rows*m.Out)
	mlp.ForwardGeneric(y, wide(x), nil, nil, nil, wide(w1), wide(b1), wide(w2), wide(b2), nil, m.Rows, m.C, m.Hidden, m.Out, 0, m.Act)
	dx, dw1, db1, dw2 := make([]float64, len(x)), make([]float64, len(w1)), make([]float64, len(b1)), make([]float64, len(w2))
	mlp.BackwardGeneric(dx, dw1, db1, dw2, wide(dy), wide(x), wide(w1), wide(b1), wide(w2), m.Rows, m.C, m.Hidden, m.Out, m.Act)

	xb, w1b, w2b, dyb, b1b, b2b := s.up(x), s.up(w1), s.up(w2), s.up(dy), s.up(b1), s.up(b2)
	w := s.b.PackMLP(nil, w1b, w2b, m)
	dst, h := s.out(len(y)), s.out(m.Rows*m.Hidden)
	s.b.MLPKeep(dst, h, xb, w, b1b, b2b, m)
	s.close(what, s.take(dst), y, m.C*m.Hidden, 6)
	gx, g1, gb, g2 := s.out(len(dx)), s.out(len(dw1)), s.out(len(db1)), s.out(len(dw2))
	s.b.MLPBackward(gx, g1, gb, g2, dyb, xb, h, w1b, w2b, m)
	s.close(what+", gradient of x", s.take(gx), dx, m.Out*m.Hidden, 6)
	s.close(what+", gradient of w1", s.take(g1), dw1, m.Out*m.Rows, 6)
	s.close(what+", gradient of b1", s.take(gb), db1, m.Out*m.Rows, 6)
	s.close(what+", gradient of w2", s.take(g2), dw2, m.C*m.Rows, 6)
	if again := s.b.PackMLP(w, w1b, w2b, m); again.Bytes() != w.Bytes() {
		s.Errorf("%s: packed again the weights take %d bytes, %d before", what, again.Bytes(), w.Bytes())
	}
	for _, b := range []device.Buffer{xb, w1b, w2b, dyb, b1b, b2b, h} {
		s.b.Free(b)
	}
}
