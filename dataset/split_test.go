package dataset

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/transform"
)

// labelled is a set of pictures with these numbers per class, shuffled.
func labelled(t testing.TB, counts ...int) Set {
	t.Helper()
	var items []Item
	for l, n := range counts {
		for range n {
			items = append(items, Item{Label: l, Data: []byte{1}})
		}
	}
	rng.New(1, rng.Test).Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
	s, err := NewMemory(numbers(len(counts)), items, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkParts(t *testing.T, set Set, first, second *View) {
	t.Helper()
	if !slices.IsSorted(first.index) || !slices.IsSorted(second.index) {
		t.Fatal("a part is out of order")
	}
	all := slices.Concat(first.index, second.index)
	slices.Sort(all)
	if len(all) != set.Len() || len(slices.Compact(all)) != set.Len() {
		t.Fatalf("%d and %d of %d pictures", first.Len(), second.Len(), set.Len())
	}
}

func TestStratifiedKeepsSharesOfClasses(t *testing.T) {
	r := rng.New(7, rng.Test)
	for range 200 {
		counts := make([]int, 1+r.IntN(6))
		for i := range counts {
			counts[i] = 1 + r.IntN(40)
		}
		set := labelled(t, counts...)
		share := r.Float64()
		seed := r.Uint64()
		first, second, err := Stratified(set, share, seed)
		if err != nil {
			t.Fatal(err)
		}
		checkParts(t, set, first, second)
		want := int(math.Round(share * float64(set.Len())))
		if second.Len() != want {
			t.Fatalf("share %v of %d: %d, want %d", share, set.Len(), second.Len(), want)
		}
		lacking := 0
		for l, n := range Counts(second) {
			exact := float64(want) * float64(counts[l]) / float64(set.Len())
			if n == counts[l] && counts[l] > 0 {
				lacking++
			}
			// A class may have to give up its rounding for one that has a
			// single picture, so up to one more per class.
			if d := float64(n) - exact; d <= -1 || d >= 1+float64(len(counts)) {
				t.Fatalf("class %d of %v gives %d, exactly %v", l, counts, n, exact)
			}
		}
		if lacking > 0 && first.Len() >= len(counts) {
			full := 0
			for _, n := range Counts(first) {
				if n > 1 {
					full++
				}
			}
			if full > 0 {
				// Only rounding may not take a last picture; the share of a
				// class itself may, when it is the whole class.
				for l, n := range Counts(second) {
					exact := int(float64(want) * float64(counts[l]) / float64(set.Len()))
					if n == counts[l] && exact < n {
						t.Fatalf("class %d of %v gave its last picture, others have more", l, counts)
					}
				}
			}
		}
		a, b, err := Stratified(set, share, seed)
		if err != nil || !reflect.DeepEqual(a.index, first.index) || !reflect.DeepEqual(b.index, second.index) {
			t.Fatal("the same seed gives other parts")
		}
	}
}

func TestSplitsDependOnTheSeed(t *testing.T) {
	set := labelled(t, 50, 50)
	_, a, _ := Stratified(set, 0.2, 1)
	_, b, _ := Stratified(set, 0.2, 2)
	if reflect.DeepEqual(a.index, b.index) {
		t.Error("two seeds give the same part")
	}
	for _, share := range []float64{-0.1, 1.1, math.NaN()} {
		if _, _, err := Stratified(set, share, 1); err == nil {
			t.Errorf("share %v", share)
		}
	}
	first, second, err := Stratified(labelled(t), 0.5, 1)
	if err != nil || first.Len() != 0 || second.Len() != 0 {
		t.Errorf("of nothing: %v", err)
	}
}

func TestHoldOutTakesWhatItPromises(t *testing.T) {
	for n, want := range map[int]int{5: 1, 100: 20, 1000: 200, 1500: 300, 3000: 300, 6000: 300, 6001: 301, 60000: 3000} {
		set := labelled(t, n/2, n-n/2)
		train, held, err := HoldOut(set, 9)
		if err != nil {
			t.Fatal(err)
		}
		checkParts(t, set, train, held)
		if held.Len() != want {
			t.Errorf("of %d: %d, want %d", n, held.Len(), want)
		}
		if c := Counts(held); abs(c[0]-c[1]) > 1 {
			t.Errorf("of %d: classes %v", n, c)
		}
	}
	if _, _, err := HoldOut(labelled(t, 2, 2), 1); !errors.Is(err, ErrTooFew) {
		t.Errorf("of four: %v", err)
	}
}

func abs(x int) int { return max(x, -x) }

func TestLimitKeepsProportions(t *testing.T) {
	set := labelled(t, 100, 50, 10)
	for n, want := range map[int][]int{-1: {0, 0, 0}, 0: {0, 0, 0}, 16: {10, 5, 1}, 160: {100, 50, 10}, 1000: {100, 50, 10}} {
		if got := Counts(Limit(set, n, 4)); !reflect.DeepEqual(got, want) {
			t.Errorf("%d: %v, want %v", n, got, want)
		}
	}
}
