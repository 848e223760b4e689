package label

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
)

// ErrClasses is wrapped by errors about lists of classes that cannot be used.
var ErrClasses = errors.New("invalid classes")

// Classes are the names of K classes in the order of a model's logits. A list
// from NewClasses has passed Check; treat it as read-only.
type Classes []string

// NewClasses copies names into Classes and checks them.
func NewClasses(names ...string) (Classes, error) {
	c := Classes(slices.Clone(names))
	if err := c.Check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Check says what is wrong with the list, wrapping ErrClasses: it is empty, or
// a name is empty, not valid UTF-8 or there twice. Names are compared byte by
// byte.
func (c Classes) Check() error {
	if len(c) == 0 {
		return fmt.Errorf("label: %w: there are none", ErrClasses)
	}
	first := make(map[string]int, len(c))
	for i, name := range c {
		j, twice := first[name]
		switch {
		case name == "":
			return fmt.Errorf("label: %w: class %d has no name", ErrClasses, i)
		case !utf8.ValidString(name):
			return fmt.Errorf("label: %w: the name of class %d, %q, is not valid UTF-8", ErrClasses, i, name)
		case twice:
			return fmt.Errorf("label: %w: classes %d and %d are both called %q", ErrClasses, j, i, name)
		}
		first[name] = i
	}
	return nil
}

// Index finds a class by its name. It looks through the list, in K steps.
func (c Classes) Index(name string) (int, bool) {
	i := slices.Index(c, name)
	return i, i >= 0
}

// Equal reports whether both lists have the same names in the same order.
func (c Classes) Equal(other Classes) bool { return slices.Equal(c, other) }
