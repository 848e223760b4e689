package clip

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/label"
)

// ErrPrecision is wrapped where no threshold can promise the wanted precision.
var ErrPrecision = errors.New("precision cannot be promised")

// Judged is a prediction about a picture whose class is known.
type Judged struct {
	Prediction
	// Label is the index of the true class, -1 for a picture of no class: any
	// label is wrong for it.
	Label int
}

// FitOptions say which threshold is wanted.
type FitOptions struct {
	// Measure is what the threshold is on; "" is ByProb.
	Measure Measure
	// Precision is the share of kept labels that must be right, in (0,1); 0
	// means 0.95.
	Precision float64
	// Confidence is how likely the promise must be to hold, in [0.5,1); 0
	// means 0.9: of ten samples drawn anew, nine give a threshold that keeps
	// it.
	Confidence float64
	// PerClass fits a threshold for every class, on the pictures of the sample
	// that were taken for it; each is held to the promise on its own, and a
	// class that has too few for it keeps nothing. Otherwise one threshold is
	// fitted on all.
	PerClass bool
	// Reject is taken over into the rules; what it rejects plays no part.
	Reject []Limit
}

// Fit is the outcome of FitThresholds: thresholds, and what they rest on.
type Fit struct {
	Thresholds Thresholds `json:"thresholds"`
	Measure    Measure    `json:"measure"`
	Precision  float64    `json:"precision"`  // as asked for
	Confidence float64    `json:"confidence"` // as asked for
	Groups     []FitGroup `json:"groups"`     // all together, or one for each class
}

// FitGroup is what one threshold was fitted on and does there.
type FitGroup struct {
	Class     string  `json:"class"`     // "" for all together
	N         int     `json:"n"`         // pictures of the sample
	Promised  bool    `json:"promised"`  // a threshold was found
	Threshold float64 `json:"threshold"` // meaningless without Promised, as are Kept and Correct
	Kept      int     `json:"kept"`      // pictures of the sample that reach it
	Correct   int     `json:"correct"`   // of these, labels that are right
	// Lower is the lower Clopper-Pearson bound of the precision, at the
	// confidence asked for. Without Promised it is the highest precision for
	// which the method finds a threshold: what could have been asked for.
	Lower float64 `json:"lower"`
	// Need is the least number of pictures, all right, that would have been
	// enough.
	Need int `json:"need"`
}

func (o FitOptions) defaults() (FitOptions, error) {
	if o.Measure == "" {
		o.Measure = ByProb
	}
	if o.Precision == 0 {
		o.Precision = 0.95
	}
	if o.Confidence == 0 {
		o.Confidence = 0.9
	}
	if err := o.Measure.Check(); err != nil {
		return o, err
	}
	if !(o.Precision > 0 && o.Precision < 1) {
		return o, fmt.Errorf("clip: a precision of %v: it must lie between 0 and 1, which no sample can promise", o.Precision)
	}
	if !(o.Confidence >= 0.5 && o.Confidence < 1) {
		return o, fmt.Errorf("clip: a confidence of %v: it must be 0.5 or more, and less than 1", o.Confidence)
	}
	return o, Rule{Reject: o.Reject}.check()
}

// FitThresholds finds the lowest threshold whose kept labels can be promised to
// be right as often as asked for, from a sample of pictures with known classes.
//
// The sample must be drawn from the pictures to be labelled, at random and
// before anybody looked at scores; the promise is about their like. How many are
// needed: log(1-Confidence)/log(Precision) if all are right, 45 for the defaults,
// a few hundred for a useful share kept. Fewer are an error, not a guess.
//
// Method: pictures are sorted by the measure, the surest first. Keeping the m
// surest, k of them right, is accepted if the one-sided binomial test refutes a
// precision below the one asked for, P(X >= k | m, Precision) <= δ; m grows from
// a start until a test fails. That is fixed-sequence testing with several starts
// (Angelopoulos et al. 2021, arXiv:2110.01052, section 3): starts are at 1, 3, 9,
// ... times the least m that could pass, each with its part of δ =
// 1-Confidence, and the lowest threshold that was accepted is taken. Pictures
// with equal values are kept or not together. Searching for the lowest
// threshold whose plain estimate is good enough, as is usual, misses the
// promise in every second sample or more.
//
// An error wraps ErrPrecision if nothing can be promised, and comes with the Fit
// that says why: its thresholds keep nothing. With PerClass that is so if no
// class can be promised anything. Labels outside -1..K-1 and values that are NaN
// are other errors.
func FitThresholds(classes label.Classes, sample []Judged, o FitOptions) (*Fit, error) {
	o, err := o.defaults()
	if err != nil {
		return nil, err
	}
	f := &Fit{Measure: o.Measure, Precision: o.Precision, Confidence: o.Confidence}
	f.Thresholds.Reject = o.Reject
	groups := make([][]outcome, 1)
	names := []string{""}
	if o.PerClass {
		groups, names = make([][]outcome, len(classes)), classes
		f.Thresholds.PerClass = map[string]Rule{}
	}
	for i, j := range sample {
		v := o.Measure.sure(o.Measure.Of(j.Prediction))
		switch {
		case j.Label < -1 || j.Label >= len(classes):
			return nil, fmt.Errorf("clip: fitting thresholds: picture %d of the sample has label %d of %d classes", i, j.Label, len(classes))
		case j.Index < 0 || j.Index >= len(classes):
			return nil, fmt.Errorf("clip: fitting thresholds: picture %d of the sample is predicted as class %d of %d", i, j.Index, len(classes))
		case math.IsNaN(v):
			return nil, fmt.Errorf("clip: fitting thresholds: the %s of picture %d is not a number", o.Measure, i)
		}
		if (Rule{Reject: o.Reject}).Verdict(j.Prediction) == Reject {
			continue
		}
		g := 0
		if o.PerClass {
			g = j.Index
		}
		groups[g] = append(groups[g], outcome{v, j.Label == j.Index})
	}
	for i, outcomes := range groups {
		g := search(outcomes, o)
		g.Class = names[i]
		rule := Rule{Reject: o.Reject}
		if g.Promised {
			g.Threshold = o.Measure.sure(g.Threshold) // turned back
			rule.Keep = []Limit{{o.Measure, g.Threshold}}
		}
		if o.PerClass {
			f.Thresholds.PerClass[names[i]] = rule
		} else {
			f.Thresholds.Rule = rule
		}
		f.Groups = append(f.Groups, g)
	}
	if !f.promised() {
		return f, fmt.Errorf("clip: fitting thresholds: %s: %w", f.why(), ErrPrecision)
	}
	return f, nil
}

// promised reports whether there is a threshold for anything.
func (f *Fit) promised() bool {
	return slices.ContainsFunc(f.Groups, func(g FitGroup) bool { return g.Promised })
}

// why says what stood in the way of the group that came nearest.
func (f *Fit) why() string {
	best := f.Groups[0]
	for _, g := range f.Groups {
		if g.Lower > best.Lower {
			best = g
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d pictures", best.N)
	if best.Class != "" {
		fmt.Fprintf(&b, " taken for %q", best.Class)
	}
	fmt.Fprintf(&b, " promise a precision of %.3f at most, with confidence %v; %v was asked for", math.Floor(best.Lower*1000)/1000, f.Confidence, f.Precision)
	if best.N < best.Need {
		fmt.Fprintf(&b, ", which takes %d pictures even if all are right", best.Need)
	}
	return b.String()
}

// outcome is how sure a prediction was (higher is surer) and whether it was right.
type outcome struct {
	sure  float64
	right bool
}

// step is a place where a threshold can lie.
type step struct {
	sure       float64
	kept, good int // what it would keep, and what of that is right
}

// search is the method of FitThresholds on one group.
func search(outcomes []outcome, o FitOptions) FitGroup {
	slices.SortFunc(outcomes, func(a, b outcome) int { return cmp.Compare(b.sure, a.sure) })
	var steps []step // one after every run of equals
	good := 0
	for i, v := range outcomes {
		if v.right {
			good++
		}
		if i+1 == len(outcomes) || outcomes[i+1].sure != v.sure {
			steps = append(steps, step{v.sure, i + 1, good})
		}
	}
	g := FitGroup{N: len(outcomes), Need: max(least(1-o.Confidence, o.Precision), 1)}
	if i := lowest(steps, o.Precision, o.Confidence); i >= 0 {
		s := steps[i]
		g.Promised, g.Threshold, g.Kept, g.Correct = true, s.sure, s.kept, s.good
		g.Lower, _ = PrecisionBounds(s.good, s.kept, o.Confidence)
		return g
	}
	for lo, hi := 0.0, o.Precision; hi-lo > 1e-4; {
		if mid := (lo + hi) / 2; lowest(steps, mid, o.Confidence) >= 0 {
			lo, g.Lower = mid, mid
		} else {
			hi = mid
		}
	}
	return g
}

// least is the number of pictures, all right, that refutes a precision below the
// given one at level δ.
func least(δ, precision float64) int {
	return int(math.Ceil(math.Log(δ)/math.Log(precision) - 1e-9))
}

// lowest is the place of the lowest threshold that can be promised, -1 for none.
func lowest(steps []step, precision, confidence float64) int {
	if len(steps) == 0 {
		return -1
	}
	n, δ := steps[len(steps)-1].kept, 1-confidence
	starts := 1
	for m := 3 * max(least(δ, precision), 1); m <= n; m *= 3 {
		starts++
	}
	δ /= float64(starts)
	found := -1
	first := max(least(δ, precision), 1)
	for s := range starts {
		if s > 0 {
			first = min(3*first, n) // its δ is spent: the whole sample is the last chance
		}
		for i := range steps {
			if steps[i].kept < first {
				continue
			}
			if tail(steps[i].good, steps[i].kept, precision) > δ {
				break
			}
			found = max(found, i)
		}
	}
	return found
}

// String says what was fitted, a line for each group.
func (f *Fit) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "thresholds on %s for a precision of %v with confidence %v\n", f.Measure, f.Precision, f.Confidence)
	for _, g := range f.Groups {
		name := g.Class
		if name == "" {
			name = "all classes"
		}
		if !g.Promised {
			fmt.Fprintf(&b, "  %s: nothing is kept: %d pictures promise %.3f at most", name, g.N, math.Floor(g.Lower*1000)/1000)
			if g.N < g.Need {
				fmt.Fprintf(&b, "; it takes %d, all right", g.Need)
			}
			b.WriteByte('\n')
			continue
		}
		fmt.Fprintf(&b, "  %s: %v keeps %d of %d pictures, %d of them right: at least %.3f\n",
			name, Limit{f.Measure, g.Threshold}, g.Kept, g.N, g.Correct, math.Floor(g.Lower*1000)/1000)
	}
	return b.String()
}
