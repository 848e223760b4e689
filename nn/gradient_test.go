package nn_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

// Every case is a function f of x [2,3] whose sum has a known gradient.
func TestGradientsAddUpWhereATensorHasSeveralReaders(t *testing.T) {
	relu := func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Activate(x, nn.ReLU) }
	for _, c := range []struct {
		name string
		f    func(t *nn.Tape, x *nn.Tensor) *nn.Tensor
		want float32
	}{
		{"x", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }, 1},
		{"x+x", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Add(x, x) }, 2},
		{"(x+x)+x", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Add(t.Add(x, x), x) }, 3},
		{"x+(x+x)", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Add(x, t.Add(x, x)) }, 3},
		{"y+y of y=x+x", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { y := t.Add(x, x); return t.Add(y, y) }, 4},
		{"three readers of a residual", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			r := relu(t, x)
			a := t.Add(relu(t, r), r)
			return t.Add(relu(t, a), r)
		}, 3},
		{"a chain of residuals", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			for range 5 {
				x = t.Add(relu(t, x), x)
			}
			return x
		}, 32},
		{"both sides of a diamond", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			y := relu(t, x)
			return t.Add(relu(t, y), relu(t, t.Add(y, y)))
		}, 3},
		{"a reader that leads nowhere", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			t.Softmax(t.Activate(x, nn.GELU))
			return t.Add(x, relu(t, x))
		}, 2},
		{"a layer's input and output", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Add(same(t, x), x) }, 2},
		{"two layers of one input", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Add(same(t, x), same(t, x)) }, 2},
		{"a layer between two sums", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			y := t.Add(x, same(t, x))
			return t.Add(same(t, y), t.Add(y, same(t, y)))
		}, 6},
		{"the same dropped path", func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Add(t.DropPath(x, 0), t.Dropout(x, 0)) }, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
			tape := nn.NewTape(nn.Training, dev)
			for range 2 {
				x := tape.InputFloats([]float32{1, 2, 3, 4, 5, 6}, 2, 3).WantGradient()
				if err := tape.Backward(c.f(tape, x)); err != nil {
					t.Fatal(err)
				}
				if want := slices.Repeat([]float32{c.want}, 6); !slices.Equal(x.Gradient(), want) {
					t.Errorf("gradient %v, want %v", x.Gradient(), want)
				}
				tape.Reset()
				if x.Gradient() != nil {
					t.Error("a gradient after Reset")
				}
			}
			noLeak(t, dev)
		})
	}
}

// same is a layer that adds its gradient to what its input has.
func same(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return bodySame.Forward(t, x, nn.Epilogue{}) }

var bodySame = initialized(func(s *nn.Scope) *nn.Linear {
	return nn.NewLinear(s, nn.LinearConfig{In: 3, Out: 3, NoBias: true, Init: identity})
})

func TestAParameterUsedTwiceHasTheSumOfBothGradients(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewLinear(s.Sub("l"), nn.LinearConfig{In: 3, Out: 3})
	gamma := s.Param("gamma", nn.Normal(1), 3)
	norm := nn.NewLayerNorm(s.Sub("n"), 3, 1e-6)
	conv := nn.NewConv(s.Sub("c"), nn.ConvConfig{In: 3, Out: 3, Kernel: nn.Square(3), Padding: 1, Bias: true})
	m := newLayer(s, nil)
	nn.Initialize(m, 1)
	a, b := normal(48, 2), normal(48, 3)

	body := func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
		return norm.Forward(t, t.Scale(l.Forward(t, conv.Forward(t, x, nn.Epilogue{}), nn.Epilogue{Act: nn.GELU}), gamma))
	}
	w := normal(48, 4)
	grads := func(f func(t *nn.Tape) *nn.Tensor) [][]float32 {
		tape := nn.NewTape(nn.Training, nil)
		if err := tape.Backward(f(tape)); err != nil {
			t.Fatal(err)
		}
		var all [][]float32
		for _, p := range m.params {
			all = append(all, slices.Clone(tape.Gradient(p)))
		}
		return all
	}
	first := grads(func(t *nn.Tape) *nn.Tensor { return t.Dot(body(t, t.InputFloats(a, 1, 4, 4, 3)), w) })
	second := grads(func(t *nn.Tape) *nn.Tensor { return t.Dot(body(t, t.InputFloats(b, 1, 4, 4, 3)), w) })
	both := grads(func(t *nn.Tape) *nn.Tensor {
		return t.Add(t.Dot(body(t, t.InputFloats(a, 1, 4, 4, 3)), w), t.Dot(body(t, t.InputFloats(b, 1, 4, 4, 3)), w))
	})
	for i, p := range m.params {
		for j, g := range both[i] {
			if want := second[i][j] + first[i][j]; g != want {
				t.Fatalf("%s[%d]: %v, want %v", p.Name(), j, g, want)
			}
		}
	}
}

// A loss may be weighed, item by item or as a whole, and read more than once.
func TestLossesPassTheirOwnGradientOn(t *testing.T) {
	const rows, k = 3, 4
	x, labels := normal(rows*k, 1), []int{2, 0, 3}
	for _, reduction := range []nn.Reduction{nn.Mean, nn.Sum, nn.PerItem} {
		grad := func(w func(t *nn.Tape, loss *nn.Tensor) *nn.Tensor) []float32 {
			tape := nn.NewTape(nn.Training, nil)
			logits := tape.InputFloats(x, rows, k).WantGradient()
			loss := tape.CrossEntropy(logits, nn.Targets{Labels: labels, Smoothing: 0.1, Reduction: reduction})
			if err := tape.Backward(w(tape, loss)); err != nil {
				t.Fatal(err)
			}
			return logits.Gradient()
		}
		plain := grad(func(t *nn.Tape, loss *nn.Tensor) *nn.Tensor { return loss })
		factors := []float32{3, -0.5, 2}
		weighed := grad(func(t *nn.Tape, loss *nn.Tensor) *nn.Tensor { return t.Dot(loss, factors[:loss.Dim(0)]) })
		twice := grad(func(t *nn.Tape, loss *nn.Tensor) *nn.Tensor { return t.Add(loss, loss) })
		for i, g := range plain {
			f := factors[0]
			if reduction == nn.PerItem {
				f = factors[i/k]
			}
			if weighed[i] != f*g || twice[i] != 2*g {
				t.Fatalf("reduction %d: gradient %v, weighed by %v it is %v, twice it is %v", reduction, g, f, weighed[i], twice[i])
			}
		}
	}
}

// A gradient may be wanted of anything, also where no parameter comes before.
func TestWantGradientOfActivations(t *testing.T) {
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
	for _, c := range []struct {
		name string
		make func(t *nn.Tape) *nn.Tensor // [2,3]
	}{
		{"input", func(t *nn.Tape) *nn.Tensor { return ones(t, 2, 3) }},
		{"softmax", func(t *nn.Tape) *nn.Tensor { return t.Softmax(ones(t, 2, 3)) }},
		{"gelu in place", func(t *nn.Tape) *nn.Tensor { return t.Activate(t.Activate(ones(t, 2, 3), nn.GELU), nn.GELU) }},
		{"relu in place", func(t *nn.Tape) *nn.Tensor { return t.Activate(t.Softmax(ones(t, 2, 3)), nn.ReLU) }},
		{"normalize", func(t *nn.Tape) *nn.Tensor { return t.Normalize(t.Softmax(ones(t, 2, 3))) }},
		{"dropout", func(t *nn.Tape) *nn.Tensor { return t.Dropout(t.Softmax(ones(t, 2, 3)), 0.5) }},
		{"drop path", func(t *nn.Tape) *nn.Tensor { return t.DropPath(t.Softmax(ones(t, 2, 3)), 0.5) }},
		{"add", func(t *nn.Tape) *nn.Tensor { x := t.Softmax(ones(t, 2, 3)); return t.Add(x, x) }},
		{"global pool", func(t *nn.Tape) *nn.Tensor {
			return t.GlobalPool(t.MaxPool(t.Activate(ones(t, 2, 4, 4, 3), nn.SiLU), nn.Window{Size: 2}))
		}},
		{"after a layer", func(t *nn.Tape) *nn.Tensor {
			return bodyLayer.Forward(t, bodyLinear.Forward(t, ones(t, 2, 3), nn.Epilogue{Act: nn.GELU}))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			calm(t, func() {
				tape := nn.NewTape(nn.Training, dev)
				y := c.make(tape).WantGradient()
				w := normal(size(y.Shape()...), 5)
				z := tape.Dot(tape.Add(y, y), w).WantGradient()
				if err := tape.Backward(z); err != nil {
					t.Fatal(err)
				}
				for i, g := range y.Gradient() {
					if g != 2*w[i] {
						t.Errorf("gradient %v, want twice %v", y.Gradient(), w)
						break
					}
				}
				if len(y.Gradient()) != len(w) {
					t.Errorf("%d elements of gradient, want %d", len(y.Gradient()), len(w))
				}
				if !slices.Equal(z.Gradient(), []float32{1}) {
					t.Errorf("the loss by itself is %v", z.Gradient())
				}
				tape.Reset()
			})
			noLeak(t, dev)
		})
	}
	t.Run("of the loss that is an input", func(t *testing.T) {
		tape := nn.NewTape(nn.Training, dev)
		x := ones(tape, 2, 3).WantGradient()
		if err := tape.Backward(x); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(x.Gradient(), []float32{1, 1, 1, 1, 1, 1}) {
			t.Errorf("gradient %v", x.Gradient())
		}
		tape.Reset()
		noLeak(t, dev)
	})
	t.Run("that leads to no loss", func(t *testing.T) {
		tape := nn.NewTape(nn.Training, dev)
		x := ones(tape, 2, 3).WantGradient()
		y := tape.Softmax(x).WantGradient()
		loss := tape.Dot(ones(tape, 2, 3).WantGradient(), make([]float32, 6))
		if err := tape.Backward(loss); err != nil {
			t.Fatal(err)
		}
		if x.Gradient() != nil || y.Gradient() != nil {
			t.Errorf("gradients %v and %v", x.Gradient(), y.Gradient())
		}
		tape.Reset()
		noLeak(t, dev)
	})
	t.Run("on an inference tape", func(t *testing.T) {
		tape := nn.NewTape(nn.Inference, dev)
		x := ones(tape, 2, 3).WantGradient()
		if err := tape.Backward(tape.Softmax(x)); err == nil {
			t.Error("no error")
		}
		tape.Reset()
		noLeak(t, dev)
	})
}

// A gradient predicts how the loss changes along it: |d|² h for a step of h
// along d. In float32 that shows the sign, the scale and a forgotten term, not
// the digits, which the goldens hold.
func TestGradientPredictsTheLoss(t *testing.T) {
	next, err := convnext.New(convnext.Config{Depths: []int{2, 1}, Dims: []int{8, 12}, Classes: 4, Stem: 2, Init: convnext.FanIn, DropPath: 0.4})
	if err != nil {
		t.Fatal(err)
	}
	res, err := resnet.New(resnet.Config{Layers: []int{1, 1}, Widths: []int{8, 12}, Stem: resnet.Small1, Shortcut: resnet.Padding,
		Init: resnet.FanIn, Classes: 4, DropPath: 0.4})
	if err != nil {
		t.Fatal(err)
	}
	images := dense(6, 5, 12, 12, 3)
	for name, m := range map[string]nn.Model{"convnext": next, "resnet": res} {
		t.Run(name, func(t *testing.T) {
			nn.Initialize(m, 3)
			tape := nn.NewTape(nn.Training, nil)
			forward := func(step uint64) *nn.Tensor {
				tape.Reset()
				tape.Seed(11, step)
				features := m.(interface {
					Features(*nn.Tape, *nn.Tensor) *nn.Tensor
				}).Features(tape, tape.Input(images))
				return tape.CrossEntropy(tape.Dropout(features, 0.3), nn.Targets{Labels: []int{0, 1, 2, 3, 5}, Smoothing: 0.1})
			}
			loss := forward(1)
			if err := tape.Backward(loss); err != nil {
				t.Fatal(err)
			}
			start := floats(t, loss)[0]
			grads, square := map[*nn.Param][]float32{}, 0.0
			for _, p := range m.Params() {
				if g := tape.Gradient(p); g != nil {
					grads[p] = slices.Clone(g)
					for _, v := range g {
						square += float64(v) * float64(v)
					}
				}
			}
			value := func(h float64, step uint64) float64 {
				move := func(h float64) {
					for p, g := range grads {
						for i, v := range g {
							p.Data()[i] += float32(h * float64(v))
						}
					}
				}
				move(h)
				v := floats(t, forward(step))[0]
				move(-h)
				return float64(v)
			}
			if again := float32(value(0, 1)); again != start {
				t.Fatalf("the loss is %v and then %v: the masks differ", start, again)
			}
			if other := float32(value(0, 2)); other == start {
				t.Fatal("another step draws the same masks")
			}
			h := 2e-3 / math.Sqrt(square)
			slope := (value(h, 1) - value(-h, 1)) / (2 * h)
			if r := slope / square; !(math.Abs(r-1) < 1e-2) {
				t.Errorf("slope %v along the gradient, want %v: ratio %v", slope, square, r)
			}
			tape.Reset()
		})
	}
}

// noteParams copies the gradients of m's parameters, and its statistics.
func noteParams(to map[string][]float32, tape *nn.Tape, m nn.Model) {
	for _, p := range m.Params() {
		switch p.Kind() {
		case nn.Learnable:
			to["gradient of "+p.Name()] = slices.Clone(tape.Gradient(p))
		case nn.Statistic:
			to[p.Name()] = slices.Clone(p.Data())
		}
	}
}

func TestResultsDoNotDependOnThreads(t *testing.T) {
	// 1024 pixels, several blocks of a product's rows, with every epilogue.
	smooth, err := resnet.New(resnet.Config{Block: resnet.Bottleneck, Layers: []int{2, 1}, Widths: []int{16, 24}, Stem: resnet.Small1, Act: "gelu", Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	sharp, err := convnext.New(convnext.Config{Depths: []int{2, 1}, Dims: []int{24, 40}, Stem: 1, Act: "silu", Block: convnext.V2Both, Norm: convnext.RMS, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]nn.Model{"convnext": convnext.Mini(10), "resnet": resnet.CIFAR8(10), "resnet with GELU": smooth, "convnext with SiLU": sharp} {
		t.Run(name, func(t *testing.T) {
			nn.Initialize(m, 1)
			start, err := nn.Clone(m)
			if err != nil {
				t.Fatal(err)
			}
			images, labels := dense(7, 6, 32, 32, 3), []int{0, 1, 2, 3, 4, 9}
			var want map[string][]float32
			for _, threads := range []int{1, 2, 5, 2} {
				if err := nn.Load(m, start, nn.LoadOptions{}); err != nil {
					t.Fatal(err)
				}
				got := map[string][]float32{}
				dev := nn.NewDevice(nn.DeviceOptions{Threads: threads})
				if dev.Threads() != threads {
					t.Fatalf("%d threads, want %d", dev.Threads(), threads)
				}
				y, err := nn.NewRunner(m, dev).Predict(images)
				if err != nil {
					t.Fatal(err)
				}
				got["prediction"] = y.Data().([]float32)
				tape := nn.NewTape(nn.Training, dev)
				tape.Seed(1, 1)
				x := tape.Input(images).WantGradient()
				logits := m.Forward(tape, x).Keep()
				loss := tape.CrossEntropy(tape.Dropout(logits, 0.1), nn.Targets{Labels: labels})
				if err := tape.Backward(loss); err != nil {
					t.Fatal(err)
				}
				got["logits"], got["loss"], got["image gradient"] = slices.Clone(floats(t, logits)), slices.Clone(floats(t, loss)), slices.Clone(x.Gradient())
				noteParams(got, tape, m)
				tape.Reset()
				noLeak(t, dev)
				if want == nil {
					want = got
				}
				for what, v := range got {
					if len(v) == 0 || !slices.Equal(v, want[what]) {
						t.Errorf("%s with %d threads differs from %d", what, threads, 1)
					}
				}
			}
		})
	}
}

// A convolution's backward step goes on with those of the norms beside it, and
// its forward step with the moments of its result, where it may. A gradient that
// somebody wants to see, or a result that is there already, keeps them apart.
func TestNormsBesideConvolutionsAgreeWithTheirSteps(t *testing.T) {
	s := nn.NewScope()
	unit := func(name string, in, out, taps, groups int, stride int) (*nn.Conv, *nn.BatchNorm) {
		c := nn.ConvConfig{In: in, Out: out, Kernel: nn.Square(taps), Padding: taps / 2, Groups: groups, Stride: stride}
		return nn.NewConv(s.Sub(name, "conv"), c), nn.NewBatchNorm(s.Sub(name, "norm"), nn.BatchNormConfig{Channels: out})
	}
	c1, n1 := unit("reduce", 24, 40, 1, 1, 1)
	c2, n2 := unit("middle", 40, 40, 3, 1, 1)
	c3, n3 := unit("expand", 40, 24, 1, 1, 1)
	c4, n4 := unit("depthwise", 24, 24, 3, 24, 1)
	c5, n5 := unit("smaller", 24, 32, 1, 1, 2)
	c6, n6 := unit("first", 24, 24, 1, 1, 1)
	m := newLayer(s, nil)
	nn.Initialize(m, 3)
	start, err := nn.Clone(m)
	if err != nil {
		t.Fatal(err)
	}
	x := dense(5, 2, 23, 21, 24).Data().([]float32)
	w := dense(6, 2*12*11, 32).Data().([]float32)
	for _, threads := range []int{1, 2, 5} {
		var want map[string][]float32
		for _, apart := range []bool{true, false} {
			if err := nn.Load(m, start, nn.LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			dev := nn.NewDevice(nn.DeviceOptions{Threads: threads})
			tape := nn.NewTape(nn.Training, dev)
			see := func(x *nn.Tensor) *nn.Tensor {
				if apart {
					x.WantGradient()
				}
				return x
			}
			conv := func(c *nn.Conv, x *nn.Tensor) *nn.Tensor {
				y := see(c.Forward(tape, x, nn.Epilogue{}))
				if apart {
					if err := tape.Eval(y); err != nil {
						t.Fatal(err)
					}
				}
				return y
			}
			in := tape.InputFloats(x, 2, 23, 21, 24).WantGradient()
			y := see(n1.Forward(tape, conv(c1, in), nn.ReLU))
			y = see(n2.Forward(tape, conv(c2, y), nn.ReLU))
			y = see(n3.Add(tape, conv(c3, y), in))
			fixed := tape.InputFloats(x, 2, 23, 21, 24) // nobody wants the gradient by it
			y = see(n6.Add(tape, conv(c6, fixed), y))
			z := see(n4.Forward(tape, conv(c4, y), nn.Identity))
			z = tape.Add(z, y) // a second reader of y
			z = n5.Forward(tape, conv(c5, see(z)), nn.GELU)
			if err := tape.Backward(tape.Dot(z, w)); err != nil {
				t.Fatal(err)
			}
			got := map[string][]float32{"input": slices.Clone(in.Gradient())}
			noteParams(got, tape, m)
			tape.Reset()
			noLeak(t, dev)
			if apart {
				want = got
				continue
			}
			for what, v := range got {
				if len(v) == 0 || !slices.Equal(v, want[what]) {
					t.Errorf("%s differs with %d threads", what, threads)
				}
			}
		}
	}
}

// The shapes of a fused epilogue and of the same steps recorded one by one
// agree in value.
func TestFusedEpiloguesAgreeWithTheirSteps(t *testing.T) {
	acts := []nn.Activation{nn.Identity, nn.ReLU, nn.GELU, nn.SiLU}
	for _, kind := range []struct {
		name                   string
		channels, taps, groups int
	}{{"3x3", 6, 3, 1}, {"depthwise", 6, 3, 6}, {"pointwise", 32, 1, 1}} {
		const side = 15 // so that pointwise products have several blocks of rows
		n := kind.channels
		for _, act := range acts {
			for bits := range 16 {
				norm, scale, residual, last := bits&1 != 0, bits&2 != 0, bits&4 != 0, bits&8 != 0
				name := fmt.Sprintf("%s act=%v norm=%v scale=%v residual=%v last=%v", kind.name, act, norm, scale, residual, last)
				s := nn.NewScope()
				c := nn.ConvConfig{In: n, Out: n, Kernel: nn.Square(kind.taps), Padding: kind.taps / 2, Groups: kind.groups, Bias: !norm}
				conv := nn.NewConv(s.Sub("c"), c)
				bn := nn.NewBatchNorm(s.Sub("bn"), nn.BatchNormConfig{Channels: n, WeightInit: nn.Normal(1)})
				gamma := s.Param("gamma", nn.Normal(1), n)
				m := newLayer(s, nil)
				nn.Initialize(m, 1)
				copy(bn.Mean.Data(), normal(n, 8))
				for i := range bn.Var.Data() {
					bn.Var.Data()[i] = float32(i + 1)
				}
				copy(bn.Bias.Data(), normal(n, 9))
				in, rest := normal(n*side*side, 10), normal(n*side*side, 11)

				tape := nn.NewTape(nn.Inference, nn.NewDevice(nn.DeviceOptions{Threads: 1}))
				e := nn.Epilogue{Act: act, ActLast: last}
				if norm {
					e.Norm = bn
				}
				if scale {
					e.Scale = gamma
				}
				if residual {
					e.Residual = tape.Activate(tape.InputFloats(rest, 1, side, side, n), nn.SiLU)
				}
				x := tape.InputFloats(in, 1, side, side, n)
				got := slices.Clone(floats(t, conv.Forward(tape, x, e)))
				tape.Reset()

				y := conv.Forward(tape, tape.InputFloats(in, 1, side, side, n), nn.Epilogue{})
				if norm {
					y = bn.Forward(tape, y, nn.Identity)
				}
				if !last {
					y = tape.Activate(y, act)
				}
				if scale {
					y = tape.Scale(y, gamma)
				}
				if residual {
					y = tape.Add(y, tape.Activate(tape.InputFloats(rest, 1, side, side, n), nn.SiLU))
				}
				if last {
					y = tape.Activate(y, act)
				}
				want := floats(t, y)
				for i := range want {
					if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-5*math.Max(1, math.Abs(float64(want[i])))) {
						t.Fatalf("%s: element %d is %v fused, %v in steps", name, i, got[i], want[i])
					}
				}
				tape.Reset()
			}
		}
	}
}

// One convolution may serve two norms, as in a head that is shared by scales.
func TestAConvolutionMayHaveDifferentNorms(t *testing.T) {
	s := nn.NewScope()
	conv := nn.NewConv(s.Sub("c"), nn.ConvConfig{In: 3, Out: 3, Kernel: nn.Square(1)})
	one := nn.NewBatchNorm(s.Sub("one"), nn.BatchNormConfig{Channels: 3})
	two := nn.NewBatchNorm(s.Sub("two"), nn.BatchNormConfig{Channels: 3, WeightInit: nn.Constant(5)})
	m := newLayer(s, nil)
	nn.Initialize(m, 1)
	tape := nn.NewTape(nn.Inference, nil)
	x := tape.InputFloats(normal(12, 1), 1, 2, 2, 3)
	a := conv.Forward(tape, x, nn.Epilogue{Norm: one}).Keep()
	b := conv.Forward(tape, x, nn.Epilogue{Norm: two}).Keep()
	plain := conv.Forward(tape, x, nn.Epilogue{}).Keep()
	va, vb, vp := floats(t, a), floats(t, b), floats(t, plain)
	for i := range va {
		if math.Abs(float64(vb[i]-5*va[i])) > 1e-4 || math.Abs(float64(vp[i]-va[i])) > 1e-4 {
			t.Fatalf("element %d: %v, %v with another norm, %v without; want 1, 5 and 1 times the same", i, va[i], vb[i], vp[i])
		}
	}
}

// Weights that changed between two uses of a tape count from Reset on.
func TestATapeSeesNewWeightsAfterReset(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewLinear(s, nn.LinearConfig{In: 2, Out: 1, NoBias: true, Init: nn.Ones})
	m := newLayer(s, nil)
	nn.Initialize(m, 1)
	for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
		tape := nn.NewTape(mode, nil)
		for _, w := range []float32{1, 7} {
			l.Weight.Data()[0] = w
			if v := floats(t, l.Forward(tape, tape.InputFloats([]float32{1, 0}, 1, 2), nn.Epilogue{}))[0]; v != w {
				t.Errorf("%s: %v, want %v", mode, v, w)
			}
			tape.Reset()
		}
	}
}
