package devicetest

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// lengths are those that elementwise operations are tried with.
var lengths = []int{1, 2, 3, 7, 8, 15, 16, 17, 31, 64, 65, 127, 257, 1000, 40001}

func (s *suite) activation() {
	for _, act := range kernel.Activations() {
		for _, n := range lengths {
			what := fmt.Sprintf("%v n=%d", act, n)
			x, dy := s.draw(n), s.draw(n)
			for i := range x {
				x[i] *= 3
			}
			want, slope, scales, slopes := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
			for i, v := range wide(x) {
				want[i] = kernel.Apply(act, v)
				slope[i] = float64(dy[i]) * kernel.Derivative(act, v)
				// Far on the left the result is tiny beside its input; the
				// bound is of the input, or of 1.
				scales[i], slopes[i] = max(1, math.Abs(v)), max(1, math.Abs(v))*math.Abs(float64(dy[i]))
			}
			y := s.unary(what, n, x, func(dst, x device.Buffer) { s.b.Activate(dst, x, act) }, true)
			s.near(what, y, want, scales, 1, 8)
			xb := s.up(x)
			dx := s.unary(what+" backward", n, dy, func(dst, dy device.Buffer) { s.b.ActivateBackward(dst, dy, xb, act) }, true)
			s.near(what+" backward", dx, slope, slopes, 1, 16)
			if act == kernel.ReLU {
				yb := s.up(y)
				fromOutput := s.unary(what+" backward from the output", n, dy, func(dst, dy device.Buffer) { s.b.ReLUBackward(dst, dy, yb) }, true)
				kerneltest.Equal(s, what+" backward from the output", fromOutput, dx)
				s.b.Free(yb)
			}
			kerneltest.Equal(s, what+": x", s.take(xb), x)
		}
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		x := s.up([]float32{nan, inf, -inf, 0})
		s.b.Activate(x, x, act)
		want := []float32{nan, inf, 0, 0}
		if act == kernel.Sigmoid {
			want = []float32{nan, 1, 0, 0.5}
		}
		for i, v := range s.take(x) {
			if kerneltest.Distance(v, want[i]) > 2 {
				s.Errorf("%v of NaN, +Inf, -Inf, 0: element %d is %v, want %v", act, i, v, want[i])
			}
		}
	}
}

func (s *suite) elementwise() {
	for _, n := range lengths {
		a, b := s.draw(n), s.draw(n)
		sum, product, scaled := make([]float32, n), make([]float32, n), make([]float32, n)
		for i := range a {
			sum[i], product[i], scaled[i] = a[i]+b[i], a[i]*b[i], a[i]*-1.7
		}
		bb := s.up(b)
		for _, c := range []struct {
			name string
			want []float32
			run  func(dst, x device.Buffer)
		}{
			{"add", sum, func(dst, x device.Buffer) { s.b.Add(dst, x, bb) }},
			{"mul", product, func(dst, x device.Buffer) { s.b.Mul(dst, x, bb) }},
			{"mul by a scalar", scaled, func(dst, x device.Buffer) { s.b.MulScalar(dst, x, -1.7) }},
		} {
			what := fmt.Sprintf("%s n=%d", c.name, n)
			kerneltest.Equal(s, what, s.unary(what, n, a, c.run, true), c.want)
		}
		for name, run := range map[string]func(dst, x device.Buffer){
			"a onto itself": func(dst, x device.Buffer) { s.b.Add(dst, dst, dst) },
		} {
			x := s.up(a)
			run(x, x)
			for i, v := range s.take(x) {
				if v != 2*a[i] {
					s.Fatalf("%s n=%d: element %d is %v, want %v", name, n, i, v, 2*a[i])
				}
			}
		}
		x := s.up(a)
		s.b.Add(bb, x, bb)
		kerneltest.Equal(s, fmt.Sprintf("add onto the second n=%d", n), s.take(bb), sum)
		s.b.Free(x)
	}
}
