package nntest

import (
	"fmt"
	"io/fs"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// Shapes is a weights.Source that tells names and shapes and holds no values.
type Shapes struct {
	names  []string
	shapes map[string][]int
}

// ShapesOf has the names and shapes of a model's parameters, which need no
// memory.
func ShapesOf(m nn.Model) *Shapes {
	s := &Shapes{}
	for _, p := range m.Params() {
		s.Set(p.Name(), p.Shape())
	}
	return s
}

// Set puts a shape under a name.
func (s *Shapes) Set(name string, shape []int) {
	if s.shapes == nil {
		s.shapes = map[string][]int{}
	}
	if _, ok := s.shapes[name]; !ok {
		s.names = append(s.names, name)
	}
	s.shapes[name] = shape
}

// Names implements weights.Source.
func (s *Shapes) Names() []string { return s.names }

// Tensor implements weights.Source: there are no values.
func (s *Shapes) Tensor(name string) (*tensor.Dense, error) {
	return nil, fmt.Errorf("nntest: %s has no values", name)
}

// Info describes a tensor.
func (s *Shapes) Info(name string) (weights.Info, error) {
	shape, ok := s.shapes[name]
	if !ok {
		return weights.Info{}, fmt.Errorf("nntest: %s: %w", name, fs.ErrNotExist)
	}
	return weights.Info{DType: weights.F32, Shape: shape}, nil
}
