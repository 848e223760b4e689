package dataset

import (
	"slices"
	"testing"
)

func TestRelabelChangesNothingButLabels(t *testing.T) {
	set := labelled(t, 2, 3)
	labels := []int{2, -1, 0, 1, 1}
	r, err := Relabel(set, []string{"x", "y", "z"}, labels)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(Labels(r), labels) || len(r.Classes()) != 3 || r.Len() != set.Len() {
		t.Errorf("labels %v of %v", Labels(r), r.Classes())
	}
	for i := range labels {
		if r.Name(i) != set.Name(i) {
			t.Errorf("picture %d is %s, was %s", i, r.Name(i), set.Name(i))
		}
	}
	for _, bad := range [][]int{{0}, {0, 0, 0, 0, 3}, {-2, 0, 0, 0, 0}} {
		if _, err := Relabel(set, []string{"x", "y", "z"}, bad); err == nil {
			t.Errorf("%v: no error", bad)
		}
	}
}
