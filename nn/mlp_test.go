package nn

import (
	"math"
	"strings"
	"testing"
)

// TestFusedMLPMatchesItsLayers compares the one pass of inference with the
// layers one after the other.
func TestFusedMLPMatchesItsLayers(t *testing.T) {
	s := NewScope()
	l := &MLP{
		Norm: NewLayerNorm(s.Sub("norm"), 24, 1e-6), Act: GELU,
		FC1: NewLinear(s.Sub("fc1"), LinearConfig{In: 24, Out: 96, BiasInit: Normal(0.5)}),
		FC2: NewLinear(s.Sub("fc2"), LinearConfig{In: 96, Out: 24, BiasInit: Normal(0.5)}),
	}
	gamma := s.Param("gamma", Normal(1), 24)
	m := paramsOnly(s.Params())
	Initialize(m, 4)
	x := make([]float32, 2*7*9*24)
	for i := range x {
		x[i] = float32(math.Sin(float64(i) * 0.37))
	}
	for _, norm := range []bool{true, false} {
		if !norm {
			l.Norm = nil
		}
		fused := NewTape(Inference, nil)
		in := fused.InputFloats(x, 2, 7, 9, 24)
		got, err := l.Forward(fused, in, Epilogue{Scale: gamma, Residual: in}).Floats()
		if err != nil {
			t.Fatal(err)
		}
		if n := len(fused.nodes); n != 1 {
			t.Fatalf("inference recorded %d operations", n)
		}
		plain := NewTape(Training, nil)
		in = plain.InputFloats(x, 2, 7, 9, 24)
		want, err := l.Forward(plain, in, Epilogue{Scale: gamma, Residual: in}).Floats()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if d := math.Abs(float64(got[i] - want[i])); !(d <= 2e-6*(1+math.Abs(float64(want[i])))) {
				t.Fatalf("norm %v: element %d is %v, its layers give %v", norm, i, got[i], want[i])
			}
		}
		if fused.MACs() != plain.MACs() {
			t.Errorf("%d multiply-adds in one pass, %d in layers", fused.MACs(), plain.MACs())
		}
	}
}

func TestMLPErrorsNameTheLayer(t *testing.T) {
	s := NewScope()
	l := &MLP{FC1: NewLinear(s.Sub("mlp", "fc1"), LinearConfig{In: 8, Out: 16}), FC2: NewLinear(s.Sub("mlp", "fc2"), LinearConfig{In: 16, Out: 8})}
	for _, mode := range []Mode{Inference, Training} {
		tape := NewTape(mode, nil)
		l.Forward(tape, tape.InputFloats(make([]float32, 12), 2, 6), Epilogue{})
		if err := tape.Err(); err == nil || !contains(err.Error(), "mlp.fc", "[2 6]") {
			t.Errorf("%s: %v", mode, err)
		}
		tape.Reset()
		(&MLP{}).Forward(tape, tape.InputFloats(make([]float32, 12), 2, 6), Epilogue{})
		if tape.Err() == nil {
			t.Errorf("%s: an MLP without layers made no error", mode)
		}
	}
}

// paramsOnly is a model for the sake of Initialize.
type paramsOnly []*Param

func (p paramsOnly) Params() []*Param                   { return p }
func (p paramsOnly) Forward(_ *Tape, x *Tensor) *Tensor { return x }

func contains(s string, parts ...string) bool {
	for _, p := range parts {
		if !strings.Contains(s, p) {
			return false
		}
	}
	return true
}
