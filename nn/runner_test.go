package nn_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

// Many goroutines share one runner, several runners one model, and several
// devices one model; sizes of batches and pictures differ from call to call.
// The race detector watches where it is on.
func TestManyGoroutinesMayPredictAtOnce(t *testing.T) {
	shapes := [][]int{{1, 8, 8, 3}, {3, 8, 8, 3}, {2, 12, 8, 3}, {1, 16, 16, 3}}
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			shared := nn.NewDevice(nn.DeviceOptions{Threads: 2})
			runners := []*nn.Runner{
				nn.NewRunner(m, shared), nn.NewRunner(m, shared), nn.NewRunner(m, nn.NewDevice(nn.DeviceOptions{Threads: 5})),
			}
			var images []*tensor.Dense
			var want [][]float32
			reference := nn.NewRunner(m, nn.NewDevice(nn.DeviceOptions{Threads: 1}))
			for i, shape := range shapes {
				images = append(images, dense(uint64(i), shape...))
				y, err := reference.Predict(images[i])
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, y.Data().([]float32))
			}
			var wg sync.WaitGroup
			for g := range 12 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					run := runners[g%len(runners)]
					for i := range 8 {
						k := (g + i) % len(images)
						y, err := run.Predict(images[k])
						if err != nil {
							t.Error(err)
							return
						}
						if !slices.Equal(y.Data().([]float32), want[k]) || !slices.Equal(y.Shape(), []int{shapes[k][0], 4}) {
							t.Errorf("goroutine %d: logits of batch %d differ", g, k)
							return
						}
						// An error in one call leaves the others alone.
						if _, _, err := run.PredictFloats(nil, nil, 1, 8, 8, 3); err == nil {
							t.Error("no error for a batch without values")
						}
					}
				}()
			}
			wg.Wait()
			noLeak(t, shared)
		})
	}
}

// A model may be trained and read by nobody else; models that share a device
// may be trained at once.
func TestManyModelsMayTrainOnOneDevice(t *testing.T) {
	dev := nn.NewDevice(nn.DeviceOptions{Threads: 2})
	images, labels := dense(1, 2, 8, 8, 3), []int{1, 2}
	train := func() ([]float32, error) {
		m := convnext.Mini(4)
		nn.Initialize(m, 5)
		tape := nn.NewTape(nn.Training, dev)
		var losses []float32
		for step := range 3 {
			tape.Seed(1, uint64(step))
			loss := tape.CrossEntropy(m.Forward(tape, tape.Input(images)), nn.Targets{Labels: labels})
			if err := tape.Backward(loss); err != nil {
				return nil, err
			}
			v, err := loss.Floats()
			if err != nil {
				return nil, err
			}
			losses = append(losses, v[0])
			for _, p := range m.Params() {
				for i, g := range tape.Gradient(p) {
					p.Data()[i] -= 0.1 * g
				}
			}
			tape.Reset()
		}
		return losses, nil
	}
	want, err := train()
	if err != nil {
		t.Fatal(err)
	}
	if want[2] >= want[0] {
		t.Errorf("losses %v do not fall", want)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if got, err := train(); err != nil || !slices.Equal(got, want) {
				t.Errorf("losses %v, want %v (%v)", got, want, err)
			}
		}()
	}
	wg.Wait()
	noLeak(t, dev)
}

func TestPredictFloatsAppends(t *testing.T) {
	m := convnext.Mini(4)
	nn.Initialize(m, 1)
	run := nn.NewRunner(m, nil)
	if run.Device() == nil || run.Device().Threads() < 1 {
		t.Fatal("no device")
	}
	x := normal(2*8*8*3, 1)
	y, k, err := run.PredictFloats([]float32{7, 8}, x, 2, 8, 8, 3)
	if err != nil || k != 4 || len(y) != 10 || y[0] != 7 || y[1] != 8 {
		t.Fatalf("%v, %d classes, %v", y, k, err)
	}
	single, _, err := run.PredictFloats(nil, x[192:], 1, 8, 8, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range single {
		if d := v - y[6+i]; d > 1e-5 || d < -1e-5 {
			t.Errorf("logit %d is %v alone and %v in a batch", i, v, y[6+i])
		}
	}
	kept := slices.Clone(y)
	if _, _, err := run.PredictFloats(nil, normal(192, 2), 1, 8, 8, 3); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(y, kept) {
		t.Error("a later call changed the result of an earlier one")
	}
}

func TestRunnerReportsWhatIsWrong(t *testing.T) {
	good := convnext.Mini(4)
	nn.Initialize(good, 1)
	odd := func(f func(*nn.Tape, *nn.Tensor) *nn.Tensor) nn.Model { return newLayer(nn.NewScope(), f) }
	mine := errors.New("mine")
	for _, c := range []struct {
		name string
		m    nn.Model
		x    *tensor.Dense
		want string
	}{
		{"no images", good, nil, "nil"},
		{"float64", good, tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(1, 8, 8, 3)), "float64"},
		{"channels first", good, dense(1, 1, 3, 8, 8), "[1 3 8 8]"},
		{"one image", good, dense(1, 8, 8, 3), "[8 8 3]"},
		{"small image", good, dense(1, 1, 1, 1, 3), "[1 1 1 3]"},
		{"no values", convnext.Mini(4), dense(1, 1, 8, 8, 3), "Initialize or Load"},
		{"no classes", resnet.ResNet18(0), dense(1, 1, 8, 8, 3), "0 classes"},
		{"no classes", convnext.Tiny(-1), dense(1, 1, 8, 8, 3), "-1 classes"},
		{"no logits", odd(func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }), dense(1, 1, 8, 8, 3), "want [N,K]"},
		{"nothing returned", odd(func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return nil }), dense(1, 1, 8, 8, 3), "missing"},
		{"zero tensor returned", odd(func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return new(nn.Tensor) }), dense(1, 1, 8, 8, 3), "missing"},
		{"its own reasons", odd(func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { t.Fail(mine); return x }), dense(1, 1, 8, 8, 3), "mine"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
			calm(t, func() {
				y, err := nn.NewRunner(c.m, dev).Predict(c.x)
				if err == nil || y != nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, %v, want an error that says %q", y, err, c.want)
				}
			})
			noLeak(t, dev)
		})
	}
}

func TestRunnerReturnsTheLogitsOfTheTape(t *testing.T) {
	for name, m := range models(t) {
		images := dense(4, 2, 16, 16, 3)
		tape := nn.NewTape(nn.Inference, nil)
		want := floats(t, m.Forward(tape, tape.Input(images)))
		got, err := nn.NewRunner(m, nil).Predict(images)
		if err != nil || !slices.Equal(got.Data().([]float32), want) {
			t.Errorf("%s: %v, want %v (%v)", name, got, want, err)
		}
	}
}
