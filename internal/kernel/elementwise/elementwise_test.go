package elementwise

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// kernelCase is a function on slices of one length in a common form: it reads
// and writes the slices in s, the first outs of which are results.
type kernelCase struct {
	name string
	args int
	outs int
	// run takes the float32 variant, exact the float64 definition.
	run   func(f functions, s [][]float32)
	exact func(s [][]float64)
	// bound is the error of result o at element i, from the arguments: a
	// multiple of 2⁻²⁴ of the largest intermediate.
	bound func(o int, s [][]float64, i int) float64
	// alias lists pairs of arguments that may be the same slice.
	alias [][2]int
	// positive lists arguments that must not be negative.
	positive []int
}

const u = 0x1p-24

var step = AdamWStep{LR: 3e-3, Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.05, GradScale: 0.5, Correction1: 1 - 0.9*0.9*0.9, Correction2: 1 - 0.999*0.999*0.999}

func abs(v ...float64) float64 {
	s := 0.0
	for _, x := range v {
		s += math.Abs(x)
	}
	return s
}

func kernelCases() []kernelCase {
	list := []kernelCase{
		{
			name: "Add", args: 3, outs: 1,
			run:   func(f functions, s [][]float32) { f.add(s[0], s[1], s[2]) },
			exact: func(s [][]float64) { AddGeneric(s[0], s[1], s[2]) },
			bound: func(_ int, s [][]float64, i int) float64 { return u * abs(s[1][i]+s[2][i]) },
			alias: [][2]int{{0, 1}, {0, 2}, {1, 2}},
		},
		{
			name: "AddTo", args: 2, outs: 1,
			run:   func(f functions, s [][]float32) { f.addTo(s[0], s[1]) },
			exact: func(s [][]float64) { AddToGeneric(s[0], s[1]) },
			bound: func(_ int, s [][]float64, i int) float64 { return u * abs(s[0][i]+s[1][i]) },
			alias: [][2]int{{0, 1}},
		},
		{
			name: "Scale", args: 2, outs: 1,
			run:   func(f functions, s [][]float32) { f.scale(s[0], s[1], 0.7) },
			exact: func(s [][]float64) { ScaleGeneric(s[0], s[1], float64(float32(0.7))) },
			bound: func(_ int, s [][]float64, i int) float64 { return u * abs(s[1][i]) },
			alias: [][2]int{{0, 1}},
		},
		{
			name: "Axpy", args: 2, outs: 1,
			run:   func(f functions, s [][]float32) { f.axpy(s[0], -0.8, s[1]) },
			exact: func(s [][]float64) { AxpyGeneric(s[0], float64(float32(-0.8)), s[1]) },
			bound: func(_ int, s [][]float64, i int) float64 { return u * (abs(s[0][i]) + 1.61*abs(s[1][i])) },
			alias: [][2]int{{0, 1}},
		},
		{
			name: "Mul", args: 3, outs: 1,
			run:   func(f functions, s [][]float32) { f.mul(s[0], s[1], s[2]) },
			exact: func(s [][]float64) { MulGeneric(s[0], s[1], s[2]) },
			bound: func(_ int, s [][]float64, i int) float64 { return u * abs(s[1][i]*s[2][i]) },
			alias: [][2]int{{0, 1}, {0, 2}, {1, 2}},
		},
		{
			name: "Fill", args: 1, outs: 1,
			run:   func(f functions, s [][]float32) { f.fill(s[0], 0.25) },
			exact: func(s [][]float64) { FillGeneric(s[0], 0.25) },
			bound: func(int, [][]float64, int) float64 { return 0 },
		},
		{
			name: "EMA", args: 2, outs: 1,
			run:   func(f functions, s [][]float32) { f.ema(s[0], s[1], 0.999) },
			exact: func(s [][]float64) { EMAGeneric(s[0], s[1], 0.999) },
			bound: func(_ int, s [][]float64, i int) float64 { return 1.01 * u * abs(s[0][i], s[1][i]/100) },
			alias: [][2]int{{0, 1}},
		},
		{
			name: "AdamW", args: 4, outs: 3, // p, m, v and then g
			run:   func(f functions, s [][]float32) { f.adamW(s[0], s[3], s[1], s[2], step) },
			exact: func(s [][]float64) { AdamWGeneric(s[0], s[3], s[1], s[2], step) },
			bound: func(o int, s [][]float64, i int) float64 {
				p, m, v, d := s[0][i], s[1][i], s[2][i], s[3][i]/2
				switch o {
				case 1:
					return 2 * u * abs(m, d)
				case 2:
					return 4 * u * (abs(v) + d*d/1000)
				}
				root := math.Sqrt((v*0.999+d*d/1000)/step.Correction2) + 1e-30
				return 2*u*abs(p) + 16*u*step.LR/step.Correction1*abs(m, d)/root
			},
			positive: []int{2},
		},
	}
	for _, momentum := range []float32{0, 0.9} {
		for _, nesterov := range []bool{false, true} {
			for _, first := range []bool{false, true} {
				if momentum == 0 && (nesterov || first) {
					continue
				}
				list = append(list, kernelCase{
					name: fmt.Sprintf("SGD,momentum=%v,nesterov=%v,first=%v", momentum, nesterov, first), args: 3, outs: 2, // p, buffer and then g
					run: func(f functions, s [][]float32) {
						f.sgd(s[0], s[2], s[1], 0.1, momentum, 1e-2, 0.5, nesterov, first)
					},
					exact: func(s [][]float64) {
						SGDGeneric(s[0], s[2], s[1], float64(float32(0.1)), float64(momentum), float64(float32(1e-2)), 0.5, nesterov, first)
					},
					bound: func(o int, s [][]float64, i int) float64 {
						d := abs(s[0][i]/100, s[1][i], s[2][i])
						if o == 1 {
							return 4 * u * d
						}
						return u*abs(s[0][i]) + u*d
					},
				})
			}
		}
	}
	return list
}

// arguments makes the slices of a case: normal draws, behind a guard page.
func arguments(t testing.TB, k kernelCase, n int, front bool) [][]float32 {
	var s [][]float32
	for i := range k.args {
		x := kerneltest.Guarded(t, n)
		if front {
			x = kerneltest.GuardedFront(t, n)
		}
		kerneltest.Normal(x, uint64(i+1), 0, 1)
		if slices.Contains(k.positive, i) {
			for j, v := range x {
				x[j] = v * v
			}
		}
		s = append(s, x)
	}
	return s
}

func widen(s [][]float32) [][]float64 {
	var w [][]float64
	for _, x := range s {
		w = append(w, kerneltest.Widen(x))
	}
	return w
}

func TestFlatKernelsMatchTheirDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for _, k := range kernelCases() {
			worst := 0.0
			for n := range kerneltest.MaxLength + 1 {
				if n > 80 && n%7 > 0 {
					continue
				}
				s := arguments(t, k, n, n%2 == 1)
				before, want := widen(s), widen(s)
				k.run(f, s)
				k.exact(want)
				for o := range k.args {
					for i, got := range s[o] {
						b := 0.0
						if o < k.outs {
							b = k.bound(o, before, i)
						}
						e := math.Abs(float64(got) - want[o][i])
						if !(e <= b) {
							t.Fatalf("%s, n=%d: slice %d, element %d: got %v, want %v, error %.3g of the bound", k.name, n, o, i, got, want[o][i], e/b)
						}
						if b > 0 {
							worst = max(worst, e/b)
						}
					}
				}
			}
			t.Logf("%s: %.2f of the bound", k.name, worst)
		}
	})
}

func TestAnElementDoesNotDependOnItsPlace(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for _, k := range kernelCases() {
			const n = 16_461 // more than one call of the assembly
			make2 := func() [][]float32 {
				var s [][]float32
				for i := range k.args {
					x := make([]float32, n)
					kerneltest.Normal(x, uint64(i+1), 0, 1)
					if !slices.Contains(k.positive, i) {
						kerneltest.Sprinkle(x, uint64(i+10), 9)
					} else {
						for j, v := range x {
							x[j] = v * v
						}
					}
					s = append(s, x)
				}
				return s
			}
			whole, pieces := make2(), make2()
			k.run(f, whole)
			for lo, size := 0, 1; lo < n; lo, size = lo+size, size%37+1 {
				var part [][]float32
				for _, x := range pieces {
					part = append(part, x[lo:min(lo+size, n)])
				}
				k.run(f, part)
			}
			for o := range k.outs {
				kerneltest.Equal(t, fmt.Sprintf("%s, slice %d", k.name, o), pieces[o], whole[o])
			}
		}
	})
}

func TestArgumentsMayBeTheSame(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for _, k := range kernelCases() {
			for _, pair := range k.alias {
				const n = 203
				s, want := arguments(t, k, n, false), arguments(t, k, n, false)
				s[pair[0]] = s[pair[1]]
				copy(want[pair[0]], want[pair[1]])
				k.run(f, s)
				k.run(f, want)
				kerneltest.Equal(t, fmt.Sprintf("%s, arguments %d and %d the same", k.name, pair[0], pair[1]), s[0], want[0])
			}
		}
	})
}

// The special values: every variant treats them alike, up to the sign of a zero
// and the payload of NaN.
func TestSpecialValuesMatchTheDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		special := kerneltest.Specials()
		n := len(special)
		for _, k := range kernelCases() {
			if k.name == "AdamW" {
				continue // squares overflow differently in the middle
			}
			var got, want [][]float32
			for i := range k.args {
				x := make([]float32, 0, n*n)
				for j := range n * n {
					x = append(x, special[[]int{j % n, j / n, (j + j/n) % n}[i]])
				}
				got, want = append(got, x), append(want, slices.Clone(x))
			}
			k.run(f, got)
			k.run(generic, want)
			for o := range k.outs {
				for i, g := range got[o] {
					w := want[o][i]
					if g != g && w != w || g == w {
						continue
					}
					// One rounding less, of values that do not overflow.
					if d := math.Abs(float64(g) - float64(w)); d <= 4*u*math.Abs(float64(w)) || d <= 0x1p-146 {
						continue
					}
					t.Errorf("%s: slice %d, element %d: got %v, want %v", k.name, o, i, g, w)
				}
			}
		}
	})
}

func TestSGDIgnoresTheBufferAtFirst(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		p, g, buf := make([]float32, 19), make([]float32, 19), make([]float32, 19)
		for i := range buf {
			p[i], g[i], buf[i] = 1, 2, float32(math.NaN())
		}
		choose(v).sgd(p, g, buf, 0.5, 0.9, 0, 1, false, true)
		for i := range p {
			if p[i] != 0 || buf[i] != 2 {
				t.Fatalf("element %d: p %v, buffer %v, want 0 and 2", i, p[i], buf[i])
			}
		}
		choose(v).sgd(p, g, nil, 0.5, 0, 0, 1, false, false)
		if p[18] != -1 {
			t.Fatalf("without momentum: p %v, want -1", p[18])
		}
	})
}

// matrices are the shapes of the per-channel kernels.
func matrices() [][2]int {
	list := [][2]int{{0, 5}, {3, 0}, {1, 1}, {300, 3}, {513, 8}, {256, 64}, {257, 67}, {5, 1000}, {2, 17000}, {700, 200}}
	for c := 1; c <= 140; c++ {
		list = append(list, [2]int{3, c})
	}
	return list
}

func normal(t testing.TB, n int, seed uint64) []float32 {
	x := kerneltest.Guarded(t, n)
	kerneltest.Normal(x, seed, 0, 1)
	return x
}

func TestAffineChannelsMatchesItsDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for _, m := range matrices() {
			rows, c := m[0], m[1]
			x, res, scale, shift := normal(t, rows*c, 1), normal(t, rows*c, 2), normal(t, c, 3), normal(t, c, 4)
			for _, residual := range [][]float32{nil, res} {
				for _, relu := range []bool{false, true} {
					got, want := kerneltest.Guarded(t, rows*c), make([]float64, rows*c)
					f.affineChannels(got, x, scale, shift, residual, rows, c, relu)
					AffineChannelsGeneric(want, kerneltest.Widen(x), kerneltest.Widen(scale), kerneltest.Widen(shift), kerneltest.Widen(residual), rows, c, relu)
					for i, g := range got {
						// Three roundings of the product, two of the shift, one of the residual.
						b := u * (3*abs(float64(x[i]*scale[i%c])) + 2*abs(float64(shift[i%c])))
						if residual != nil {
							b += u * abs(float64(residual[i]))
						}
						if !(math.Abs(float64(g)-want[i]) <= b) {
							t.Fatalf("%dx%d, residual %v, relu %v: element %d: got %v, want %v", rows, c, residual != nil, relu, i, g, want[i])
						}
					}
					// In place of x or of the residual.
					a := slices.Clone(x)
					f.affineChannels(a, a, scale, shift, residual, rows, c, relu)
					kerneltest.Equal(t, "into x", a, got)
					if residual != nil {
						a = slices.Clone(residual)
						f.affineChannels(a, x, scale, shift, a, rows, c, relu)
						kerneltest.Equal(t, "into residual", a, got)
					}
				}
			}
		}
	})
}

func TestAffineChannelsKeepsNaN(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		nan, inf := float32(math.NaN()), float32(math.Inf(1))
		x := []float32{nan, inf, -inf, -1, nan, inf, -inf, -1, nan}
		one, zero := make([]float32, 9), make([]float32, 9)
		for i := range one {
			one[i] = 1
		}
		choose(v).affineChannels(x, x, one, zero, nil, 1, 9, true)
		kerneltest.Equal(t, "relu", x, []float32{nan, inf, 0, 0, nan, inf, 0, 0, nan})
	})
}

func TestScaleChannelsMatchesItsDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for _, m := range matrices() {
			rows, c := m[0], m[1]
			x, gamma, got, want := normal(t, rows*c, 1), normal(t, c, 2), kerneltest.Guarded(t, rows*c), make([]float32, rows*c)
			f.scaleChannels(got, x, gamma, rows, c)
			ScaleChannelsGeneric(want, x, gamma, rows, c)
			kerneltest.Equal(t, fmt.Sprintf("%dx%d", rows, c), got, want)
			f.scaleChannels(x, x, gamma, rows, c)
			kerneltest.Equal(t, fmt.Sprintf("%dx%d in place", rows, c), x, want)
		}
	})
}

// kSum is the constant in doc.go.
const kSum = 2

func TestColumnSumsMatchTheirDefinition(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f, worst := choose(v), 0.0
		for _, m := range matrices() {
			rows, c := m[0], m[1]
			what := fmt.Sprintf("%dx%d", rows, c)
			a, b, sum := normal(t, rows*c, 1), normal(t, rows*c, 2), normal(t, c, 3)
			// norms are the roots of the terms' sums of squares, with sum's own.
			norms := func(term func(i int) float64) []float64 {
				s := kerneltest.Widen(sum)
				for i, v := range s {
					s[i] = v * v
				}
				for i := range rows * c {
					s[i%c] += term(i) * term(i)
				}
				for i, v := range s {
					s[i] = math.Sqrt(v)
				}
				return s
			}
			sumNorms := norms(func(i int) float64 { return float64(a[i]) })
			dotNorms := norms(func(i int) float64 { return float64(a[i]) * float64(b[i]) })
			dot := slices.Clone(sum)
			same, wide := slices.Clone(sum), kerneltest.Widen(sum)
			f.columnSums(sum, a, rows, c)
			ColumnSumsGeneric(same, a, rows, c)
			kerneltest.Equal(t, what, sum, same) // additions only, in the same order

			ColumnSumsGeneric(wide, kerneltest.Widen(a), rows, c)
			worst = max(worst, kerneltest.Sum{N: rows + 1, K: kSum, Scales: sumNorms}.Check(t, what, sum, wide))

			wide = kerneltest.Widen(dot)
			f.columnDots(dot, a, b, rows, c)
			ColumnDotsGeneric(wide, kerneltest.Widen(a), kerneltest.Widen(b), rows, c)
			worst = max(worst, kerneltest.Sum{N: rows + 1, K: kSum, Scales: dotNorms}.Check(t, what+" dots", dot, wide))

			if rows*c > 1000 {
				continue
			}
			square, other := make([]float32, c), make([]float32, c)
			f.columnDots(square, a, a, rows, c)
			f.columnDots(other, a, slices.Clone(a), rows, c)
			kerneltest.Equal(t, what+" squares", square, other)
		}
		t.Logf("largest error %.2f of the bound", worst)
		if worst < 0.1 {
			t.Errorf("largest error is %.3g of the bound: k is too generous", worst)
		}
	})
}

func TestSumSquaresIsTheSameInEveryVariant(t *testing.T) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		f := choose(v)
		for n := range kerneltest.MaxLength + 1 {
			x := normal(t, n, uint64(n))
			got, want := f.sumSquares(x), SumSquaresGeneric(x)
			if got != want {
				t.Fatalf("n=%d: got %v, want %v", n, got, want)
			}
			exact := 0.0
			for _, v := range x {
				exact += float64(v) * float64(v)
			}
			if math.Abs(got-exact) > 1e-13*exact {
				t.Fatalf("n=%d: got %v, want %v", n, got, exact)
			}
		}
		if got := f.sumSquares([]float32{math.MaxFloat32, math.SmallestNonzeroFloat32}); math.IsInf(got, 0) {
			t.Errorf("the largest float32 overflowed: %v", got)
		}
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			x := make([]float32, 40)
			x[3] = float32(bad)
			got := f.sumSquares(x)
			if math.IsNaN(bad) && !math.IsNaN(got) || !math.IsNaN(bad) && !math.IsInf(got, 1) {
				t.Errorf("with a %v: got %v", bad, got)
			}
		}
	})
}

// TestOptimizersMatchAHandComputedStep checks the formulas, not only that
// variants agree: two steps in float64 written out.
func TestOptimizersMatchAHandComputedStep(t *testing.T) {
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	p, g, buf := []float64{2}, []float64{3}, []float64{99}
	SGDGeneric(p, g, buf, 0.1, 0.5, 0.01, 2, true, true)
	near("buffer", buf[0], 6.02)
	near("p", p[0], 2-0.1*(6.02+0.5*6.02))
	d := 6 + 0.01*p[0]
	b := 0.5*6.02 + d
	want := p[0] - 0.1*(d+0.5*b)
	SGDGeneric(p, g, buf, 0.1, 0.5, 0.01, 2, true, false)
	near("second buffer", buf[0], b)
	near("second p", p[0], want)

	p, m, v := []float64{2}, []float64{0}, []float64{0}
	h := AdamWStep{LR: 0.1, Beta1: 0.9, Beta2: 0.99, Eps: 1e-3, WeightDecay: 0.2, GradScale: 2, Correction1: 0.1, Correction2: 0.01}
	AdamWGeneric(p, g, m, v, h)
	near("m", m[0], 0.6)
	near("v", v[0], 0.36)
	near("AdamW p", p[0], 2*(1-0.02)-0.1*6/(6+1e-3))
	h.Correction1, h.Correction2 = 0.19, 0.0199
	want = p[0]*0.98 - 0.1*(0.54+0.6)/0.19/(math.Sqrt((0.3564+0.36)/0.0199)+1e-3)
	AdamWGeneric(p, g, m, v, h)
	near("second AdamW p", p[0], want)

	avg := []float64{4}
	EMAGeneric(avg, []float64{2}, 0.75)
	near("average", avg[0], 3.5)
}

func TestWrongLengthsPanic(t *testing.T) {
	two, three := make([]float32, 2), make([]float32, 3)
	for name, f := range map[string]func(){
		"Add":            func() { Add(two, two, three) },
		"AddTo":          func() { AddTo(two, three) },
		"Scale":          func() { Scale(two, three, 1) },
		"Axpy":           func() { Axpy(two, 1, three) },
		"Mul":            func() { Mul(three, two, two) },
		"AffineChannels": func() { AffineChannels(two, two, three, two, nil, 1, 2, false) },
		"residual":       func() { AffineChannels(two, two, two, two, three, 1, 2, false) },
		"ScaleChannels":  func() { ScaleChannels(two, two, two, 2, 2) },
		"ColumnSums":     func() { ColumnSums(two, three, 2, 2) },
		"ColumnDots":     func() { ColumnDots(two, two, three, 1, 2) },
		"SGD":            func() { SGD(two, two, three, 1, 1, 0, 1, false, false) },
		"AdamW":          func() { AdamW(two, two, two, three, AdamWStep{}) },
		"EMA":            func() { EMA(two, three, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted different lengths", name)
				}
			}()
			f()
		}()
	}
}
