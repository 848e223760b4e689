package dataset

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/winnow-go/winnow/internal/rng"
)

// Stratified divides set at random so that the second part has the given share
// of the pictures, 0 to 1, and every class close to that share of its own: the
// numbers are rounded so that the whole is round(share * Len), by the largest
// remainder. While it can, it leaves every class at least one picture in the
// first part. Pictures without a label are a class of their own.
//
// The parts are disjoint, together the whole, and keep the order of set. Equal
// seeds give equal parts.
func Stratified(set Set, share float64, seed uint64) (first, second *View, err error) {
	if !(share >= 0 && share <= 1) {
		return nil, nil, fmt.Errorf("dataset: split: share %v is not in [0, 1]", share)
	}
	first, second = stratified(set, int(math.Round(share*float64(set.Len()))), seed)
	return first, second, nil
}

// HoldOut takes pictures out of a training set, for choosing between models
// and for calibration: 5%, at least 300, never more than a fifth; divided like
// [Stratified]. A set of fewer than five pictures is [ErrTooFew].
func HoldOut(set Set, seed uint64) (train, held *View, err error) {
	n := set.Len()
	if n < 5 {
		return nil, nil, fmt.Errorf("%w to hold some out: %d, want at least 5", ErrTooFew, n)
	}
	take := min(max((n+19)/20, 300), n/5)
	train, held = stratified(set, take, seed)
	return train, held, nil
}

// Limit is at most n pictures of set, its classes in proportion, in the order
// of set. A set that has no more is returned as a whole.
func Limit(set Set, n int, seed uint64) *View {
	_, kept := stratified(set, min(max(n, 0), set.Len()), seed)
	return kept
}

// stratified puts take pictures into second, 0 <= take <= Len.
func stratified(set Set, take int, seed uint64) (first, second *View) {
	byLabel := map[int][]int{}
	for i := range set.Len() {
		l := set.Label(i)
		byLabel[l] = append(byLabel[l], i)
	}
	type class struct {
		label, quota int
		rest         float64
	}
	classes := make([]class, 0, len(byLabel))
	total := 0
	for l, members := range byLabel {
		exact := float64(len(members)) * float64(take) / float64(max(set.Len(), 1))
		c := class{label: l, quota: int(exact)}
		c.rest = exact - float64(c.quota)
		total += c.quota
		classes = append(classes, c)
	}
	slices.SortFunc(classes, func(a, b class) int {
		if c := cmp.Compare(b.rest, a.rest); c != 0 {
			return c
		}
		return cmp.Compare(a.label, b.label)
	})
	// The largest remainders get one more; a class gives its last picture
	// away only when all others have given theirs.
	for leave := 1; leave >= 0 && total < take; leave-- {
		for changed := true; changed && total < take; {
			changed = false
			for i := range classes {
				c := &classes[i]
				if total < take && c.quota+leave < len(byLabel[c.label]) {
					c.quota++
					total++
					changed = true
				}
			}
		}
	}
	chosen := make([]bool, set.Len())
	for _, c := range classes {
		members := byLabel[c.label]
		r := rng.New(seed, rng.Split, uint64(c.label+1))
		for k, j := range r.Perm(len(members)) {
			if k == c.quota {
				break
			}
			chosen[members[j]] = true
		}
	}
	first, second = &View{of: set}, &View{of: set}
	for i, c := range chosen {
		if c {
			second.index = append(second.index, i)
		} else {
			first.index = append(first.index, i)
		}
	}
	return first, second
}
