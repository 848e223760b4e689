package depthwise

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// conv is a depthwise convolution; the kernel, stride, padding and dilation
// are the same in both directions unless changed afterwards.
func conv(n, h, w, c, k, stride, pad, dil int) kernel.Conv {
	return kernel.Conv{
		Window: kernel.Window{N: n, H: h, W: w, C: c, KH: k, KW: k, StrideH: stride, StrideW: stride, PadH: pad, PadW: pad, DilH: dil, DilW: dil},
		K:      c, Groups: c,
	}
}

func shapeName(s kernel.Conv) string {
	return fmt.Sprintf("%dx%dx%dx%d,k=%dx%d,s=%dx%d,p=%dx%d,d=%dx%d", s.N, s.H, s.W, s.C, s.KH, s.KW, s.StrideH, s.StrideW, s.PadH, s.PadW, s.DilH, s.DilW)
}

// cases are shapes that reach every path: full and partial blocks of
// channels, all widths of a tile, padding wider than the input and windows
// that are mostly padding, strides larger than the kernel, dilations that
// share a factor with the stride and that do not.
func cases() []kernel.Conv {
	list := []kernel.Conv{
		conv(2, 9, 11, 5, 3, 1, 1, 1),
		conv(1, 14, 14, 24, 7, 1, 3, 1),
		conv(3, 7, 7, 40, 7, 1, 3, 1),
		conv(1, 16, 16, 16, 3, 2, 1, 1),
		conv(1, 15, 17, 19, 5, 2, 2, 1),
		conv(1, 13, 12, 8, 3, 3, 0, 2),
		conv(2, 12, 13, 9, 3, 2, 2, 2),
		conv(1, 12, 13, 33, 3, 4, 2, 6),
		conv(1, 9, 9, 3, 1, 1, 0, 1),
		conv(1, 9, 9, 16, 1, 3, 0, 1),
		conv(1, 9, 9, 16, 2, 5, 4, 1),
		conv(1, 3, 2, 17, 7, 1, 3, 1),
		conv(1, 1, 1, 8, 3, 1, 1, 1),
		conv(1, 3, 3, 8, 3, 1, 9, 1),
		conv(1, 3, 4, 12, 3, 2, 9, 1),
		conv(1, 20, 21, 8, 13, 1, 6, 1),
		conv(1, 40, 6, 8, 25, 1, 12, 1),
		conv(0, 4, 4, 8, 3, 1, 1, 1),
	}
	odd := conv(2, 10, 23, 21, 1, 1, 1, 1)
	odd.KH, odd.KW, odd.StrideH, odd.StrideW, odd.PadH, odd.PadW, odd.DilH, odd.DilW = 2, 5, 3, 2, 1, 3, 2, 3
	list = append(list, odd)
	odd.KH, odd.KW, odd.StrideH, odd.StrideW, odd.PadH, odd.PadW = 5, 2, 1, 4, 0, 0
	list = append(list, odd)
	for w := 1; w <= 31; w++ {
		s := conv(1, 4, w, 8, 3, 1, 1, 1)
		list = append(list, s)
	}
	for c := 1; c <= 34; c++ {
		list = append(list, conv(1, 5, 6, c, 3, 1, 1, 1))
	}
	return list
}

// kSum is the constant in doc.go.
const kSum = 3

// fill is memory of n elements before a guard page with normal draws.
func fill(t testing.TB, n int, seed uint64) []float32 {
	x := kerneltest.Guarded(t, n)
	kerneltest.Normal(x, seed, 0, 1)
	return x
}

// norms is, for every element, the root of its terms' sum of squares, which is
// what the kernel computes when it is run on squares.
func norms(sumOfSquares []float64) []float64 {
	for i, v := range sumOfSquares {
		sumOfSquares[i] = math.Sqrt(v)
	}
	return sumOfSquares
}

func squares(x []float32) []float64 {
	y := kerneltest.Widen(x)
	for i, v := range y {
		y[i] = v * v
	}
	return y
}

func sizes(s kernel.Conv) (x, y, w int) {
	return s.N * s.H * s.W * s.C, s.N * s.OutH() * s.OutW() * s.C, s.KH * s.KW * s.C
}

func TestForwardMatchesDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		worst := 0.0
		for i, s := range cases() {
			nx, ny, nw := sizes(s)
			x, w := fill(t, nx, uint64(i)), fill(t, nw, uint64(i)+1000)
			got, want, scale := kerneltest.Guarded(t, ny), make([]float64, ny), make([]float64, ny)
			for j := range got {
				got[j] = float32(math.NaN())
			}
			lines := s.N * s.OutH()
			ForwardGeneric(want, kerneltest.Widen(x), kerneltest.Widen(w), s, nil, 0, lines)
			ForwardGeneric(scale, squares(x), squares(w), s, nil, 0, lines)
			forward(v, got, x, w, s, nil, 0, lines)
			taps := s.KH * s.KW
			e := kerneltest.Sum{N: taps, K: kSum, Scales: norms(scale)}.Check(t, shapeName(s), got, want)
			worst = max(worst, e)
		}
		t.Logf("largest error %.2f of the bound", worst)
		if worst < 0.1 {
			t.Errorf("largest error is %.3g of the bound: k is too generous", worst)
		}
	})
}

func TestBackwardInputMatchesDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		worst := 0.0
		for i, s := range cases() {
			nx, ny, nw := sizes(s)
			dy, w := fill(t, ny, uint64(i)), fill(t, nw, uint64(i)+1000)
			got, want, scale := kerneltest.Guarded(t, nx), make([]float64, nx), make([]float64, nx)
			for j := range got {
				got[j] = float32(math.NaN())
			}
			lines := s.N * s.H
			BackwardInputGeneric(want, kerneltest.Widen(dy), kerneltest.Widen(w), s, 0, lines)
			BackwardInputGeneric(scale, squares(dy), squares(w), s, 0, lines)
			backwardInput(v, got, dy, w, s, 0, lines)
			taps := s.KH * s.KW
			e := kerneltest.Sum{N: taps, K: kSum, Scales: norms(scale)}.Check(t, shapeName(s), got, want)
			worst = max(worst, e)
		}
		t.Logf("largest error %.2f of the bound", worst)
	})
}

func TestBackwardWeightMatchesDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		worst := 0.0
		for i, s := range cases() {
			nx, ny, nw := sizes(s)
			dy, x := fill(t, ny, uint64(i)), fill(t, nx, uint64(i)+1000)
			got := fill(t, nw, uint64(i)+2000)
			want, scale := kerneltest.Widen(got), squares(got)
			lines := s.N * s.OutH()
			BackwardWeightGeneric(want, kerneltest.Widen(dy), kerneltest.Widen(x), s, 0, lines)
			BackwardWeightGeneric(scale, squares(dy), squares(x), s, 0, lines)
			backwardWeight(v, got, dy, x, s, 0, lines)
			terms := lines*s.OutW() + 1
			e := kerneltest.Sum{N: terms, K: kSum, Scales: norms(scale)}.Check(t, shapeName(s), got, want)
			worst = max(worst, e)
		}
		t.Logf("largest error %.2f of the bound", worst)
	})
}
