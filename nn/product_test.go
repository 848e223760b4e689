package nn_test

import (
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

func TestProductsOfActivations(t *testing.T) {
	s := nn.NewScope()
	scale := s.Param("scale", nn.Constant(0.3))
	proj := nn.NewProjection(s, "proj", 5, 4, nn.Normal(1))
	nn.Initialize(newLayer(s, nil), 2)
	if proj.Weight.Name() != "proj" || !slices.Equal(proj.Weight.Shape(), []int{5, 4}) || len(scale.Shape()) != 0 {
		t.Errorf("%s %v, scale %v", proj.Weight.Name(), proj.Weight.Shape(), scale.Shape())
	}
	a, b := normal(3*5, 1), normal(2*4, 2)
	f := func(tape *nn.Tape, in [][]float32) (*nn.Tensor, []*nn.Tensor) {
		x, y := tape.InputFloats(in[0], 3, 5).WantGradient(), tape.InputFloats(in[1], 2, 4).WantGradient()
		return tape.Times(tape.TimesExp(tape.MulTransposed(proj.Forward(tape, x), y), scale), -0.5), []*nn.Tensor{x, y}
	}
	want := make([]float64, 6)
	for i := range 3 {
		for j := range 2 {
			for k := range 4 {
				p := 0.0
				for l := range 5 {
					p += float64(a[i*5+l]) * float64(proj.Weight.Data()[l*4+k])
				}
				want[i*2+j] += p * float64(b[j*4+k]) * math.Exp(0.3) * -0.5
			}
		}
	}
	for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
		tape := nn.NewTape(mode, nil)
		y, _ := f(tape, [][]float32{a, b})
		if n := tape.MACs(); n != 3*5*4+3*4*2 {
			t.Errorf("%d multiply-adds", n)
		}
		for i, v := range floats(t, y) {
			if math.Abs(float64(v)-want[i]) > 1e-5 {
				t.Errorf("%s: element %d is %v, want %v", mode, i, v, want[i])
			}
		}
	}
	slopes(t, s.Params(), [][]float32{a, b}, f)
	// An operand that is both sides has both gradients.
	slopes(t, nil, [][]float32{a}, func(tape *nn.Tape, in [][]float32) (*nn.Tensor, []*nn.Tensor) {
		x := tape.InputFloats(in[0], 3, 5).WantGradient()
		return tape.MulTransposed(x, x), []*nn.Tensor{x}
	})

	for name, f := range map[string]func(t *nn.Tape) *nn.Tensor{
		"columns":             func(t *nn.Tape) *nn.Tensor { return t.MulTransposed(ones(t, 2, 3), ones(t, 2, 4)) },
		"images":              func(t *nn.Tape) *nn.Tensor { return t.MulTransposed(ones(t, 2, 1, 3), ones(t, 2, 3)) },
		"nothing":             func(t *nn.Tape) *nn.Tensor { return t.MulTransposed(nil, ones(t, 2, 3)) },
		"nothing to multiply": func(t *nn.Tape) *nn.Tensor { return t.Times(nil, 2) },
		"a temperature each":  func(t *nn.Tape) *nn.Tensor { return t.TimesExp(ones(t, 2, 3), proj.Weight) },
		"no temperature":      func(t *nn.Tape) *nn.Tensor { return t.TimesExp(ones(t, 2, 3), nil) },
		"projection":          func(t *nn.Tape) *nn.Tensor { return proj.Forward(t, ones(t, 2, 4)) },
		"vector":              func(t *nn.Tape) *nn.Tensor { return proj.Forward(t, ones(t, 5)) },
		"no projection":       func(t *nn.Tape) *nn.Tensor { return (*nn.Projection)(nil).Forward(t, ones(t, 2, 4)) },
	} {
		calm(t, func() {
			tape := nn.NewTape(nn.Training, nil)
			if err := tape.Eval(f(tape)); err == nil {
				t.Errorf("%s: no error", name)
			}
		})
	}
}

func TestFrozenBatchNormIsThatOfInference(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewBatchNorm(s.Sub("bn"), nn.BatchNormConfig{Channels: 3, WeightInit: nn.Normal(1)})
	nn.Initialize(newLayer(s, nil), 3)
	copy(l.Mean.Data(), normal(3, 4))
	for i := range 3 {
		l.Var.Data()[i] = float32(i) + 0.5
		l.Bias.Data()[i] = float32(i)
	}
	before := slices.Concat(l.Mean.Data(), l.Var.Data())
	x := normal(2*5*3, 5)
	tape := nn.NewTape(nn.Inference, nil)
	in := tape.InputFloats(x, 2, 5, 3)
	frozen, plain := l.Frozen(tape, in).Keep(), l.Forward(tape, in, nn.Identity).Keep()
	if !slices.Equal(floats(t, frozen), floats(t, plain)) {
		t.Error("frozen and plain differ in inference")
	}
	train := nn.NewTape(nn.Training, nil)
	if !slices.Equal(floats(t, l.Frozen(train, train.InputFloats(x, 2, 5, 3))), floats(t, plain)) {
		t.Error("frozen depends on the mode")
	}
	slopes(t, s.Params(), [][]float32{x}, func(tape *nn.Tape, in [][]float32) (*nn.Tensor, []*nn.Tensor) {
		x := tape.InputFloats(in[0], 2, 5, 3).WantGradient()
		return l.Frozen(tape, x), []*nn.Tensor{x}
	})
	if !slices.Equal(slices.Concat(l.Mean.Data(), l.Var.Data()), before) || l.Batches.Count() != 0 {
		t.Error("the running statistics moved")
	}
	calm(t, func() {
		if err := train.Eval(l.Frozen(train, ones(train, 2, 4))); err == nil {
			t.Error("other channels: no error")
		}
	})
}

func TestAdoptedParametersGetThePrefix(t *testing.T) {
	inner := nn.NewScope()
	nn.NewLinear(inner.Sub("a"), nn.LinearConfig{In: 2, Out: 2})
	nn.NewLinear(inner.Sub("b"), nn.LinearConfig{In: 2, Out: 2})
	s := nn.NewScope()
	s.Param("first", nn.Zeros, 1)
	s.Sub("trunk").Adopt(inner.Params(), func(name string) bool { return name == "b.bias" })
	s.Param("last", nn.Zeros, 1)
	s.Sub("again").Adopt(inner.Params()[:1], nil) // already there
	var names []string
	for _, p := range s.Params() {
		names = append(names, p.Name())
	}
	if want := []string{"first", "trunk.a.weight", "trunk.a.bias", "trunk.b.weight", "last"}; !slices.Equal(names, want) {
		t.Errorf("%v, want %v", names, want)
	}
}

func TestRunnerLendsATape(t *testing.T) {
	s := nn.NewScope()
	l := nn.NewLinear(s, nn.LinearConfig{In: 2, Out: 3})
	m := newLayer(s, func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return l.Forward(t, x, nn.Epilogue{}) })
	nn.Initialize(m, 1)
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
	r := nn.NewRunner(m, dev)
	for range 2 {
		y, shape, err := r.Run([]float32{7}, func(t *nn.Tape) *nn.Tensor { return t.Normalize(m.Forward(t, ones(t, 4, 2))) })
		if err != nil || len(y) != 13 || y[0] != 7 || !slices.Equal(shape, []int{4, 3}) {
			t.Errorf("%v, shape %v, %v", y, shape, err)
		}
		noLeak(t, dev)
	}
	if y, _, err := r.Run([]float32{7}, func(t *nn.Tape) *nn.Tensor { return m.Forward(t, ones(t, 4, 5)) }); err == nil || len(y) != 1 {
		t.Errorf("%v, %v", y, err)
	}
	calm(t, func() {
		if _, _, err := r.Run(nil, func(t *nn.Tape) *nn.Tensor { return nil }); err == nil {
			t.Error("nothing: no error")
		}
	})
	noLeak(t, dev)
}
