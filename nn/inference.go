package nn

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"gorgonia.org/tensor"
)

// Runner predicts with a model. It packs the model's weights once, BatchNorm
// folded in, and lends each call a tape whose memory is reused. Any number of
// goroutines may use one Runner at once; the weights must not change
// meanwhile. After they changed, make a new Runner.
type Runner struct {
	model Model
	dev   *Device
	take  bool
	prep  prepared

	cold sync.Mutex  // held while weights are being taken
	warm atomic.Bool // they all are

	mu   sync.Mutex
	idle []*Tape
}

// RunnerOptions say how a runner runs.
type RunnerOptions struct {
	Device *Device // nil means a new one
	// TakeWeights makes the runner drop the model's weights as it packs them,
	// in its first prediction, so that they are not in memory twice. The model
	// is then good for this runner alone: whoever else wants the values of
	// what was packed gets ErrTaken.
	TakeWeights bool
}

// ErrTaken is wrapped by errors about parameters whose values a Runner has
// taken.
var ErrTaken = errors.New("its values were taken by a runner")

// NewRunner returns a runner of m on dev; nil means a new device.
func NewRunner(m Model, dev *Device) *Runner {
	return RunnerOptions{Device: dev}.New(m)
}

// New returns a runner of m.
func (o RunnerOptions) New(m Model) *Runner {
	if o.Device == nil {
		o.Device = NewDevice(DeviceOptions{})
	}
	return &Runner{model: m, dev: o.Device, take: o.TakeWeights}
}

// Device is where the runner computes.
func (r *Runner) Device() *Device { return r.dev }

func (r *Runner) tape() *Tape {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.idle); n > 0 {
		t := r.idle[n-1]
		r.idle = r.idle[:n-1]
		return t
	}
	t := NewTape(Inference, r.dev)
	t.prep, t.take = &r.prep, r.take
	return t
}

func (r *Runner) putTape(t *Tape) {
	t.Reset()
	r.mu.Lock()
	r.idle = append(r.idle, t)
	r.mu.Unlock()
}

// Predict computes the logits [N,K] of a batch of images [N,H,W,3],
// preprocessed as the model was trained.
func (r *Runner) Predict(x *tensor.Dense) (*tensor.Dense, error) {
	data, shape, err := Floats(x)
	if err != nil {
		return nil, err
	}
	logits, k, err := r.PredictFloats(nil, data, shape...)
	if err != nil {
		return nil, err
	}
	return tensor.New(tensor.WithShape(len(logits)/k, k), tensor.WithBacking(logits)), nil
}

// PredictFloats is Predict on slices: it appends the logits of x, which has
// the given shape, to dst, and returns the number of classes as well.
func (r *Runner) PredictFloats(dst, x []float32, shape ...int) ([]float32, int, error) {
	if r.take && !r.warm.Load() {
		r.cold.Lock()
		defer r.cold.Unlock()
	}
	t := r.tape()
	defer r.putTape(t)
	y := r.model.Forward(t, t.InputFloats(x, shape...))
	if err := t.Eval(y); err != nil {
		return dst, 0, err
	}
	r.warm.Store(true)
	v := t.b.Host(y.buf)
	if len(y.shape) != 2 {
		return dst, 0, fmt.Errorf("nn: the model returned %v, want [N,K]", y.shape)
	}
	return append(dst, v...), y.shape[1], nil
}
