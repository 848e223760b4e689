package nn

import (
	"fmt"
	"sync"

	"gorgonia.org/tensor"
)

// Runner predicts with a model. It packs the model's weights once, BatchNorm
// folded in, and lends each call a tape whose memory is reused. Any number of
// goroutines may use one Runner at once; the weights must not change
// meanwhile. After they changed, make a new Runner.
type Runner struct {
	model Model
	dev   *Device
	prep  prepared

	mu   sync.Mutex
	idle []*Tape
}

// NewRunner returns a runner of m on dev; nil means a new device.
func NewRunner(m Model, dev *Device) *Runner {
	if dev == nil {
		dev = NewDevice(DeviceOptions{})
	}
	return &Runner{model: m, dev: dev}
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
	t.prep = &r.prep
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
	t := r.tape()
	defer r.putTape(t)
	y := r.model.Forward(t, t.InputFloats(x, shape...))
	if err := t.Eval(y); err != nil {
		return dst, 0, err
	}
	v := t.b.Host(y.buf)
	if len(y.shape) != 2 {
		return dst, 0, fmt.Errorf("nn: the model returned %v, want [N,K]", y.shape)
	}
	return append(dst, v...), y.shape[1], nil
}
