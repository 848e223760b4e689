package weights

import (
	"slices"

	"gorgonia.org/tensor"
)

// Map is a Source in memory that keeps the order in which tensors were first
// set. The zero value is empty and ready. Reading it from several goroutines is
// safe while nobody sets.
type Map struct {
	names  []string
	byName map[string]*tensor.Dense
}

// NewMap returns an empty Map.
func NewMap() *Map { return &Map{} }

// Set puts a tensor under a name, replacing the one that is there. The Map
// keeps t itself: who changes its elements later changes the Map.
func (m *Map) Set(name string, t *tensor.Dense) {
	if m.byName == nil {
		m.byName = map[string]*tensor.Dense{}
	}
	if _, ok := m.byName[name]; !ok {
		m.names = append(m.names, name)
	}
	m.byName[name] = t
}

// SetFloat32 puts a float32 tensor under a name. data, in row-major order, is
// kept, not copied; its length must be the product of shape.
func (m *Map) SetFloat32(name string, data []float32, shape ...int) error {
	n, negative := 1, false
	for _, d := range shape {
		n *= d
		negative = negative || d < 0
	}
	switch {
	case negative || n != len(data):
		return &Error{Tensor: name, Err: misfit(shape, len(data))}
	case n == 0:
		return &Error{Tensor: name, Err: unsupported("shape %v has no elements, which *tensor.Dense cannot hold", shape)}
	}
	m.Set(name, dense(shape, data))
	return nil
}

// Len is the number of tensors.
func (m *Map) Len() int { return len(m.names) }

// Names lists the tensors in the order in which they were first set.
func (m *Map) Names() []string { return slices.Clone(m.names) }

// Tensor returns a copy of a tensor, in row-major order.
func (m *Map) Tensor(name string) (*tensor.Dense, error) {
	t, ok := m.byName[name]
	if !ok {
		return nil, missing("", name)
	}
	c, err := duplicate(t)
	if err != nil {
		return nil, &Error{Tensor: name, Err: err}
	}
	return c, nil
}

// Info describes a tensor.
func (m *Map) Info(name string) (Info, error) {
	t, ok := m.byName[name]
	if !ok {
		return Info{}, missing("", name)
	}
	info, err := describe(t)
	if err != nil {
		return Info{}, &Error{Tensor: name, Err: err}
	}
	return info, nil
}
