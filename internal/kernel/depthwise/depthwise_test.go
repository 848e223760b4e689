package depthwise

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
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
	return append(list, slidingCases()...)
}

// slidingCases are shapes for kernels that slide rows of seven taps: tensors read
// where they lie and packed, one block and two, all widths of a tile, other
// padding than three columns, and rows of the kernel that are apart.
func slidingCases() []kernel.Conv {
	var list []kernel.Conv
	for w := 1; w <= 31; w++ {
		list = append(list, conv(1, 4, w, 16, 7, 1, 3, 1))
	}
	for pad := range 7 {
		s := conv(1, 9, 15, 16, 7, 1, 3, 1)
		s.PadW = pad
		list = append(list, s)
	}
	for h := 1; h <= 9; h++ {
		list = append(list, conv(2, h, 7, 48, 7, 1, 3, 1), conv(2, h, 8, 25, 7, 1, 3, 1))
	}
	for _, k := range []int{1, 2, 4, 5, 8} {
		s := conv(2, 9, 14, 32, 7, 1, 3, 1)
		s.KH, s.PadH, s.StrideH, s.DilH = k, k/2, 2, 1
		list = append(list, s)
		s.StrideH, s.DilH = 1, 2
		list = append(list, s)
		s.StrideH, s.DilH, s.C, s.K, s.Groups = 3, 2, 20, 20, 20
		list = append(list, s)
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
			forward(v, got, x, w, s, nil, part{0, lines, 0, s.C})
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
			backwardInput(v, got, dy, w, s, false, part{0, lines, 0, s.C})
			taps := s.KH * s.KW
			e := kerneltest.Sum{N: taps, K: kSum, Scales: norms(scale)}.Check(t, shapeName(s), got, want)
			worst = max(worst, e)

			kerneltest.Normal(got, uint64(i)+2000, 0, 1)
			for j, v := range got {
				want[j] += float64(v)
				scale[j] = scale[j]*scale[j] + float64(v)*float64(v) // norms took the root
			}
			backwardInput(v, got, dy, w, s, true, part{0, lines, 0, s.C})
			kerneltest.Sum{N: taps + 1, K: kSum, Scales: norms(scale)}.Check(t, shapeName(s)+", accumulating", got, want)
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
			backwardWeight(v, got, dy, x, s, part{0, lines, 0, s.C})
			terms := lines*s.OutW() + 1
			e := kerneltest.Sum{N: terms, K: kSum, Scales: norms(scale)}.Check(t, shapeName(s), got, want)
			worst = max(worst, e)
		}
		t.Logf("largest error %.2f of the bound", worst)
	})
}

// TestRandomGeometries runs what no one thought of: all three kernels against
// the definition on small shapes with unequal parameters in both directions.
func TestRandomGeometries(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		r := kerneltest.Rand(1)
		for tried := 0; tried < 400; {
			s := kernel.Conv{Window: kernel.Window{
				N: 1 + r.IntN(2), H: 1 + r.IntN(14), W: 1 + r.IntN(33), C: 1 + r.IntN(27),
				KH: 1 + r.IntN(5), KW: 1 + r.IntN(13), StrideH: 1 + r.IntN(4), StrideW: 1 + r.IntN(4),
				PadH: r.IntN(6), PadW: r.IntN(9), DilH: 1 + r.IntN(3), DilW: 1 + r.IntN(3),
			}}
			if tried%4 == 0 { // rows of seven taps
				s.KW, s.StrideW, s.DilW, s.PadW = 7, 1, 1, r.IntN(7)
			}
			s.K, s.Groups = s.C, s.C
			if s.Check() != nil {
				continue
			}
			tried++
			nx, ny, nw := sizes(s)
			x, dy, w := make([]float32, nx), make([]float32, ny), make([]float32, nw)
			kerneltest.Normal(x, uint64(tried), 0, 1)
			kerneltest.Normal(dy, uint64(tried)+1, 0, 1)
			kerneltest.Normal(w, uint64(tried)+2, 0, 1)
			y, dx, dw := make([]float32, ny), make([]float32, nx), make([]float32, nw)
			yWant, dxWant, dwWant := make([]float32, ny), make([]float32, nx), make([]float32, nw)
			lo := r.IntN(s.N * s.OutH())
			hi := lo + r.IntN(s.N*s.OutH()-lo+1)
			forward(v, y, x, w, s, nil, part{lo, hi, 0, s.C})
			ForwardGeneric(yWant, x, w, s, nil, lo, hi)
			backwardWeight(v, dw, dy, x, s, part{lo, hi, 0, s.C})
			BackwardWeightGeneric(dwWant, dy, x, s, lo, hi)
			lo = r.IntN(s.N * s.H)
			hi = lo + r.IntN(s.N*s.H-lo+1)
			backwardInput(v, dx, dy, w, s, false, part{lo, hi, 0, s.C})
			BackwardInputGeneric(dxWant, dy, w, s, lo, hi)
			for name, pair := range map[string][2][]float32{"y": {y, yWant}, "dx": {dx, dxWant}, "dw": {dw, dwWant}} {
				for i, got := range pair[0] {
					if math.Abs(float64(got-pair[1][i])) > 1e-4 {
						t.Fatalf("%s of %s: element %d: got %v, want %v", name, shapeName(s), i, got, pair[1][i])
					}
				}
			}
		}
	})
}

// lineSplits are ways to cut n lines.
func lineSplits(n int) [][]int {
	one := []int{}
	for i := range n + 1 {
		one = append(one, i)
	}
	return [][]int{one, {0, n / 3, n / 3, n/2 + 1, n}, {0, n - 1, n}}
}

func TestLinesMayBeSplitAnywhere(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		shapes := []kernel.Conv{
			conv(3, 7, 7, 24, 7, 1, 3, 1),
			conv(2, 11, 9, 11, 3, 2, 1, 1),
			conv(2, 12, 13, 17, 3, 3, 2, 2),
			conv(1, 300, 40, 8, 7, 1, 3, 1), // more than one chunk
			conv(1, 70, 100, 16, 3, 2, 1, 1),
			conv(2, 17, 14, 16, 7, 1, 3, 1),
			conv(2, 11, 7, 48, 7, 1, 3, 1),
		}
		for i, s := range shapes {
			nx, ny, nw := sizes(s)
			x, y, w := fill(t, nx, uint64(i)), fill(t, ny, uint64(i)+100), fill(t, nw, uint64(i)+200)
			for _, k := range []struct {
				name  string
				lines int
				size  int
				run   func(dst []float32, lo, hi int)
			}{
				{"forward", s.N * s.OutH(), ny, func(dst []float32, lo, hi int) { forward(v, dst, x, w, s, nil, part{lo, hi, 0, s.C}) }},
				{"backward input", s.N * s.H, nx, func(dst []float32, lo, hi int) { backwardInput(v, dst, y, w, s, false, part{lo, hi, 0, s.C}) }},
				{"backward weight", s.N * s.OutH(), nw, func(dst []float32, lo, hi int) { backwardWeight(v, dst, y, x, s, part{lo, hi, 0, s.C}) }},
			} {
				want := make([]float32, k.size)
				k.run(want, 0, k.lines)
				for _, cuts := range lineSplits(k.lines) {
					got := make([]float32, k.size)
					for j := range cuts[1:] {
						k.run(got, cuts[j], cuts[j+1])
					}
					kerneltest.Equal(t, fmt.Sprintf("%s %s in %d parts", k.name, shapeName(s), len(cuts)-1), got, want)
				}
			}
		}
	})
}

// Neither the number of threads nor the cut that follows from it shows.
func TestPartsMakeUpTheWhole(t *testing.T) {
	shapes := []kernel.Conv{
		conv(9, 14, 14, 16, 3, 1, 1, 1),  // between images
		conv(3, 14, 14, 100, 3, 1, 1, 1), // between channels
		conv(1, 7, 7, 352, 7, 1, 3, 1),   // of AVX-512's pairs
		conv(1, 60, 28, 16, 7, 1, 3, 1),  // between lines
		conv(2, 120, 41, 33, 3, 2, 1, 1), // all of them
		conv(1, 2, 2, 5, 3, 1, 1, 1),     // not at all
		conv(0, 2, 2, 5, 3, 1, 1, 1),
	}
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		defer func(old cpu.Variant) { fast = old }(fast)
		fast = v
		for i, s := range shapes {
			nx, ny, nw := sizes(s)
			x, y, w := fill(t, nx, uint64(i)), fill(t, ny, uint64(i)+100), fill(t, nw, uint64(i)+200)
			residual, scale := fill(t, ny, uint64(i)+300), fill(t, s.C, uint64(i)+400)
			e := &kernel.Epilogue[float32]{Bias: scale, Scale: scale, Residual: residual, Act: kernel.GELU}
			out, dx, dw := make([]float32, ny), make([]float32, nx), make([]float32, nw)
			forward(v, out, x, w, s, e, part{0, s.N * s.OutH(), 0, s.C})
			backwardInput(v, dx, y, w, s, false, part{0, s.N * s.H, 0, s.C})
			backwardWeight(v, dw, y, x, s, part{0, s.N * s.OutH(), 0, s.C})
			for _, threads := range []int{1, 2, 7} {
				p := pool.New(threads)
				what := fmt.Sprintf("%s, %d threads", shapeName(s), threads)
				got := append([]float32(nil), residual...)
				e.Residual = got // into the residual
				Convolve(p, got, x, w, s, e)
				e.Residual = residual
				kerneltest.Equal(t, "forward "+what, got, out)
				got = fill(t, nx, 1)
				InputGradient(p, got, y, w, s, false)
				kerneltest.Equal(t, "gradient of the input "+what, got, dx)
				got = fill(t, nw, 1)
				WeightGradient(p, got, y, x, s)
				kerneltest.Equal(t, "gradient of the weights "+what, got, dw)
			}
		}
	})
}

// The parts of dst that a call was not asked for stay as they were.
func TestOtherLinesStayUntouched(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		s := conv(3, 6, 5, 9, 3, 1, 1, 1)
		nx, ny, nw := sizes(s)
		x, w, y := fill(t, nx, 1), fill(t, nw, 2), make([]float32, ny)
		for i := range y {
			y[i] = -77
		}
		forward(v, y, x, w, s, nil, part{7, 11, 0, s.C})
		line := s.OutW() * s.C
		for i, got := range y {
			if inside := i >= 7*line && i < 11*line; !inside && got != -77 {
				t.Fatalf("element %d of line %d was written", i, i/line)
			}
		}
	})
}

func TestEpilogueMatchesItsDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		for _, s := range []kernel.Conv{conv(2, 6, 7, 21, 3, 1, 1, 1), conv(1, 9, 9, 16, 3, 2, 1, 1)} {
			nx, ny, nw := sizes(s)
			lines, stride := s.N*s.OutH(), s.C+3
			x, w := fill(t, nx, 1), fill(t, nw, 2)
			bias, scale, residual := fill(t, s.C, 3), fill(t, s.C, 4), fill(t, lines*s.OutW()*stride, 5)
			plain := make([]float32, ny)
			forward(v, plain, x, w, s, nil, part{0, lines, 0, s.C})
			for i := range 64 {
				e := kernel.Epilogue[float32]{ActLast: i&1 != 0, Act: []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.GELU, kernel.SiLU}[i>>1&3]}
				if i&8 != 0 {
					e.Bias = bias
				}
				if i&16 != 0 {
					e.Scale = scale
				}
				if i&32 != 0 {
					e.Residual, e.ResidualStride = residual, stride
				}
				what := fmt.Sprintf("%s, bias %v, scale %v, residual %v, %v, last %v", shapeName(s), e.Bias != nil, e.Scale != nil, e.Residual != nil, e.Act, e.ActLast)
				got, want := kerneltest.Guarded(t, ny), append([]float32(nil), plain...)
				forward(v, got, x, w, s, &e, part{0, lines, 0, s.C})
				for r := range lines * s.OutW() {
					e.Row(want[r*s.C:][:s.C], r, 0, s.C)
				}
				for j, g := range got {
					// The activation's bound, through a scale of at most 4,
					// and the rounding of the others.
					if math.Abs(float64(g-want[j])) > 16*0x1p-24*max(1, math.Abs(float64(plain[j]))) {
						t.Fatalf("%s: element %d: got %v, want %v", what, j, g, want[j])
					}
				}
				if e.Residual != nil { // dst is the residual
					e.ResidualStride = 0
					same := append([]float32(nil), residual[:ny]...)
					e.Residual = append([]float32(nil), same...)
					forward(v, got, x, w, s, &e, part{0, lines, 0, s.C})
					e.Residual = same
					forward(v, same, x, w, s, &e, part{0, lines, 0, s.C})
					kerneltest.Equal(t, what+", into the residual", same, got)
				}
			}
		}
	})
}

func TestLargeResidualIsReadInParts(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		s := conv(1, 90, 60, 16, 3, 1, 1, 1)
		nx, ny, nw := sizes(s)
		x, w, y, plain := fill(t, nx, 1), fill(t, nw, 2), fill(t, ny, 3), make([]float32, ny)
		want := append([]float32(nil), y...)
		forward(v, plain, x, w, s, nil, part{0, s.H, 0, s.C})
		for i, p := range plain {
			want[i] += p
		}
		forward(v, y, x, w, s, &kernel.Epilogue[float32]{Residual: y}, part{0, s.H, 0, s.C})
		kerneltest.Equal(t, "sum", y, want)
	})
}

// With finite weights every variant turns the same elements into NaN and the
// same into infinities.
func TestSpecialValuesSpreadAlike(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		for i, s := range []kernel.Conv{
			conv(1, 9, 10, 11, 3, 1, 1, 1), conv(1, 9, 8, 16, 3, 2, 1, 1),
			conv(2, 7, 7, 8, 7, 1, 3, 1), conv(2, 7, 7, 32, 7, 1, 3, 1), conv(1, 7, 17, 16, 7, 1, 3, 1),
		} {
			nx, ny, nw := sizes(s)
			x, dy, w := fill(t, nx, uint64(i)), fill(t, ny, uint64(i)+10), fill(t, nw, uint64(i)+20)
			x[nx/3], x[nx/2], x[2*nx/3] = nan, inf, -inf
			dy[ny/3], dy[ny/2], dy[2*ny/3] = nan, inf, -inf
			x[5], x[6] = math.SmallestNonzeroFloat32, -0x1p-130
			y, yWant := make([]float32, ny), make([]float32, ny)
			forward(v, y, x, w, s, nil, part{0, s.N * s.OutH(), 0, s.C})
			ForwardGeneric(yWant, x, w, s, nil, 0, s.N*s.OutH())
			dx, dxWant := make([]float32, nx), make([]float32, nx)
			backwardInput(v, dx, dy, w, s, false, part{0, s.N * s.H, 0, s.C})
			BackwardInputGeneric(dxWant, dy, w, s, 0, s.N*s.H)
			for name, pair := range map[string][2][]float32{"forward": {y, yWant}, "backward input": {dx, dxWant}} {
				for j, got := range pair[0] {
					want := pair[1][j]
					special := got != got || math.IsInf(float64(got), 0) || want != want || math.IsInf(float64(want), 0)
					if special && kerneltest.Distance(got, want) != 0 {
						t.Errorf("%s %s: element %d: got %v, want %v", name, shapeName(s), j, got, want)
					}
				}
			}
		}
	})
}

func TestDenormalsAreKept(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		s := conv(1, 3, 3, 9, 1, 1, 0, 1)
		x, w, y := make([]float32, 81), make([]float32, 9), make([]float32, 81)
		for i := range x {
			x[i] = math.SmallestNonzeroFloat32
		}
		for i := range w {
			w[i] = 3
		}
		forward(v, y, x, w, s, nil, part{0, 3, 0, s.C})
		for i, got := range y {
			if got != 3*math.SmallestNonzeroFloat32 {
				t.Fatalf("element %d: got %v", i, got)
			}
		}
	})
}

func TestGradientsMatchCentralDifferences(t *testing.T) {
	odd := conv(1, 5, 7, 2, 3, 1, 1, 1)
	odd.StrideH, odd.DilW, odd.PadW = 2, 2, 2
	for _, s := range []kernel.Conv{conv(1, 5, 4, 3, 3, 1, 1, 1), conv(2, 4, 5, 2, 3, 2, 1, 1), odd} {
		nx, ny, nw := sizes(s)
		x, w, y := make([]float64, nx), make([]float64, nw), make([]float64, ny)
		kerneltest.Normal(x, 1, 0, 1)
		kerneltest.Normal(w, 2, 0, 1)
		dy, loss := kerneltest.Weighted(ny, 3)
		lines := s.N * s.OutH()
		f := func() float64 {
			ForwardGeneric(y, x, w, s, nil, 0, lines)
			return loss(y)
		}
		dx, dw := make([]float64, nx), make([]float64, nw)
		BackwardInputGeneric(dx, dy, w, s, 0, s.N*s.H)
		BackwardWeightGeneric(dw, dy, x, s, 0, lines)
		kerneltest.Gradient(t, func([]float64) float64 { return f() }, x, dx)
		kerneltest.Gradient(t, func([]float64) float64 { return f() }, w, dw)
	}
}

func TestWrongArgumentsPanic(t *testing.T) {
	s := conv(1, 4, 4, 8, 3, 1, 1, 1)
	x, w := make([]float32, 128), make([]float32, 72)
	grouped := s
	grouped.Groups = 2
	for name, f := range map[string]func(){
		"input":        func() { Convolve(nil, x, x[1:], w, s, nil) },
		"output":       func() { Convolve(nil, x[1:], x, w, s, nil) },
		"weight":       func() { InputGradient(nil, x, x, w[1:], s, false) },
		"gradient":     func() { WeightGradient(nil, w, x[1:], x, s) },
		"not by depth": func() { Convolve(nil, make([]float32, 128), x, w, grouped, nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("wrong %s: accepted", name)
				}
			}()
			f()
		}()
	}
}

func TestCallsHardlyAllocate(t *testing.T) {
	s := conv(2, 14, 14, 32, 7, 1, 3, 1)
	nx, ny, nw := sizes(s)
	x, y, w := make([]float32, nx), make([]float32, ny), make([]float32, nw)
	for name, f := range map[string]func(){
		"Convolve":       func() { Convolve(nil, y, x, w, s, nil) },
		"InputGradient":  func() { InputGradient(nil, x, y, w, s, false) },
		"WeightGradient": func() { WeightGradient(nil, w, y, x, s) },
	} {
		// A collection, or the race detector, may empty the pool of scratch.
		if n := testing.AllocsPerRun(20, f); n > 12 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
