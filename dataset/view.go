package dataset

import (
	"fmt"
	"image"
	"slices"

	"github.com/winnow-go/winnow/transform"
)

// View is a Set of some pictures of another, in an order of its own.
type View struct {
	of    Set
	index []int
}

// Subset is the pictures of set at the indices, in that order; one may occur
// more than once. It keeps indices. An index outside of the set is an error.
func Subset(set Set, indices []int) (*View, error) {
	for _, i := range indices {
		if i < 0 || i >= set.Len() {
			return nil, fmt.Errorf("dataset: subset: index %d of %d pictures", i, set.Len())
		}
	}
	return &View{set, indices}, nil
}

// Len is the number of pictures in the view.
func (v *View) Len() int { return len(v.index) }

// Classes are those of the set below, also where a class has no picture here.
func (v *View) Classes() []string { return v.of.Classes() }

// Label is that of the set below.
func (v *View) Label(i int) int { return v.of.Label(v.index[i]) }

// Name is that of the set below.
func (v *View) Name(i int) string { return v.of.Name(v.index[i]) }

// Image is that of the set below.
func (v *View) Image(i int) (image.Image, error) { return v.of.Image(v.index[i]) }

// Source is the set below and the place of picture i in it.
func (v *View) Source(i int) (Set, int) { return v.of, v.index[i] }

func (v *View) pixels(i int, c *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	return pixels(v.of, v.index[i], c, buf)
}

// Joined is several sets, one after the other.
type Joined struct {
	sets  []Set
	start []int // of each set, and the end
}

// Concat joins sets that have the same classes in the same order; others are
// an error.
func Concat(sets ...Set) (*Joined, error) {
	j := &Joined{sets: sets, start: []int{0}}
	for i, s := range sets {
		if !slices.Equal(s.Classes(), sets[0].Classes()) {
			return nil, fmt.Errorf("dataset: concat: set %d has classes %q, set 0 has %q", i, s.Classes(), sets[0].Classes())
		}
		j.start = append(j.start, j.start[i]+s.Len())
	}
	return j, nil
}

// Len is the sum of the sets' lengths.
func (j *Joined) Len() int { return j.start[len(j.sets)] }

// Classes are those of every set; none without sets.
func (j *Joined) Classes() []string {
	if len(j.sets) == 0 {
		return nil
	}
	return j.sets[0].Classes()
}

func (j *Joined) at(i int) (Set, int) {
	if i < 0 || i >= j.Len() {
		panic(fmt.Sprintf("dataset: index %d of %d pictures", i, j.Len()))
	}
	k, found := slices.BinarySearch(j.start, i)
	if !found {
		k--
	}
	for j.start[k+1] == j.start[k] { // empty sets begin at the same place
		k++
	}
	return j.sets[k], i - j.start[k]
}

// Label is that of the set that picture i comes from.
func (j *Joined) Label(i int) int { s, k := j.at(i); return s.Label(k) }

// Name is that of the set that picture i comes from.
func (j *Joined) Name(i int) string { s, k := j.at(i); return s.Name(k) }

// Image is that of the set that picture i comes from.
func (j *Joined) Image(i int) (image.Image, error) { s, k := j.at(i); return s.Image(k) }

func (j *Joined) pixels(i int, c *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	s, k := j.at(i)
	return pixels(s, k, c, buf)
}
