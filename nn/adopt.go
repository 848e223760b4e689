package nn

import "slices"

// Adopt lists parameters that were declared elsewhere, such as those of a model
// that becomes the trunk of another one, below s: their names get its prefix.
// Parameters of which omit says so stay out and keep their names; nil omits
// none. A parameter belongs to one model: what was adopted is not to be used
// under its old names.
func (s *Scope) Adopt(params []*Param, omit func(name string) bool) {
	for _, p := range params {
		if omit != nil && omit(p.name) || slices.Contains(*s.params, p) {
			continue
		}
		p.name = s.Sub(p.name).prefix
		*s.params = append(*s.params, p)
	}
}
