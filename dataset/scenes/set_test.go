package scenes

import (
	"slices"
	"testing"

	"github.com/winnow-go/winnow/dataset"
)

var _ dataset.Set = (*Set)(nil)

func TestSetCountsItsClasses(t *testing.T) {
	want := []int{3, 3, 3, 3, 3, 3, 3, 3, 3, 3}
	if got := dataset.Counts(mustNew(t, Options{N: 30})); !slices.Equal(got, want) {
		t.Errorf("counts %v, want %v", got, want)
	}
}
