package nn_test

import (
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

func models(t *testing.T) map[string]nn.Model {
	m := map[string]nn.Model{"convnext": convnext.Mini(4), "resnet": resnet.CIFAR8(4)}
	for _, m := range m {
		nn.Initialize(m, 1)
	}
	return m
}

func TestResetTakesAllMemoryBack(t *testing.T) {
	images, labels := dense(1, 2, 16, 16, 3), []int{0, 3}
	for name, m := range models(t) {
		empty := map[string]nn.Model{"convnext": convnext.Mini(4), "resnet": resnet.CIFAR8(4)}[name]
		dev := nn.NewDevice(nn.DeviceOptions{Threads: 2})
		for _, mode := range []nn.Mode{nn.Inference, nn.Training} {
			for _, c := range []struct {
				name string
				run  func(t *testing.T, tape *nn.Tape)
			}{
				{"recorded only", func(t *testing.T, tape *nn.Tape) { m.Forward(tape, tape.Input(images)) }},
				{"forward", func(t *testing.T, tape *nn.Tape) { floats(t, m.Forward(tape, tape.Input(images))) }},
				{"forward twice", func(t *testing.T, tape *nn.Tape) {
					floats(t, m.Forward(tape, tape.Input(images)))
					floats(t, tape.Softmax(m.Forward(tape, tape.Input(images)).Keep()))
				}},
				{"loss", func(t *testing.T, tape *nn.Tape) {
					floats(t, tape.CrossEntropy(m.Forward(tape, tape.Input(images)), nn.Targets{Labels: labels}))
				}},
				{"step", func(t *testing.T, tape *nn.Tape) {
					x := tape.Input(images).WantGradient()
					err := tape.Backward(tape.CrossEntropy(tape.Dropout(m.Forward(tape, x).WantGradient().Keep(), 0.5), nn.Targets{Labels: labels}))
					if (err == nil) != tape.Training() {
						t.Error(err)
					}
				}},
				{"step that leaves branches behind", func(t *testing.T, tape *nn.Tape) {
					y := m.Forward(tape, tape.Input(images)).Keep()
					tape.Normalize(tape.Softmax(tape.Dropout(y, 0.5)))
					tape.MaxPool(tape.Describe(1, 4, 4, 1), nn.Window{Size: 2}) // never evaluated: fails
					if err := tape.Backward(tape.CrossEntropy(y, nn.Targets{Labels: labels})); err == nil {
						t.Error("an input without values was evaluated")
					}
				}},
				{"more after backward", func(t *testing.T, tape *nn.Tape) {
					y := m.Forward(tape, tape.Input(images)).Keep()
					tape.Backward(tape.CrossEntropy(y, nn.Targets{Labels: labels}))
					if tape.Err() == nil {
						floats(t, tape.Normalize(tape.Softmax(y)))
					}
				}},
				{"error when recording", func(t *testing.T, tape *nn.Tape) {
					y := m.Forward(tape, tape.Input(images))
					if err := tape.Backward(tape.CrossEntropy(tape.Add(y, ones(tape, 1, 2)), nn.Targets{Labels: labels})); err == nil {
						t.Error("no error")
					}
				}},
				{"error after running", func(t *testing.T, tape *nn.Tape) {
					floats(t, m.Forward(tape, tape.Input(images)))
					tape.Softmax(nil)
					if _, err := m.Forward(tape, tape.Input(images)).Floats(); err == nil {
						t.Error("no error")
					}
				}},
				{"error in the middle of running", func(t *testing.T, tape *nn.Tape) {
					y := m.Forward(tape, tape.Input(images))
					z := empty.Forward(tape, tape.Input(images))
					w := m.Forward(tape, tape.Input(images))
					if err := tape.Backward(tape.CrossEntropy(tape.Add(tape.Add(y, z), w), nn.Targets{Labels: labels})); err == nil {
						t.Error("no error")
					}
				}},
			} {
				t.Run(name+"/"+mode.String()+"/"+c.name, func(t *testing.T) {
					calm(t, func() {
						tape := nn.NewTape(mode, dev)
						for range 2 {
							c.run(t, tape)
							tape.Reset()
							noLeak(t, dev)
						}
						tape.Reset()
						noLeak(t, dev)
					})
				})
			}
		}
	}
}

// What the tape needs at most, against what its activations would take if all
// were kept, in elements.
func TestActivationsAreFreedAfterTheirLastUse(t *testing.T) {
	images, labels := dense(1, 8, 32, 32, 3), []int{0, 1, 2, 3, 0, 1, 2, 3}
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			all := activations(t, m, images.Shape())

			dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
			tape := nn.NewTape(nn.Training, dev)
			loss := tape.CrossEntropy(m.Forward(tape, tape.Input(images)), nn.Targets{Labels: labels})
			floats(t, loss)
			held := dev.Arena().Lent()
			if err := tape.Backward(loss); err != nil {
				t.Fatal(err)
			}
			left, peak := dev.Arena().Lent(), dev.Arena().Peak()
			tape.Reset()

			quiet := nn.NewDevice(nn.DeviceOptions{Threads: 1})
			if _, err := nn.NewRunner(m, quiet).Predict(images); err != nil {
				t.Fatal(err)
			}
			inference := quiet.Arena().Peak()
			t.Logf("activations %d, held for backward %d, training's peak %d, inference's peak %d", all, held, peak, inference)

			// Holding every activation and, at the end, every gradient would
			// take twice all.
			if peak > all*5/4 {
				t.Errorf("training's peak is %d elements, all activations have %d: gradients do not take over their memory", peak, all)
			}
			if held > all*11/10 {
				t.Errorf("%d elements wait for the backward pass, all activations have %d", held, all)
			}
			// What remains are the loss and the gradients of parameters.
			var remains kernel.Arena
			remains.Get(1)
			for _, p := range m.Params() {
				if p.Kind() == nn.Learnable {
					remains.Get(p.Len())
				}
			}
			if want := remains.Lent(); left != want {
				t.Errorf("%d elements are lent after the backward pass, the loss and all gradients have %d", left, want)
			}
			if inference > peak/3 {
				t.Errorf("inference's peak is %d, training's %d", inference, peak)
			}
		})
	}
}

// activations counts the elements of everything that operations of a training
// tape return.
func activations(t *testing.T, m nn.Model, shape []int) int64 {
	tape := nn.NewTape(nn.Training, nil)
	m.Forward(tape, tape.Describe(shape...))
	if tape.Err() != nil {
		t.Fatal(tape.Err())
	}
	n := int64(0)
	for _, shape := range tape.Shapes() {
		n += int64(size(shape...))
	}
	return n
}

func TestATapeUsesTheSameMemoryEveryStep(t *testing.T) {
	images, labels := dense(1, 4, 16, 16, 3), []int{0, 1, 2, 3}
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			dev := nn.NewDevice(nn.DeviceOptions{Threads: 1})
			tape := nn.NewTape(nn.Training, dev)
			var peaks []int64
			for range 4 {
				if err := tape.Backward(tape.CrossEntropy(m.Forward(tape, tape.Input(images)), nn.Targets{Labels: labels})); err != nil {
					t.Fatal(err)
				}
				tape.Reset()
				peaks = append(peaks, dev.Arena().Peak())
			}
			if slices.Max(peaks) != peaks[0] {
				t.Errorf("peaks %v grow", peaks)
			}
		})
	}
}
