package nn_test

import (
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// layer makes a model of whatever a test puts together.
type layer struct {
	params  []*nn.Param
	forward func(t *nn.Tape, x *nn.Tensor) *nn.Tensor
}

func (l *layer) Params() []*nn.Param                         { return l.params }
func (l *layer) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return l.forward(t, x) }
func (l *layer) param(name string) *nn.Param                 { return find(l, name) }
func newLayer(s *nn.Scope, f func(*nn.Tape, *nn.Tensor) *nn.Tensor) *layer {
	return &layer{s.Params(), f}
}

func find(m nn.Model, name string) *nn.Param {
	for _, p := range m.Params() {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// source is a weights.Source of the given tensors.
func source(tensors map[string]*tensor.Dense) *weights.Map {
	m := weights.NewMap()
	for name, d := range tensors {
		m.Set(name, d)
	}
	return m
}

// normal returns n draws of a standard normal distribution.
func normal(n int, seed uint64) []float32 {
	x := make([]float32, n)
	kerneltest.Normal(x, seed, 0, 1)
	return x
}

func size(shape ...int) int {
	n := 1
	for _, d := range shape {
		n *= d
	}
	return n
}

// dense is a tensor of normal draws.
func dense(seed uint64, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(normal(size(shape...), seed)))
}

// floats are the values of x, which must be there.
func floats(t testing.TB, x *nn.Tensor) []float32 {
	t.Helper()
	v, err := x.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// noLeak fails if some of d's memory is lent out.
func noLeak(t testing.TB, d *nn.Device) {
	t.Helper()
	if n := d.Arena().Lent(); n != 0 {
		t.Errorf("%d elements of the arena did not come back", n)
	}
}
