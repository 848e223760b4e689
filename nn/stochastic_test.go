package nn_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

const branchChannels = 4

// branchNet is a residual block with parameters of every kind that a ConvNeXt
// block has.
type branchNet struct {
	*layer
	conv  *nn.Conv
	mlp   *nn.MLP
	gamma *nn.Param
}

func newBranchNet() *branchNet {
	const c = branchChannels
	s := nn.NewScope()
	m := &branchNet{
		conv: nn.NewConv(s.Sub("conv"), nn.ConvConfig{In: c, Out: c, Groups: c, Kernel: nn.Square(3), Padding: 1, Bias: true}),
		mlp: &nn.MLP{
			Norm: nn.NewLayerNorm(s.Sub("norm"), c, 1e-6), Act: nn.GELU,
			FC1: nn.NewLinear(s.Sub("fc1"), nn.LinearConfig{In: c, Out: 3 * c}), FC2: nn.NewLinear(s.Sub("fc2"), nn.LinearConfig{In: 3 * c, Out: c}),
		},
		gamma: s.Param("gamma", nn.Normal(1), c),
	}
	m.layer = newLayer(s, nil)
	nn.Initialize(m.layer, 1)
	return m
}

func (m *branchNet) branch(t *nn.Tape, x *nn.Tensor, e nn.Epilogue) *nn.Tensor {
	e.Scale = m.gamma
	return m.mlp.Forward(t, m.conv.Forward(t, x, nn.Epilogue{}), e)
}

// near fails where got differs from want by more than 1e-5 of its largest.
func near(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(float64(v)))
	}
	for i, v := range got {
		if d := math.Abs(float64(v - want[i])); !(d <= 1e-5*largest) {
			t.Fatalf("%s[%d]: %v, want %v", what, i, v, want[i])
		}
	}
}

// Values and all gradients are those of a branch that is computed for all
// samples and then multiplied by 0 or 1/(1-p); and only what is kept is computed.
func TestBranchComputesWhatItKeeps(t *testing.T) {
	const samples, h, w, c, p = 7, 3, 2, branchChannels, 0.4
	m := newBranchNet()
	in, weigh := normal(samples*h*w*c, 2), normal(samples*h*w*c, 3)
	gradients := func(tape *nn.Tape, x, y *nn.Tensor) [][]float32 {
		t.Helper()
		y = y.Keep()
		if err := tape.Backward(tape.Dot(y, weigh)); err != nil {
			t.Fatal(err)
		}
		all := [][]float32{slices.Clone(floats(t, y)), slices.Clone(x.Gradient())}
		for _, p := range m.params {
			g := tape.Gradient(p)
			if g == nil {
				t.Fatalf("%s has no gradient", p.Name())
			}
			all = append(all, slices.Clone(g))
		}
		return all
	}
	numbers := map[int]int{}
	for seed := range uint64(60) {
		dev := nn.NewDevice(nn.DeviceOptions{Threads: 1 + int(seed%3)})
		tape := nn.NewTape(nn.Training, dev)
		tape.Seed(seed, 1)
		x := tape.InputFloats(in, samples, h, w, c).WantGradient()
		seen := 0
		y := tape.Branch(x, p, func(x *nn.Tensor, e nn.Epilogue) *nn.Tensor {
			seen = x.Shape()[0]
			return m.branch(tape, x, e)
		})
		got := gradients(tape, x, y)
		tape.Reset()
		noLeak(t, dev)

		sample, kept := make([]float32, samples), 0
		for i := range sample {
			part := got[0][i*h*w*c:][:h*w*c]
			if !slices.Equal(part, in[i*h*w*c:][:h*w*c]) {
				sample[i] = 1 / (1 - p)
				kept++
			}
		}
		numbers[kept]++
		if seen != kept && kept != 0 {
			t.Errorf("the branch saw %d samples, %d of the result differ", seen, kept)
		}
		x = tape.InputFloats(in, samples, h, w, c).WantGradient()
		want := gradients(tape, x, m.branch(tape, x, nn.Epilogue{Residual: x}.WithSamples(sample)))
		for i, g := range got {
			near(t, fmt.Sprintf("seed %d, %d kept, %d", seed, kept, i), g, want[i])
		}
		tape.Reset()
		noLeak(t, dev)
	}
	if len(numbers) < 5 {
		t.Errorf("samples kept and how often: %v; the test means to see more", numbers)
	}
}

func TestBranchKeepsItsShare(t *testing.T) {
	const samples = 3000
	for _, p := range []float64{0.1, 0.8} {
		tape := nn.NewTape(nn.Training, nil)
		tape.Seed(5, 2)
		x := ones(tape, samples, 3)
		y := tape.Branch(x, p, plainBranch(tape))
		kept := 0
		for i, v := range floats(t, y) {
			switch {
			case v == 1:
			case math.Abs(float64(v)-(1+1/(1-p))) < 1e-5:
				kept++
			default:
				t.Fatalf("element %d is %v", i, v)
			}
		}
		shareFits(t, "branch", kept/3, samples, p)
	}
}

// Where no sample keeps the branch its parameters have gradients of 0, which
// optimizers with momentum and decay need.
func TestBranchThatNobodyKeeps(t *testing.T) {
	m := newBranchNet()
	for seed := range uint64(20) {
		tape := nn.NewTape(nn.Training, nil)
		tape.Seed(seed, 1)
		x := tape.InputFloats(normal(4*branchChannels, 1), 1, 2, 2, branchChannels).WantGradient()
		y := tape.Branch(x, 0.9, func(x *nn.Tensor, e nn.Epilogue) *nn.Tensor { return m.branch(tape, x, e) }).Keep()
		if err := tape.Backward(tape.Dot(y, normal(4*branchChannels, 2))); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(floats(t, y), floats(t, x)) {
			continue // kept
		}
		for _, p := range m.params {
			g := tape.Gradient(p)
			if g == nil || slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
				t.Errorf("seed %d: the gradient of %s is %v", seed, p.Name(), g)
			}
		}
		if !slices.Equal(x.Gradient(), normal(4*branchChannels, 2)) {
			t.Errorf("the gradient of x is %v", x.Gradient())
		}
		return
	}
	t.Error("the branch was kept 20 times with probability 0.1")
}

// What f hands out on the side has its gradient too, whether or not the loss
// reads the branch's end.
func TestBranchHandsOutWhatItSees(t *testing.T) {
	for _, end := range []bool{false, true} {
		dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
		tape := nn.NewTape(nn.Training, dev)
		tape.Seed(1, 1)
		x := ones(tape, 20, 3).WantGradient()
		var side *nn.Tensor
		y := tape.Branch(x, 0.5, func(x *nn.Tensor, e nn.Epilogue) *nn.Tensor {
			side = same(tape, x)
			return bodySame.Forward(tape, x, e)
		})
		n := side.Shape()[0]
		if n == 20 {
			t.Fatal("nothing was dropped")
		}
		loss, dropped, kept := tape.Dot(side, slices.Repeat([]float32{1}, 3*n)), float32(0), float32(1)
		if end {
			loss, dropped, kept = tape.Add(loss, tape.Dot(y, slices.Repeat([]float32{1}, 60))), 1, 4
		}
		if err := tape.Backward(loss); err != nil {
			t.Fatal(err)
		}
		times := map[float32]int{}
		for _, v := range x.Gradient() {
			times[v]++
		}
		if times[dropped] != 3*(20-n) || times[kept] != 3*n {
			t.Errorf("%d of 20 kept: gradients and how often %v", n, times)
		}
		tape.Reset()
		noLeak(t, dev)
	}
}

func TestBranchInInference(t *testing.T) {
	tape := nn.NewTape(nn.Inference, nil)
	x := ones(tape, 50, 3)
	for _, p := range []float64{0, 0.9, 7} {
		y := tape.Branch(x, p, plainBranch(tape))
		for _, v := range floats(t, y) {
			if v != 2 {
				t.Fatalf("drop path %v: %v, want 2", p, v)
			}
		}
	}
}

func TestBranchLeavesNothingBehindWhereItFails(t *testing.T) {
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
	for name, f := range map[string]func(t *nn.Tape, x *nn.Tensor, e nn.Epilogue) *nn.Tensor{
		"nil":       func(*nn.Tape, *nn.Tensor, nn.Epilogue) *nn.Tensor { return nil },
		"the shape": func(t *nn.Tape, x *nn.Tensor, e nn.Epilogue) *nn.Tensor { return t.GlobalPool(x) },
		"the batch": func(t *nn.Tape, _ *nn.Tensor, e nn.Epilogue) *nn.Tensor { return ones(t, 9, 2, 2, 3) },
		"an epilogue": func(t *nn.Tape, _ *nn.Tensor, e nn.Epilogue) *nn.Tensor {
			e.Residual = nil
			return bodySame.Forward(t, ones(t, 9, 2, 2, 3), e)
		},
	} {
		tape := nn.NewTape(nn.Training, dev)
		tape.Seed(1, 1)
		y := tape.Branch(ones(tape, 9, 2, 2, 3), 0.5, func(x *nn.Tensor, e nn.Epilogue) *nn.Tensor { return f(tape, x, e) })
		if err := tape.Backward(y); err == nil || errors.Is(err, nn.ErrNoGradient) {
			t.Errorf("%s: %v", name, err)
		}
		tape.Reset()
		noLeak(t, dev)
	}
}
