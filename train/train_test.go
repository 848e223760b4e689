package train_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/train"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// stripes is a data set that a small model learns at once: horizontal, vertical
// and checkered stripes in any colour.
func stripes(t testing.TB, n int, seed uint64) dataset.Set {
	t.Helper()
	items := make([]dataset.Item, n)
	for i := range items {
		r := rng.New(seed, rng.Test, uint64(i))
		img := image.NewRGBA(image.Rect(0, 0, 16, 16))
		label, phase := i%3, r.IntN(4)
		a, b := colour(r.IntN(256), r.IntN(256)), colour(r.IntN(256), 255-r.IntN(64))
		for y := range 16 {
			for x := range 16 {
				at := []int{y, x, x ^ y}[label] + phase
				c := a
				if at>>1&1 == 1 {
					c = b
				}
				img.Set(x, y, c)
			}
		}
		items[i] = dataset.Item{Label: label, Image: img}
	}
	s, err := dataset.NewMemory([]string{"horizontal", "vertical", "both"}, items, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func colour(v, w int) color.RGBA { return color.RGBA{uint8(v), uint8(w), uint8(v + w), 255} }

func options(seed uint64) train.Options {
	return train.Options{
		Epochs: 4, Batch: 32, Seed: seed, Transform: transform.Native(16),
		Schedule: train.Cosine{Peak: 4e-3, Warmup: 0.1}, Smoothing: 0.1, ClipNorm: 5,
	}
}

func tiny(t testing.TB, dropPath float64) nn.Model {
	t.Helper()
	m, err := convnext.New(convnext.Config{Depths: []int{1, 1}, Dims: []int{8, 16}, Stem: 2, Kernel: 3, Classes: 3, Init: convnext.FanIn, DropPath: dropPath})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTrainingLearns(t *testing.T) {
	ctx := context.Background()
	resnets, err := resnet.New(resnet.Config{Layers: []int{1, 1}, Widths: []int{8, 16}, Classes: 3, Stem: resnet.Small1, Shortcut: resnet.Padding, Init: resnet.FanIn})
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		model     nn.Model
		optimizer train.Optimizer
		peak      float64
	}{
		"convnext": {tiny(t, 0.1), &train.AdamW{WeightDecay: 0.05}, 8e-3},
		"resnet":   {resnets, &train.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4}, 0.1},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(1)
			o.Optimizer, o.Schedule = test.optimizer, train.Cosine{Peak: test.peak, Warmup: 0.1}
			o.EMA = &ema.Average{Decay: 0.9}
			o.Validation = stripes(t, 90, 2)
			steps := 0
			o.OnStep = func(s train.Step) {
				if s.Step != steps%s.Steps || s.Epoch != steps/s.Steps+1 {
					t.Errorf("step %d of epoch %d was reported as call %d", s.Step, s.Epoch, steps)
				}
				steps++
			}
			run, err := train.New(test.model, stripes(t, 400, 1), o)
			if err != nil {
				t.Fatal(err)
			}
			var last train.Epoch
			for e, err := range run.Epochs(ctx) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Number != last.Number+1 || len(e.Losses) != run.Steps() || e.Images != 12*32 {
					t.Errorf("epoch %d with %d losses and %d images", e.Number, len(e.Losses), e.Images)
				}
				last = e
			}
			if last.Number != 4 || steps != 4*run.Steps() {
				t.Errorf("%d epochs, %d steps", last.Number, steps)
			}
			if a := last.Validation.Accuracy(); a < 0.95 {
				t.Errorf("accuracy %v", a)
			}
			if a := last.Averaged.Accuracy(); a < 0.9 {
				t.Errorf("accuracy of the average %v", a)
			}
			if last.Validation.Len() != 90 || last.Validation.Classes != 3 || slices.Equal(last.Validation.Logits, last.Averaged.Logits) {
				t.Error("predictions of the weights and of their average are the same, or of the wrong size")
			}
			for _, err := range run.Epochs(ctx) {
				if !errors.Is(err, train.ErrUsed) {
					t.Errorf("a second run: %v", err)
				}
			}
		})
	}
}

// trained trains for two epochs and returns all weights and their averages.
func trained(t *testing.T, m nn.Model, seed uint64, threads int) []float32 {
	t.Helper()
	o := options(seed)
	o.EMA = &ema.Average{Decay: 0.9}
	o.Epochs, o.Workers, o.Device = 2, threads, nn.NewDevice(nn.DeviceOptions{Threads: threads})
	o.Augment = transform.CIFAR()
	run, err := train.New(m, stripes(t, 200, 3), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range run.Epochs(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var all []float32
	for range 2 {
		for _, p := range m.Params() {
			all = append(all, p.Data()...)
		}
		if err := o.EMA.Swap(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestWeightsDependOnTheSeedAlone(t *testing.T) {
	for name, model := range map[string]func() nn.Model{
		"convnext": func() nn.Model { return tiny(t, 0.2) },
		"resnet":   func() nn.Model { return resnet.CIFAR8(3) },
	} {
		t.Run(name, func(t *testing.T) {
			want := trained(t, model(), 5, 1)
			for _, threads := range []int{1, 2, 5} {
				if !slices.Equal(trained(t, model(), 5, threads), want) {
					t.Errorf("%d threads give other weights", threads)
				}
			}
			if slices.Equal(trained(t, model(), 6, 2), want) {
				t.Error("another seed gives the same weights")
			}
		})
	}
}

func TestBreakAndCancelStopTraining(t *testing.T) {
	run, err := train.New(tiny(t, 0), stripes(t, 100, 1), options(1))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range run.Epochs(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 2 {
			break
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := options(1)
	o.OnStep = func(s train.Step) {
		if s.Epoch == 1 && s.Step == 1 {
			cancel()
		}
	}
	if run, err = train.New(tiny(t, 0), stripes(t, 100, 1), o); err != nil {
		t.Fatal(err)
	}
	var last error
	for _, last = range run.Epochs(ctx) {
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v", last)
	}
}

func TestStartingWeightsMayLackTheHead(t *testing.T) {
	old := tiny(t, 0)
	nn.Initialize(old, 99)
	m := tiny(t, 0)
	o := options(1)
	o.Weights = weights.Omit(nn.Source(old), "head.")
	if _, err := train.New(m, stripes(t, 10, 1), o); err != nil {
		t.Fatal(err)
	}
	fresh := tiny(t, 0)
	nn.Initialize(fresh, 1)
	for i, p := range m.Params() {
		want := old.Params()[i].Data()
		if p.Name() == "head.fc.weight" {
			want = fresh.Params()[i].Data()
		}
		if !slices.Equal(p.Data(), want) && p.Name() != "head.norm.weight" && p.Name() != "head.norm.bias" {
			t.Errorf("%s is not what training was to start from", p.Name())
		}
	}
	var bad *nn.LoadError
	o.Weights = weights.Rename(nn.Source(old), func(s string) string { return "x." + s })
	if _, err := train.New(m, stripes(t, 10, 1), o); !errors.As(err, &bad) || len(bad.Unexpected) == 0 {
		t.Errorf("weights of another model: %v", err)
	}
}

func TestBadOptionsAreErrors(t *testing.T) {
	set := stripes(t, 10, 1)
	for name, change := range map[string]func(*train.Options){
		"epochs":    func(o *train.Options) { o.Epochs = -1 },
		"batch":     func(o *train.Options) { o.Batch = -1 },
		"smoothing": func(o *train.Options) { o.Smoothing = 1.5 },
		"clip":      func(o *train.Options) { o.ClipNorm = math.NaN() },
		"decay":     func(o *train.Options) { o.EMA = &ema.Average{Decay: 2} },
		"transform": func(o *train.Options) { o.Transform.Size = -1 },
		"weights":   func(o *train.Options) { o.Weight = []float32{1, 2} },
	} {
		o := options(1)
		change(&o)
		if _, err := train.New(tiny(t, 0), set, o); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := train.New(tiny(t, 0), nil, options(1)); !errors.Is(err, dataset.ErrEmpty) {
		t.Errorf("no set: %v", err)
	}
	if _, err := train.New(convnext.Mini(0), set, options(1)); err != nil {
		return // an impossible model may be told at once
	}
	run, _ := train.New(convnext.Mini(0), set, options(1))
	for _, err := range run.Epochs(context.Background()) {
		if !errors.Is(err, convnext.ErrConfig) {
			t.Errorf("a model of no classes: %v", err)
		}
	}
}

func TestDivergenceIsAnErrorAndLeavesTheWeights(t *testing.T) {
	for _, m := range []nn.Model{tiny(t, 0), resnet.CIFAR8(3)} {
		t.Run(fmt.Sprintf("%T", m), func(t *testing.T) { diverges(t, m) })
	}
}

func diverges(t *testing.T, m nn.Model) {
	nn.Initialize(m, 1)
	s, err := train.NewStepper(m, train.StepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var before [][]float32
	for _, p := range m.Params() {
		before = append(before, slices.Clone(p.Data()))
	}
	x, labels := batch(rowsOf(4), [3]float32{}, [3]float32{1, 1, 1})
	x.Data().([]float32)[5] = float32(math.NaN())
	if _, _, err := s.Step(x, nn.Targets{Labels: labels}, 1e-3); !errors.Is(err, train.ErrDiverged) {
		t.Errorf("a NaN among the pixels: %v", err)
	}
	for i, p := range m.Params() {
		if !slices.Equal(p.Data(), before[i]) {
			t.Errorf("%s changed", p.Name())
		}
	}
}

// rowsOf makes CIFAR rows of grey ramps with labels 0 to 2.
func rowsOf(n int) [][]byte {
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = make([]byte, 3073)
		for j := range rows[i] {
			rows[i][j] = byte(i + j)
		}
		rows[i][0] = byte(i % 3)
	}
	return rows
}

func TestScheduleEnds(t *testing.T) {
	c := train.Cosine{Peak: 1, Min: 0.1, Warmup: 0.1}
	for _, test := range []struct {
		step, total int
		want        float64
	}{
		{0, 100, 0.1}, {5, 100, 0.55}, {10, 100, 1}, {55, 100, 0.55}, {100, 100, 0.1}, {150, 100, 0.1}, {0, 1, 1},
	} {
		if got := c.Rate(test.step, test.total); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("step %d of %d: %v, want %v", test.step, test.total, got, test.want)
		}
	}
	if got := train.Constant(0.3).Rate(7, 9); got != 0.3 {
		t.Errorf("constant: %v", got)
	}
}

func TestAccuracyCountsFirstOfEquals(t *testing.T) {
	nan := float32(math.NaN())
	p := &train.Predictions{Logits: []float32{1, 1, 0, 0, 2, 2, 3, 4, nan, 1}, Classes: 2, Labels: []int{0, 0, 1, -1, 0}}
	if a := p.Accuracy(); a != 2.0/4 {
		t.Errorf("accuracy %v", a)
	}
	if a := (&train.Predictions{Classes: 2}).Accuracy(); !math.IsNaN(a) {
		t.Errorf("accuracy of nothing: %v", a)
	}
}

func Example() {
	set, err := dataset.NewMemory([]string{"dark", "light"}, shades(), transform.Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m := convnext.Mini(len(set.Classes()))
	run, err := train.New(m, set, train.Options{Epochs: 3, Batch: 8, Transform: transform.Native(16), Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range run.Epochs(context.Background()) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("epoch %d: %d steps\n", e.Number, len(e.Losses))
	}
	// Output:
	// epoch 1: 4 steps
	// epoch 2: 4 steps
	// epoch 3: 4 steps
}

func shades() []dataset.Item {
	var items []dataset.Item
	for i := range 32 {
		img := image.NewGray(image.Rect(0, 0, 16, 16))
		for j := range img.Pix {
			img.Pix[j] = byte(i%2*128 + i)
		}
		items = append(items, dataset.Item{Label: i % 2, Image: img})
	}
	return items
}
