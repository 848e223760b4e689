package clip

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-go/winnow/label"
)

// Measure names one of the numbers that say how sure a Prediction is.
type Measure string

// The measures.
const (
	ByProb    Measure = "prob"    // Prediction.Prob
	ByCosine  Measure = "cosine"  // Prediction.Cosine
	ByMargin  Measure = "margin"  // Prediction.Margin
	ByEntropy Measure = "entropy" // Prediction.Entropy, in nats; the only one where less is surer
)

// Of is the measure's value for a prediction; NaN for a measure that does not
// exist.
func (m Measure) Of(p Prediction) float64 {
	switch m {
	case ByProb:
		return p.Prob
	case ByCosine:
		return p.Cosine
	case ByMargin:
		return p.Margin
	case ByEntropy:
		return p.Entropy
	}
	return math.NaN()
}

// Check says whether there is such a measure.
func (m Measure) Check() error {
	switch m {
	case ByProb, ByCosine, ByMargin, ByEntropy:
		return nil
	}
	return fmt.Errorf("clip: no measure %q: they are prob, cosine, margin and entropy", string(m))
}

// sure is the value, turned round where less is surer: higher is surer.
func (m Measure) sure(value float64) float64 {
	if m == ByEntropy {
		return -value
	}
	return value
}

// Limit is a condition on one measure: at least Value, for entropy at most.
type Limit struct {
	Measure Measure
	Value   float64
}

// Reached reports whether p meets the limit. NaN does not.
func (l Limit) Reached(p Prediction) bool {
	return l.Measure.sure(l.Measure.Of(p)) >= l.Measure.sure(l.Value)
}

// String is the form that ParseLimits reads: "prob>=0.9".
func (l Limit) String() string {
	op := ">="
	if l.Measure == ByEntropy {
		op = "<="
	}
	return string(l.Measure) + op + strconv.FormatFloat(l.Value, 'g', -1, 64)
}

// ParseLimits reads limits with commas between them: "prob>=0.9,cosine>=0.2",
// "entropy<=0.5". A number alone is a probability.
func ParseLimits(text string) ([]Limit, error) {
	var limits []Limit
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		l := Limit{Measure: ByProb}
		number := part
		if name, value, ok := strings.Cut(part, ">="); ok {
			l.Measure, number = Measure(strings.TrimSpace(name)), value
			if l.Measure == ByEntropy {
				return nil, fmt.Errorf("clip: limit %q: less entropy is surer: write entropy<=", part)
			}
		} else if name, value, ok := strings.Cut(part, "<="); ok {
			l.Measure, number = Measure(strings.TrimSpace(name)), value
			if l.Measure != ByEntropy {
				return nil, fmt.Errorf("clip: limit %q: only entropy has an upper limit", part)
			}
		}
		var err error
		if l.Value, err = strconv.ParseFloat(strings.TrimSpace(number), 64); err != nil {
			return nil, fmt.Errorf("clip: limit %q is no number and not like prob>=0.9", part)
		}
		if err := l.check(); err != nil {
			return nil, err
		}
		limits = append(limits, l)
	}
	return limits, nil
}

func (l Limit) check() error {
	if err := l.Measure.Check(); err != nil {
		return err
	}
	if math.IsNaN(l.Value) || math.IsInf(l.Value, 0) {
		return fmt.Errorf("clip: limit %v is not a finite number", l)
	}
	return nil
}

// Verdict is what becomes of a picture.
type Verdict string

// The verdicts.
const (
	Keep       Verdict = "keep"       // sure enough to be used as it is
	Review     Verdict = "review"     // somebody should look
	Reject     Verdict = "reject"     // of no class
	HeldOut    Verdict = "held-out"   // on the hold-out list: never labelled
	Unreadable Verdict = "unreadable" // cannot be read or decoded
)

// Rule says which predictions are kept and which are rejected. The zero Rule
// keeps nothing and rejects only what suits a background prompt best.
type Rule struct {
	// Keep are the limits that a picture must reach, all of them, to be kept;
	// without any none is. To keep everything write prob>=0.
	Keep []Limit `json:"keep,omitempty"`
	// Reject are limits that a picture must reach, all of them, not to be
	// rejected.
	Reject []Limit `json:"reject,omitempty"`
}

// Verdict is Keep, Review or Reject. What is not Known is rejected.
func (r Rule) Verdict(p Prediction) Verdict {
	if !p.Known {
		return Reject
	}
	for _, l := range r.Reject {
		if !l.Reached(p) {
			return Reject
		}
	}
	for _, l := range r.Keep {
		if !l.Reached(p) {
			return Review
		}
	}
	if len(r.Keep) == 0 {
		return Review
	}
	return Keep
}

func (r Rule) check() error {
	for _, l := range slices.Concat(r.Keep, r.Reject) {
		if err := l.check(); err != nil {
			return err
		}
	}
	return nil
}

// String is the rule in words: "keep prob>=0.9, reject below cosine>=0.15".
func (r Rule) String() string {
	join := func(limits []Limit) string {
		words := make([]string, len(limits))
		for i, l := range limits {
			words[i] = l.String()
		}
		return strings.Join(words, " and ")
	}
	keep := "keep nothing"
	if len(r.Keep) > 0 {
		keep = "keep where " + join(r.Keep)
	}
	if len(r.Reject) > 0 {
		keep += ", reject unless " + join(r.Reject)
	}
	return keep
}

// Thresholds are a Rule for all classes, and others for some.
type Thresholds struct {
	Rule
	// PerClass has rules that stand in the place of the common one, by the
	// names of classes.
	PerClass map[string]Rule `json:"per_class,omitempty"`
}

// For is the rule of a class.
func (t Thresholds) For(class string) Rule {
	if r, ok := t.PerClass[class]; ok {
		return r
	}
	return t.Rule
}

// Verdict judges a prediction by the rule of its class.
func (t Thresholds) Verdict(p Prediction) Verdict { return t.For(p.Class).Verdict(p) }

// Check says what is wrong: a measure that does not exist, a value that is not
// finite, a rule for what is no class.
func (t Thresholds) Check(classes label.Classes) error {
	if err := t.check(); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.PerClass)) {
		if _, ok := classes.Index(name); !ok {
			return fmt.Errorf("clip: a threshold for %q, which is not a class", name)
		}
		if err := t.PerClass[name].check(); err != nil {
			return fmt.Errorf("clip: class %q: %w", name, err)
		}
	}
	return nil
}

// String lists the rules, a line each, the common one first, others by name.
func (t Thresholds) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "all classes: %v\n", t.Rule)
	for _, name := range slices.Sorted(maps.Keys(t.PerClass)) {
		fmt.Fprintf(&b, "%s: %v\n", name, t.PerClass[name])
	}
	return b.String()
}

// MarshalJSON writes a Limit with its direction, for those who read the file.
func (l Limit) MarshalJSON() ([]byte, error) { return json.Marshal(l.String()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Limit) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("clip: reading a limit: %w", err)
	}
	limits, err := ParseLimits(text)
	if err != nil {
		return err
	}
	if len(limits) != 1 {
		return fmt.Errorf("clip: reading a limit: %q are %d", text, len(limits))
	}
	*l = limits[0]
	return nil
}
