// Package devicetest is the conformance suite of backends. It is imported by
// tests only; a backend's test is one line:
//
//	func TestBackend(t *testing.T) { devicetest.Run(t, cpu.New(2)) }
//
// Every method is held to the generic definitions of internal/kernel, computed
// in float64, over small shapes with odd lengths, and to what device.Backend
// says: results are overwritten whatever they held, buffers may alias where the
// interface allows it and are left alone otherwise, nil leaves terms out, and
// the same call gives the same bits again.
//
// Bounds are those of the kernels: k·√n·2⁻²⁴ of the magnitudes that went into a
// sum of n terms, so that a backend that rounds inputs to a narrower type fails.
package devicetest

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// Run holds b to the suite.
func Run(t *testing.T, b device.Backend) {
	for _, part := range []struct {
		name string
		run  func(*suite)
	}{
		{"memory", (*suite).memory},
		{"conv", (*suite).conv},
		{"linear", (*suite).linear},
		{"mlp", (*suite).mlp},
		{"layernorm", (*suite).layerNorm},
		{"batchnorm", (*suite).batchNorm},
		{"rmsnorm and simplenorm", (*suite).rowScales},
		{"groupnorm", (*suite).groupNorm},
		{"grn", (*suite).grn},
		{"gate", (*suite).gate},
		{"blur", (*suite).blur},
		{"affine", (*suite).affine},
		{"scalesamples", (*suite).scaleSamples},
		{"columnsums", (*suite).columnSums},
		{"activation", (*suite).activation},
		{"elementwise", (*suite).elementwise},
		{"pool", (*suite).pool},
		{"globalpool", (*suite).globalPool},
		{"subsample", (*suite).subsample},
		{"softmax", (*suite).softmax},
		{"normalize", (*suite).normalize},
		{"crossentropy", (*suite).crossEntropy},
		{"attention", (*suite).attention},
		{"attention with one query", (*suite).queryAttention},
		{"rows by number", (*suite).rowsByNumber},
		{"blocks", (*suite).copyBlocks},
		{"repeated addition", (*suite).addRepeated},
		{"concurrent", (*suite).concurrent},
	} {
		t.Run(part.name, func(t *testing.T) {
			s := &suite{T: t, b: b}
			part.run(s)
			t.Logf("the largest error is %.2g of its bound", s.worst)
		})
	}
}

// suite is one subtest of Run.
type suite struct {
	*testing.T
	b     device.Backend
	seed  uint64
	worst float64 // error found, in units of its bound
}

// draw returns n draws of a normal distribution.
func (s *suite) draw(n int) []float32 {
	s.seed++
	x := make([]float32, n)
	kerneltest.Normal(x, s.seed, 0, 1)
	return x
}

// up puts values into a buffer; nil stays nil.
func (s *suite) up(x []float32) device.Buffer {
	if x == nil {
		return nil
	}
	b := s.b.Alloc(len(x))
	s.b.Upload(b, x)
	return b
}

// out allocates a result that holds NaN.
func (s *suite) out(n int) device.Buffer {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(math.NaN())
	}
	return s.up(x)
}

// down copies a buffer's values.
func (s *suite) down(b device.Buffer) []float32 { return slices.Clone(s.b.Host(b)) }

// take is down and Free.
func (s *suite) take(b device.Buffer) []float32 {
	x := s.down(b)
	s.b.Free(b)
	return x
}

// unary runs f from a fresh input to a fresh result, then in place, and a
// second time, and wants the same bits each time. It returns the result.
func (s *suite) unary(what string, n int, in []float32, f func(dst, x device.Buffer), inPlace bool) []float32 {
	s.Helper()
	x, dst := s.up(in), s.out(n)
	f(dst, x)
	got := s.down(dst)
	f(dst, x)
	kerneltest.Equal(s, what+" again", s.take(dst), got)
	kerneltest.Equal(s, what+": its input", s.take(x), in)
	if inPlace {
		x := s.up(in)
		f(x, x)
		kerneltest.Equal(s, what+" in place", s.take(x), got)
	}
	return got
}

// wide is x in float64, nil for nil.
func wide(x []float32) []float64 { return kerneltest.Widen(x) }

// magnitude is |x|.
func magnitude(x []float32) []float64 {
	y := wide(x)
	for i, v := range y {
		y[i] = math.Abs(v)
	}
	return y
}

// near holds got to want within k·√n·2⁻²⁴ of scales, element by element.
func (s *suite) near(what string, got []float32, want, scales []float64, n int, k float64) {
	s.Helper()
	s.worst = max(s.worst, kerneltest.Sum{N: n, K: k, Scales: scales}.Check(s, what, got, want))
}

// close is near with the largest magnitude of want for all.
func (s *suite) close(what string, got []float32, want []float64, n int, k float64) {
	s.Helper()
	scale := 0.0
	for _, v := range want {
		scale = max(scale, math.Abs(v))
	}
	s.worst = max(s.worst, kerneltest.Sum{N: n, K: k, Scale: scale}.Check(s, what, got, want))
}

func (s *suite) memory() {
	if s.b.Name() == "" {
		s.Error("the backend has no name")
	}
	for _, n := range []int{1, 2, 255, 256, 257, 1000, 70000} {
		x := s.draw(n)
		a, b := s.b.Alloc(n), s.b.Alloc(n)
		if a.Len() != n || b.Len() != n {
			s.Fatalf("n=%d: buffers of %d and %d elements", n, a.Len(), b.Len())
		}
		s.b.Upload(a, x)
		s.b.Fill(b, -3)
		kerneltest.Equal(s, fmt.Sprintf("n=%d: uploaded", n), s.down(a), x)
		for _, v := range s.down(b) {
			if v != -3 {
				s.Fatalf("n=%d: filled with %v, want -3", n, v)
			}
		}
		s.b.Copy(b, a)
		kerneltest.Equal(s, fmt.Sprintf("n=%d: copied", n), s.down(b), x)
		s.b.Fill(a, 0)
		kerneltest.Equal(s, fmt.Sprintf("n=%d: the copy", n), s.down(b), x)
		s.b.Free(a)
		s.b.Free(b)
		w := s.b.Wrap(x)
		if w.Len() != n {
			s.Fatalf("n=%d: wrapped %d elements", n, w.Len())
		}
		kerneltest.Equal(s, fmt.Sprintf("n=%d: wrapped", n), s.down(w), x)
	}
	if s.b.Wrap(nil) != nil {
		s.Error("nil wrapped is not nil")
	}
	// Two buffers that are out at once never share memory.
	var all []device.Buffer
	for i := range 20 {
		all = append(all, s.b.Alloc(100+i))
		s.b.Fill(all[i], float32(i))
	}
	for i, a := range all {
		for _, v := range s.take(a) {
			if v != float32(i) {
				s.Fatalf("buffer %d holds %v", i, v)
			}
		}
	}
}

// concurrent calls operations from several goroutines on buffers of their own.
func (s *suite) concurrent() {
	const rows, c = 97, 33
	x, gamma := s.draw(rows*c), s.draw(c)
	run := func() []float32 {
		in, g := s.b.Alloc(rows*c), s.b.Alloc(c)
		s.b.Upload(in, x)
		s.b.Upload(g, gamma)
		y, z := s.b.Alloc(rows*c), s.b.Alloc(rows*rows)
		s.b.LayerNorm(y, in, g, nil, nil, nil, rows, c, 1e-6)
		w := s.b.PackLinear(nil, y, rows, c)
		s.b.Linear(z, in, w, rows, rows, c, device.Epilogue{})
		s.b.Softmax(z, z, rows, rows)
		got := slices.Clone(s.b.Host(z))
		for _, b := range []device.Buffer{in, g, y, z} {
			s.b.Free(b)
		}
		return got
	}
	want := run()
	var wg sync.WaitGroup
	for range 6 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 4 {
				if !slices.Equal(run(), want) {
					s.Error("another result than on one goroutine")
				}
			}
		}()
	}
	wg.Wait()
}
