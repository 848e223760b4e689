package label_test

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/label"
)

func TestFoldAddsUpFinerClasses(t *testing.T) {
	f, err := label.NewFold(animals, map[string]string{"otter": "swimmer", "cat": "pet", "dog": "pet", "seal": "swimmer"})
	if err != nil {
		t.Fatal(err)
	}
	if !f.Coarse().Equal(label.Classes{"pet", "swimmer"}) || !f.Fine().Equal(animals) || f.Index(3) != 1 {
		t.Errorf("coarse %q, fine %q", f.Coarse(), f.Fine())
	}
	// The likeliest fine class is otter, the likeliest coarse one pet.
	p, err := label.Predict(animals, []float64{0.25, 0.3125, 0.375, 0.0625}, false)
	if err != nil {
		t.Fatal(err)
	}
	q, err := f.Apply(p)
	if err != nil || p.Class != "otter" || q.Class != "pet" || q.Prob != 0.5625 || q.Known || !slices.Equal(q.Probs(), []float64{0.5625, 0.4375}) {
		t.Errorf("%+v folds to %+v (%v)", p, q, err)
	}
	if _, err := f.Apply(q); err == nil {
		t.Error("folding what is folded already: no error")
	}
	if _, err := f.Apply(label.Prediction{Class: "cat"}); err == nil {
		t.Error("folding a prediction without probabilities: no error")
	}
	for _, probs := range [][]float64{nil, {1}, {math.NaN(), 0, 0, 1}, {-1, 0, 0, 2}} {
		if _, err := f.Probs(probs); err == nil {
			t.Errorf("folding %v: no error", probs)
		}
	}
}

func TestClassesThatAreNotMentionedStay(t *testing.T) {
	f, err := label.NewFold(animals, map[string]string{"otter": "cat"})
	if err != nil {
		t.Fatal(err)
	}
	sums, err := f.Probs([]float64{0.25, 0.125, 0.5, 0.125})
	if err != nil || !f.Coarse().Equal(label.Classes{"cat", "dog", "seal"}) || !slices.Equal(sums, []float64{0.75, 0.125, 0.125}) {
		t.Errorf("%q %v (%v)", f.Coarse(), sums, err)
	}
}

func TestFoldThatCannotBeIsAnError(t *testing.T) {
	if _, err := label.NewFold(nil, nil); !errors.Is(err, label.ErrClasses) {
		t.Errorf("no classes: %v", err)
	}
	if f, err := label.NewFold(animals, map[string]string{"cat": ""}); !errors.Is(err, label.ErrClasses) || f != nil {
		t.Errorf("a coarse class without a name: %v", err)
	}
	if _, err := label.NewFold(animals, map[string]string{"cow": "pet"}); err == nil {
		t.Error("folding what is no class: no error")
	}
	two := label.Classes{"x", "y"}
	for _, to := range [][]int{nil, {0}, {0, 2}, {0, -1}} {
		if _, err := label.FoldTo(two, two, to); err == nil {
			t.Errorf("folding by %v: no error", to)
		}
	}
	for _, text := range []string{`{}`, `[]`, `{"fine":["a","a"],"coarse":["b"],"to":[0,0]}`, `{"fine":["a"],"coarse":["b"],"to":[7]}`} {
		var f label.Fold
		if err := json.Unmarshal([]byte(text), &f); err == nil {
			t.Errorf("%s: no error", text)
		}
	}
}

func TestFoldTravelsAsJSON(t *testing.T) {
	f, err := label.FoldTo(animals, label.Classes{"fish", "pet", "swimmer"}, []int{1, 1, 2, 2})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(f)
	if want := `{"fine":["cat","dog","otter","seal"],"coarse":["fish","pet","swimmer"],"to":[1,1,2,2]}`; err != nil || string(text) != want {
		t.Fatalf("%s, want %s (%v)", text, want, err)
	}
	var g label.Fold
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	sums, err := g.Probs([]float64{0.5, 0.25, 0.25, 0})
	if err != nil || !slices.Equal(sums, []float64{0, 0.75, 0.25}) {
		t.Errorf("%v (%v)", sums, err)
	}
}
