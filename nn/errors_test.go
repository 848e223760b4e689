package nn_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

// calm runs f and reports a panic as an error of the test.
func calm(t *testing.T, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if v := recover(); v != nil {
			t.Errorf("panic: %v", v)
		}
	}()
	f()
}

// initialized gives the parameters of a scope their initial values.
func initialized[L any](make func(s *nn.Scope) L) L {
	s := nn.NewScope()
	l := make(s.Sub("body", 0))
	nn.Initialize(newLayer(s, nil), 1)
	return l
}

var (
	bodyConv = initialized(func(s *nn.Scope) *nn.Conv {
		return nn.NewConv(s, nn.ConvConfig{In: 3, Out: 4, Kernel: nn.Square(3), Bias: true})
	})
	bodyDepth = initialized(func(s *nn.Scope) *nn.Conv {
		return nn.NewConv(s, nn.ConvConfig{In: 4, Out: 4, Groups: 4, Kernel: nn.Square(3), Padding: 1})
	})
	bodyLinear = initialized(func(s *nn.Scope) *nn.Linear { return nn.NewLinear(s, nn.LinearConfig{In: 3, Out: 4}) })
	bodyLayer  = initialized(func(s *nn.Scope) *nn.LayerNorm { return nn.NewLayerNorm(s, 4, 1e-6) })
	bodyBatch  = initialized(func(s *nn.Scope) *nn.BatchNorm { return nn.NewBatchNorm(s, nn.BatchNormConfig{Channels: 4}) })
	bodyHeads  = initialized(func(s *nn.Scope) *nn.Attention { return nn.NewAttention(s, 6, 2, true) })
	bodyScale  = initialized(func(s *nn.Scope) *nn.Param { return s.Param("gamma", nn.Ones, 4) })
)

func withConv(c nn.ConvConfig) func(*nn.Tape) *nn.Tensor {
	return func(t *nn.Tape) *nn.Tensor {
		s := nn.NewScope().Sub("body", 0)
		l := nn.NewConv(s, c)
		if c.Init != nil {
			nn.Initialize(newLayer(s, nil), 1)
		}
		return l.Forward(t, ones(t, 2, 5, 5, 4), nn.Epilogue{})
	}
}

func plainBranch(t *nn.Tape) func(*nn.Tensor, nn.Epilogue) *nn.Tensor {
	return func(x *nn.Tensor, e nn.Epilogue) *nn.Tensor { return bodySame.Forward(t, x, e) }
}

func ones(t *nn.Tape, shape ...int) *nn.Tensor {
	x := make([]float32, size(shape...))
	for i := range x {
		x[i] = 1
	}
	return t.InputFloats(x, shape...)
}

func targets(y nn.Targets) func(*nn.Tape) *nn.Tensor {
	return func(t *nn.Tape) *nn.Tensor { return t.CrossEntropy(ones(t, 2, 3), y) }
}

func TestWrongOperandsAreErrorsThatNameLayerAndShapes(t *testing.T) {
	const huge = math.MaxInt
	for _, c := range []struct {
		name  string
		run   func(t *nn.Tape) *nn.Tensor
		wants []string // in the message
		mode  string   // "training" if inference has nothing against it
	}{
		{name: "input nil", run: func(t *nn.Tape) *nn.Tensor { return t.Input(nil) }, wants: []string{"nil"}},
		{name: "input zero Dense", run: func(t *nn.Tape) *nn.Tensor { return t.Input(new(tensor.Dense)) }},
		{name: "input float64", run: func(t *nn.Tape) *nn.Tensor {
			return t.Input(tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2, 3)))
		}, wants: []string{"float64", "float32"}},
		{name: "input scalar", run: func(t *nn.Tape) *nn.Tensor { return t.Input(tensor.New(tensor.FromScalar(float32(1)))) }},
		{name: "input view", run: func(t *nn.Tape) *nn.Tensor {
			d := dense(1, 4, 6)
			v, err := d.Slice(nil, tensor.S(1, 3))
			if err != nil {
				panic(err)
			}
			return t.Input(v.(*tensor.Dense))
		}, wants: []string{"Materialize"}},
		{name: "input transposed", run: func(t *nn.Tape) *nn.Tensor {
			d := dense(1, 4, 6)
			if err := d.T(); err != nil {
				panic(err)
			}
			return t.Input(d)
		}, wants: []string{"Materialize"}},
		{name: "input column-major", run: func(t *nn.Tape) *nn.Tensor {
			return t.Input(tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{1, 2, 3, 4, 5, 6})))
		}},
		{name: "squeeze and excitation, another residual", run: func(t *nn.Tape) *nn.Tensor {
			l := nn.NewSqueezeExcite(nn.NewScope().Sub("body", 0), 3, 2)
			return l.Forward(t, ones(t, 1, 4, 4, 3), nn.Epilogue{Residual: ones(t, 1, 5, 5, 3)})
		}, wants: []string{"body.0", "[1 5 5 3]", "[1 4 4 3]"}},
		{name: "channel attention, another residual", run: func(t *nn.Tape) *nn.Tensor {
			l := nn.NewChannelAttention(nn.NewScope().Sub("body", 0), 3)
			return l.Forward(t, ones(t, 1, 4, 4, 3), nn.Epilogue{Residual: ones(t, 1, 5, 5, 3)})
		}, wants: []string{"body.0", "[1 5 5 3]", "[1 4 4 3]"}},
		{name: "floats too few", run: func(t *nn.Tape) *nn.Tensor { return t.InputFloats(make([]float32, 5), 2, 3) }, wants: []string{"5", "[2 3]"}},
		{name: "floats without shape", run: func(t *nn.Tape) *nn.Tensor { return t.InputFloats([]float32{1}) }},
		{name: "floats empty axis", run: func(t *nn.Tape) *nn.Tensor { return t.InputFloats(nil, 2, 0) }, wants: []string{"[2 0]"}},
		{name: "floats negative axes", run: func(t *nn.Tape) *nn.Tensor { return t.InputFloats(make([]float32, 6), -2, -3) }, wants: []string{"[-2 -3]"}},
		{name: "floats shape overflows", run: func(t *nn.Tape) *nn.Tensor { return t.InputFloats(nil, 1<<32, 1<<32) }, wants: []string{"[4294967296 4294967296]"}},
		{name: "describe negative", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(t.Describe(-1, 3), 0.5) }, wants: []string{"[-1 3]"}},
		{name: "describe without shape", run: func(t *nn.Tape) *nn.Tensor { return t.Describe() }},
		{name: "describe overflows", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(t.Describe(huge, huge), 0.5) }},

		{name: "conv nil", run: func(t *nn.Tape) *nn.Tensor { return bodyConv.Forward(t, nil, nn.Epilogue{}) }, wants: []string{"body.0", "convolution", "missing"}},
		{name: "conv zero Tensor", run: func(t *nn.Tape) *nn.Tensor { return bodyConv.Forward(t, new(nn.Tensor), nn.Epilogue{}) }, wants: []string{"body.0"}},
		{name: "conv channels", run: func(t *nn.Tape) *nn.Tensor { return bodyConv.Forward(t, ones(t, 2, 5, 5, 4), nn.Epilogue{}) }, wants: []string{"body.0", "[2 5 5 4]", "[4 3 3 3]"}},
		{name: "conv rank", run: func(t *nn.Tape) *nn.Tensor { return bodyConv.Forward(t, ones(t, 5, 3), nn.Epilogue{}) }, wants: []string{"body.0", "[5 3]", "[4 3 3 3]"}},
		{name: "conv small input", run: func(t *nn.Tape) *nn.Tensor { return bodyConv.Forward(t, ones(t, 2, 2, 5, 3), nn.Epilogue{}) }, wants: []string{"body.0", "[2 2 5 3]", "3x3"}},
		{name: "conv negative padding", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(1), Padding: -1}), wants: []string{"body.0", "-1x-1"}},
		{name: "conv no kernel", run: withConv(nn.ConvConfig{In: 4, Out: 4}), wants: []string{"body.0", "0x0"}},
		{name: "conv gigantic kernel", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(huge)}), wants: []string{"body.0"}},
		{name: "conv gigantic stride", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(1), Stride: huge}), wants: []string{"body.0", "weight"}},
		{name: "conv gigantic dilation", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(3), Dilation: huge}), wants: []string{"body.0"}},
		{name: "conv gigantic dilation and padding", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(3), Dilation: huge / 2, Padding: huge / 2, Init: nn.Ones}), wants: []string{"body.0"}},
		{name: "conv gigantic padding", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(3), Padding: 1 << 40, Init: nn.Ones}), wants: []string{"body.0", "1099511627776"}},
		{name: "conv large result", run: withConv(nn.ConvConfig{In: 4, Out: 1 << 20, Kernel: nn.Square(1), Padding: 1 << 16}), wants: []string{"body.0", "too large"}},
		{name: "conv overflowing padding", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(3), Padding: huge / 2}), wants: []string{"body.0"}},
		{name: "conv groups", run: withConv(nn.ConvConfig{In: 4, Out: 4, Groups: 3, Kernel: nn.Square(1)}), wants: []string{"body.0", "3 groups"}},
		{name: "conv more groups than channels", run: withConv(nn.ConvConfig{In: 4, Out: 4, Groups: 9, Kernel: nn.Square(1)}), wants: []string{"body.0"}},
		{name: "conv no outputs", run: withConv(nn.ConvConfig{In: 4, Kernel: nn.Square(1)}), wants: []string{"body.0"}},
		{name: "conv negative outputs", run: withConv(nn.ConvConfig{In: 4, Out: -4, Kernel: nn.Square(1)}), wants: []string{"body.0"}},
		{name: "conv without values", run: withConv(nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(1)}), wants: []string{"body.0", "Initialize or Load"}},
		{name: "conv scale", run: func(t *nn.Tape) *nn.Tensor {
			return bodyDepth.Forward(t, ones(t, 1, 5, 5, 4), nn.Epilogue{Scale: bodyLinear.Weight})
		}, wants: []string{"body.0", "[4 3]", "[1 5 5 4]"}},
		{name: "conv norm", run: func(t *nn.Tape) *nn.Tensor {
			l := nn.NewConv(nn.NewScope().Sub("c"), nn.ConvConfig{In: 3, Out: 5, Kernel: nn.Square(3)})
			return l.Forward(t, ones(t, 1, 5, 5, 3), nn.Epilogue{Norm: bodyBatch})
		}, wants: []string{"c:", "4 channels", "[1 3 3 5]"}},
		{name: "conv residual shape", run: func(t *nn.Tape) *nn.Tensor {
			return bodyConv.Forward(t, ones(t, 1, 5, 5, 3), nn.Epilogue{Residual: ones(t, 1, 5, 5, 4)})
		}, wants: []string{"body.0", "[1 5 5 4]", "[1 3 3 4]"}},
		{name: "conv residual zero", run: func(t *nn.Tape) *nn.Tensor {
			return bodyConv.Forward(t, ones(t, 1, 5, 5, 3), nn.Epilogue{Residual: new(nn.Tensor)})
		}, wants: []string{"body.0"}},
		{name: "conv unknown activation", run: func(t *nn.Tape) *nn.Tensor {
			return bodyConv.Forward(t, ones(t, 1, 5, 5, 3), nn.Epilogue{Act: 99})
		}, wants: []string{"body.0", "99"}},
		{name: "conv drop path", run: func(t *nn.Tape) *nn.Tensor {
			return bodyConv.Forward(t, ones(t, 1, 5, 5, 3), nn.Epilogue{DropPath: 1})
		}, wants: []string{"drop path 1"}, mode: "training"},

		{name: "linear nil", run: func(t *nn.Tape) *nn.Tensor { return bodyLinear.Forward(t, nil, nn.Epilogue{}) }, wants: []string{"body.0", "linear"}},
		{name: "linear channels", run: func(t *nn.Tape) *nn.Tensor { return bodyLinear.Forward(t, ones(t, 2, 4), nn.Epilogue{}) }, wants: []string{"body.0", "[2 4]", "[4 3]"}},
		{name: "linear rank", run: func(t *nn.Tape) *nn.Tensor { return bodyLinear.Forward(t, ones(t, 3), nn.Epilogue{}) }, wants: []string{"body.0", "[3]", "[4 3]"}},
		{name: "linear norm", run: func(t *nn.Tape) *nn.Tensor {
			return bodyLinear.Forward(t, ones(t, 2, 3), nn.Epilogue{Norm: bodyBatch})
		}, wants: []string{"body.0", "norm"}},
		{name: "linear no classes", run: func(t *nn.Tape) *nn.Tensor {
			return nn.NewLinear(nn.NewScope().Sub("head"), nn.LinearConfig{In: 3}).Forward(t, ones(t, 2, 3), nn.Epilogue{})
		}, wants: []string{"head"}},
		{name: "linear negative classes", run: func(t *nn.Tape) *nn.Tensor {
			return nn.NewLinear(nn.NewScope().Sub("head"), nn.LinearConfig{In: 3, Out: -1}).Forward(t, ones(t, 2, 3), nn.Epilogue{})
		}, wants: []string{"head"}},
		{name: "linear without values", run: func(t *nn.Tape) *nn.Tensor {
			return nn.NewLinear(nn.NewScope().Sub("head"), nn.LinearConfig{In: 3, Out: 2}).Forward(t, ones(t, 2, 3), nn.Epilogue{})
		}, wants: []string{"head", "head.weight", "Initialize or Load"}},
		{name: "linear residual", run: func(t *nn.Tape) *nn.Tensor {
			return bodyLinear.Forward(t, ones(t, 2, 3), nn.Epilogue{Residual: ones(t, 2, 3)})
		}, wants: []string{"body.0", "[2 3]", "[2 4]"}},
		{name: "linear unknown activation", run: func(t *nn.Tape) *nn.Tensor {
			return bodyLinear.Forward(t, ones(t, 2, 3), nn.Epilogue{Act: 99})
		}, wants: []string{"body.0", "99"}},

		{name: "layer norm nil", run: func(t *nn.Tape) *nn.Tensor { return bodyLayer.Forward(t, nil) }, wants: []string{"body.0", "layer norm"}},
		{name: "layer norm channels", run: func(t *nn.Tape) *nn.Tensor { return bodyLayer.Forward(t, ones(t, 2, 3)) }, wants: []string{"body.0", "[2 3]", "[4]"}},
		{name: "batch norm nil", run: func(t *nn.Tape) *nn.Tensor { return bodyBatch.Forward(t, nil, nn.ReLU) }, wants: []string{"body.0", "batch norm"}},
		{name: "batch norm channels", run: func(t *nn.Tape) *nn.Tensor { return bodyBatch.Forward(t, ones(t, 2, 3), nn.GELU) }, wants: []string{"body.0", "[2 3]", "[4]"}},
		{name: "batch norm single row", run: func(t *nn.Tape) *nn.Tensor { return bodyBatch.Forward(t, ones(t, 1, 1, 1, 4), nn.ReLU) },
			wants: []string{"body.0", "[1 1 1 4]"}, mode: "training"},
		{name: "batch norm unknown activation", run: func(t *nn.Tape) *nn.Tensor { return bodyBatch.Forward(t, ones(t, 2, 4), 99) }, wants: []string{"99"}},
		{name: "attention nil", run: func(t *nn.Tape) *nn.Tensor { return bodyHeads.Forward(t, nil) }, wants: []string{"body.0", "attention"}},
		{name: "attention rank", run: func(t *nn.Tape) *nn.Tensor { return bodyHeads.Forward(t, ones(t, 5, 6)) }, wants: []string{"body.0", "[5 6]", "[N,T,6]"}},
		{name: "attention channels", run: func(t *nn.Tape) *nn.Tensor { return bodyHeads.Forward(t, ones(t, 1, 5, 4)) }, wants: []string{"body.0", "[1 5 4]"}},
		{name: "attention heads", run: func(t *nn.Tape) *nn.Tensor {
			return nn.NewAttention(nn.NewScope().Sub("a"), 6, 4, false).Forward(t, ones(t, 1, 2, 6))
		}, wants: []string{"a:", "4 heads", "6 channels"}},
		{name: "attention no heads", run: func(t *nn.Tape) *nn.Tensor {
			return nn.NewAttention(nn.NewScope().Sub("a"), 6, 0, false).Forward(t, ones(t, 1, 2, 6))
		}, wants: []string{"a:", "0 heads"}},
		{name: "attention without values", run: func(t *nn.Tape) *nn.Tensor {
			return nn.NewAttention(nn.NewScope().Sub("a"), 6, 2, false).Forward(t, ones(t, 1, 2, 6))
		}, wants: []string{"a", "in_proj"}},

		{name: "add nil", run: func(t *nn.Tape) *nn.Tensor { return t.Add(ones(t, 2), nil) }, wants: []string{"add"}},
		{name: "add shapes", run: func(t *nn.Tape) *nn.Tensor { return t.Add(ones(t, 2, 3), ones(t, 3, 2)) }, wants: []string{"add", "[2 3]", "[3 2]"}},
		{name: "scale nil", run: func(t *nn.Tape) *nn.Tensor { return t.Scale(nil, bodyScale) }, wants: []string{"scale"}},
		{name: "scale channels", run: func(t *nn.Tape) *nn.Tensor { return t.Scale(ones(t, 2, 3), bodyScale) }, wants: []string{"[2 3]", "[4]"}},
		{name: "scale without values", run: func(t *nn.Tape) *nn.Tensor {
			return t.Scale(ones(t, 2, 3), nn.NewScope().Sub("block").Param("gamma", nn.Ones, 3))
		}, wants: []string{"block.gamma"}},
		{name: "drop path nil", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(nil, 0.5) }},
		{name: "drop path 1", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(ones(t, 2, 3), 1) }, mode: "training"},
		{name: "drop path negative", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(ones(t, 2, 3), -0.1) }, mode: "training"},
		{name: "drop path NaN", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(ones(t, 2, 3), math.NaN()) }, wants: []string{"NaN"}, mode: "training"},
		{name: "drop path without samples", run: func(t *nn.Tape) *nn.Tensor { return t.DropPath(ones(t, 6), 0.5) }, wants: []string{"[6]"}, mode: "training"},
		{name: "branch nil", run: func(t *nn.Tape) *nn.Tensor { return t.Branch(nil, 0.5, plainBranch(t)) }, wants: []string{"branch"}},
		{name: "branch 1", run: func(t *nn.Tape) *nn.Tensor { return t.Branch(ones(t, 2, 3), 1, plainBranch(t)) }, mode: "training", wants: []string{"branch", "1"}},
		{name: "branch NaN", run: func(t *nn.Tape) *nn.Tensor { return t.Branch(ones(t, 2, 3), math.NaN(), plainBranch(t)) }, mode: "training", wants: []string{"NaN"}},
		{name: "branch without samples", run: func(t *nn.Tape) *nn.Tensor { return t.Branch(ones(t, 3), 0.5, plainBranch(t)) }, mode: "training", wants: []string{"[3]"}},
		{name: "dropout nil", run: func(t *nn.Tape) *nn.Tensor { return t.Dropout(nil, 0.5) }, wants: []string{"dropout"}},
		{name: "dropout 1", run: func(t *nn.Tape) *nn.Tensor { return t.Dropout(ones(t, 2, 3), 1) }, wants: []string{"dropout", "1"}},
		{name: "dropout NaN", run: func(t *nn.Tape) *nn.Tensor { return t.Dropout(ones(t, 2, 3), math.NaN()) }, wants: []string{"NaN"}},
		{name: "activate nil", run: func(t *nn.Tape) *nn.Tensor { return t.Activate(nil, nn.GELU) }, wants: []string{"gelu"}},
		{name: "identity nil", run: func(t *nn.Tape) *nn.Tensor { return t.Activate(nil, nn.Identity) }},
		{name: "unknown activation", run: func(t *nn.Tape) *nn.Tensor { return t.Activate(ones(t, 2), 99) }, wants: []string{"99"}},

		{name: "max pool nil", run: func(t *nn.Tape) *nn.Tensor { return t.MaxPool(nil, nn.Window{Size: 2}) }, wants: []string{"max pool"}},
		{name: "max pool rank", run: func(t *nn.Tape) *nn.Tensor { return t.MaxPool(ones(t, 2, 3), nn.Window{Size: 2}) }, wants: []string{"max pool", "[2 3]"}},
		{name: "max pool no window", run: func(t *nn.Tape) *nn.Tensor { return t.MaxPool(ones(t, 1, 4, 4, 2), nn.Window{}) }, wants: []string{"0x0", "[1 4 4 2]"}},
		{name: "max pool negative padding", run: func(t *nn.Tape) *nn.Tensor {
			return t.MaxPool(ones(t, 1, 4, 4, 2), nn.Window{Size: 3, Padding: -1})
		}, wants: []string{"padding -1"}},
		{name: "max pool padding", run: func(t *nn.Tape) *nn.Tensor { return t.MaxPool(ones(t, 1, 4, 4, 2), nn.Window{Size: 2, Padding: 2}) }, wants: []string{"padding 2"}},
		{name: "max pool gigantic", run: func(t *nn.Tape) *nn.Tensor { return t.MaxPool(ones(t, 1, 4, 4, 2), nn.Window{Size: huge}) }, wants: []string{"[1 4 4 2]"}},
		{name: "max pool gigantic and padded", run: func(t *nn.Tape) *nn.Tensor {
			return t.MaxPool(ones(t, 1, 4, 4, 2), nn.Window{Size: huge, Stride: 1, Padding: huge / 2})
		}, wants: []string{"[1 4 4 2]"}},
		{name: "average pool whose taps overflow", run: func(t *nn.Tape) *nn.Tensor {
			return t.AvgPool(ones(t, 1, 4, 4, 2), nn.Window{Size: 1 << 32, Stride: 1, Padding: 1 << 31}, true)
		}, wants: []string{"[1 4 4 2]"}},
		{name: "max pool negative stride", run: func(t *nn.Tape) *nn.Tensor {
			return t.MaxPool(ones(t, 1, 4, 4, 2), nn.Window{Size: 2, Stride: -1})
		}, wants: []string{"stride -1"}},
		{name: "average pool nil", run: func(t *nn.Tape) *nn.Tensor { return t.AvgPool(nil, nn.Window{Size: 2}, true) }, wants: []string{"average pool"}},
		{name: "average pool small input", run: func(t *nn.Tape) *nn.Tensor { return t.AvgPool(ones(t, 1, 1, 4, 2), nn.Window{Size: 2}, false) }, wants: []string{"[1 1 4 2]"}},
		{name: "global pool nil", run: func(t *nn.Tape) *nn.Tensor { return t.GlobalPool(nil) }, wants: []string{"global pool"}},
		{name: "global pool rank", run: func(t *nn.Tape) *nn.Tensor { return t.GlobalPool(ones(t, 2, 3)) }, wants: []string{"[2 3]"}},
		{name: "subsample nil", run: func(t *nn.Tape) *nn.Tensor { return t.Subsample(nil, 2, 1, 1) }, wants: []string{"subsample"}},
		{name: "subsample rank", run: func(t *nn.Tape) *nn.Tensor { return t.Subsample(ones(t, 2, 3), 2, 1, 1) }, wants: []string{"[2 3]"}},
		{name: "subsample stride", run: func(t *nn.Tape) *nn.Tensor { return t.Subsample(ones(t, 1, 4, 4, 2), 0, 1, 1) }, wants: []string{"stride 0"}},
		{name: "subsample channels", run: func(t *nn.Tape) *nn.Tensor { return t.Subsample(ones(t, 1, 4, 4, 2), 2, -1, 1) }, wants: []string{"-1"}},
		{name: "subsample gigantic channels", run: func(t *nn.Tape) *nn.Tensor { return t.Subsample(ones(t, 1, 4, 4, 2), 2, huge, huge) }},
		{name: "softmax nil", run: func(t *nn.Tape) *nn.Tensor { return t.Softmax(nil) }, wants: []string{"softmax"}},
		{name: "normalize nil", run: func(t *nn.Tape) *nn.Tensor { return t.Normalize(nil) }, wants: []string{"normalize"}},

		{name: "cross-entropy nil", run: func(t *nn.Tape) *nn.Tensor { return t.CrossEntropy(nil, nn.Targets{Labels: []int{0}}) }, wants: []string{"cross-entropy"}},
		{name: "cross-entropy rank", run: func(t *nn.Tape) *nn.Tensor { return t.CrossEntropy(ones(t, 3), nn.Targets{Labels: []int{0}}) }, wants: []string{"[3]"}},
		{name: "cross-entropy no targets", run: targets(nn.Targets{})},
		{name: "cross-entropy both targets", run: targets(nn.Targets{Labels: []int{0, 1}, Soft: make([]float32, 6)})},
		{name: "cross-entropy label count", run: targets(nn.Targets{Labels: []int{0}}), wants: []string{"1 labels", "[2 3]"}},
		{name: "cross-entropy no labels", run: targets(nn.Targets{Labels: []int{}}), wants: []string{"0 labels", "[2 3]"}},
		{name: "cross-entropy soft count", run: targets(nn.Targets{Soft: make([]float32, 5)}), wants: []string{"5 soft", "[2 3]"}},
		{name: "cross-entropy weight count", run: targets(nn.Targets{Labels: []int{0, 1}, Weight: make([]float32, 2)}), wants: []string{"2 class weights", "[2 3]"}},
		{name: "cross-entropy label too large", run: targets(nn.Targets{Labels: []int{0, 3}}), wants: []string{"label 3", "row 1", "0..2"}},
		{name: "cross-entropy label far too large", run: targets(nn.Targets{Labels: []int{0, 1 << 32}}), wants: []string{"4294967296"}},
		{name: "cross-entropy label negative", run: targets(nn.Targets{Labels: []int{-100, 0}}), wants: []string{"label -100"}},
		{name: "cross-entropy smoothing", run: targets(nn.Targets{Labels: []int{0, 1}, Smoothing: 1.5}), wants: []string{"1.5"}},
		{name: "cross-entropy smoothing NaN", run: targets(nn.Targets{Labels: []int{0, 1}, Smoothing: math.NaN()}), wants: []string{"NaN"}},
		{name: "cross-entropy reduction", run: targets(nn.Targets{Labels: []int{0, 1}, Reduction: 7}), wants: []string{"7"}},

		{name: "foreign tape", run: func(t *nn.Tape) *nn.Tensor { return t.Softmax(ones(nn.NewTape(nn.Inference, nil), 2, 3)) }, wants: []string{"another tape"}},
		{name: "described input", run: func(t *nn.Tape) *nn.Tensor { return t.Softmax(t.Describe(2, 3)) }, wants: []string{"softmax", "[2 3]", "no values"}},
		{name: "described input itself", run: func(t *nn.Tape) *nn.Tensor { return t.Describe(2, 3) }, wants: []string{"[2 3]", "no values"}},
		{name: "ResNet without values", run: func(t *nn.Tape) *nn.Tensor { return resnet.CIFAR8(3).Forward(t, ones(t, 2, 8, 8, 3)) }, wants: []string{"conv1", "Initialize or Load"}},
		{name: "ConvNeXt without values", run: func(t *nn.Tape) *nn.Tensor { return convnext.Mini(3).Forward(t, ones(t, 2, 8, 8, 3)) }, wants: []string{"stem.0", "Initialize or Load"}},
		{name: "ResNet without classes", run: func(t *nn.Tape) *nn.Tensor { return resnet.CIFAR8(0).Forward(t, ones(t, 2, 8, 8, 3)) }, wants: []string{"0 classes"}},
		{name: "ConvNeXt without classes", run: func(t *nn.Tape) *nn.Tensor { return convnext.Mini(0).Forward(t, ones(t, 2, 8, 8, 3)) }, wants: []string{"0 classes"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
			for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
				if c.mode != "" && c.mode != mode.String() {
					continue
				}
				calm(t, func() {
					tape := nn.NewTape(mode, dev)
					x := c.run(tape)
					if x == nil {
						t.Fatal("no tensor")
					}
					if _, err := x.Value(); err == nil {
						t.Fatalf("%s: no error, shape %v", mode, x.Shape())
					} else {
						sticks(t, tape, x, err, c.wants)
					}
					tape.Reset()
					if tape.Err() != nil {
						t.Errorf("Reset leaves %v", tape.Err())
					}
					if v := floats(t, tape.Softmax(ones(tape, 1, 2))); v[0] != 0.5 {
						t.Errorf("after Reset softmax is %v", v)
					}
					tape.Reset()
				})
				noLeak(t, dev)
			}
		})
	}
}

// sticks checks that an error stays on the tape whatever is done next, and
// what it says.
func sticks(t *testing.T, tape *nn.Tape, x *nn.Tensor, err error, wants []string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if tape.Err() != err {
		t.Errorf("Err is %v after %v", tape.Err(), err)
	}
	more := tape.Add(tape.Softmax(x), ones(tape, 9))
	if got := tape.Eval(more); got != err {
		t.Errorf("Eval: %v, want %v", got, err)
	}
	if got := tape.Backward(tape.CrossEntropy(more, nn.Targets{})); got != err {
		t.Errorf("Backward: %v, want %v", got, err)
	}
	if _, got := more.Floats(); got != err {
		t.Errorf("Floats: %v, want %v", got, err)
	}
}

func TestInferenceIgnoresDropPathOutOfRange(t *testing.T) {
	tape := nn.NewTape(nn.Inference, nil)
	x := ones(tape, 2, 3)
	if y := tape.DropPath(x, 7); y != x || tape.Err() != nil {
		t.Errorf("error %v", tape.Err())
	}
}

func TestBackwardSaysWhyNot(t *testing.T) {
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
	loss := func(tape *nn.Tape) *nn.Tensor {
		return tape.CrossEntropy(bodyLinear.Forward(tape, ones(tape, 2, 3), nn.Epilogue{}), nn.Targets{Labels: []int{0, 1}})
	}
	for _, c := range []struct {
		name string
		mode nn.Mode
		run  func(t *nn.Tape) error
		want string
	}{
		{"on an inference tape", nn.Inference, func(t *nn.Tape) error { return t.Backward(loss(t)) }, "inference"},
		{"twice", nn.Training, func(t *nn.Tape) error {
			l := loss(t)
			return errors.Join(t.Backward(l), t.Backward(l))
		}, "already"},
		{"without parameters", nn.Training, func(t *nn.Tape) error { return t.Backward(t.Softmax(ones(t, 2, 3))) }, "no parameter"},
		{"of an input", nn.Training, func(t *nn.Tape) error { return t.Backward(ones(t, 2, 3)) }, "no parameter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tape := nn.NewTape(c.mode, dev)
			calm(t, func() {
				err := c.run(tape)
				if !errors.Is(err, nn.ErrNoGradient) || !strings.Contains(fmt.Sprint(err), c.want) {
					t.Errorf("%v, want ErrNoGradient and %q", err, c.want)
				}
				if tape.Err() != nil {
					t.Errorf("it sticks to the tape: %v", tape.Err())
				}
				if tape.Gradient(bodyConv.Weight) != nil {
					t.Error("a gradient of a parameter that was not used")
				}
				tape.Reset()
				if c.mode == nn.Training {
					if err := tape.Backward(loss(tape)); err != nil {
						t.Errorf("after Reset: %v", err)
					}
					tape.Reset()
				}
			})
			noLeak(t, dev)
		})
	}
	t.Run("nil", func(t *testing.T) {
		tape := nn.NewTape(nn.Training, dev)
		calm(t, func() {
			if err := tape.Backward(nil); err == nil {
				t.Error("no error")
			}
			if err := nn.NewTape(nn.Training, dev).Eval(nil); err == nil {
				t.Error("no error")
			}
		})
	})
}

func TestValuesThatWereFreedAreErrors(t *testing.T) {
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
	for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
		tape := nn.NewTape(mode, dev)
		x := tape.Softmax(ones(tape, 2, 3))
		kept := tape.Softmax(x).Keep()
		y := tape.Activate(kept, nn.GELU)
		last := tape.Add(y, kept)
		floats(t, last)
		if len(floats(t, kept)) != 6 {
			t.Error("a kept tensor was freed")
		}
		if _, err := x.Floats(); err == nil || !strings.Contains(err.Error(), "Keep") {
			t.Errorf("%s: reading a freed tensor: %v", mode, err)
		}
		tape.Reset()

		x = tape.Softmax(ones(tape, 2, 3))
		floats(t, tape.Softmax(x))
		if tape.Add(x, x); tape.Err() == nil || !strings.Contains(tape.Err().Error(), "freed") {
			t.Errorf("%s: using a freed tensor: %v", mode, tape.Err())
		}
		tape.Reset()
		if _, err := x.Floats(); err == nil {
			t.Errorf("%s: a tensor of before Reset can be read", mode)
		}
		tape.Reset()
		noLeak(t, dev)
	}
}

func TestOptionsOutOfRangeAreHarmless(t *testing.T) {
	calm(t, func() {
		if s := nn.Mode(9).String(); s != "mode(9)" {
			t.Error(s)
		}
		tape := nn.NewTape(9, nil)
		if err := tape.Backward(bodyLinear.Forward(tape, ones(tape, 2, 3), nn.Epilogue{})); !errors.Is(err, nn.ErrNoGradient) {
			t.Errorf("%v, want ErrNoGradient", err)
		}
		for threads, want := range map[int]int{1: 1, 1 << 40: 1024} {
			if n := nn.NewDevice(nn.DeviceOptions{Threads: threads}).Threads(); n != want {
				t.Errorf("%d threads asked for, %d in force, want %d", threads, n, want)
			}
		}
		if n := nn.NewDevice(nn.DeviceOptions{Threads: -3}).Threads(); n < 1 {
			t.Errorf("%d threads", n)
		}
	})
}

func TestTheFirstErrorStays(t *testing.T) {
	tape := nn.NewTape(nn.Training, nil)
	mine := errors.New("mine")
	tape.Fail(nil)
	if tape.Err() != nil {
		t.Fatal("Fail(nil) is an error")
	}
	tape.Fail(mine)
	tape.Fail(errors.New("later"))
	tape.Softmax(nil)
	if x := tape.InputFloats(nil, 1); x.Dim(0) != 0 || x.Dim(-1) != 0 || x.Dim(5) != 0 {
		t.Errorf("shape %v after an error", x.Shape())
	}
	if !errors.Is(tape.Err(), mine) {
		t.Errorf("%v", tape.Err())
	}
}

// NaN in probabilities and logits is the user's answer, not a panic.
func TestNaNTargetsGiveNaN(t *testing.T) {
	nan := float32(math.NaN())
	for _, y := range []nn.Targets{
		{Soft: []float32{nan, 0, 1, 0, 0, 1}},
		{Labels: []int{0, 1}, Weight: []float32{nan, 1, 1}},
	} {
		tape := nn.NewTape(nn.Training, nil)
		x := ones(tape, 2, 3).WantGradient()
		loss := tape.CrossEntropy(x, y)
		if err := tape.Backward(loss); err != nil {
			t.Fatal(err)
		}
		if v := floats(t, loss)[0]; v == v {
			t.Errorf("loss %v", v)
		}
	}
	tape := nn.NewTape(nn.Training, nil)
	ignore := -1
	x := ones(tape, 2, 3).WantGradient()
	loss := tape.CrossEntropy(x, nn.Targets{Labels: []int{-1, -1}, Ignore: &ignore})
	if err := tape.Backward(loss); err != nil {
		t.Fatal(err)
	}
	if v := floats(t, loss)[0]; v == v {
		t.Errorf("a mean over no rows is %v, want NaN", v)
	}
	for _, g := range x.Gradient() {
		if g != 0 {
			t.Errorf("ignored rows have a gradient of %v", g)
		}
	}
}

// Geometry that no picture asks for still has an answer: taps that lie outside
// the picture see zeros, however far outside.
func TestTapsFarOutsideThePictureSeeZeros(t *testing.T) {
	const far = 1000
	for _, groups := range []int{1, 4} {
		s := nn.NewScope()
		c := nn.NewConv(s, nn.ConvConfig{In: 4, Out: 4, Kernel: nn.Square(3), Dilation: far, Padding: far, Groups: groups, Init: nn.Ones})
		nn.Initialize(newLayer(s, nil), 1)
		for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
			calm(t, func() {
				tape := nn.NewTape(mode, nil)
				x := ones(tape, 2, 5, 5, 4).WantGradient()
				y := c.Forward(tape, x, nn.Epilogue{}).Keep()
				for _, v := range floats(t, y) {
					if v != float32(4/groups) {
						t.Fatalf("%d groups, %s: %v, want %d", groups, mode, v, 4/groups)
					}
				}
				if mode == nn.Inference {
					return
				}
				if err := tape.Backward(y); err != nil {
					t.Fatal(err)
				}
				for _, v := range x.Gradient() {
					if v != float32(4/groups) {
						t.Fatalf("%d groups: gradient %v, want %d", groups, v, 4/groups)
					}
				}
			})
		}
	}
}
