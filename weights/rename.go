package weights

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/tensor"
)

// Rename shows src under other names, in the same order. to maps an old name to
// the new one, or to "" to drop it. It is called once for each name, now;
// tensors are read when they are asked for.
//
// If two names become one, that name is listed once and asking for its tensor
// is an error that names both.
func Rename(src Source, to func(name string) string) Source {
	v := &view{of: []Source{src}}
	for _, old := range src.Names() {
		if name := to(old); name != "" {
			v.add(name, origin{src, old, nil})
		}
	}
	return v
}

// Strip removes a prefix from the names that have it and leaves the others as
// they are: Strip(src, "module.").
func Strip(src Source, prefix string) Source {
	return Rename(src, func(name string) string { return strings.TrimPrefix(name, prefix) })
}

// Under shows only the tensors whose names begin with prefix, without it:
// Under(src, "visual.").
func Under(src Source, prefix string) Source {
	return Rename(src, func(name string) string {
		rest, _ := strings.CutPrefix(name, prefix)
		if rest == name && prefix != "" {
			return ""
		}
		return rest
	})
}

// Omit drops the tensors whose names begin with one of prefixes:
// Omit(pretrained, "head.").
func Omit(src Source, prefixes ...string) Source {
	return Rename(src, func(name string) string {
		for _, p := range prefixes {
			if strings.HasPrefix(name, p) {
				return ""
			}
		}
		return name
	})
}

// Join shows several sources as one, one after the other. A name that two of
// them have is listed once and asking for its tensor is an error.
func Join(sources ...Source) Source {
	v := &view{of: sources}
	for _, src := range sources {
		for _, name := range src.Names() {
			v.add(name, origin{src, name, nil})
		}
	}
	return v
}

// view is a Source made of others.
type view struct {
	of    []Source
	names []string
	from  map[string]origin
}

type origin struct {
	src  Source
	name string
	err  error // why the tensor cannot be had
}

func (v *view) add(name string, o origin) {
	if v.from == nil {
		v.from = map[string]origin{}
	}
	if first, twice := v.from[name]; twice {
		if first.err == nil {
			first.err = &Error{Tensor: name, Err: fmt.Errorf("ambiguous: %s and %s both have this name", quote(first.name), quote(o.name))}
		}
		o = first
	} else {
		v.names = append(v.names, name)
	}
	v.from[name] = o
}

func (v *view) find(name string) (origin, error) {
	o, ok := v.from[name]
	if !ok {
		return o, missing("", name)
	}
	return o, o.err
}

func (v *view) Names() []string { return slices.Clone(v.names) }

func (v *view) Tensor(name string) (*tensor.Dense, error) {
	o, err := v.find(name)
	if err != nil {
		return nil, err
	}
	return o.src.Tensor(o.name)
}

func (v *view) Info(name string) (Info, error) {
	o, err := v.find(name)
	if err != nil {
		return Info{}, err
	}
	return Describe(o.src, o.name)
}

func (v *view) Float32(name string, dst []float32) error {
	o, err := v.find(name)
	if err != nil {
		return err
	}
	return Float32(o.src, o.name, dst)
}
