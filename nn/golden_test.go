package nn_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/weights"
)

// The goldens in testdata are small and always there.

func TestOperationsMatchOwnGolden(t *testing.T) {
	golden.Testdata(t, "testdata/ops*.json", operations)
}

func TestLossesMatchOwnGolden(t *testing.T) {
	golden.Testdata(t, "testdata/loss*.json", losses)
}

// Ten steps of gradient descent: every loss, the first step's logits and
// gradients by name, running statistics and predictions before and after.
func TestTrainingMatchesOwnGolden(t *testing.T) {
	golden.Testdata(t, "testdata/train_*.json", training)
}

func training(t *testing.T, g *golden.File) {
	var c struct {
		ResNet    *resnet.Config   `json:"resnet"`
		ConvNeXt  *convnext.Config `json:"convnext"`
		Classes   int              `json:"classes"`
		Rate      float32          `json:"rate"`
		Steps     int              `json:"steps"`
		Smoothing float64          `json:"label_smoothing"`
		Closest   *float64         `json:"closest_to_tie"`
	}
	g.Config(&c, golden.Remarks...)
	var m nn.Model
	var err error
	switch {
	case c.ResNet != nil:
		c.ResNet.Classes = c.Classes
		m, err = resnet.New(*c.ResNet)
	case c.ConvNeXt != nil:
		c.ConvNeXt.Classes = c.Classes
		m, err = convnext.New(*c.ConvNeXt)
	default:
		t.Fatal("no model")
	}
	if err != nil {
		t.Fatal(err)
	}
	w := g.Tensors(".safetensors")
	init := weights.NewMap()
	for _, name := range w.Names("init.") {
		init.Set(strings.TrimPrefix(name, "init."), w.Dense(name))
	}
	if err := nn.Load(m, init, nn.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	images := nntest.NHWC(w.Dense("input"))
	var labels []int
	for _, l := range w.Int64("labels") {
		labels = append(labels, int(l))
	}
	compare := func(name string, got []float32) {
		t.Helper()
		golden.Compare(t, name, got, w.Float64(name+"_f64"), w.Float32(name))
	}
	predict := func(name string) {
		t.Helper()
		y, err := nn.NewRunner(m, nil).Predict(images)
		if err != nil {
			t.Fatal(err)
		}
		compare(name, y.Data().([]float32))
	}

	predict("before")
	dev := nn.NewDevice(nn.DeviceOptions{})
	tape := nn.NewTape(nn.Training, dev)
	var values []float32
	for step := range c.Steps {
		logits := m.Forward(tape, tape.Input(images)).Keep()
		loss := tape.CrossEntropy(logits, nn.Targets{Labels: labels, Smoothing: c.Smoothing})
		if err := tape.Backward(loss); err != nil {
			t.Fatal(err)
		}
		values = append(values, floats(t, loss)[0])
		if step == 0 {
			compare("logits", floats(t, logits))
		}
		for _, p := range m.Params() {
			grad := tape.Gradient(p)
			if (grad != nil) != (p.Kind() == nn.Learnable) {
				t.Fatalf("%s %s has %d elements of gradient", p.Kind(), p.Name(), len(grad))
			}
			if step == 0 && grad != nil {
				compare("grad."+p.Name(), p.Values(grad))
			}
			for i, v := range grad {
				p.Data()[i] -= c.Rate * v
			}
		}
		tape.Reset()
	}
	compare("losses", values)
	predict("trained")
	var after []string
	for _, p := range m.Params() {
		name := "after." + p.Name()
		switch p.Kind() {
		case nn.Statistic:
			compare(name, p.Data())
			after = append(after, name, name+"_f64")
		case nn.Counter:
			golden.CompareInts(t, name, []int64{p.Count()}, w.Int64(name))
			after = append(after, name)
		}
	}
	slices.Sort(after)
	if stored := slices.Sorted(slices.Values(w.Names("after."))); !slices.Equal(stored, after) {
		t.Errorf("compared %q, the golden has %q", after, stored)
	}
	if n := len(w.Names("grad.")); n != 2*learnable(m) {
		t.Errorf("%d gradients in the golden, %d parameters", n/2, learnable(m))
	}
	noLeak(t, dev)
}

func learnable(m nn.Model) int {
	n := 0
	for _, p := range m.Params() {
		if p.Kind() == nn.Learnable {
			n++
		}
	}
	return n
}
