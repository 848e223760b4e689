package conv

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

// shape is a convolution in short: square images and windows.
func shape(n, size, c, k, window, stride, pad, dil, groups int) kernel.Conv {
	return kernel.Conv{
		Window: kernel.Window{N: n, H: size, W: size, C: c, KH: window, KW: window, StrideH: stride, StrideW: stride,
			PadH: pad, PadW: pad, DilH: dil, DilW: dil},
		K: k, Groups: groups,
	}
}

func name(s kernel.Conv) string {
	return fmt.Sprintf("shape=%dx%dx%dx%d/k=%d,window=%dx%d,stride=%dx%d,pad=%dx%d,dil=%dx%d,groups=%d",
		s.N, s.H, s.W, s.C, s.K, s.KH, s.KW, s.StrideH, s.StrideW, s.PadH, s.PadW, s.DilH, s.DilW, s.Groups)
}

// shapes are small forms of what networks use, and everything odd.
func shapes() []kernel.Conv {
	all := []kernel.Conv{
		shape(2, 5, 3, 4, 1, 1, 0, 1, 1),     // pointwise
		shape(1, 3, 150, 300, 1, 1, 0, 1, 1), // pointwise with long sums
		shape(3, 14, 21, 9, 1, 1, 0, 1, 1),   // pointwise, many pixels
		shape(2, 23, 20, 7, 1, 2, 0, 1, 1),   // with a stride
		shape(2, 7, 8, 20, 1, 2, 0, 1, 1),    // shortcut of a ResNet
		shape(2, 6, 16, 16, 3, 1, 1, 1, 1),   // basic block
		shape(3, 7, 16, 33, 3, 2, 1, 1, 1),   // with a stride
		shape(1, 23, 3, 19, 7, 2, 3, 1, 1),   // stem of a ResNet
		shape(3, 41, 3, 48, 7, 2, 3, 1, 1),   // the same with filters in whole panels
		shape(2, 9, 15, 16, 3, 1, 2, 2, 1),   // as many channels as an image may have, dilated
		shape(2, 12, 3, 8, 4, 4, 0, 1, 1),    // patches
		shape(2, 11, 5, 7, 2, 2, 0, 1, 1),    // a line left over
		shape(2, 9, 4, 6, 3, 1, 2, 2, 1),     // dilated
		shape(2, 9, 4, 6, 3, 2, 2, 2, 1),     // dilated by the stride
		shape(2, 13, 4, 6, 3, 3, 1, 2, 1),    // dilated, stride without a common factor
		shape(2, 6, 12, 8, 3, 1, 1, 1, 4),    // grouped
		shape(2, 7, 6, 6, 3, 2, 1, 1, 6),     // depthwise
		shape(2, 5, 4, 12, 3, 1, 1, 1, 4),    // three filters a channel
		shape(1, 4, 2, 3, 3, 1, 3, 1, 1),     // more padding than window
		shape(2, 5, 2, 3, 1, 3, 0, 1, 1),     // pixels nobody meets
		shape(2, 3, 2, 3, 1, 2, 1, 1, 1),     // windows that see only padding
		shape(1, 1, 40, 17, 3, 1, 1, 1, 1),   // one pixel
		shape(3, 40, 2, 3, 3, 1, 1, 1, 1),    // several tasks an image
		shape(40, 4, 3, 5, 3, 1, 1, 1, 1),    // several images a task
		shape(0, 4, 3, 5, 3, 1, 1, 1, 1),     // nothing
		shape(0, 4, 3, 16, 3, 1, 1, 1, 1),    // nothing, in whole panels
		shape(1, 5, 300, 5, 2, 1, 1, 1, 1),   // runs longer than a block
		shape(1, 4, 6, 100, 3, 1, 1, 1, 1),   // two blocks of output channels
		shape(2, 5, 128, 10, 3, 1, 1, 1, 1),  // channels in panels
		shape(1, 8, 144, 7, 3, 2, 2, 2, 1),   // the same with a stride, dilated
	}
	odd := shape(2, 0, 6, 10, 0, 0, 0, 0, 2)
	odd.H, odd.W, odd.KH, odd.KW, odd.StrideH, odd.StrideW, odd.PadH, odd.PadW, odd.DilH, odd.DilW = 9, 14, 2, 5, 1, 3, 1, 0, 3, 1
	lines := shape(2, 0, 7, 5, 0, 1, 0, 1, 1)
	lines.H, lines.W, lines.KH, lines.KW, lines.PadW = 3, 17, 1, 5, 2
	return append(all, odd, lines)
}

// data is a convolution's operands in guarded memory.
type data struct{ x, y, w []float32 }

func fill(t *testing.T, s kernel.Conv, seed uint64) data {
	d := data{
		x: kerneltest.Guarded(t, s.N*s.H*s.W*s.C),
		y: kerneltest.Guarded(t, s.N*s.OutH()*s.OutW()*s.K),
		w: kerneltest.Guarded(t, s.K*s.Inner()),
	}
	kerneltest.Normal(d.x, seed, 0, 1)
	kerneltest.Normal(d.y, seed+1, 0, 1)
	kerneltest.Normal(d.w, seed+2, 0, 1)
	return d
}

func abs(x []float64) []float64 {
	y := slices.Clone(x)
	for i, v := range y {
		y[i] = math.Abs(v)
	}
	return y
}

// eachForm runs f with every form forced in turn, with every variant of its
// transforms, on the shapes that this makes a difference to: all of them for
// direct convolution.
func eachForm(t *testing.T, f func(t *testing.T, shapes []kernel.Conv)) {
	defer func(form *form, old cpu.Variant) { forced, chosen = form, old }(forced, chosen)
	fastest := chosen
	for _, form := range []form{direct, f2, f4} {
		forced = &form
		for _, v := range cpu.Variants() {
			if form == direct && v != fastest {
				continue
			}
			chosen = v
			t.Run(fmt.Sprintf("form=%v/impl=%v", form, v), func(t *testing.T) {
				all := append(shapes(), shape(1, 13, 20, 17, 3, 1, 0, 1, 1), shape(2, 6, 9, 31, 3, 1, 2, 1, 1), shape(1, 3, 520, 18, 3, 1, 1, 1, 1), shape(4, 26, 8, 50, 3, 1, 1, 1, 1))
				if form != direct {
					all = slices.DeleteFunc(all, func(s kernel.Conv) bool { return !suits(s) })
				}
				f(t, all)
			})
		}
	}
}

// spread is what the errors of s's form are relative to, see the package
// comment: sums of |x w|, for Winograd's forms with the largest |x| of the
// channel behind the tile. The result is out pixels [h,w] of k channels, w as
// for [ForwardGeneric].
func spread(x, w []float64, s kernel.Conv) []float64 {
	scale := make([]float64, s.N*s.OutH()*s.OutW()*s.K)
	x, w = abs(x), abs(w)
	f := choose(s)
	if f == direct {
		ForwardGeneric(scale, x, w, s, nil)
		return scale
	}
	oh, ow, m := s.OutH(), s.OutW(), f.out()
	sums := make([]float64, s.K*s.C)
	for i, v := range w {
		sums[i/s.Inner()*s.C+i%s.C] += v
	}
	largest := make([]float64, s.C)
	for n := range s.N {
		for y0 := 0; y0 < oh; y0 += m {
			for x0 := 0; x0 < ow; x0 += m {
				clear(largest)
				for y := max(0, y0-s.PadH); y < min(s.H, y0-s.PadH+f.in()); y++ {
					for xx := max(0, x0-s.PadW); xx < min(s.W, x0-s.PadW+f.in()); xx++ {
						for c := range largest {
							largest[c] = max(largest[c], x[((n*s.H+y)*s.W+xx)*s.C+c])
						}
					}
				}
				for k := range s.K {
					sum := 0.0
					for c, v := range largest {
						sum += v * sums[k*s.C+c]
					}
					for y := y0; y < min(oh, y0+m); y++ {
						for xx := x0; xx < min(ow, x0+m); xx++ {
							scale[((n*oh+y)*ow+xx)*s.K+k] = sum
						}
					}
				}
			}
		}
	}
	return scale
}

// spreadWeights is the same for the gradient of the weights by Winograd's forms:
// sums over tiles of the largest |x| of the channel times Σ|dy| of the tile.
func spreadWeights(scale, dy, x []float64, s kernel.Conv, f form) {
	oh, ow, m := s.OutH(), s.OutW(), f.out()
	for n := range s.N {
		for y0 := 0; y0 < oh; y0 += m {
			for x0 := 0; x0 < ow; x0 += m {
				largest, sums := make([]float64, s.C), make([]float64, s.K)
				for y := max(0, y0-s.PadH); y < min(s.H, y0-s.PadH+f.in()); y++ {
					for xx := max(0, x0-s.PadW); xx < min(s.W, x0-s.PadW+f.in()); xx++ {
						for c := range largest {
							largest[c] = max(largest[c], math.Abs(x[((n*s.H+y)*s.W+xx)*s.C+c]))
						}
					}
				}
				for y := y0; y < min(oh, y0+m); y++ {
					for xx := x0; xx < min(ow, x0+m); xx++ {
						for k := range sums {
							sums[k] += math.Abs(dy[((n*oh+y)*ow+xx)*s.K+k])
						}
					}
				}
				for i := range scale {
					scale[i] += largest[i%s.C] * sums[i/s.Inner()]
				}
			}
		}
	}
}

// turned is the convolution that s's gradient of the input is, for stride 1,
// and its weights.
func turned(w []float64, s kernel.Conv) ([]float64, kernel.Conv) {
	t := s
	t.H, t.W, t.C, t.K, t.PadH, t.PadW = s.OutH(), s.OutW(), s.K, s.C, 2-s.PadH, 2-s.PadW
	v := make([]float64, len(w))
	for k := range s.K {
		for tap := range 9 {
			for c := range s.C {
				v[(c*9+8-tap)*s.K+k] = w[(k*9+tap)*s.C+c]
			}
		}
	}
	return v, t
}

func TestFormsMatchTheirDefinitions(t *testing.T) {
	eachForm(t, formsMatchTheirDefinitions)
}

func formsMatchTheirDefinitions(t *testing.T, shapes []kernel.Conv) {
	worst := 0.0
	p := pool.New(3)
	for i, s := range shapes {
		t.Run(name(s), func(t *testing.T) {
			if err := s.Check(); err != nil {
				t.Fatal(err)
			}
			var a kernel.Arena
			d := fill(t, s, uint64(10*i))
			x, y, w := kerneltest.Widen(d.x), kerneltest.Widen(d.y), kerneltest.Widen(d.w)
			taps := s.KH * s.KW

			want, scale := make([]float64, len(y)), spread(x, w, s)
			ForwardGeneric(want, x, w, s, nil)
			got := kerneltest.Guarded(t, len(y))
			kerneltest.Normal(got, 77, 0, 1)
			Forward(p, &a, got, d.x, Pack(d.w, s), s, nil)
			worst = max(worst, kerneltest.Sum{N: s.Inner(), K: 4, Scales: scale}.Check(t, "Forward", got, want))

			want, scale = make([]float64, len(x)), make([]float64, len(x))
			BackwardInputGeneric(want, y, w, s)
			if chooseInput(s) != direct && s.PadH <= 2 {
				w, s := turned(w, s)
				scale = spread(y, w, s)
			} else {
				BackwardInputGeneric(scale, abs(y), abs(w), s)
			}
			got = kerneltest.Guarded(t, len(x))
			kerneltest.Normal(got, 78, 0, 1)
			BackwardInput(p, &a, got, d.y, d.w, s, false)
			worst = max(worst, kerneltest.Sum{N: taps * s.K / s.Groups, K: 4, Scales: scale}.Check(t, "BackwardInput", got, want))
			kerneltest.Normal(got, 79, 0, 1)
			for i, v := range got {
				want[i] += float64(v)
				scale[i] += math.Abs(float64(v))
			}
			BackwardInput(p, &a, got, d.y, d.w, s, true)
			kerneltest.Sum{N: taps*s.K/s.Groups + 1, K: 4, Scales: scale}.Check(t, "BackwardInput, accumulating", got, want)

			want, scale = make([]float64, len(w)), make([]float64, len(w))
			BackwardWeightGeneric(want, y, x, s)
			n := s.N * s.OutH() * s.OutW()
			if f := chooseWeight(s); f != direct {
				m := f.out()
				n = s.N * ((s.OutH() + m - 1) / m) * ((s.OutW() + m - 1) / m) * m * m
				spreadWeights(scale, y, x, s, f)
			} else {
				BackwardWeightGeneric(scale, abs(y), abs(x), s)
			}
			got = kerneltest.Guarded(t, len(w))
			kerneltest.Normal(got, 79, 0, 1)
			BackwardWeight(p, &a, got, nil, d.y, d.x, s)
			worst = max(worst, kerneltest.Sum{N: n, K: 4, Scales: scale}.Check(t, "BackwardWeight", got, want))

			again, db := kerneltest.Guarded(t, len(w)), kerneltest.Guarded(t, s.K)
			kerneltest.Normal(db, 80, 0, 1)
			BackwardWeight(p, &a, again, db, d.y, d.x, s)
			kerneltest.Equal(t, "BackwardWeight beside the bias", again, got)
			want, scale = make([]float64, s.K), make([]float64, s.K)
			for i, v := range y {
				want[i%s.K] += v
				scale[i%s.K] += math.Abs(v)
			}
			kerneltest.Sum{N: s.N * s.OutH() * s.OutW(), K: 4, Scales: scale}.Check(t, "bias", db, want)

			if a.Lent() != 0 {
				t.Errorf("%d elements of scratch were not returned", a.Lent())
			}
		})
	}
	t.Logf("largest error: %.2f of the bound", worst)
	if worst < 0.1 && !t.Failed() {
		t.Error("the bound is more than ten times too generous")
	}
}

func TestEpilogueIsAppliedToEachPixel(t *testing.T) {
	eachForm(t, epilogueIsAppliedToEachPixel)
}

func epilogueIsAppliedToEachPixel(t *testing.T, shapes []kernel.Conv) {
	for i, s := range shapes {
		if s.Inner()*s.K*s.N > 1<<16 {
			continue
		}
		t.Run(name(s), func(t *testing.T) {
			d := fill(t, s, uint64(i))
			var a kernel.Arena
			plain := make([]float32, len(d.y))
			Forward(nil, &a, plain, d.x, Pack(d.w, s), s, nil)
			for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.GELU} {
				e := &kernel.Epilogue[float32]{Bias: make([]float32, s.K), Scale: make([]float32, s.K), Act: act, ActLast: i%2 == 0}
				kerneltest.Normal(e.Bias, 1, 0, 1)
				kerneltest.Normal(e.Scale, 2, 1, 1)
				e.Residual = slices.Clone(d.y)
				want := slices.Clone(plain)
				for r := range len(want) / s.K {
					apply(e, want[r*s.K:][:s.K], r)
				}
				got := make([]float32, len(want))
				Forward(nil, &a, got, d.x, Pack(d.w, s), s, e)
				kerneltest.Equal(t, act.String(), got, want)
				e.Residual = got
				copy(got, d.y)
				Forward(pool.New(2), &a, got, d.x, Pack(d.w, s), s, e)
				kerneltest.Equal(t, act.String()+" in place", got, want)
			}
		})
	}
}

// apply is e.Row with the activation taken from its package, whose accuracy is
// not at issue here.
func apply(e *kernel.Epilogue[float32], y []float32, r int) {
	if e.Act == kernel.Identity || e.Act == kernel.ReLU {
		e.Row(y, r, 0, len(y))
		return
	}
	before, after := *e, *e
	before.Act, after.Act = kernel.Identity, kernel.Identity
	if e.ActLast {
		after.Bias, after.Scale, after.Residual = nil, nil, nil
	} else {
		before.Scale, before.Residual, after.Bias = nil, nil, nil
	}
	before.Row(y, r, 0, len(y))
	activation.Forward(y, y, e.Act)
	after.Row(y, r, 0, len(y))
}

func TestThreadsDoNotChangeResults(t *testing.T) {
	eachForm(t, threadsDoNotChangeResults)
}

func threadsDoNotChangeResults(t *testing.T, shapes []kernel.Conv) {
	for i, s := range append(shapes, shape(2, 22, 8, 20, 3, 1, 1, 1, 1), shape(20, 14, 24, 20, 3, 1, 1, 1, 1), shape(9, 15, 16, 40, 3, 2, 1, 1, 1)) {
		t.Run(name(s), func(t *testing.T) {
			d := fill(t, s, uint64(i))
			var a kernel.Arena
			var first [5][]float32
			for _, threads := range []int{1, 2, 7, 16} {
				p := pool.New(threads)
				y, dx, dw := make([]float32, len(d.y)), make([]float32, len(d.x)), make([]float32, len(d.w))
				Forward(p, &a, y, d.x, Pack(d.w, s), s, nil)
				BackwardInput(p, &a, dx, d.y, d.w, s, false)
				sum := slices.Clone(d.x)
				BackwardInput(p, &a, sum, d.y, d.w, s, true)
				db := make([]float32, s.K)
				BackwardWeight(p, &a, dw, db, d.y, d.x, s)
				if threads == 1 {
					first = [5][]float32{y, dx, dw, sum, db}
				}
				what := fmt.Sprintf(" with %d threads", threads)
				kerneltest.Equal(t, "Forward"+what, y, first[0])
				kerneltest.Equal(t, "BackwardInput"+what, dx, first[1])
				kerneltest.Equal(t, "BackwardWeight"+what, dw, first[2])
				kerneltest.Equal(t, "BackwardInput, accumulating,"+what, sum, first[3])
				kerneltest.Equal(t, "bias"+what, db, first[4])
			}
		})
	}
}

func TestPixelDoesNotDependOnItsBatch(t *testing.T) {
	eachForm(t, func(t *testing.T, _ []kernel.Conv) {
		pixelDoesNotDependOnItsBatch(t, shape(5, 9, 6, 11, 3, 1, 1, 1, 1))
		pixelDoesNotDependOnItsBatch(t, shape(5, 9, 6, 11, 3, 2, 1, 1, 1))
	})
}

func pixelDoesNotDependOnItsBatch(t *testing.T, s kernel.Conv) {
	d := fill(t, s, 3)
	var a kernel.Arena
	y, dx := make([]float32, len(d.y)), make([]float32, len(d.x))
	Forward(nil, &a, y, d.x, Pack(d.w, s), s, nil)
	BackwardInput(nil, &a, dx, d.y, d.w, s, false)
	one := s
	one.N = 1
	nx, ny := len(d.x)/s.N, len(d.y)/s.N
	for i := range s.N {
		y1, dx1 := make([]float32, ny), make([]float32, nx)
		Forward(nil, &a, y1, d.x[i*nx:][:nx], Pack(d.w, s), one, nil)
		BackwardInput(nil, &a, dx1, d.y[i*ny:][:ny], d.w, one, false)
		kerneltest.Equal(t, "Forward", y[i*ny:][:ny], y1)
		kerneltest.Equal(t, "BackwardInput", dx[i*nx:][:nx], dx1)
	}
}

func TestDefinitionsHaveTheRightGradients(t *testing.T) {
	for i, s := range shapes() {
		if s.N*s.OutH()*s.OutW()*s.K*s.Inner() > 40_000 {
			continue
		}
		t.Run(name(s), func(t *testing.T) {
			x, w := make([]float64, s.N*s.H*s.W*s.C), make([]float64, s.K*s.Inner())
			kerneltest.Normal(x, uint64(i), 0, 1)
			kerneltest.Normal(w, uint64(i)+50, 0, 1)
			y := make([]float64, s.N*s.OutH()*s.OutW()*s.K)
			dy, loss := kerneltest.Weighted(len(y), uint64(i))
			dx, dw := make([]float64, len(x)), make([]float64, len(w))
			BackwardInputGeneric(dx, dy, w, s)
			BackwardWeightGeneric(dw, dy, x, s)
			kerneltest.Gradient(t, func(x []float64) float64 { ForwardGeneric(y, x, w, s, nil); return loss(y) }, x, dx)
			kerneltest.Gradient(t, func(w []float64) float64 { ForwardGeneric(y, x, w, s, nil); return loss(y) }, w, dw)
		})
	}
}

func TestNonFinitePixelsReachTheirWindowsOnly(t *testing.T) {
	defer func(f *form) { forced = f }(forced)
	forced = new(form)
	for i, s := range shapes() {
		if s.N == 0 {
			continue
		}
		t.Run(name(s), func(t *testing.T) {
			d := fill(t, s, uint64(i))
			var a kernel.Arena
			r := kerneltest.Rand(uint64(i))
			d.x[r.IntN(len(d.x))] = float32(math.NaN())
			d.x[r.IntN(len(d.x))] = float32(math.Inf(1))
			d.y[r.IntN(len(d.y))] = float32(math.NaN())
			d.y[r.IntN(len(d.y))] = float32(math.Inf(-1))
			want, got := make([]float32, len(d.y)), make([]float32, len(d.y))
			ForwardGeneric(want, d.x, d.w, s, nil)
			Forward(nil, &a, got, d.x, Pack(d.w, s), s, nil)
			sameKinds(t, "Forward", got, want)
			want, got = make([]float32, len(d.x)), make([]float32, len(d.x))
			BackwardInputGeneric(want, d.y, d.w, s)
			BackwardInput(nil, &a, got, d.y, d.w, s, false)
			sameKinds(t, "BackwardInput", got, want)
			want, got = make([]float32, len(d.w)), make([]float32, len(d.w))
			BackwardWeightGeneric(want, d.y, d.x, s)
			BackwardWeight(nil, &a, got, nil, d.y, d.x, s)
			sameKinds(t, "BackwardWeight", got, want)
		})
	}
}

func TestNonFinitePixelsReachTheirTilesOnly(t *testing.T) {
	eachForm(t, func(t *testing.T, _ []kernel.Conv) {
		if *forced == direct {
			return
		}
		m := forced.out()
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			s := shape(2, 13, 9, 17, 3, 1, 1, 1, 1)
			d := fill(t, s, 1)
			var a kernel.Arena
			const n, y0, x0, c0 = 1, 7, 4, 3
			d.x[((n*s.H+y0)*s.W+x0)*s.C+c0] = float32(bad)
			got := make([]float32, len(d.y))
			Forward(nil, &a, got, d.x, Pack(d.w, s), s, nil)
			for i, g := range got {
				img, y, x := i/(s.K*s.H*s.W), i/(s.K*s.W)%s.H, i/s.K%s.W
				finite := !math.IsNaN(float64(g)) && !math.IsInf(float64(g), 0)
				window := img == n && max(y-y0, y0-y) <= 1 && max(x-x0, x0-x) <= 1
				y, x = y/m*m, x/m*m // the tile's first pixel
				tile := img == n && y0 >= y-1 && y0 <= y+m && x0 >= x-1 && x0 <= x+m
				if window && finite || !tile && !finite {
					t.Fatalf("%v: element %d is %v", bad, i, g)
				}
			}
		}
	})
}

func TestNonFiniteValuesReachTheirFiltersOnly(t *testing.T) {
	eachForm(t, func(t *testing.T, _ []kernel.Conv) {
		s := shape(2, 13, 9, 17, 3, 1, 1, 1, 1)
		for _, inX := range []bool{false, true} {
			d := fill(t, s, 1)
			const at, c0, k0 = 40, 3, 5
			if inX {
				d.x[at*s.C+c0] = float32(math.NaN())
			} else {
				d.y[at*s.K+k0] = float32(math.Inf(1))
			}
			var a kernel.Arena
			BackwardWeight(nil, &a, d.w, nil, d.y, d.x, s)
			for i, g := range d.w {
				hit := !inX && i/s.Inner() == k0 || inX && i%s.C == c0
				if finite := !math.IsNaN(float64(g)) && !math.IsInf(float64(g), 0); finite == hit {
					t.Fatalf("in x: %v: element %d is %v", inX, i, g)
				}
			}
		}
	})
}

func sameKinds(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i, g := range got {
		w := want[i]
		if (g != g) != (w != w) || math.IsInf(float64(g), 1) != math.IsInf(float64(w), 1) || math.IsInf(float64(g), -1) != math.IsInf(float64(w), -1) {
			t.Fatalf("%s: element %d is %v, want %v", what, i, g, w)
		}
	}
}

func TestRepackedWeightsServeAnotherConvolution(t *testing.T) {
	eachForm(t, repackedWeightsServeAnotherConvolution)
}

func repackedWeightsServeAnotherConvolution(t *testing.T, shapes []kernel.Conv) {
	var w Weights
	for i, s := range shapes {
		d := fill(t, s, uint64(i))
		w.Repack(pool.New(i%4), d.w, s)
		if w.Bytes() < 4*len(d.w) || w.Elem() != kernel.F32 {
			t.Errorf("%s: %d bytes of %v for %d elements", name(s), w.Bytes(), w.Elem(), len(d.w))
		}
		var a kernel.Arena
		got, want := make([]float32, len(d.y)), make([]float32, len(d.y))
		Forward(nil, &a, got, d.x, &w, s, nil)
		Forward(nil, &a, want, d.x, Pack(d.w, s), s, nil)
		kerneltest.Equal(t, name(s), got, want)
	}
}

func TestWrongLengthsPanic(t *testing.T) {
	s := shape(1, 4, 2, 3, 3, 1, 1, 1, 1)
	d := fill(t, s, 1)
	var a kernel.Arena
	bad := s
	bad.StrideH = 0
	for what, f := range map[string]func(){
		"input":    func() { Forward(nil, &a, d.y, d.x[1:], Pack(d.w, s), s, nil) },
		"output":   func() { Forward(nil, &a, d.y[1:], d.x, Pack(d.w, s), s, nil) },
		"weights":  func() { Pack(d.w[1:], s) },
		"geometry": func() { Forward(nil, &a, d.y, d.x, Pack(d.w, s), bad, nil) },
		"foreign": func() {
			Forward(nil, &a, d.y, d.x, Pack(make([]float32, 54), shape(1, 4, 2, 3, 3, 1, 1, 1, 1)), shape(1, 4, 2, 3, 1, 1, 0, 1, 1), nil)
		},
		"stride": func() {
			defer func(f *form) { forced = f }(forced)
			f := f2
			forced = &f
			two := shape(1, 4, 2, 3, 3, 2, 1, 1, 1)
			Forward(nil, &a, make([]float32, two.OutH()*two.OutW()*two.K), d.x, Pack(d.w, s), two, nil)
		},
		"dx": func() { BackwardInput(nil, &a, d.x[1:], d.y, d.w, s, false) },
		"dw": func() { BackwardWeight(nil, &a, d.w[1:], nil, d.y, d.x, s) },
		"db": func() { BackwardWeight(nil, &a, d.w, make([]float32, s.K+1), d.y, d.x, s) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			f()
		}()
	}
}
