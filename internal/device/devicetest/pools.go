package devicetest

import (
	"fmt"
	"math"
	"slices"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/kernel/pooling"
)

func (s *suite) pool() {
	for _, c := range []struct{ n, h, w, c, kh, kw, stride, pad, more int }{
		{1, 1, 1, 1, 1, 1, 1, 0, 0},
		{2, 11, 8, 3, 3, 3, 2, 1, 0},
		{1, 5, 7, 33, 2, 2, 2, 0, 0},
		{1, 5, 7, 33, 2, 2, 2, 0, 1},
		{2, 9, 6, 64, 3, 3, 1, 1, 0},
		{1, 7, 7, 5, 5, 3, 3, 1, 0},
		{3, 4, 4, 17, 4, 4, 4, 0, 0},
		{1, 40, 40, 48, 3, 3, 2, 1, 0},
	} {
		g := kernel.Window{N: c.n, H: c.h, W: c.w, C: c.c, KH: c.kh, KW: c.kw, StrideH: c.stride, StrideW: c.stride, PadH: c.pad, PadW: c.pad, DilH: 1, DilW: 1, MoreH: c.more, MoreW: c.more}
		what := fmt.Sprintf("%+v", c)
		in, out, lines := c.n*c.h*c.w*c.c, c.n*g.OutH()*g.OutW()*c.c, c.n*g.OutH()
		x, dy := s.draw(in), s.draw(out)
		dy64 := wide(dy)

		want, index64 := make([]float32, out), make([]int32, out)
		pooling.MaxGeneric(want, index64, x, g, 0, lines)
		index := make([]int32, out)
		y := s.unary(what+" max", out, x, func(dst, x device.Buffer) { s.b.MaxPool(dst, index, x, g) }, false)
		kerneltest.Equal(s, what+" max", y, want)
		if !slices.Equal(index, index64) {
			s.Errorf("%s: the positions of the maxima differ", what)
		}
		quiet := s.unary(what+" max without positions", out, x, func(dst, x device.Buffer) { s.b.MaxPool(dst, nil, x, g) }, false)
		kerneltest.Equal(s, what+" max without positions", quiet, want)
		dx64, sizes := make([]float64, in), make([]float64, in)
		pooling.MaxBackwardGeneric(dx64, dy64, index, g, 0, c.n)
		pooling.MaxBackwardGeneric(sizes, magnitude(dy), index, g, 0, c.n)
		dx := s.unary(what+" max backward", in, dy, func(dst, dy device.Buffer) { s.b.MaxPoolBackward(dst, dy, index, g) }, false)
		s.near(what+" max backward", dx, dx64, sizes, c.kh*c.kw, 2)

		for _, countPad := range []bool{false, true} {
			what := fmt.Sprintf("%s average countPad=%v", what, countPad)
			want, sizes := make([]float64, out), make([]float64, out)
			pooling.AverageGeneric(want, wide(x), g, countPad, 0, lines)
			pooling.AverageGeneric(sizes, magnitude(x), g, countPad, 0, lines)
			y := s.unary(what, out, x, func(dst, x device.Buffer) { s.b.AvgPool(dst, x, g, countPad) }, false)
			s.near(what, y, want, sizes, c.kh*c.kw, 3)
			dx64, sizes := make([]float64, in), make([]float64, in)
			pooling.AverageBackwardGeneric(dx64, dy64, g, countPad, 0, c.n)
			pooling.AverageBackwardGeneric(sizes, magnitude(dy), g, countPad, 0, c.n)
			dx := s.unary(what+" backward", in, dy, func(dst, dy device.Buffer) { s.b.AvgPoolBackward(dst, dy, g, countPad) }, false)
			s.near(what+" backward", dx, dx64, sizes, c.kh*c.kw, 3)
		}
	}

	// NaN wins, of equal values the first; padding never does.
	nan := float32(math.NaN())
	g := kernel.Window{N: 1, H: 2, W: 4, C: 1, KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1}
	x, dst, index := s.up([]float32{1, nan, -5, -5, 2, 3, -5, -6}), s.out(2), make([]int32, 2)
	s.b.MaxPool(dst, index, x, g)
	kerneltest.Equal(s, "max of NaN and of equals", s.take(dst), []float32{nan, -5})
	if !slices.Equal(index, []int32{1, 2}) {
		s.Errorf("max of NaN and of equals: positions %v, want [1 2]", index)
	}
}

func (s *suite) globalPool() {
	for _, c := range []struct{ n, hw, c int }{{1, 1, 1}, {2, 35, 3}, {3, 49, 33}, {1, 64, 257}, {17, 9, 8}, {2, 4000, 5}} {
		what := fmt.Sprintf("%+v", c)
		x, dy := s.draw(c.n*c.hw*c.c), s.draw(c.n*c.c)
		want, sizes := make([]float64, c.n*c.c), make([]float64, c.n*c.c)
		pooling.GlobalGeneric(want, wide(x), 0, c.n, c.hw, c.c)
		pooling.GlobalGeneric(sizes, magnitude(x), 0, c.n, c.hw, c.c)
		y := s.unary(what, c.n*c.c, x, func(dst, x device.Buffer) { s.b.GlobalPool(dst, x, c.n, c.hw, c.c) }, false)
		s.near(what, y, want, sizes, c.hw, 3)
		dx64 := make([]float64, c.n*c.hw*c.c)
		pooling.GlobalBackwardGeneric(dx64, wide(dy), 0, c.n, c.hw, c.c)
		dx := s.unary(what+" backward", len(dx64), dy, func(dst, dy device.Buffer) { s.b.GlobalPoolBackward(dst, dy, c.n, c.hw, c.c) }, false)
		s.close(what+" backward", dx, dx64, 1, 2)
	}
}

func (s *suite) subsample() {
	for _, c := range []struct{ n, h, w, c, stride, before, after int }{
		{1, 1, 1, 1, 1, 0, 0}, {2, 8, 8, 16, 2, 8, 8}, {1, 7, 5, 3, 2, 1, 2}, {3, 6, 9, 5, 3, 0, 4}, {1, 4, 4, 2, 1, 3, 0},
	} {
		g := kernel.Window{N: c.n, H: c.h, W: c.w, C: c.c, KH: 1, KW: 1, StrideH: c.stride, StrideW: c.stride, DilH: 1, DilW: 1}
		what := fmt.Sprintf("%+v", c)
		k, oh, ow := c.before+c.c+c.after, g.OutH(), g.OutW()
		x, dy := s.draw(c.n*c.h*c.w*c.c), s.draw(c.n*oh*ow*k)
		want, back := make([]float32, len(dy)), make([]float32, len(x))
		for n := range c.n {
			for i := range oh {
				for j := range ow {
					for ch := range c.c {
						from := ((n*c.h+i*c.stride)*c.w+j*c.stride)*c.c + ch
						to := ((n*oh+i)*ow+j)*k + c.before + ch
						want[to], back[from] = x[from], dy[to]
					}
				}
			}
		}
		y := s.unary(what, len(dy), x, func(dst, x device.Buffer) { s.b.Subsample(dst, x, g, c.before, k) }, false)
		kerneltest.Equal(s, what, y, want)
		dx := s.unary(what+" backward", len(x), dy, func(dst, dy device.Buffer) { s.b.SubsampleBackward(dst, dy, g, c.before, k) }, false)
		kerneltest.Equal(s, what+" backward", dx, back)
	}
}
