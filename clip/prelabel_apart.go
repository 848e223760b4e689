package clip

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Pair are two classes that their prompts do not tell apart.
type Pair struct {
	A string `json:"a"`
	B string `json:"b"`
	// Apart is the share of pairs of pictures, one of each class, in which the
	// picture of A leans more to A, and away from B, than the other does: 1
	// where the prompts tell the two apart, 0.5 where they say nothing, less
	// where they say the opposite. It is the area under the ROC curve of the
	// difference between the two cosines, so it does not matter which of the
	// two is named more often.
	Apart float64 `json:"apart"`
	Text  float64 `json:"text"` // cosine between the two descriptions
}

// apartEnough is the least Pair.Apart of prompts that are fit for use. Those of
// trained models for things that look alike have 0.85 and more.
const apartEnough = 0.8

// Inseparable lists the pairs of classes that their prompts do not tell apart in
// the sample, the worst first: those whose share of right orders, with what
// chance may add to it at the sample's size (1.64 standard deviations, Mann and
// Whitney 1947), stays below 0.8. A few pictures of a class say nothing about it.
func (s *Sample) Inseparable() []Pair {
	z, k := s.z, len(s.z.classes)
	of := make([][][]float64, k) // by class: unit vectors of its pictures
	for i, j := range s.Judged {
		if j.Label >= 0 {
			v := widen(s.embeddings[i])
			unit(v) // it was possible before
			of[j.Label] = append(of[j.Label], v)
		}
	}
	var out []Pair
	lean := make([]float64, z.dim) // from B's description to A's
	leaning := func(pictures [][]float64) []float64 {
		values := make([]float64, len(pictures))
		for i, v := range pictures {
			for d, x := range lean {
				values[i] += float64(x * v[d])
			}
		}
		slices.Sort(values)
		return values
	}
	for a := range k {
		for b := a + 1; b < k; b++ {
			m, n := float64(len(of[a])), float64(len(of[b]))
			limit := apartEnough - 1.64*math.Sqrt((m+n+1)/(12*m*n))
			if !(limit > 0) { // nor where one has no pictures
				continue
			}
			for d := range lean {
				lean[d] = z.text[a*z.dim+d] - z.text[b*z.dim+d]
			}
			if apart := above(leaning(of[a]), leaning(of[b])); apart < limit {
				out = append(out, Pair{z.classes[a], z.classes[b], apart, z.alike(a, b)})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Pair) int { return cmp.Compare(a.Apart, b.Apart) })
	return out
}

// above is the share of pairs in which a value of a is larger than one of b,
// equals counting half. Both are sorted.
func above(a, b []float64) float64 {
	sum, less, most := 0, 0, 0
	for _, v := range a {
		for less < len(b) && b[less] < v {
			less++
		}
		for most < len(b) && b[most] <= v {
			most++
		}
		sum += less + most
	}
	return float64(sum) / float64(2*len(a)*len(b))
}

// String says that the two cannot be told apart.
func (p Pair) String() string {
	return fmt.Sprintf("the prompts of %q and %q cannot be told apart: given a picture of each they say which is which in %.0f%% of cases (guessing: 50%%; cosine of their descriptions %.2f)", p.A, p.B, 100*p.Apart, p.Text)
}
