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
			w := s.b.PackMLP(s.up(w1), s.up(w2), m)
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
	}
}
