package train

import (
	"errors"
	"fmt"
	"math"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/nn"
)

// ErrDiverged is wrapped by errors about a loss or a gradient that is not
// finite. The parameters are those before the step. The running statistics of
// batch norms have seen the batch as far as its own statistics were finite.
var ErrDiverged = errors.New("training diverged")

// StepOptions say how a step is made.
type StepOptions struct {
	Optimizer Optimizer    // nil means AdamW with weight decay 0.05
	ClipNorm  float64      // largest norm of the whole gradient; 0 means no limit
	Smoothing float64      // of labels, 0..1
	Weight    []float32    // of classes in the loss, nil for none
	Average   *ema.Average // updated after each step; nil for none
	Seed      uint64       // of drop path and dropout
	Device    *nn.Device   // nil means a new one
}

// Stepper makes training steps for one model, with batches that the caller
// brings. Run is built on it.
type Stepper struct {
	model  nn.Model
	o      StepOptions
	tape   *nn.Tape
	params []*nn.Param // the learnable ones
	step   uint64
}

// NewStepper returns a Stepper for an initialised model.
func NewStepper(m nn.Model, o StepOptions) (*Stepper, error) {
	if o.Optimizer == nil {
		o.Optimizer = &AdamW{WeightDecay: 0.05}
	}
	if !(o.ClipNorm >= 0) || !(o.Smoothing >= 0 && o.Smoothing <= 1) {
		return nil, fmt.Errorf("train: clip norm %v, label smoothing %v", o.ClipNorm, o.Smoothing)
	}
	if o.Device == nil {
		o.Device = nn.NewDevice(nn.DeviceOptions{})
	}
	s := &Stepper{model: m, o: o, tape: nn.NewTape(nn.Training, o.Device)}
	for _, p := range m.Params() {
		if p.Kind() == nn.Learnable {
			s.params = append(s.params, p)
		}
	}
	if o.Average != nil {
		if err := o.Average.Start(m); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Step trains on one batch: images [N,H,W,3], preprocessed, and what they
// show. It returns the loss and the gradient's norm, both before the step.
func (s *Stepper) Step(images *tensor.Dense, targets nn.Targets, lr float64) (loss, norm float64, err error) {
	t := s.tape
	defer t.Reset()
	if targets.Smoothing == 0 {
		targets.Smoothing = s.o.Smoothing
	}
	if targets.Weight == nil {
		targets.Weight = s.o.Weight
	}
	t.Seed(s.o.Seed, s.step)
	l := t.CrossEntropy(s.model.Forward(t, t.Input(images)), targets)
	if err := t.Backward(l); err != nil {
		return 0, 0, err
	}
	v, err := l.Floats()
	if err != nil {
		return 0, 0, err
	}
	loss = float64(v[0])
	updates := make([]Update, 0, len(s.params))
	for _, p := range s.params {
		if g := t.Gradient(p); g != nil {
			updates = append(updates, Update{p, g})
		}
	}
	norm = gradNorm(s.o.Device, updates)
	if math.IsNaN(loss) || math.IsInf(loss, 0) || math.IsNaN(norm) || math.IsInf(norm, 0) {
		return loss, norm, fmt.Errorf("train: step %d: loss %v, gradient norm %v at learning rate %v: %w", s.step, loss, norm, lr, ErrDiverged)
	}
	if err := s.update(updates, lr, clip(norm, s.o.ClipNorm)); err != nil {
		return loss, norm, err
	}
	s.step++
	if s.o.Average != nil {
		err = s.o.Average.UpdateOn(s.o.Device, s.model)
	}
	return loss, norm, err
}

func (s *Stepper) update(updates []Update, lr, scale float64) error {
	if o, ok := s.o.Optimizer.(threaded); ok {
		return o.stepOn(s.o.Device, updates, lr, scale)
	}
	return s.o.Optimizer.Step(updates, lr, scale)
}
