package nn

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

// LoadOptions say what Load accepts.
type LoadOptions struct {
	// Partial lets parameters that the source lacks keep their values; they
	// must have some (see Initialize). Without it a source must be complete,
	// but for counters.
	Partial bool
}

// LoadError lists how a source does not fit a model.
type LoadError struct {
	Missing    []string // parameters of the model that the source lacks
	Unexpected []string // tensors of the source that the model lacks
	Misshaped  []string // name, shape in the source, shape in the model
}

func (e *LoadError) Error() string {
	var parts []string
	for _, l := range []struct {
		what  string
		names []string
	}{{"missing", e.Missing}, {"unexpected", e.Unexpected}, {"wrong shape", e.Misshaped}} {
		if n := len(l.names); n > 0 {
			show := l.names[:min(n, 8)]
			more := ""
			if n > len(show) {
				more = fmt.Sprintf(" and %d more", n-len(show))
			}
			parts = append(parts, fmt.Sprintf("%d %s: %s%s", n, l.what, strings.Join(show, ", "), more))
		}
	}
	return "nn: the weights do not fit the model: " + strings.Join(parts, "; ")
}

// Load copies the tensors of src into the parameters of the same names. Shapes
// must agree up to axes of length 1, so that [O,I,1,1] loads into [O,I]. Extra
// tensors are errors. If Load fails the model is unchanged, except where
// reading src fails half-way.
func Load(m Model, src weights.Source, o LoadOptions) error {
	have := map[string]bool{}
	for _, name := range src.Names() {
		have[name] = true
	}
	var bad LoadError
	type job struct {
		p *Param
		d *tensor.Dense
	}
	shapes, _ := src.(interface {
		Info(name string) (weights.Info, error)
	})
	var jobs []*Param
	for _, p := range m.Params() {
		if !have[p.name] {
			if p.kind != Counter && !(o.Partial && p.data != nil) {
				bad.Missing = append(bad.Missing, p.name)
			}
			continue
		}
		delete(have, p.name)
		if shapes != nil {
			if info, err := shapes.Info(p.name); err == nil && !sameShape(info.Shape, p.shape) {
				bad.Misshaped = append(bad.Misshaped, misshaped(p, info.Shape))
				continue
			}
		}
		jobs = append(jobs, p)
	}
	for _, name := range src.Names() {
		if have[name] {
			bad.Unexpected = append(bad.Unexpected, name)
		}
	}
	if bad.some() {
		return &bad
	}
	var ready []job
	for _, p := range jobs {
		d, err := src.Tensor(p.name)
		if err != nil {
			return fmt.Errorf("nn: load %s: %w", p.name, err)
		}
		if !sameShape(d.Shape(), p.shape) {
			bad.Misshaped = append(bad.Misshaped, misshaped(p, d.Shape()))
			continue
		}
		if shapes != nil {
			if err := p.set(d); err != nil {
				return err
			}
			continue
		}
		ready = append(ready, job{p, d})
	}
	if bad.some() {
		return &bad
	}
	for _, j := range ready {
		if err := j.p.set(j.d); err != nil {
			return err
		}
	}
	return nil
}

func (e *LoadError) some() bool {
	return len(e.Missing)+len(e.Unexpected)+len(e.Misshaped) > 0
}

func misshaped(p *Param, shape []int) string {
	return fmt.Sprintf("%s is %v, the model wants %v", p.name, shape, p.shape)
}

// sameShape compares shapes without their axes of length 1.
func sameShape(a, b []int) bool {
	one := func(d int) bool { return d == 1 }
	return slices.Equal(slices.DeleteFunc(slices.Clone(a), one), slices.DeleteFunc(slices.Clone(b), one))
}

// set takes the values of d, which has as many elements.
func (p *Param) set(d *tensor.Dense) error {
	if p.kind == Counter {
		n, err := d.At(make([]int, d.Dims())...)
		if d.IsScalar() {
			n, err = d.ScalarValue(), nil
		}
		if v, ok := n.(int64); ok && err == nil {
			p.count = v
			return nil
		}
		return fmt.Errorf("nn: load %s: counter of type %v, want int64", p.name, d.Dtype())
	}
	switch v := d.Data().(type) {
	case []float32:
		p.fromFile(v)
	case []float64:
		f := make([]float32, len(v))
		for i, x := range v {
			f[i] = float32(x)
		}
		p.fromFile(f)
	case float32: // scalars
		p.fromFile([]float32{v})
	case float64:
		p.fromFile([]float32{float32(v)})
	default:
		return fmt.Errorf("nn: load %s: tensor of %v, want float32 or float64", p.name, d.Dtype())
	}
	return nil
}

// Clone returns the values of m's parameters at this moment as a source that
// later changes of m do not reach.
func Clone(m Model) (*weights.Map, error) {
	c := weights.NewMap()
	for _, p := range m.Params() {
		d, err := p.Tensor()
		if err != nil {
			return nil, err
		}
		c.Set(p.name, d)
	}
	return c, nil
}
