package nn

import "fmt"

// Scope collects the parameters of a model while its layers are made and gives
// them dotted names, so that one constructor serves training from scratch and
// loading a checkpoint. A Scope allocates nothing: a model's names and shapes
// are to be had without its weights.
type Scope struct {
	prefix string
	params *[]*Param
}

// NewScope returns the root of a model's names.
func NewScope() *Scope { return &Scope{params: new([]*Param)} }

// Sub returns the scope one level below. Elements are joined by dots; numbers
// may be given as such: s.Sub("layer1", 0, "conv1").
func (s *Scope) Sub(elem ...any) *Scope {
	prefix := s.prefix
	for _, e := range elem {
		if prefix != "" {
			prefix += "."
		}
		prefix += fmt.Sprint(e)
	}
	return &Scope{prefix: prefix, params: s.params}
}

// Name is the scope's dotted name.
func (s *Scope) Name() string { return s.prefix }

// Param declares a learnable parameter. The shape is the one in files.
func (s *Scope) Param(name string, init Init, shape ...int) *Param {
	return s.add(name, Learnable, plain, init, shape)
}

func (s *Scope) add(name string, k Kind, l layout, init Init, shape []int) *Param {
	p := &Param{name: s.Sub(name).prefix, shape: shape, kind: k, lay: l, init: init}
	*s.params = append(*s.params, p)
	return p
}

// Params lists what was declared in the scope and all others of its root, in
// the order of declaration.
func (s *Scope) Params() []*Param { return *s.params }
