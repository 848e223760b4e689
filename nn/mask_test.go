package nn_test

import (
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

// Of n draws that are kept with probability 1-p, the share lies within five
// standard deviations of it.
func shareFits(t *testing.T, what string, kept, n int, p float64) {
	t.Helper()
	got, want := float64(kept)/float64(n), 1-p
	if d := math.Abs(got - want); d > 5*math.Sqrt(p*(1-p)/float64(n)) {
		t.Errorf("%s: %v of %d kept, want %v", what, got, n, want)
	}
}

func TestDropoutKeepsItsShare(t *testing.T) {
	const rows, c = 300, 100
	for _, p := range []float64{0.1, 0.5, 0.9} {
		tape := nn.NewTape(nn.Training, nil)
		x := ones(tape, rows, c).WantGradient()
		y := tape.Dropout(x, p).Keep()
		if err := tape.Backward(y); err != nil {
			t.Fatal(err)
		}
		kept, scale := 0, float32(1/(1-p))
		for i, v := range floats(t, y) {
			switch v {
			case 0:
			case scale:
				kept++
			default:
				t.Fatalf("element %d is %v, want 0 or %v", i, v, scale)
			}
		}
		shareFits(t, "dropout", kept, rows*c, p)
		if !slices.Equal(x.Gradient(), floats(t, y)) {
			t.Error("the gradient has another mask than the values")
		}
	}
}

func TestDropPathKeepsOrLosesWholeSamples(t *testing.T) {
	const samples, h, w, c = 2000, 2, 1, 3
	for _, p := range []float64{0.2, 0.7} {
		for _, withResidual := range []bool{false, true} {
			for _, withScale := range []bool{false, true} {
				tape := nn.NewTape(nn.Training, nil)
				tape.Seed(3, 1)
				s := nn.NewScope()
				l := nn.NewLinear(s.Sub("l"), nn.LinearConfig{In: c, Out: c, NoBias: true, Init: identity})
				gamma := s.Param("gamma", nn.Constant(3), c)
				nn.Initialize(newLayer(s, nil), 1)
				x := ones(tape, samples, h, w, c).WantGradient()
				e, unit, base := nn.Epilogue{DropPath: p}, float32(1), float32(0)
				if withScale {
					e.Scale, unit = gamma, 3
				}
				if withResidual {
					e.Residual, base = ones(tape, samples, h, w, c).WantGradient(), 1
				}
				y := l.Forward(tape, x, e).Keep()
				if err := tape.Backward(y); err != nil {
					t.Fatal(err)
				}
				values, kept := floats(t, y), 0
				on := base + unit*float32(1/(1-p))
				for i := range samples {
					sample := values[i*h*w*c:][:h*w*c]
					grad := x.Gradient()[i*h*w*c:][:h*w*c]
					want, slope := base, float32(0)
					if sample[0] != base {
						kept++
						want, slope = on, on-base
					}
					for j := range sample {
						if math.Abs(float64(sample[j]-want)) > 1e-6 || math.Abs(float64(grad[j]-slope)) > 1e-6 {
							t.Fatalf("sample %d: %v with gradient %v, want %v and %v throughout", i, sample, grad, want, slope)
						}
					}
				}
				shareFits(t, "drop path", kept, samples, p)
				if withResidual {
					for _, g := range e.Residual.Gradient() {
						if g != 1 {
							t.Fatalf("the residual's gradient is %v", g)
						}
					}
				}
				if withScale { // Σ x * sample over all pixels
					want := float64(kept) * h * w / (1 - p)
					for _, g := range tape.Gradient(gamma) {
						if math.Abs(float64(g)-want) > 1e-4*want {
							t.Errorf("gradient of the scale %v, want %v", g, want)
						}
					}
				}
			}
		}
	}
}

func TestMasksDependOnSeedStepAndPlace(t *testing.T) {
	tape := nn.NewTape(nn.Training, nil)
	draw := func(seed, step uint64) (first, second []float32) {
		tape.Reset()
		tape.Seed(seed, step)
		a := tape.Dropout(ones(tape, 40, 5), 0.5).Keep()
		b := tape.DropPath(ones(tape, 200, 1), 0.5).Keep()
		return slices.Clone(floats(t, a)), slices.Clone(floats(t, b))
	}
	a, b := draw(1, 1)
	again, _ := draw(1, 1)
	if !slices.Equal(a, again) {
		t.Error("one seed and step, two masks")
	}
	if slices.Equal(a, b) {
		t.Error("two operations with one mask")
	}
	for _, k := range [][2]uint64{{1, 2}, {2, 1}} {
		if c, d := draw(k[0], k[1]); slices.Equal(a, c) || slices.Equal(b, d) {
			t.Errorf("seed and step %v draw the masks of {1,1}", k)
		}
	}
}

func TestInferenceDropsNothing(t *testing.T) {
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
	tape := nn.NewTape(nn.Inference, dev)
	x := ones(tape, 50, 4)
	if y := tape.DropPath(tape.Dropout(x, 0.5), 0.5); y != x {
		t.Error("inference records dropout or drop path")
	}
	y := bodyDropped.Forward(tape, tape.Softmax(x), nn.Epilogue{DropPath: 0.5, Residual: x})
	for _, v := range floats(t, y) {
		if v != 1.25 {
			t.Fatalf("%v, want 1.25", v)
		}
	}
	tape.Reset()
	noLeak(t, dev)
}

var bodyDropped = initialized(func(s *nn.Scope) *nn.Linear {
	return nn.NewLinear(s, nn.LinearConfig{In: 4, Out: 4, NoBias: true, Init: identity})
})
