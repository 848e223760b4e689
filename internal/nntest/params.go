package nntest

import (
	"slices"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

// SameParams compares two models' parameters: order, names, shapes, kinds.
func SameParams(t *testing.T, got, want nn.Model) {
	t.Helper()
	a, b := got.Params(), want.Params()
	if len(a) != len(b) {
		t.Errorf("%d parameters, want %d", len(a), len(b))
	}
	for i := range min(len(a), len(b)) {
		if a[i].Name() != b[i].Name() || !slices.Equal(a[i].Shape(), b[i].Shape()) || a[i].Kind() != b[i].Kind() {
			t.Fatalf("parameter %d is %s %v, want %s %v", i, a[i].Name(), a[i].Shape(), b[i].Name(), b[i].Shape())
		}
	}
}
