// Package train trains a model on a data set.
//
//	run, err := train.New(convnext.Tiny(len(birds.Classes())), birds, train.Options{Epochs: 20})
//	for e, err := range run.Epochs(ctx) {
//		if err != nil {
//			return err
//		}
//		log.Printf("epoch %d: loss %.3f", e.Number, e.Loss)
//	}
//
// The caller drives the loop: logs, evaluates, saves, and breaks out to stop
// early. Who brings batches of another kind uses a Stepper; who wants another
// loop altogether uses package nn directly.
//
// # Reproducible
//
// All randomness comes from Options.Seed: initial weights, the order of
// images, augmentation, drop path. The same seed on the same kind of processor
// gives the same weights, whatever the number of threads and decoders.
//
// # What it does not know
//
// Training yields logits and labels (Predictions); packages metrics and ood
// score them. Writing model files is the root package's.
package train

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// Options describe a training. The zero value trains 10 epochs with AdamW.
type Options struct {
	Epochs int // 0 means 10
	Batch  int // images per step; 0 means 64

	// Weights are what training starts from. Parameters that it lacks are
	// initialised: weights.Omit(pretrained, "head.") replaces the head. nil
	// initialises everything.
	Weights weights.Source

	Optimizer Optimizer // nil means AdamW with weight decay 0.05
	Schedule  Schedule  // nil means Cosine to 1e-3 with 5 % warm-up
	ClipNorm  float64   // largest norm of the gradient; 0 means no limit
	Smoothing float64   // of labels, 0..1
	Weight    []float32 // of classes in the loss, nil for none

	EMA *ema.Average // average to keep; nil for none

	Transform transform.Config  // how images become numbers
	Augment   transform.Augment // what training adds

	// Validation is predicted after every epoch, with the weights and with
	// their average, if it is not nil. Its images must not be in training.
	Validation dataset.Set

	Seed    uint64
	Device  *nn.Device // nil means a new one
	Workers int        // decoders; 0 means GOMAXPROCS

	// OnStep is called after every step, on the caller's goroutine.
	OnStep func(Step)
}

// Step is one step's figures.
type Step struct {
	Epoch, Step, Steps int // step within the epoch, from 0, and how many there are
	Loss               float64
	GradNorm           float64
	Rate               float64 // learning rate
}

// Epoch is one epoch's figures.
type Epoch struct {
	Number   int       // from 1
	Loss     float64   // mean over the steps
	Losses   []float64 // of each step
	GradNorm float64   // mean
	Rate     float64   // of the last step
	Images   int       // seen in this epoch
	Train    time.Duration
	Validate time.Duration

	Validation *Predictions // nil without Options.Validation
	Averaged   *Predictions // the same by the averaged weights; nil without EMA
}

// Run is a training.
type Run struct {
	model nn.Model
	set   dataset.Set
	o     Options
	step  *Stepper
	used  bool
}

// ErrUsed is returned when a Run is driven twice.
var ErrUsed = errors.New("train: this run has run")

// New prepares a training: it gives the model its initial weights and checks
// the options.
func New(m nn.Model, set dataset.Set, o Options) (*Run, error) {
	if o.Epochs == 0 {
		o.Epochs = 10
	}
	if o.Batch == 0 {
		o.Batch = 64
	}
	if o.Epochs < 0 || o.Batch < 0 {
		return nil, fmt.Errorf("train: %d epochs with batches of %d", o.Epochs, o.Batch)
	}
	if set == nil || set.Len() == 0 {
		return nil, fmt.Errorf("train: %w", dataset.ErrEmpty)
	}
	if err := o.Transform.WithDefaults().Validate(); err != nil {
		return nil, err
	}
	if o.Weight != nil && len(o.Weight) != len(set.Classes()) {
		return nil, fmt.Errorf("train: %d class weights for %d classes", len(o.Weight), len(set.Classes()))
	}
	if o.Schedule == nil {
		o.Schedule = Cosine{Peak: 1e-3, Warmup: 0.05}
	}
	if o.Device == nil {
		o.Device = nn.NewDevice(nn.DeviceOptions{})
	}
	nn.Initialize(m, o.Seed)
	if o.Weights != nil {
		if err := nn.Load(m, o.Weights, nn.LoadOptions{Partial: true}); err != nil {
			return nil, err
		}
	}
	s, err := NewStepper(m, StepOptions{
		Optimizer: o.Optimizer, ClipNorm: o.ClipNorm, Smoothing: o.Smoothing, Weight: o.Weight,
		Average: o.EMA, Seed: o.Seed, Device: o.Device,
	})
	if err != nil {
		return nil, err
	}
	return &Run{model: m, set: set, o: o, step: s}, nil
}

// Steps is how many steps an epoch has. The last batch is left out if it is
// not full, unless it is the only one.
func (r *Run) Steps() int { return max(r.set.Len()/r.o.Batch, 1) }

// Epochs trains and yields each epoch as it ends. Breaking out of the loop
// stops the training, an error ends it. ctx is checked between batches.
func (r *Run) Epochs(ctx context.Context) iter.Seq2[Epoch, error] {
	return func(yield func(Epoch, error) bool) {
		if r.used {
			yield(Epoch{}, ErrUsed)
			return
		}
		r.used = true
		for n := range r.o.Epochs {
			e, err := r.epoch(ctx, n)
			if err != nil {
				yield(Epoch{}, fmt.Errorf("train: epoch %d: %w", n+1, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
}

func (r *Run) epoch(ctx context.Context, n int) (Epoch, error) {
	e := Epoch{Number: n + 1}
	steps := r.Steps()
	load := dataset.LoadOptions{
		Batch: r.o.Batch, Transform: r.o.Transform, Augment: r.o.Augment, Workers: r.o.Workers,
		Shuffle: true, DropLast: r.set.Len() > r.o.Batch, Seed: r.o.Seed, Epoch: n,
	}
	began := time.Now()
	for batch, err := range dataset.Batches(ctx, r.set, load) {
		if err != nil {
			return e, err
		}
		i := len(e.Losses)
		rate := r.o.Schedule.Rate(n*steps+i, r.o.Epochs*steps)
		loss, norm, err := r.step.Step(batch.X, nn.Targets{Labels: batch.Labels}, rate)
		if err != nil {
			return e, err
		}
		e.Losses = append(e.Losses, loss)
		e.Loss += loss
		e.GradNorm += norm
		e.Rate = rate
		e.Images += batch.Len()
		if r.o.OnStep != nil {
			r.o.OnStep(Step{Epoch: n + 1, Step: i, Steps: steps, Loss: loss, GradNorm: norm, Rate: rate})
		}
	}
	e.Loss /= float64(len(e.Losses))
	e.GradNorm /= float64(len(e.Losses))
	e.Train = time.Since(began)
	if r.o.Validation == nil {
		return e, nil
	}
	began = time.Now()
	var err error
	if e.Validation, err = r.Predict(ctx, r.o.Validation); err != nil {
		return e, err
	}
	if r.o.EMA != nil {
		if e.Averaged, err = r.PredictAveraged(ctx, r.o.Validation); err != nil {
			return e, err
		}
	}
	e.Validate = time.Since(began)
	return e, nil
}

// Predict runs the model as it is over a set.
func (r *Run) Predict(ctx context.Context, set dataset.Set) (*Predictions, error) {
	return Predict(ctx, nn.NewRunner(r.model, r.o.Device), set, PredictOptions{Transform: r.o.Transform, Workers: r.o.Workers})
}

// PredictAveraged runs the model with the averaged weights over a set.
func (r *Run) PredictAveraged(ctx context.Context, set dataset.Set) (p *Predictions, err error) {
	if r.o.EMA == nil {
		return nil, fmt.Errorf("train: no average is kept: %w", ema.ErrEmpty)
	}
	if err := r.o.EMA.Swap(); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.o.EMA.Swap()) }()
	return r.Predict(ctx, set)
}
