package conv

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

// In exact arithmetic the transforms make a convolution, whatever the points:
// float64 shows it.
func TestTransformsMakeAConvolution(t *testing.T) {
	for _, f := range []form{f2, f4} {
		m, n := f.out(), f.in()
		var d, g, want [36]float64
		kerneltest.Normal(d[:], 1, 0, 1)
		kerneltest.Normal(g[:], 2, 0, 1)
		for i := range m {
			for j := range m {
				for y := range 3 {
					for x := range 3 {
						want[i*6+j] += d[(i+y)*6+j+x] * g[y*6+x]
					}
				}
			}
		}
		v := d
		square(f, sourceLine, &v, n, n)
		back := want
		square(f, gradientLine, &back, m, n)
		var sums, wantSums [36]float64
		for i := range sums {
			sums[i] = v[i] * back[i]
		}
		square(f, sumLine, &sums, n, 3)
		for i := range m {
			for j := range m {
				for y := range 3 {
					for x := range 3 {
						wantSums[y*6+x] += d[(i+y)*6+j+x] * want[i*6+j]
					}
				}
			}
		}
		for y := range 3 {
			for x := range 3 {
				if e := math.Abs(sums[y*6+x] - wantSums[y*6+x]); e > 1e-12 {
					t.Errorf("%v: gradient of tap (%d,%d) is off by %g", f, y, x, e)
				}
			}
		}
		square(f, sourceLine, &d, n, n)
		square(f, filterLine, &g, 3, n)
		for i := range d {
			d[i] *= g[i]
		}
		square(f, resultLine, &d, n, m)
		for i := range m {
			for j := range m {
				if e := math.Abs(d[i*6+j] - want[i*6+j]); e > 1e-14 {
					t.Errorf("%v: pixel (%d,%d) is off by %g", f, i, j, e)
				}
			}
		}
	}
}

// The figures of the package comment.
func TestErrorIsAsDocumented(t *testing.T) {
	defer func(f *form) { forced = f }(forced)
	for _, limit := range []struct {
		form       form
		channels   int
		rms, worst float64 // relative to the RMS of the result
	}{
		{direct, 16, 4e-7, 4e-6}, {f2, 16, 4e-7, 4e-6}, {f4, 16, 1.2e-6, 8e-6},
		{direct, 256, 1.2e-6, 1e-5}, {f2, 256, 8e-7, 6e-6}, {f4, 256, 2e-6, 1.2e-5},
	} {
		t.Run(fmt.Sprintf("form=%v/channels=%d", limit.form, limit.channels), func(t *testing.T) {
			forced = &limit.form
			s := shape(1, 14, limit.channels, 16, 3, 1, 1, 1, 1)
			d := fill(t, s, 5)
			want := make([]float64, len(d.y))
			ForwardGeneric(want, kerneltest.Widen(d.x), kerneltest.Widen(d.w), s, nil)
			var a kernel.Arena
			Forward(nil, &a, d.y, d.x, Pack(d.w, s), s, nil)
			var sum, errors, worst float64
			for i, v := range want {
				e := float64(d.y[i]) - v
				sum += v * v
				errors += e * e
				worst = max(worst, math.Abs(e))
			}
			rms, worst := math.Sqrt(errors/sum), worst/math.Sqrt(sum/float64(len(want)))
			t.Logf("RMS %.2g, largest %.2g", rms, worst)
			if rms > limit.rms || worst > limit.worst {
				t.Errorf("RMS error %g, largest %g", rms, worst)
			}
		})
	}
}

// eachTransform runs f for both forms and each variant.
func eachTransform(t *testing.T, f func(t *testing.T, form form)) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		defer func(old cpu.Variant) { chosen = old }(chosen)
		chosen = v
		for _, form := range []form{f2, f4} {
			t.Run("form="+form.String(), func(t *testing.T) { f(t, form) })
		}
	})
}

// closeTo fails the test unless the elements of got are want's, within k
// roundings of the largest value that the transform can meet.
func closeTo(t *testing.T, what string, got, want, largest float64, k float64) {
	t.Helper()
	if !(math.Abs(got-want) <= k*0x1p-24*largest) {
		t.Fatalf("%s is %v, want %v", what, got, want)
	}
}

func packed(f form, rows, cols int) *gemm.Packed {
	p := new(gemm.Packed)
	p.Reserve(f.parts()*rows, cols)
	return p
}

func TestSourceTilesAreTransformed(t *testing.T) {
	eachTransform(t, func(t *testing.T, f form) { tilesAreTransformed(t, f, false) })
}

func TestTilesOfTheResultAreTransformed(t *testing.T) {
	eachTransform(t, func(t *testing.T, f form) { tilesAreTransformed(t, f, true) })
}

func tilesAreTransformed(t *testing.T, f form, gradient bool) {
	n, width, transform := f.in(), f.in(), sourceLine[float64]
	if gradient {
		width, transform = f.out(), gradientLine[float64]
	}
	for c := 1; c <= 41; c++ {
		const tiles = 3
		line, pixel := (width+3*(tiles-1))*(c+1)+2, c+1
		src := kerneltest.Guarded(t, (width-1)*line+(width+3*(tiles-1)-1)*pixel+c)
		kerneltest.Normal(src, uint64(c), 0, 1)
		pitch := (c + 7) / 8 * 8
		part := tiles*pitch + 5
		dst := kerneltest.Guarded(t, (f.parts()-1)*part+tiles*pitch)
		w := inputTiles{gradient: gradient, src: src, dst: dst, line: line, pixel: pixel, part: part, c: c, tiles: tiles, srcStep: 3 * pixel, dstStep: pitch}
		w.run(f)
		for tile := range tiles {
			for ch := range c {
				var d [36]float64
				largest := 0.0
				for i := range width {
					for j := range width {
						d[i*6+j] = float64(src[tile*w.srcStep+i*line+j*pixel+ch])
						largest = max(largest, math.Abs(d[i*6+j]))
					}
				}
				square(f, transform, &d, width, n)
				for p := range f.parts() {
					closeTo(t, fmt.Sprintf("channel %d of %d, part %d of tile %d", ch, c, p, tile),
						float64(dst[p*part+tile*pitch+ch]), d[p/n*6+p%n], largest, 200)
				}
			}
		}
	}
}

func TestProductsAreTransformed(t *testing.T) {
	eachTransform(t, func(t *testing.T, f form) {
		m, n := f.out(), f.in()
		for cols := 1; cols <= panel; cols++ {
			for parts := range 32 {
				if parts != 31 && cols%8 > 1 && cols != 15 {
					continue // each part of the epilogue at the ends of vectors
				}
				places := []place{{0, m, m}, {m, m, 1}, {m + 1, 1, m}, {2*m + 1, m - 1, m - 1}}
				width := 3 * m
				step := panel * (1 + parts%2)
				part := len(places)*step + 3
				src := kerneltest.Guarded(t, (f.parts()-1)*part+(len(places)-1)*step+panel)
				kerneltest.Normal(src, uint64(cols), 0, 1)
				pixel, stride := cols+2, cols+1
				dst := kerneltest.Guarded(t, ((m-1)*width+2*m+m-1)*pixel+cols)
				e := &kernel.Epilogue[float32]{ResidualStride: stride, ActLast: parts&16 != 0}
				vector := func() []float32 {
					v := kerneltest.Guarded(t, cols)
					kerneltest.Normal(v, 7, 0, 1)
					return v
				}
				if parts&1 != 0 {
					e.Bias = vector()
				}
				if parts&2 != 0 {
					e.Scale = vector()
				}
				if parts&4 != 0 {
					e.Residual = kerneltest.Guarded(t, ((m-1)*width+2*m+m-1)*stride+cols)
					kerneltest.Normal(e.Residual, 8, 0, 1)
				}
				if parts&8 != 0 {
					e.Act = kernel.ReLU
				}
				w := outputTiles{src: src, part: part, step: step, dst: dst, line: width * pixel, pixel: pixel, cols: cols, places: places,
					epi: e, resPixel: stride, resLine: width * stride}
				const untouched = -77
				for i := range dst {
					dst[i] = untouched
				}
				w.run(f)
				want := make([]float64, len(dst))
				largest := make([]float64, len(dst))
				for i := range want {
					want[i] = untouched
				}
				wide := kernel.Epilogue[float64]{Bias: kerneltest.Widen(e.Bias), Scale: kerneltest.Widen(e.Scale),
					Residual: kerneltest.Widen(e.Residual), ResidualStride: stride, Act: e.Act, ActLast: e.ActLast}
				for tile, at := range places {
					for c := range cols {
						var v [36]float64
						for p := range f.parts() {
							v[p/n*6+p%n] = float64(src[p*part+tile*step+c])
						}
						square(f, resultLine, &v, n, m)
						for i := range at.rows {
							for j := range at.cols {
								q := at.pixel + i*width + j
								row := v[i*6+j : i*6+j+1]
								wide.Row(row, q, c, stride)
								want[q*pixel+c], largest[q*pixel+c] = row[0], 40
							}
						}
					}
				}
				for i, g := range dst {
					closeTo(t, fmt.Sprintf("cols=%d epilogue=%b element %d", cols, parts, i), float64(g), want[i], largest[i], 40)
				}
			}
		}
	})
}

func TestSumsAreTransformed(t *testing.T) {
	eachTransform(t, func(t *testing.T, f form) {
		n := f.in()
		for c := 1; c <= 41; c++ {
			part, tap := (c+7)/8*8+3, c+2
			src, dst := kerneltest.Guarded(t, (f.parts()-1)*part+(c+7)/8*8), kerneltest.Guarded(t, 8*tap+c)
			kerneltest.Normal(src, uint64(c), 0, 1)
			const untouched = -77
			for i := range dst {
				dst[i] = untouched
			}
			w := filterSums{src: src, part: part, dst: dst, tap: tap, c: c}
			w.run(f)
			for i, g := range dst {
				ch, tap := i%tap, i/tap
				if ch >= c {
					if g != untouched {
						t.Fatalf("element %d beyond channel %d is overwritten", ch, c)
					}
					continue
				}
				var v [36]float64
				for p := range f.parts() {
					v[p/n*6+p%n] = float64(src[p*part+ch])
				}
				square(f, sumLine, &v, n, 3)
				closeTo(t, fmt.Sprintf("channel %d of %d, tap %d", ch, c, tap), float64(g), v[tap/3*6+tap%3], 8, 16)
			}
		}
	})
}

func TestFiltersAreTransformed(t *testing.T) {
	eachTransform(t, func(t *testing.T, f form) {
		n := f.in()
		for _, s := range []kernel.Conv{
			shape(1, 3, 1, 1, 3, 1, 1, 1, 1), shape(1, 3, 16, 16, 3, 1, 1, 1, 1), shape(1, 3, 5, 33, 3, 1, 1, 1, 1),
			shape(1, 3, 40, 23, 3, 1, 1, 1, 1), shape(1, 3, 70, 48, 3, 1, 1, 1, 1),
		} {
			d := fill(t, s, 9)
			there := packed(f, s.C, s.K)
			back := packed(f, s.K, s.C)
			for i := range there.Panels() {
				forwardFilters(f, there, i, d.w, s)
			}
			for i := range back.Panels() {
				backwardFilters(f, back, i, d.w, s)
			}
			for k := range s.K {
				for c := range s.C {
					var g, turned [36]float64
					for tap := range 9 {
						v := float64(d.w[(k*9+tap)*s.C+c])
						g[tap/3*6+tap%3], turned[(8-tap)/3*6+(8-tap)%3] = v, v
					}
					square(f, filterLine, &g, 3, n)
					square(f, filterLine, &turned, 3, n)
					for p := range f.parts() {
						what := fmt.Sprintf("%s part %d of filter %d, channel %d", name(s), p, k, c)
						closeTo(t, what, float64(there.At(p*s.C+c, k)), g[p/n*6+p%n], 8, 8)
						closeTo(t, what+" turned", float64(back.At(p*s.K+k, c)), turned[p/n*6+p%n], 8, 8)
					}
				}
			}
			for _, p := range []struct {
				last []float32
				cols int
			}{{there.Panel(there.Panels() - 1), (s.K-1)%panel + 1}, {back.Panel(back.Panels() - 1), (s.C-1)%panel + 1}} {
				for i, v := range p.last {
					if i%panel >= p.cols && v != 0 {
						t.Fatalf("%s: element %d beyond the last column is %v", name(s), i, v)
					}
				}
			}
		}
	})
}

// 49 tiles of 28x28x128 are 25 and 24 to two threads, each with all filters: no
// thread waits for what the other transforms.
func TestTwoThreadsGetABlockOfTilesEach(t *testing.T) {
	defer func(f *form) { forced = f }(forced)
	forced = nil
	s := shape(1, 28, 128, 128, 3, 1, 1, 1, 1)
	w := Pack(make([]float32, s.K*s.Inner()), s)
	c := winograd{form: w.form, n: s.N, h: s.H, w: s.W, c: s.C, oh: s.OutH(), ow: s.OutW(), k: s.K, padH: 1, padW: 1, filters: w.groups[0]}
	if blocks, groups := c.grid(pool.New(2), c.count(), 28); blocks != 2 || groups != 1 {
		t.Errorf("%d blocks, %d groups of filters", blocks, groups)
	}
}

func TestFormIsChosenByTheFilters(t *testing.T) {
	defer func(f *form, v cpu.Variant) { forced, chosen = f, v }(forced, chosen)
	forced = nil
	two := shape(1, 56, 64, 64, 3, 2, 1, 1, 1)
	for _, c := range []struct {
		s                            kernel.Conv
		want, with512, input, weight form
	}{
		{shape(1, 56, 64, 64, 3, 1, 1, 1, 1), f4, f4, f4, f4},
		{shape(8, 7, 128, 128, 3, 1, 1, 1, 1), f4, f4, f4, f4},
		{shape(1, 14, 256, 256, 3, 1, 1, 1, 1), f4, f2, f4, f4},
		{shape(8, 7, 512, 512, 3, 1, 1, 1, 1), f2, f2, f2, f4},
		{shape(64, 7, 512, 512, 3, 1, 1, 1, 1), f2, f2, f2, f2},
		{shape(1, 56, 3, 64, 3, 1, 1, 1, 1), direct, direct, direct, direct},
		{shape(1, 56, 64, 64, 1, 1, 0, 1, 1), direct, direct, direct, direct},
		{shape(1, 56, 64, 64, 3, 1, 2, 2, 1), direct, direct, direct, direct},
		{shape(1, 56, 64, 64, 3, 1, 1, 1, 2), direct, direct, direct, direct},
		{two, direct, direct, direct, direct},
	} {
		for v, want := range map[cpu.Variant]form{cpu.Generic: c.want, cpu.AVX2: c.want, cpu.AVX512: c.with512} {
			chosen = v
			for what, got := range map[string][2]form{
				"forward": {choose(c.s), want}, "input": {chooseInput(c.s), c.input}, "weights": {chooseWeight(c.s), c.weight},
			} {
				if got[0] != got[1] {
					t.Errorf("%v, %s: %s %v, want %v", v, name(c.s), what, got[0], got[1])
				}
			}
		}
	}
	for _, f := range []form{direct, f2, f4} {
		if forced = parse(" " + f.String() + "\n"); forced == nil || *forced != f {
			t.Fatalf("%v is not understood", f)
		}
		if got := choose(shape(1, 5, 1, 1, 3, 1, 1, 1, 1)); got != f {
			t.Errorf("%v is forced, chosen is %v", f, got)
		}
		if got := choose(two); got != direct {
			t.Errorf("%v is forced on a stride", got)
		}
	}
	if parse("") != nil || parse("f3") != nil {
		t.Error("a form that does not exist is forced")
	}
}
