package weights_test

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

func named(names ...string) *weights.Map {
	m := weights.NewMap()
	for i, name := range names {
		m.SetFloat32(name, []float32{float32(i)}, 1)
	}
	return m
}

func TestSourcesOfSourcesShowTheRightNamesAndTensors(t *testing.T) {
	base := func() weights.Source { return named("module.a.w", "module.a.b", "module.head.w", "other") }
	for _, c := range []struct {
		name string
		src  weights.Source
		want []string
		at   []float32
	}{
		{"Strip", weights.Strip(base(), "module."), []string{"a.w", "a.b", "head.w", "other"}, []float32{0, 1, 2, 3}},
		{"Under", weights.Under(base(), "module."), []string{"a.w", "a.b", "head.w"}, []float32{0, 1, 2}},
		{"Under nothing", weights.Under(base(), ""), []string{"module.a.w", "module.a.b", "module.head.w", "other"}, []float32{0, 1, 2, 3}},
		{"Omit", weights.Omit(base(), "module.head.", "oth"), []string{"module.a.w", "module.a.b"}, []float32{0, 1}},
		{"Omit nothing", weights.Omit(base()), []string{"module.a.w", "module.a.b", "module.head.w", "other"}, []float32{0, 1, 2, 3}},
		{"Rename", weights.Rename(base(), func(name string) string {
			if name == "other" {
				return ""
			}
			return strings.ToUpper(name)
		}), []string{"MODULE.A.W", "MODULE.A.B", "MODULE.HEAD.W"}, []float32{0, 1, 2}},
		{"nested", weights.Omit(weights.Strip(base(), "module."), "head."), []string{"a.w", "a.b", "other"}, []float32{0, 1, 3}},
		{"Join", weights.Join(named("x"), weights.Under(base(), "module.a.")), []string{"x", "w", "b"}, []float32{0, 0, 1}},
		{"Join of nothing", weights.Join(), nil, nil},
	} {
		if err := weightstest.Source(c.src); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if got := c.src.Names(); !slices.Equal(got, c.want) {
			t.Errorf("%s: names %q, want %q", c.name, got, c.want)
			continue
		}
		for i, name := range c.want {
			var v [1]float32
			if err := weights.Float32(c.src, name, v[:]); err != nil || v[0] != c.at[i] {
				t.Errorf("%s: %s is %v, want %v (%v)", c.name, name, v[0], c.at[i], err)
			}
		}
	}
	if _, err := weights.Omit(base(), "other").Tensor("other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an omitted tensor: %v", err)
	}
}

func TestTwoTensorsOfOneNameAreAmbiguous(t *testing.T) {
	same := weights.Rename(named("a", "b", "c"), func(name string) string { return strings.Replace(name, "b", "a", 1) })
	if got := same.Names(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("names %q", got)
	}
	if _, err := same.Tensor("a"); err == nil || errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"b"`) {
		t.Errorf("error %v", err)
	}
	if err := weights.Float32(same, "a", make([]float32, 1)); err == nil {
		t.Error("Float32 chose one")
	}
	if _, err := weights.Describe(same, "a"); err == nil {
		t.Error("Describe chose one")
	}
	if _, err := same.Tensor("c"); err != nil {
		t.Error(err)
	}
}

func TestMapKeepsOrderAndReplaces(t *testing.T) {
	m := named("b", "a")
	m.SetFloat32("b", []float32{9, 9}, 2)
	if got := m.Names(); m.Len() != 2 || !slices.Equal(got, []string{"b", "a"}) {
		t.Errorf("names %q", got)
	}
	var v [2]float32
	if err := weights.Float32(m, "b", v[:]); err != nil || v[0] != 9 {
		t.Errorf("b is %v (%v)", v, err)
	}
	if err := m.SetFloat32("c", []float32{1, 2, 3}, 2); err == nil || !strings.Contains(err.Error(), `"c"`) {
		t.Errorf("three elements for shape [2]: %v", err)
	}
	if err := m.SetFloat32("c", nil, 0, 2); !errors.Is(err, weights.ErrUnsupported) {
		t.Errorf("no elements: %v", err)
	}
	if err := m.SetFloat32("d", []float32{1, 2}, -1, -2); err == nil {
		t.Error("negative dimensions are accepted")
	}
	if err := m.SetFloat32("s", []float32{5}); err != nil {
		t.Errorf("a scalar: %v", err)
	}
	if err := weightstest.Source(m); err != nil {
		t.Error(err)
	}
}

// closing is a Source that counts how often it is closed.
type closing struct {
	*weights.Map
	times int
}

func (c *closing) Close() error { c.times++; return nil }

func TestCloseReachesWhatASourceIsMadeOf(t *testing.T) {
	a, b := &closing{Map: named("a")}, &closing{Map: named("b")}
	if err := weights.Close(weights.Join(weights.Strip(a, "x"), weights.Omit(b))); err != nil || a.times != 1 || b.times != 1 {
		t.Errorf("closed %d and %d times (%v)", a.times, b.times, err)
	}
	if err := weights.Close(named("c")); err != nil {
		t.Error(err)
	}
}
