package label_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/label"
)

func TestClassesAreNamedAndUnique(t *testing.T) {
	for _, c := range []struct {
		names []string
		says  string // what the error says; "" for none
	}{
		{[]string{"cat"}, ""},
		{[]string{"cat", "Cat", "cat "}, ""},
		{[]string{"chat noir", "猫"}, ""},
		{nil, "none"},
		{[]string{"cat", ""}, "class 1 has no name"},
		{[]string{"cat", "dog", "cat"}, `classes 0 and 2 are both called "cat"`},
		{[]string{"\xff"}, "UTF-8"},
	} {
		_, err := label.NewClasses(c.names...)
		if (err == nil) != (c.says == "") || err != nil && (!errors.Is(err, label.ErrClasses) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%q: %v", c.names, err)
		}
	}
}

func TestClassesAreACopyInOrder(t *testing.T) {
	names := []string{"b", "a"}
	c, err := label.NewClasses(names...)
	if err != nil {
		t.Fatal(err)
	}
	names[0] = "x"
	if !slices.Equal(c, []string{"b", "a"}) || !c.Equal(label.Classes{"b", "a"}) || c.Equal(label.Classes{"a", "b"}) {
		t.Errorf("classes %q", c)
	}
	if i, ok := c.Index("a"); i != 1 || !ok {
		t.Errorf("a is at %d, %v", i, ok)
	}
	if _, ok := c.Index("x"); ok {
		t.Error("found what is not there")
	}
}
