// Package ema averages a model's weights over its training (exponential moving
// average): the average is steadier than the weights of any single step and
// usually better in the middle of a run.
//
//	avg := &ema.Average{Decay: 0.998}
//	for ... { step(); err := avg.Update(model) }
//	err := weights.Write("model.safetensors", avg, nil) // an Average is a weights.Source
//
// With decay d, after each step
//
//	average = d * average + (1-d) * weights
//
// for parameters and running statistics; counters are copied. A long decay
// averages over about 1/(1-d) steps, which a short training does not have: the
// average would still be full of the initial weights. So the decay warms up,
//
//	d_t = min(Decay, (1+t) / (Warmup+t)),    t = 1 after the first step,
//
// as TensorFlow's ExponentialMovingAverage with num_updates does.
package ema

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/nn"
)

// Average is the moving average of one model. Set the fields before the first
// Update and leave them. It is not safe for concurrent use.
type Average struct {
	// Decay is d, between 0 and 1; 0 means 0.9998.
	Decay float64
	// Warmup is the constant of the warm-up; 0 means 10, negative means none.
	Warmup float64

	params []*nn.Param
	values [][]float32 // nil for counters
	counts []int64
	steps  int
}

// ErrEmpty is wrapped by errors about an average that has seen no weights.
var ErrEmpty = errors.New("no weights yet")

// Start makes the average the model's present weights. Update does so itself
// at first, but then the weights before the first step do not count.
func (a *Average) Start(m nn.Model) error {
	if a.Decay != 0 && !(a.Decay > 0 && a.Decay < 1) {
		return fmt.Errorf("ema: decay %v, want (0,1)", a.Decay)
	}
	params := m.Params()
	values, counts := make([][]float32, len(params)), make([]int64, len(params))
	for i, p := range params {
		if p.Kind() == nn.Counter {
			counts[i] = p.Count()
			continue
		}
		if p.Data() == nil {
			return fmt.Errorf("ema: parameter %s: %w", p.Name(), ErrEmpty)
		}
		values[i] = slices.Clone(p.Data())
	}
	a.params, a.values, a.counts, a.steps = params, values, counts, 0
	return nil
}

// Steps is how many updates the average has had since Start.
func (a *Average) Steps() int { return a.steps }

// DecayAt is the decay of update t, the first being 1.
func (a *Average) DecayAt(t int) float64 {
	decay, warmup := a.Decay, a.Warmup
	if decay == 0 {
		decay = 0.9998
	}
	if warmup == 0 {
		warmup = 10
	}
	if warmup < 0 {
		return decay
	}
	return min(decay, (1+float64(t))/(warmup+float64(t)))
}

// Update moves the average towards the model's present weights. It must be the
// model that the average began with.
func (a *Average) Update(m nn.Model) error { return a.UpdateOn(nil, m) }

// UpdateOn is Update, shared by the threads of a device; a nil Device means the
// caller's alone. The average does not depend on it.
func (a *Average) UpdateOn(dev *nn.Device, m nn.Model) error {
	if a.params == nil {
		if err := a.Start(m); err != nil {
			return err
		}
	}
	params := m.Params()
	if !slices.Equal(params, a.params) {
		return errors.New("ema: the average is of another model")
	}
	a.steps++
	d := a.DecayAt(a.steps)
	type piece struct{ of, lo, hi int }
	const span = 32 << 10 // elements that are worth a thread's while
	var pieces []piece
	for i, p := range a.params {
		if p.Kind() == nn.Counter {
			a.counts[i] = p.Count()
		}
		for lo := 0; lo < len(a.values[i]); lo += span {
			pieces = append(pieces, piece{i, lo, min(lo+span, len(a.values[i]))})
		}
	}
	dev.Each(len(pieces), func(i int) {
		p := pieces[i]
		elementwise.EMA(a.values[p.of][p.lo:p.hi], a.params[p.of].Data()[p.lo:p.hi], d)
	})
	return nil
}

// Swap exchanges the average's values with the model's own: the model then
// computes with the average until Swap is called again. Do not Update in
// between.
func (a *Average) Swap() error {
	if a.params == nil {
		return fmt.Errorf("ema: swap: %w", ErrEmpty)
	}
	for i, p := range a.params {
		if p.Kind() == nn.Counter {
			n := p.Count()
			p.SetCount(a.counts[i])
			a.counts[i] = n
			continue
		}
		v := a.values[i]
		for j, x := range p.Data() {
			p.Data()[j], v[j] = v[j], x
		}
	}
	return nil
}

// Names lists the tensors of the average, which are those of the model.
func (a *Average) Names() []string {
	names := make([]string, len(a.params))
	for i, p := range a.params {
		names[i] = p.Name()
	}
	return names
}

// Tensor returns a copy of one of the average's tensors, in the layout of
// files.
func (a *Average) Tensor(name string) (*tensor.Dense, error) {
	for i, p := range a.params {
		if p.Name() != name {
			continue
		}
		if p.Kind() == nn.Counter {
			return tensor.New(tensor.FromScalar(a.counts[i])), nil
		}
		return tensor.New(tensor.WithShape(p.Shape()...), tensor.WithBacking(p.Values(a.values[i]))), nil
	}
	return nil, fmt.Errorf("ema: %s: %w", name, fs.ErrNotExist)
}
