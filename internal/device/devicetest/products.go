package devicetest

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/conv"
	"github.com/winnow-go/winnow/internal/kernel/depthwise"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// epilogues are what the products are tried with: named terms of
// device.Epilogue.
var epilogues = []struct {
	bias, scale, residual bool
	act                   kernel.Activation
	last                  bool
}{
	{},
	{bias: true},
	{bias: true, act: kernel.ReLU},
	{bias: true, act: kernel.GELU},
	{act: kernel.SiLU},
	{residual: true},
	{bias: true, scale: true, residual: true},
	{bias: true, residual: true, act: kernel.ReLU, last: true},
	{bias: true, scale: true, residual: true, act: kernel.GELU},
	{bias: true, scale: true, residual: true, act: kernel.QuickGELU, last: true},
	{scale: true, act: kernel.Sigmoid, last: true},
}

// product holds a product of rows x k to its definition, with every epilogue.
// sums and magnitudes are the plain product and that of the operands'
// magnitudes, n the length of each sum.
func (s *suite) product(what string, rows, k, n int, sums, magnitudes []float64, run func(dst device.Buffer, e device.Epilogue)) {
	s.Helper()
	for _, c := range epilogues {
		what := fmt.Sprintf("%s bias=%v scale=%v residual=%v act=%v last=%v", what, c.bias, c.scale, c.residual, c.act, c.last)
		var bias, scale, residual []float32
		if c.bias {
			bias = s.draw(k)
		}
		if c.scale {
			scale = s.draw(k)
		}
		if c.residual {
			residual = s.draw(rows * k)
		}
		e64 := &kernel.Epilogue[float64]{Bias: wide(bias), Scale: wide(scale), Residual: wide(residual), Act: c.act, ActLast: c.last}
		want, scales := make([]float64, rows*k), make([]float64, rows*k)
		copy(want, sums)
		for r := range rows {
			e64.Row(want[r*k:][:k], r, 0, k)
			for i := range k {
				m := magnitudes[r*k+i]
				if bias != nil {
					m += math.Abs(float64(bias[i]))
				}
				if scale != nil {
					m *= math.Abs(float64(scale[i]))
				}
				if residual != nil {
					m += math.Abs(float64(residual[r*k+i]))
				}
				if c.act == kernel.Sigmoid {
					m++ // 1/(1+e⁻ˣ) has a rounding of its own
				}
				scales[r*k+i] = 1.2 * m // no activation is steeper
			}
		}
		bb, sb, rb := s.up(bias), s.up(scale), s.up(residual)
		e := device.Epilogue{Bias: bb, Scale: sb, Residual: rb, Act: c.act, ActLast: c.last}
		dst := s.out(rows * k)
		run(dst, e)
		got := s.down(dst)
		s.near(what, got, want, scales, n, 6)
		run(dst, e)
		kerneltest.Equal(s, what+" again", s.take(dst), got)
		if rb != nil {
			kerneltest.Equal(s, what+": the residual", s.down(rb), residual)
			run(rb, e)
			kerneltest.Equal(s, what+" onto the residual", s.take(rb), got)
		}
		for _, b := range []device.Buffer{bb, sb} {
			if b != nil {
				s.b.Free(b)
			}
		}
	}
}

func (s *suite) conv() {
	for _, c := range []struct {
		n, h, w, c, k, kh, kw, stride, pad, dil, groups int
	}{
		{1, 5, 7, 3, 5, 3, 3, 1, 1, 1, 1},
		{2, 9, 8, 3, 17, 7, 7, 2, 3, 1, 1},
		{1, 8, 8, 3, 6, 4, 4, 4, 0, 1, 1},
		{3, 5, 5, 16, 7, 1, 1, 1, 0, 1, 1},
		{1, 7, 6, 5, 9, 1, 1, 2, 0, 1, 1},
		{1, 9, 9, 4, 6, 3, 3, 1, 2, 2, 2},
		{1, 6, 5, 12, 8, 3, 2, 1, 1, 1, 4},
		{2, 1, 1, 33, 65, 1, 1, 1, 0, 1, 1},
		{1, 3, 3, 1, 1, 3, 3, 1, 1, 1, 1},
		{1, 4, 4, 2, 3, 3, 3, 3, 2, 1, 1},  // pixels that no window meets
		{1, 6, 7, 4, 8, 3, 3, 2, 1, 1, 4},  // two filters to a channel
		{2, 10, 8, 6, 6, 7, 7, 1, 3, 1, 6}, // depthwise
		{1, 7, 9, 37, 37, 3, 3, 2, 1, 1, 37},
		{1, 9, 9, 9, 9, 3, 3, 1, 2, 2, 9},
		{1, 2, 2, 8, 8, 7, 7, 1, 3, 1, 8},
		{2, 23, 29, 33, 24, 1, 1, 1, 0, 1, 1}, // pieces of pixels for several tasks
		{2, 31, 27, 32, 40, 3, 3, 1, 1, 1, 1},
		{1, 41, 29, 17, 33, 3, 3, 2, 1, 1, 1},
		{2, 28, 28, 48, 48, 7, 7, 1, 3, 1, 48},
	} {
		g := kernel.Conv{Window: kernel.Window{N: c.n, H: c.h, W: c.w, C: c.c, KH: c.kh, KW: c.kw,
			StrideH: c.stride, StrideW: c.stride, PadH: c.pad, PadW: c.pad, DilH: c.dil, DilW: c.dil}, K: c.k, Groups: c.groups}
		what := fmt.Sprintf("%+v", c)
		rows, in, taps := c.n*g.OutH()*g.OutW(), c.n*c.h*c.w*c.c, c.k*g.Inner()
		x, w, dy := s.draw(in), s.draw(taps), s.draw(rows*c.k)

		forward := func(x, w []float64) []float64 {
			y := make([]float64, rows*c.k)
			if g.Depthwise() {
				depthwise.ForwardGeneric(y, x, w, g, nil, 0, c.n*g.OutH())
			} else {
				conv.ForwardGeneric(y, x, w, g, nil)
			}
			return y
		}
		xb, wb, db := s.up(x), s.up(w), s.up(dy)
		packed := s.b.PackConv(nil, wb, g)
		if packed.Bytes() < taps*packed.Elem().Size() {
			s.Errorf("%s: %d bytes of packed weights for %d elements", what, packed.Bytes(), taps)
		}
		run := func(dst device.Buffer, e device.Epilogue) { s.b.Conv(dst, xb, packed, g, e) }
		s.product(what, rows, c.k, g.Inner(), forward(wide(x), wide(w)), forward(magnitude(x), magnitude(w)), run)

		// Packing again into the same memory, for other values and another image.
		other := s.draw(taps)
		ob := s.up(other)
		packed = s.b.PackConv(packed, ob, g)
		s.product(what+" repacked", rows, c.k, g.Inner(), forward(wide(x), wide(other)), forward(magnitude(x), magnitude(other)), run)
		s.b.Free(ob)

		input := func(dy, w []float64) []float64 {
			d := make([]float64, in)
			if g.Depthwise() {
				depthwise.BackwardInputGeneric(d, dy, w, g, 0, c.n*c.h)
			} else {
				conv.BackwardInputGeneric(d, dy, w, g)
			}
			return d
		}
		dx := s.unary(what+" dx", in, dy, func(dst, dy device.Buffer) { s.b.ConvBackwardInput(dst, dy, wb, g, false, device.Norms{}) }, false)
		s.near(what+" dx", dx, input(wide(dy), wide(w)), input(magnitude(dy), magnitude(w)), c.kh*c.kw*c.k/c.groups, 6)
		s.sum(what+" dx", x, dy, dx, input(magnitude(dy), magnitude(w)), c.kh*c.kw*c.k/c.groups,
			func(dst, dy device.Buffer) { s.b.ConvBackwardInput(dst, dy, wb, g, true, device.Norms{}) })
		s.besideNorms(what, g, xb, wb, packed)

		weight := func(dy, x []float64) []float64 {
			d := make([]float64, taps)
			if g.Depthwise() {
				depthwise.BackwardWeightGeneric(d, dy, x, g, 0, c.n*g.OutH())
			} else {
				conv.BackwardWeightGeneric(d, dy, x, g)
			}
			return d
		}
		dw := s.unary(what+" dw", taps, dy, func(dst, dy device.Buffer) { s.b.ConvBackwardWeight(dst, nil, dy, xb, g) }, false)
		s.bias(what, dw, dy, c.k, func(dw, db, dy device.Buffer) { s.b.ConvBackwardWeight(dw, db, dy, xb, g) })
		s.near(what+" dw", dw, weight(wide(dy), wide(x)), weight(magnitude(dy), magnitude(x)), rows, 6)
		kerneltest.Equal(s, what+": x", s.take(xb), x)
		kerneltest.Equal(s, what+": w", s.take(wb), w)
		s.b.Free(db)
	}
}

// besideNorms checks that a convolution does what batch norms before and after
// it do alone.
func (s *suite) besideNorms(what string, g kernel.Conv, x, w device.Buffer, packed device.Weights) {
	s.Helper()
	in, out := g.N*g.H*g.W, g.N*g.OutH()*g.OutW()
	y, mean, variance := s.out(out*g.K), s.out(g.K), s.out(g.K)
	s.b.Conv(y, x, packed, g, device.Epilogue{Mean: mean, Variance: variance})
	plain, wantMean, wantVariance := s.out(out*g.K), s.out(g.K), s.out(g.K)
	s.b.Conv(plain, x, packed, g, device.Epilogue{})
	s.b.BatchMoments(wantMean, wantVariance, plain, out, g.K)
	kerneltest.Equal(s, what+" with moments", s.down(y), s.take(plain))
	kerneltest.Equal(s, what+" mean", s.down(mean), s.take(wantMean))
	kerneltest.Equal(s, what+" variance", s.take(variance), s.take(wantVariance))

	rstd := s.draw(max(g.K, g.C))
	for i, v := range rstd {
		rstd[i] = v*v + 0.5
	}
	norm := func(rows, c int, x device.Buffer, relu bool) *device.BatchNorm {
		n := &device.BatchNorm{X: x, Mean: s.up(s.draw(c)), RStd: s.up(rstd[:c]), Gamma: s.up(s.draw(c)), DGamma: s.up(s.draw(c)), DBeta: s.up(s.draw(c))}
		if relu {
			n.Y = s.up(s.draw(rows * c))
		}
		return n
	}
	free := func(n *device.BatchNorm) {
		for _, b := range []device.Buffer{n.Y, n.Mean, n.RStd, n.Gamma, n.DGamma, n.DBeta} {
			if b != nil {
				s.b.Free(b)
			}
		}
	}
	for _, relu := range []bool{false, true} {
		for _, accumulate := range []bool{false, true} {
			for sides := 1; sides < 4; sides++ {
				what := fmt.Sprintf("%s norms=%b relu=%v accumulate=%v", what, sides, relu, accumulate)
				before, after := norm(in, g.C, x, relu), norm(out, g.K, y, relu)
				old, grad := s.draw(in*g.C), s.up(s.draw(out*g.K))
				wantDX, wantDY := s.up(old), s.out(out*g.K)
				s.b.Copy(wantDY, grad)
				if sides&2 != 0 {
					s.b.BatchNormBackward(wantDY, grad, *after, out, g.K)
				}
				s.b.ConvBackwardInput(wantDX, wantDY, w, g, accumulate, device.Norms{})
				if sides&1 != 0 {
					s.b.BatchNormSums(wantDX, *before, in, g.C)
				}
				dgamma, dbeta := s.down(before.DGamma), s.down(before.DBeta)

				var n device.Norms
				dx, dy := s.up(old), s.up(s.draw(out*g.K))
				if sides&1 != 0 {
					n.Input = before
					s.b.Fill(before.DGamma, 3)
					s.b.Fill(before.DBeta, 3)
				}
				if sides&2 != 0 {
					n.Output, n.DY = after, grad
				} else {
					s.b.Copy(dy, grad)
				}
				s.b.ConvBackwardInput(dx, dy, w, g, accumulate, n)
				kerneltest.Equal(s, what+" dx", s.down(dx), s.down(wantDX))
				kerneltest.Equal(s, what+" dy", s.take(dy), s.down(wantDY))
				if over := *after; sides&2 != 0 { // the gradient takes the place of the norm's input
					over.X = s.up(s.down(y))
					n.Output = &over
					s.b.Upload(dx, old)
					s.b.ConvBackwardInput(dx, over.X, w, g, accumulate, n)
					kerneltest.Equal(s, what+" dx, dy over the result", s.down(dx), s.down(wantDX))
					kerneltest.Equal(s, what+" dy over the result", s.take(over.X), s.down(wantDY))
				}
				for _, b := range []device.Buffer{dx, wantDX, wantDY} {
					s.b.Free(b)
				}
				kerneltest.Equal(s, what+" dgamma", s.down(before.DGamma), dgamma)
				kerneltest.Equal(s, what+" dbeta", s.down(before.DBeta), dbeta)
				s.b.Free(grad)
				free(before)
				free(after)
			}
		}
	}
	s.b.Free(y)
	s.b.Free(mean)
}

// sum checks that f adds to old what it otherwise writes.
func (s *suite) sum(what string, old, in, written []float32, scale []float64, n int, f func(dst, x device.Buffer)) {
	s.Helper()
	dst, x := s.up(old), s.up(in)
	f(dst, x)
	want := wide(old)
	for i, v := range written {
		scale[i] += math.Abs(want[i])
		want[i] += float64(v)
	}
	s.near(what+" added", s.take(dst), want, scale, n+1, 6)
	s.b.Free(x)
}

// bias checks that f computes the gradient of a bias beside dw.
func (s *suite) bias(what string, dw, dy []float32, k int, f func(dw, db, dy device.Buffer)) {
	s.Helper()
	rows := len(dy) / k
	want := make([]float64, k)
	for i, v := range dy {
		want[i%k] += float64(v)
	}
	db := s.unary(what+" db", k, dy, func(dst, dy device.Buffer) {
		again := s.out(len(dw))
		f(again, dst, dy)
		kerneltest.Equal(s, what+" dw beside db", s.take(again), dw)
	}, false)
	s.near(what+" db", db, want, columns(magnitude(dy), rows, k), rows, 4)
}

// multiply is a [m,l] times b [n,l] transposed.
func multiply(a, b []float64, m, n, l int) []float64 {
	y := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for k := range l {
				y[i*n+j] += a[i*l+k] * b[j*l+k]
			}
		}
	}
	return y
}

// transpose turns a [m,n] into [n,m].
func transpose(a []float64, m, n int) []float64 {
	y := make([]float64, m*n)
	for i := range m {
		for j := range n {
			y[j*m+i] = a[i*n+j]
		}
	}
	return y
}

func (s *suite) linear() {
	for _, c := range []struct{ rows, out, in int }{
		{1, 1, 1}, {1, 1000, 7}, {3, 5, 4}, {17, 16, 33}, {64, 48, 31}, {130, 3, 65}, {5, 257, 129},
		{500, 64, 40}, {450, 32, 700}, {410, 48, 1100}, // blocks of rows, and of sums
	} {
		what := fmt.Sprintf("%+v", c)
		x, w, dy := s.draw(c.rows*c.in), s.draw(c.out*c.in), s.draw(c.rows*c.out)
		xb, wb := s.up(x), s.up(w)
		packed := s.b.PackLinear(nil, wb, c.out, c.in)
		run := func(dst device.Buffer, e device.Epilogue) { s.b.Linear(dst, xb, packed, c.rows, c.out, c.in, e) }
		s.product(what, c.rows, c.out, c.in, multiply(wide(x), wide(w), c.rows, c.out, c.in),
			multiply(magnitude(x), magnitude(w), c.rows, c.out, c.in), run)
		packed = s.b.PackLinear(packed, wb, c.out, c.in)
		s.product(what+" repacked", c.rows, c.out, c.in, multiply(wide(x), wide(w), c.rows, c.out, c.in),
			multiply(magnitude(x), magnitude(w), c.rows, c.out, c.in), run)

		dx := s.unary(what+" dx", c.rows*c.in, dy, func(dst, dy device.Buffer) { s.b.LinearBackwardInput(dst, dy, wb, c.rows, c.out, c.in, false) }, false)
		input := func(dy, w []float64) []float64 {
			return multiply(dy, transpose(w, c.out, c.in), c.rows, c.in, c.out)
		}
		s.near(what+" dx", dx, input(wide(dy), wide(w)), input(magnitude(dy), magnitude(w)), c.out, 6)
		s.sum(what+" dx", x, dy, dx, input(magnitude(dy), magnitude(w)), c.out,
			func(dst, dy device.Buffer) { s.b.LinearBackwardInput(dst, dy, wb, c.rows, c.out, c.in, true) })

		dw := s.unary(what+" dw", c.out*c.in, dy, func(dst, dy device.Buffer) { s.b.LinearBackwardWeight(dst, nil, dy, xb, c.rows, c.out, c.in) }, false)
		s.bias(what, dw, dy, c.out, func(dw, db, dy device.Buffer) { s.b.LinearBackwardWeight(dw, db, dy, xb, c.rows, c.out, c.in) })
		weight := func(dy, x []float64) []float64 {
			return multiply(transpose(dy, c.rows, c.out), transpose(x, c.rows, c.in), c.out, c.in, c.rows)
		}
		s.near(what+" dw", dw, weight(wide(dy), wide(x)), weight(magnitude(dy), magnitude(x)), c.rows, 6)
		s.b.Free(xb)
		s.b.Free(wb)
	}
}
