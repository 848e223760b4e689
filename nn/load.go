package nn

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/winnow-go/winnow/internal/kernel"
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
// must agree up to axes of length 1, so that [O,I,1,1] loads into [O,I]; values
// are floating point, counters int64. Extra tensors are errors. If Load fails
// the model is unchanged, except where reading src fails half-way although it
// told beforehand (by a method Info, as a file does) what it holds.
func Load(m Model, src weights.Source, o LoadOptions) error {
	have := map[string]bool{}
	for _, name := range src.Names() {
		have[name] = true
	}
	var bad LoadError
	var params []*Param
	for _, p := range m.Params() {
		switch {
		case have[p.name]:
			delete(have, p.name)
			params = append(params, p)
		case p.kind != Counter && !(o.Partial && p.data != nil):
			bad.Missing = append(bad.Missing, p.name)
		}
	}
	for _, name := range src.Names() {
		if have[name] {
			bad.Unexpected = append(bad.Unexpected, name)
		}
	}
	if _, ok := src.(interface {
		Info(name string) (weights.Info, error)
	}); !ok {
		if bad.some() {
			return &bad
		}
		staged := weights.NewMap()
		for _, p := range params {
			d, err := src.Tensor(p.name)
			if err != nil {
				return fmt.Errorf("nn: load %s: %w", p.name, err)
			}
			staged.Set(p.name, d)
		}
		src = staged
	}

	var odd error
	for _, p := range params {
		info, err := weights.Describe(src, p.name)
		switch {
		case err != nil:
			odd = cmp.Or(odd, fmt.Errorf("nn: load %s: %w", p.name, err))
		case !sameShape(info.Shape, p.shape):
			bad.Misshaped = append(bad.Misshaped, fmt.Sprintf("%s is %v, the model wants %v", p.name, info.Shape, p.shape))
		case p.kind == Counter && info.DType != weights.I64:
			odd = cmp.Or(odd, fmt.Errorf("nn: load %s: counter of type %s, want %s", p.name, info.DType, weights.I64))
		case p.kind != Counter && !info.DType.Float():
			odd = cmp.Or(odd, fmt.Errorf("nn: load %s: values of type %s, want floating point", p.name, info.DType))
		}
	}
	if bad.some() {
		return &bad
	}
	if odd != nil {
		return odd
	}
	return readAll(src, params)
}

// readAll reads parameters in parallel: sources allow it, and half of the time
// goes into touching new memory.
func readAll(src weights.Source, params []*Param) error {
	var (
		next  atomic.Int64
		wg    sync.WaitGroup
		first error
		once  sync.Once
	)
	for range min(runtime.GOMAXPROCS(0), 8, len(params)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(params) {
					return
				}
				if err := params[i].read(src); err != nil {
					once.Do(func() { first = fmt.Errorf("nn: load %s: %w", params[i].name, err) })
					next.Store(int64(len(params)))
				}
			}
		})
	}
	wg.Wait()
	return first
}

func (e *LoadError) some() bool {
	return len(e.Missing)+len(e.Unexpected)+len(e.Misshaped) > 0
}

// sameShape compares shapes without their axes of length 1.
func sameShape(a, b []int) bool {
	one := func(d int) bool { return d == 1 }
	return slices.Equal(slices.DeleteFunc(slices.Clone(a), one), slices.DeleteFunc(slices.Clone(b), one))
}

// read takes the parameter's values from src, which was found to fit.
func (p *Param) read(src weights.Source) error {
	if p.kind == Counter {
		d, err := src.Tensor(p.name)
		if err != nil {
			return err
		}
		switch n := d.Data().(type) {
		case int64: // a scalar
			p.count = n
		case []int64:
			p.count = n[0]
		}
		return nil
	}
	values := kernel.Aligned(p.Len())
	if err := weights.Float32(src, p.name, values); err != nil {
		return err
	}
	if p.data == nil && p.sameOrder() {
		p.data = values
	} else {
		p.fromFile(values)
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
