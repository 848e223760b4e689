package pooling

import (
	"fmt"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// eachVariant runs f with every variant switched on in turn.
func eachVariant(t *testing.T, f func(t *testing.T)) {
	was := chosen
	t.Cleanup(func() { chosen = was })
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		chosen = v
		f(t)
	})
}

// windows are geometries for c channels: ResNet's, odd ones, dilated ones, the
// whole image, windows that lie in the padding.
func windows(c int) []kernel.Window {
	return []kernel.Window{
		{N: 2, H: 7, W: 9, C: c, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadH: 1, PadW: 1, DilH: 1, DilW: 1},
		{N: 1, H: 4, W: 5, C: c, KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1},
		{N: 1, H: 6, W: 5, C: c, KH: 2, KW: 3, StrideH: 1, StrideW: 3, PadH: 1, PadW: 0, DilH: 3, DilW: 2},
		{N: 2, H: 3, W: 4, C: c, KH: 3, KW: 4, StrideH: 1, StrideW: 1, DilH: 1, DilW: 1},
		{N: 1, H: 1, W: 1, C: c, KH: 3, KW: 5, StrideH: 1, StrideW: 1, PadH: 1, PadW: 2, DilH: 1, DilW: 1},
		{N: 1, H: 2, W: 2, C: c, KH: 2, KW: 1, StrideH: 1, StrideW: 1, PadH: 3, PadW: 2, DilH: 1, DilW: 1},
		{N: 2, H: 5, W: 7, C: c, KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, MoreH: 1, MoreW: 1},
		{N: 1, H: 6, W: 1, C: c, KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1, MoreW: 1},
	}
}

// tap calls f for every tap of output pixel (oh,ow) that lies in the image.
func tap(g kernel.Window, oh, ow int, f func(p int)) {
	for kh := range g.KH {
		for kw := range g.KW {
			h, w := oh*g.StrideH-g.PadH+kh*g.DilH, ow*g.StrideW-g.PadW+kw*g.DilW
			if h >= 0 && h < g.H && w >= 0 && w < g.W {
				f(h*g.W + w)
			}
		}
	}
}

func channels() []int {
	cs := []int{}
	for c := range 40 {
		cs = append(cs, c)
	}
	return append(cs, 63, 64, 65, 100, 128, 255, 257)
}

func TestMaxByDefinition(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range channels() {
			for k, g := range windows(c) {
				outH, outW := g.OutH(), g.OutW()
				x := kerneltest.Guarded(t, g.N*g.H*g.W*c)
				dst, alone := kerneltest.GuardedFront(t, g.N*outH*outW*c), kerneltest.Guarded(t, g.N*outH*outW*c)
				index := kerneltest.GuardedOf[int32](t, len(dst))
				kerneltest.Normal(x, uint64(c+k), 0, 1)
				if c%2 == 1 {
					kerneltest.Sprinkle(x, uint64(c), 9)
					for i := range x { // many ties
						if i%3 == 0 {
							x[i] = float32(i % 2)
						}
					}
				}
				lines := g.N * outH
				Max(dst, index, x, g, 0, lines/2)
				Max(dst, index, x, g, lines/2, lines)
				Max(alone, nil, x, g, 0, lines)
				what := fmt.Sprintf("c=%d window %d", c, k)
				kerneltest.Equal(t, what+" without index", alone, dst)
				want := make([]float32, len(dst))
				for o := range want {
					n, oh, ow, ch := o/(outH*outW*c), o/(outW*c)%outH, o/c%outW, o%c
					m, at := float32(math.Inf(-1)), int32(-1)
					tap(g, oh, ow, func(p int) {
						if v := x[(n*g.H*g.W+p)*c+ch]; at < 0 || v > m || v != v {
							m, at = v, int32(p)
						}
					})
					want[o] = m
					if index[o] != at {
						t.Fatalf("%s: index of output %d is %d, want %d", what, o, index[o], at)
					}
				}
				kerneltest.Equal(t, what, dst, want)
			}
		}
	})
}

func TestMaxByHand(t *testing.T) {
	nan := float32(math.NaN())
	g := kernel.Window{N: 1, H: 2, W: 4, C: 1, KH: 2, KW: 2, StrideH: 2, StrideW: 2, DilH: 1, DilW: 1}
	for _, c := range []struct {
		name  string
		x     []float32
		want  []float32
		index []int32
	}{
		{"plain", []float32{1, 2, -5, -3, 3, 0, -4, -9}, []float32{3, -3}, []int32{4, 3}},
		{"first of ties", []float32{7, 7, 1, 2, 7, 7, 2, 2}, []float32{7, 2}, []int32{0, 3}},
		{"NaN wins", []float32{1, nan, 1, 2, 9, 0, 8, nan}, []float32{nan, nan}, []int32{1, 7}},
	} {
		dst, index := make([]float32, 2), make([]int32, 2)
		Max(dst, index, c.x, g, 0, 1)
		kerneltest.Equal(t, c.name, dst, c.want)
		if [2]int32(index) != [2]int32(c.index) {
			t.Errorf("%s: index %v, want %v", c.name, index, c.index)
		}
	}
}

func TestPaddingNeverWins(t *testing.T) {
	g := windows(17)[0]
	x, dst := make([]float32, g.N*g.H*g.W*g.C), make([]float32, g.N*g.OutH()*g.OutW()*g.C)
	kerneltest.Uniform(x, 1, -3, -2)
	eachVariant(t, func(t *testing.T) {
		Max(dst, nil, x, g, 0, g.N*g.OutH())
		for i, v := range dst {
			if v < -3 || v > -2 {
				t.Fatalf("output %d is %v", i, v)
			}
		}
	})
}

func TestAverageByDefinition(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, c := range channels() {
			for k, g := range windows(c) {
				for _, pad := range []bool{false, true} {
					outH, outW := g.OutH(), g.OutW()
					x, dst := kerneltest.Guarded(t, g.N*g.H*g.W*c), kerneltest.GuardedFront(t, g.N*outH*outW*c)
					kerneltest.Normal(x, uint64(c+k), 1, 1)
					lines := g.N * outH
					Average(dst, x, g, pad, 0, lines/2)
					Average(dst, x, g, pad, lines/2, lines)
					want := make([]float64, len(dst))
					for o := range want {
						n, oh, ow, ch := o/(outH*outW*c), o/(outW*c)%outH, o/c%outW, o%c
						var sum, count float64
						tap(g, oh, ow, func(p int) { sum += float64(x[(n*g.H*g.W+p)*c+ch]); count++ })
						if pad {
							count = float64(g.KH * g.KW)
						}
						want[o] = sum / count
					}
					kerneltest.Sum{N: g.KH * g.KW, K: 2, Scale: math.Sqrt2}.Check(t, fmt.Sprintf("c=%d window %d pad=%v", c, k, pad), dst, want)
				}
			}
		}
	})
}

func TestGlobalByDefinition(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		worst := 0.0
		for c := range kerneltest.MaxLength + 1 {
			for _, hw := range []int{0, 1, 2, 7, 49} {
				if hw == 49 && c%16 > 1 {
					continue
				}
				const n = 2
				x, dst := kerneltest.Guarded(t, n*hw*c), kerneltest.GuardedFront(t, n*c)
				kerneltest.Normal(x, uint64(c), 1, 1)
				Global(dst, x, 0, 1, hw, c)
				Global(dst, x, 1, 2, hw, c)
				want := make([]float64, n*c)
				for i := range want {
					for p := range hw {
						want[i] += float64(x[(i/max(c, 1)*hw+p)*c+i%c])
					}
					want[i] /= float64(hw)
				}
				worst = max(worst, kerneltest.Sum{N: hw, K: 2, Scale: math.Sqrt2}.Check(t, fmt.Sprintf("c=%d hw=%d", c, hw), dst, want))
			}
		}
		t.Logf("worst error: %.2f of the bound", worst)
	})
}

func TestGlobalKeepsSpecialValuesInTheirChannel(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		const hw, c = 5, 21
		for _, v := range kerneltest.Specials()[:3] {
			x, dst := make([]float32, hw*c), make([]float32, c)
			x[3*c+9] = v
			Global(dst, x, 0, 1, hw, c)
			for i, y := range dst {
				if i != 9 && y != 0 {
					t.Errorf("%v: channel %d is %v", v, i, y)
				}
			}
			kerneltest.Equal(t, fmt.Sprint(v), dst[9:10], []float32{v})
		}
	})
}

func TestPoolingGradients(t *testing.T) {
	for k, g := range windows(3) {
		if k == 5 {
			continue // windows without taps have no average
		}
		in, out := g.N*g.H*g.W*g.C, g.N*g.OutH()*g.OutW()*g.C
		x, y, dx := make([]float64, in), make([]float64, out), make([]float64, in)
		kerneltest.Distinct(x, 1, 0.01)
		w, loss := kerneltest.Weighted(out, 2)
		index := make([]int32, out)
		lines := g.N * g.OutH()
		check := func(name string, forward, backward func()) {
			t.Helper()
			t.Run(fmt.Sprintf("%s/window=%d", name, k), func(t *testing.T) {
				kerneltest.Normal(dx, 9, 0, 1) // overwritten
				forward()
				backward()
				kerneltest.Gradient(t, func([]float64) float64 { forward(); return loss(y) }, x, dx)
			})
		}
		check("max", func() { MaxGeneric(y, index, x, g, 0, lines) }, func() { MaxBackwardGeneric(dx, w, index, g, 0, g.N) })
		for _, pad := range []bool{false, true} {
			check(fmt.Sprintf("average/pad=%v", pad), func() { AverageGeneric(y, x, g, pad, 0, lines) },
				func() { AverageBackwardGeneric(dx, w, g, pad, 0, g.N) })
		}
		y, w = y[:g.N*g.C], w[:g.N*g.C]
		check("global", func() { GlobalGeneric(y, x, 0, g.N, g.H*g.W, g.C) }, func() { GlobalBackwardGeneric(dx, w, 0, g.N, g.H*g.W, g.C) })
	}
}

func TestBackwardOverwritesItsImagesOnly(t *testing.T) {
	g := windows(5)[0]
	in, out := g.H*g.W*g.C, g.OutH()*g.OutW()*g.C
	dy, index := make([]float32, g.N*out), make([]int32, g.N*out)
	for name, f := range map[string]func(dx []float32){
		"max":     func(dx []float32) { MaxBackward(dx, dy, index, g, 1, 2) },
		"average": func(dx []float32) { AverageBackward(dx, dy, g, true, 1, 2) },
		"global":  func(dx []float32) { GlobalBackward(dx, dy, 1, 2, g.H*g.W, g.C) },
	} {
		dx := make([]float32, g.N*in)
		for i := range dx {
			dx[i] = 1
		}
		f(dx)
		for i, v := range dx {
			if want := float32(1 - i/in); v != want {
				t.Fatalf("%s: element %d is %v, want %v", name, i, v, want)
			}
		}
	}
}

func TestWrongGeometryPanics(t *testing.T) {
	g := windows(2)[0]
	x, y := make([]float32, g.N*g.H*g.W*g.C), make([]float32, g.N*g.OutH()*g.OutW()*g.C)
	none := g
	none.StrideH = 0
	for name, f := range map[string]func(){
		"short input": func() { Max(y, nil, x[1:], g, 0, 1) },
		"short index": func() { Max(y, make([]int32, 3), x, g, 0, 1) },
		"lines":       func() { Average(y, x, g, true, 0, g.N*g.OutH()+1) },
		"stride":      func() { Average(y, x, none, true, 0, 0) },
		"global":      func() { Global(y, x, 0, 3, 63, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}
