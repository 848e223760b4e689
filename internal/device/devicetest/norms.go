package devicetest

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/kernel/norm"
)

// matrices are the shapes that row- and column-wise operations are tried with:
// a single element, odd lengths, and enough of them for several tasks.
var matrices = []struct{ rows, c int }{{1, 1}, {1, 7}, {2, 1}, {5, 3}, {7, 8}, {16, 33}, {9, 257}, {300, 130}, {3000, 17}}

func (s *suite) layerNorm() {
	const eps = 1e-6
	for _, m := range matrices {
		rows, c := m.rows, m.c
		what := fmt.Sprintf("%+v", m)
		x, gamma, beta, dy := s.draw(rows*c), s.draw(c), s.draw(c), s.draw(rows*c)
		for i := range x {
			x[i] += 3
		}
		y64, mean64, rstd64 := make([]float64, rows*c), make([]float64, rows), make([]float64, rows)
		norm.LayerNormGeneric(y64, wide(x), wide(gamma), wide(beta), mean64, rstd64, rows, c, eps)
		gb, bb, mb, rb := s.up(gamma), s.up(beta), s.out(rows), s.out(rows)
		y := s.unary(what, rows*c, x, func(dst, x device.Buffer) { s.b.LayerNorm(dst, x, gb, bb, mb, rb, rows, c, eps) }, false)
		mean, rstd := s.down(mb), s.down(rb)
		if c > 1 { // a single channel is normalised to rounding errors times 1/√ε
			s.close(what, y, y64, c, 8)
			s.close(what+" rstd", rstd, rstd64, c, 8)
		}
		s.close(what+" mean", mean, mean64, c, 8)
		quiet := s.unary(what+" without statistics", rows*c, x, func(dst, x device.Buffer) { s.b.LayerNorm(dst, x, gb, bb, nil, nil, rows, c, eps) }, false)
		kerneltest.Equal(s, what+" without statistics", quiet, y)

		plain64 := make([]float64, rows*c)
		norm.LayerNormGeneric(plain64, wide(x), nil, nil, nil, nil, rows, c, eps)
		plain := s.unary(what+" without gamma and beta", rows*c, x, func(dst, x device.Buffer) { s.b.LayerNorm(dst, x, nil, nil, nil, nil, rows, c, eps) }, false)
		if c > 1 {
			s.close(what+" without gamma and beta", plain, plain64, c, 8)
		}

		// The definition of the backward pass, at the statistics that were stored.
		for _, scaled := range []bool{true, false} {
			what := fmt.Sprintf("%s scaled=%v", what, scaled)
			var g []float32
			var gbuf device.Buffer
			if scaled {
				g, gbuf = gamma, gb
			}
			dx64, dg64, db64 := make([]float64, rows*c), make([]float64, c), make([]float64, c)
			norm.LayerNormBackwardGeneric(dx64, dg64, db64, wide(dy), wide(x), wide(g), wide(mean), wide(rstd), rows, c)
			xb, dgb, dbb := s.up(x), s.out(c), s.out(c)
			dx := s.unary(what+" dx", rows*c, dy, func(dst, dy device.Buffer) {
				s.b.LayerNormBackward(dst, dgb, dbb, dy, xb, gbuf, mb, rb, rows, c)
			}, false)
			if c > 1 {
				s.close(what+" dx", dx, dx64, c, 16)
				s.close(what+" dgamma", s.down(dgb), dg64, rows, 8)
			}
			s.near(what+" dbeta", s.down(dbb), db64, columns(magnitude(dy), rows, c), rows, 4)
			for _, b := range []device.Buffer{xb, dgb, dbb} {
				s.b.Free(b)
			}
		}
		for _, b := range []device.Buffer{gb, bb, mb, rb} {
			s.b.Free(b)
		}
	}
}

// columns adds up the columns of x.
func columns(x []float64, rows, c int) []float64 {
	sum := make([]float64, c)
	for r := range rows {
		for i := range c {
			sum[i] += x[r*c+i]
		}
	}
	return sum
}

// moments are the mean and the biased variance of every column.
func moments(x []float64, rows, c int) (mean, variance []float64) {
	mean, variance = columns(x, rows, c), make([]float64, c)
	for i := range c {
		mean[i] /= float64(rows)
		for r := range rows {
			d := x[r*c+i] - mean[i]
			variance[i] += d * d / float64(rows)
		}
	}
	return mean, variance
}

func (s *suite) batchNorm() {
	for _, m := range matrices {
		rows, c := m.rows, m.c
		what := fmt.Sprintf("%+v", m)
		x, gamma, dy := s.draw(rows*c), s.draw(c), s.draw(rows*c)
		for i := range x {
			x[i] = 100 + 2*x[i] // a mean that a naive variance loses itself in
		}
		xb, mb, vb := s.up(x), s.out(c), s.out(c)
		s.b.BatchMoments(mb, vb, xb, rows, c)
		mean64, var64 := moments(wide(x), rows, c)
		s.close(what+" mean", s.down(mb), mean64, 1, 4)
		s.close(what+" variance", s.down(vb), var64, rows, 4)

		mean, rstd := s.down(mb), make([]float32, c)
		for i, v := range s.down(vb) {
			rstd[i] = float32(1 / math.Sqrt(float64(v)+1e-5))
		}
		s.b.Upload(vb, rstd)
		dg64, db64, dx64 := make([]float64, c), make([]float64, c), make([]float64, rows*c)
		norm.BatchNormBackwardSumsGeneric(db64, dg64, wide(dy), wide(x), wide(mean), wide(rstd), rows, c)
		norm.BatchNormBackwardGeneric(dx64, wide(dy), wide(x), wide(mean), wide(rstd), wide(gamma), db64, dg64, rows, c, rows)
		gb, dgb, dbb := s.up(gamma), s.out(c), s.out(c)
		n := device.BatchNorm{X: xb, Mean: mb, RStd: vb, Gamma: gb, DGamma: dgb, DBeta: dbb}
		dx := s.unary(what+" dx", rows*c, dy, func(dst, dy device.Buffer) {
			s.b.BatchNormSums(dy, n, rows, c)
			s.b.BatchNormBackward(dst, dy, n, rows, c)
		}, true)
		s.near(what+" dbeta", s.down(dbb), db64, columns(magnitude(dy), rows, c), rows, 4)
		if rows > 2 { // fewer rows have x̂ = ±1 and dx = 0, all rounding errors
			s.close(what+" dx", dx, dx64, rows, 16)
			s.close(what+" dgamma", s.down(dgb), dg64, rows, 8)
		}
		behind, yb, passed := s.up(dy), s.up(s.draw(rows*c)), s.out(rows*c)
		s.b.ReLUBackward(passed, behind, yb)
		want, got := s.out(rows*c), s.out(rows*c)
		s.b.BatchNormSums(passed, n, rows, c)
		s.b.BatchNormBackward(want, passed, n, rows, c)
		dg, db := s.down(dgb), s.down(dbb)
		n.Y = yb
		s.b.BatchNormSums(behind, n, rows, c)
		s.b.BatchNormBackward(got, behind, n, rows, c)
		kerneltest.Equal(s, what+" dy behind ReLU", s.take(behind), s.down(passed))
		kerneltest.Equal(s, what+" dx behind ReLU", s.take(got), s.take(want))
		kerneltest.Equal(s, what+" dgamma behind ReLU", s.down(dgb), dg)
		kerneltest.Equal(s, what+" dbeta behind ReLU", s.down(dbb), db)

		kerneltest.Equal(s, what+": x", s.down(xb), x)
		for _, b := range []device.Buffer{xb, yb, passed, mb, vb, gb, dgb, dbb} {
			s.b.Free(b)
		}
	}
}

func (s *suite) affine() {
	for _, m := range matrices {
		rows, c := m.rows, m.c
		for bits := range 8 {
			shifted, added, relu := bits&1 != 0, bits&2 != 0, bits&4 != 0
			what := fmt.Sprintf("%+v shift=%v residual=%v relu=%v", m, shifted, added, relu)
			x, scale := s.draw(rows*c), s.draw(c)
			shift, residual := make([]float32, c), []float32(nil)
			var hb device.Buffer
			if shifted {
				shift = s.draw(c)
				hb = s.up(shift)
			}
			if added {
				residual = s.draw(rows * c)
			}
			want := make([]float64, rows*c)
			elementwise.AffineChannelsGeneric(want, wide(x), wide(scale), wide(shift), wide(residual), rows, c, relu)
			scales := make([]float64, rows*c)
			for i := range scales {
				scales[i] = math.Abs(float64(x[i]*scale[i%c])) + math.Abs(float64(shift[i%c]))
				if added {
					scales[i] += math.Abs(float64(residual[i]))
				}
			}
			sb, rb := s.up(scale), s.up(residual)
			y := s.unary(what, rows*c, x, func(dst, x device.Buffer) { s.b.Affine(dst, x, sb, hb, rb, relu, rows, c) }, true)
			s.near(what, y, want, scales, 1, 4)
			if added {
				xb := s.up(x)
				s.b.Affine(rb, xb, sb, hb, rb, relu, rows, c)
				kerneltest.Equal(s, what+" onto the residual", s.take(rb), y)
				s.b.Free(xb)
			}
			s.b.Free(sb)
		}
	}
	x, one, dst := s.up([]float32{float32(math.NaN()), -1, 2}), s.up([]float32{1}), s.out(3)
	s.b.Affine(dst, x, one, nil, nil, true, 3, 1)
	kerneltest.Equal(s, "relu of NaN, -1, 2", s.take(dst), []float32{float32(math.NaN()), 0, 2})
}

func (s *suite) scaleSamples() {
	for _, m := range []struct{ samples, per, c int }{{1, 1, 1}, {3, 1, 5}, {4, 6, 33}, {5, 49, 64}, {40, 100, 9}, {2, 3000, 17}} {
		rows, c := m.samples*m.per, m.c
		for bits := range 8 {
			scaled, sampled, added := bits&1 != 0, bits&2 != 0, bits&4 != 0
			what := fmt.Sprintf("%+v gamma=%v sample=%v residual=%v", m, scaled, sampled, added)
			x, dy := s.draw(rows*c), s.draw(rows*c)
			var gamma, sample, residual []float32
			if scaled {
				gamma = s.draw(c)
			}
			if sampled {
				sample = s.draw(m.samples)
				sample[0] = 0
			}
			if added {
				residual = s.draw(rows * c)
			}
			want, scales := make([]float64, rows*c), make([]float64, rows*c)
			dgamma, sizes := make([]float64, c), make([]float64, c)
			for i, v := range wide(x) {
				k := 1.0
				if sampled {
					k = float64(sample[i/c/m.per])
				}
				dgamma[i%c] += float64(dy[i]) * v * k
				sizes[i%c] += math.Abs(float64(dy[i]) * v * k)
				v *= k
				if scaled {
					v *= float64(gamma[i%c])
				}
				want[i], scales[i] = v, math.Abs(v)
				if added {
					want[i] += float64(residual[i])
					scales[i] += math.Abs(float64(residual[i]))
				}
			}
			gb, rb := s.up(gamma), s.up(residual)
			y := s.unary(what, rows*c, x, func(dst, x device.Buffer) { s.b.ScaleSamples(dst, x, gb, sample, rb, rows, c, m.samples) }, true)
			s.near(what, y, want, scales, 1, 4)
			xb := s.up(x)
			if added {
				s.b.ScaleSamples(rb, xb, gb, sample, rb, rows, c, m.samples)
				kerneltest.Equal(s, what+" onto the residual", s.take(rb), y)
			}
			got := s.unary(what+" dgamma", c, dy, func(dst, dy device.Buffer) { s.b.GammaGradient(dst, dy, xb, sample, rows, c, m.samples) }, false)
			s.near(what+" dgamma", got, dgamma, sizes, rows, 4)
			s.b.Free(xb)
			if gb != nil {
				s.b.Free(gb)
			}
		}
	}
}

func (s *suite) columnSums() {
	for _, m := range matrices {
		x := s.draw(m.rows * m.c)
		what := fmt.Sprintf("%+v", m)
		got := s.unary(what, m.c, x, func(dst, x device.Buffer) { s.b.ColumnSums(dst, x, m.rows, m.c) }, false)
		s.near(what, got, columns(wide(x), m.rows, m.c), columns(magnitude(x), m.rows, m.c), m.rows, 2)
	}
}
