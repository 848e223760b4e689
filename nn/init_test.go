package nn_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

func TestInitialValuesHaveTheirDistribution(t *testing.T) {
	// The standard deviation of a normal distribution cut at ±a of its own is
	// √(1 - 2aφ(a)/(2Φ(a)-1)).
	cut := func(a float64) float64 {
		phi := math.Exp(-a*a/2) / math.Sqrt(2*math.Pi)
		return math.Sqrt(1 - 2*a*phi/math.Erf(a/math.Sqrt2))
	}
	conv, linear := []int{64, 32, 3, 5}, []int{128, 80}
	for _, c := range []struct {
		name  string
		init  nn.Init
		shape []int
		std   float64
		bound float64 // of the magnitude, 0 for none
	}{
		{"zeros", nn.Zeros, linear, 0, 1e-30},
		{"normal", nn.Normal(0.3), conv, 0.3, 0},
		{"truncated far out", nn.TruncNormal(0.02, 2), conv, 0.02, 2},
		{"truncated at one deviation", nn.TruncNormal(0.5, 0.5), conv, 0.5 * cut(1), 0.5},
		{"truncated at two deviations", nn.TruncNormal(0.5, 1), conv, 0.5 * cut(2), 1},
		{"truncated at nothing", nn.TruncNormal(0.5, 0), conv, 0, 1e-30},
		{"without deviation", nn.TruncNormal(0, 1), conv, 0, 1e-30},
		{"fan-in, truncated", nn.FanInTruncNormal, conv, cut(2) / math.Sqrt(32*3*5), 2 / math.Sqrt(32*3*5)},
		{"fan-in, truncated, linear", nn.FanInTruncNormal, linear, cut(2) / math.Sqrt(80), 2 / math.Sqrt(80)},
		{"Kaiming by fan-in", nn.KaimingFanIn, conv, math.Sqrt(2. / (32 * 3 * 5)), 0},
		{"Kaiming by fan-in, linear", nn.KaimingFanIn, linear, math.Sqrt(2. / 80), 0},
		{"Kaiming by fan-out", nn.KaimingFanOut, conv, math.Sqrt(2. / (64 * 3 * 5)), 0},
		{"Kaiming by fan-out, linear", nn.KaimingFanOut, linear, math.Sqrt(2. / 128), 0},
		{"uniform", nn.UniformFanIn(16), linear, 0.25 / math.Sqrt(3), 0.25},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := make([]float32, size(c.shape...))
			c.init(rng.New(1, rng.Test), c.shape, x)
			mean, square, kurtosis := 0.0, 0.0, 0.0
			for _, v := range x {
				v := float64(v)
				mean += v
				square += v * v
				kurtosis += v * v * v * v
				if c.bound > 0 && math.Abs(v) > c.bound*(1+1e-6) {
					t.Fatalf("%v lies beyond %v", v, c.bound)
				}
			}
			n := float64(len(x))
			mean /= n
			std := math.Sqrt(square / n)
			// Five standard errors; that of the deviation follows from the
			// fourth moment.
			if math.Abs(mean) > 5*c.std/math.Sqrt(n) {
				t.Errorf("mean %v of %v draws", mean, n)
			}
			if c.std > 0 {
				se := math.Sqrt((kurtosis*n/(square*square) - 1) / (4 * n))
				if math.Abs(std/c.std-1) > 5*se {
					t.Errorf("standard deviation %v, want %v within %v of it", std, c.std, 5*se)
				}
			} else if std != 0 {
				t.Errorf("standard deviation %v, want 0", std)
			}
		})
	}
	for _, v := range []float32{0, 1, -2.5} {
		x := []float32{9, 9, 9}
		nn.Constant(v)(nil, []int{3}, x)
		if !slices.Equal(x, []float32{v, v, v}) {
			t.Errorf("%v, want %v throughout", x, v)
		}
	}
}

func TestInitialValuesDependOnSeedAndPlaceAlone(t *testing.T) {
	for name, make := range map[string]func() nn.Model{
		"convnext": func() nn.Model { return convnext.Mini(7) },
		"resnet":   func() nn.Model { return resnet.CIFAR8(7) },
		"small":    func() nn.Model { return small() },
	} {
		t.Run(name, func(t *testing.T) {
			a, b, c := make(), make(), make()
			nn.Initialize(a, 1)
			nn.Initialize(b, 1)
			nn.Initialize(c, 2)
			if !slices.Equal(snapshot(a), snapshot(b)) {
				t.Error("one seed, two models")
			}
			if slices.Equal(snapshot(a), snapshot(c)) {
				t.Error("two seeds, one model")
			}
			// Initialising again forgets what was learned, counters included.
			for _, p := range a.Params() {
				for i := range p.Data() {
					p.Data()[i] = 5
				}
				p.SetCount(9)
			}
			nn.Initialize(a, 1)
			for i, p := range a.Params() {
				if !slices.Equal(p.Data(), b.Params()[i].Data()) || p.Kind() == nn.Counter && p.Count() != 0 {
					t.Errorf("%s differs after initialising again", p.Name())
				}
			}
			// Weights of equal shape in two places differ.
			seen := map[float32]string{}
			for _, p := range a.Params() {
				if p.Dims() < 2 {
					continue
				}
				if other, ok := seen[p.Data()[0]]; ok {
					t.Errorf("%s begins as %s does", p.Name(), other)
				}
				seen[p.Data()[0]] = p.Name()
			}
		})
	}
}

// The draws come in the order of files, whatever the layout in memory.
func TestInitialValuesAreDrawnInTheOrderOfFiles(t *testing.T) {
	count := func(_ *rand.Rand, _ []int, dst []float32) {
		for i := range dst {
			dst[i] = float32(i)
		}
	}
	for _, c := range []nn.ConvConfig{
		{In: 3, Out: 2, Kernel: [2]int{2, 4}, Init: count},
		{In: 4, Out: 4, Groups: 4, Kernel: nn.Square(3), Init: count},
		{In: 4, Out: 8, Groups: 2, Kernel: nn.Square(1), Init: count},
	} {
		s := nn.NewScope()
		l := nn.NewConv(s, c)
		nn.Initialize(newLayer(s, nil), 1)
		d, err := l.Weight.Tensor()
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range d.Data().([]float32) {
			if v != float32(i) {
				t.Fatalf("%+v: element %d of the tensor is draw %v", c, i, v)
			}
		}
		if v := l.Weight.Values(l.Weight.Data()); !slices.Equal(v, d.Data().([]float32)) {
			t.Errorf("%+v: Values and Tensor differ", c)
		}
	}
}

func TestParametersTellWhatTheyAre(t *testing.T) {
	m := small()
	if n := nn.Count(m); n != 3*2*2+3+27+3+3+12+4 {
		t.Errorf("%d learnable numbers", n)
	}
	for name, want := range map[string]struct {
		kind nn.Kind
		dims int
		len  int
	}{
		"conv.weight": {nn.Learnable, 3, 12}, "depth.weight": {nn.Learnable, 3, 27}, "bn.weight": {nn.Learnable, 1, 3},
		"bn.running_var": {nn.Statistic, 1, 3}, "bn.num_batches_tracked": {nn.Counter, 0, 1}, "fc.weight": {nn.Learnable, 2, 12},
	} {
		p := find(m, name)
		if p == nil || p.Kind() != want.kind || p.Dims() != want.dims || p.Len() != want.len || p.Data() != nil {
			t.Errorf("%s: %+v, want %+v and no memory", name, p, want)
		}
	}
}
