package label

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Prediction is what a classifier says about one image. As JSON it is
// {"class","index","prob","known"}.
type Prediction struct {
	Class string  `json:"class"` // the most likely class; of equals, the one with the lowest index
	Index int     `json:"index"` // its place in the model's Classes
	Prob  float64 `json:"prob"`  // its probability, from 0 to 1
	// Known is false if the image was refused as unlike what the model was
	// taught. Class is the most likely class even then. A model that
	// cannot refuse calls everything known.
	Known bool `json:"known"`

	classes Classes
	probs   []float64 // [K]
}

// Score is a class with its probability.
type Score struct {
	Class string  `json:"class"`
	Index int     `json:"index"`
	Prob  float64 `json:"prob"`
}

// Predict makes a Prediction from the probabilities of all classes, which it
// keeps: the caller must not change either slice afterwards. It is an error if
// there are no classes, if the lengths differ, or if a probability is NaN, less
// than 0 or infinite. That they add up to 1 is not checked.
func Predict(classes Classes, probs []float64, known bool) (Prediction, error) {
	if len(classes) == 0 || len(classes) != len(probs) {
		return Prediction{}, fmt.Errorf("label: %d probabilities for %d classes", len(probs), len(classes))
	}
	if err := check(classes, probs); err != nil {
		return Prediction{}, err
	}
	best := 0
	for i, p := range probs {
		if p > probs[best] {
			best = i
		}
	}
	return Prediction{
		Class: classes[best], Index: best, Prob: probs[best], Known: known,
		classes: classes, probs: probs,
	}, nil
}

func check(classes Classes, probs []float64) error {
	for i, p := range probs {
		if !(p >= 0) || math.IsInf(p, 1) {
			return fmt.Errorf("label: the probability of class %q is %v", classes[i], p)
		}
	}
	return nil
}

// Top returns the k most likely classes, likeliest first, equals by their
// index; all of them if k is more than there are, none if k is 0 or less. A
// Prediction that was not made by Predict, such as one read from JSON, knows
// only its own class.
func (p Prediction) Top(k int) []Score {
	n := min(max(k, 0), len(p.probs))
	if p.probs == nil && p.Class != "" && k > 0 {
		return []Score{{p.Class, p.Index, p.Prob}}
	}
	order := make([]int, len(p.probs))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.probs[b], p.probs[a]), cmp.Compare(a, b))
	})
	top := make([]Score, n)
	for i := range top {
		j := order[i]
		top[i] = Score{p.classes[j], j, p.probs[j]}
	}
	return top
}

// Probs returns the probabilities of all classes, as a copy; nil if the
// Prediction was not made by Predict.
func (p Prediction) Probs() []float64 { return slices.Clone(p.probs) }
