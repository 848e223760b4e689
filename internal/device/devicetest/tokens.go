package devicetest

import (
	"fmt"
	"slices"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/attention"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

func (s *suite) rowsByNumber() {
	for _, c := range []struct {
		rows, c int
		index   []int32
	}{
		{1, 1, []int32{0}},
		{5, 7, []int32{4, 0, 4, 2, 4, 4}},
		{300, 33, []int32{299, 1, 1}},
		{3, 257, slices.Repeat([]int32{2, 0}, 90)},
	} {
		what := fmt.Sprintf("rows=%d c=%d n=%d", c.rows, c.c, len(c.index))
		x := s.draw(c.rows * c.c)
		want := make([]float32, 0, len(c.index)*c.c)
		for _, i := range c.index {
			want = append(want, x[int(i)*c.c:][:c.c]...)
		}
		got := s.unary(what+" gathered", len(want), x, func(dst, x device.Buffer) { s.b.GatherRows(dst, x, c.index, c.c) }, false)
		kerneltest.Equal(s, what+" gathered", got, want)

		dy := s.draw(len(want))
		sums, scales := make([]float64, len(x)), make([]float64, len(x))
		for i, at := range c.index {
			for j := range c.c {
				v := float64(dy[i*c.c+j])
				sums[int(at)*c.c+j] += v
				scales[int(at)*c.c+j] += max(v, -v)
			}
		}
		back := s.unary(what+" scattered", len(x), dy, func(dx, dy device.Buffer) { s.b.ScatterRows(dx, dy, c.index, c.c) }, false)
		s.near(what+" scattered", back, sums, scales, len(c.index), 1)
	}
}

func (s *suite) copyBlocks() {
	for _, c := range []struct {
		g        device.Blocks
		dst, src int
	}{
		{device.Blocks{N: 1, Len: 1}, 1, 1},
		{device.Blocks{N: 3, Len: 5, Dst: 2, DstStride: 8, Src: 1, SrcStride: 6}, 25, 20},
		{device.Blocks{N: 4, Len: 33, DstStride: 40}, 160, 33}, // one block, repeated
		{device.Blocks{N: 2, Len: 3 * 257, Dst: 257, DstStride: 4 * 257, SrcStride: 3 * 257}, 8 * 257, 6 * 257},
	} {
		what := fmt.Sprintf("%+v", c.g)
		src, start := s.draw(c.src), s.draw(c.dst)
		want := slices.Clone(start)
		for i := range c.g.N {
			copy(want[c.g.Dst+i*c.g.DstStride:][:c.g.Len], src[c.g.Src+i*c.g.SrcStride:])
		}
		d, x := s.up(start), s.up(src)
		s.b.CopyBlocks(d, x, c.g)
		kerneltest.Equal(s, what, s.take(d), want)
		kerneltest.Equal(s, what+": its input", s.down(x), src)
		if c.g.SrcStride > 0 {
			back := s.up(make([]float32, c.src))
			d := s.up(want)
			s.b.CopyBlocks(back, d, c.g.Reverse())
			got, all := s.take(back), make([]float32, c.src)
			for i := range c.g.N {
				at := c.g.Src + i*c.g.SrcStride
				copy(all[at:at+c.g.Len], src[at:])
			}
			kerneltest.Equal(s, what+" and back", got, all)
			s.b.Free(d)
		}
		s.b.Free(x)
	}
}

func (s *suite) addRepeated() {
	for _, c := range []struct{ n, len int }{{1, 1}, {3, 7}, {2, 257}, {70, 1000}} {
		what := fmt.Sprintf("n=%d len=%d", c.n, c.len)
		x, y := s.draw(c.n*c.len), s.draw(c.len)
		yb := s.up(y)
		want := make([]float32, len(x))
		for i, v := range x {
			want[i] = v + y[i%c.len]
		}
		got := s.unary(what, len(x), x, func(dst, x device.Buffer) { s.b.AddRepeated(dst, x, yb) }, true)
		kerneltest.Equal(s, what, got, want)
		kerneltest.Equal(s, what+": what is added", s.take(yb), y)
	}
}

func (s *suite) queryAttention() {
	for _, g := range []device.Query{
		{N: 1, T: 1, H: 1, D: 1},
		{N: 3, T: 5, H: 2, D: 7},
		{N: 2, T: 50, H: 4, D: 64},
	} {
		what := fmt.Sprintf("%+v", g)
		e := g.H * g.D
		shape := attention.Shape{N: g.N, T: g.T, Heads: g.H, Dim: g.D}
		q, k, v, dy := s.draw(g.N*e), s.draw(g.N*g.T*e), s.draw(g.N*g.T*e), s.draw(g.N*e)
		y, p := make([]float64, len(q)), make([]float64, g.N*g.H*g.T)
		attention.Query(nil, y, p, wide(q), wide(k), wide(v), shape)
		dq, dk, dv := make([]float64, len(q)), make([]float64, len(k)), make([]float64, len(v))
		attention.QueryBackward(nil, dq, dk, dv, wide(dy), p, wide(q), wide(k), wide(v), shape)

		qb, kb, vb, db := s.up(q), s.up(k), s.up(v), s.up(dy)
		probs := s.out(len(p))
		got := s.unary(what, len(q), q, func(dst, q device.Buffer) { s.b.QueryAttention(dst, probs, q, kb, vb, g) }, false)
		s.close(what, got, y, g.T+g.D, 6)
		s.close(what+" probabilities", s.down(probs), p, g.T+g.D, 6)
		dst := s.out(len(q))
		s.b.QueryAttention(dst, nil, qb, kb, vb, g)
		kerneltest.Equal(s, what+" without probabilities", s.take(dst), got)

		a, b, c := s.out(len(q)), s.out(len(k)), s.out(len(v))
		s.b.QueryAttentionBackward(a, b, c, db, qb, kb, vb, probs, g)
		s.close(what+" dq", s.take(a), dq, g.T+g.D, 6)
		s.close(what+" dk", s.take(b), dk, g.T+g.D, 6)
		s.close(what+" dv", s.take(c), dv, g.T+g.D, 6)
		for _, b := range []device.Buffer{qb, kb, vb, db, probs} {
			s.b.Free(b)
		}
	}
}
