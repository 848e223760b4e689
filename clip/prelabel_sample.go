package clip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/metrics"
)

// NoClass is the name of the class, in a labelled sample, of pictures that
// belong to no class: every label is wrong for them.
const NoClass = "_none"

// Sample is a labelled sample as the classifier sees it: what thresholds are
// fitted on and prompts are judged by. It holds the embeddings of its pictures,
// and is safe for concurrent use.
type Sample struct {
	z *ZeroShot
	// Judged are the pictures that could be read, in the order of the set, and
	// Names their names.
	Judged []Judged
	Names  []string
	// Unreadable are those that could not.
	Unreadable []Result
	embeddings [][]float32
}

// Judge classifies a labelled sample. Its classes are the classifier's by name,
// any part of them, and NoClass. A class that the classifier does not have, a
// picture without a label and a sample without a readable picture (ErrEmpty of
// package dataset) are errors.
func (z *ZeroShot) Judge(ctx context.Context, set dataset.Set) (*Sample, error) {
	to := make([]int, len(set.Classes()))
	for i, name := range set.Classes() {
		to[i] = -1
		if k, ok := z.classes.Index(name); ok {
			to[i] = k
		} else if name != NoClass {
			return nil, fmt.Errorf("clip: the sample has class %q, which is none of %q nor %s", name, []string(z.classes), NoClass)
		}
	}
	s := &Sample{z: z}
	for it, err := range z.each(ctx, set, nil, nil) {
		if err != nil {
			return nil, err
		}
		if it.Err != nil {
			s.Unreadable = append(s.Unreadable, it.Result)
			continue
		}
		l := set.Label(it.Picture)
		if l < 0 || l >= len(to) {
			return nil, fmt.Errorf("clip: %s in the sample has no label", it.Name)
		}
		s.Judged = append(s.Judged, Judged{it.Prediction, to[l]})
		s.Names = append(s.Names, it.Name)
		s.embeddings = append(s.embeddings, slices.Clone(it.embedding))
	}
	if len(s.Judged) == 0 {
		return nil, fmt.Errorf("clip: the sample: %w", dataset.ErrEmpty)
	}
	return s, nil
}

// Accuracy is the share of the sample's pictures whose class was named right,
// those of no class counting as wrong.
func (s *Sample) Accuracy() float64 {
	right := 0
	for _, j := range s.Judged {
		if j.Index == j.Label {
			right++
		}
	}
	return float64(right) / float64(len(s.Judged))
}

// Fit is FitThresholds on the sample.
func (s *Sample) Fit(o FitOptions) (*Fit, error) {
	return FitThresholds(s.z.classes, s.Judged, o)
}

// Confusion counts which class was taken for which; pictures of no class are
// left out.
func (s *Sample) Confusion() *metrics.Confusion {
	c := metrics.NewConfusion(s.z.classes...)
	for i, j := range s.Judged {
		if j.Label >= 0 {
			_ = c.AddSample(j.Label, j.Index, i) // both are classes
		}
	}
	return c
}

// Confused is a pair of classes of which one is taken for the other.
type Confused struct {
	Want  string  `json:"want"`
	Got   string  `json:"got"`
	Count int     `json:"count"` // pictures of Want that were taken for Got
	Share float64 `json:"share"` // of the pictures of Want
	// Text is the cosine between the descriptions of the two: near 1 the
	// prompts hardly tell them apart, and better ones help; otherwise it is
	// the pictures that look alike.
	Text float64 `json:"text"`
}

// Confused lists the pairs of classes that are taken for each other in the
// sample, the most frequent first.
func (s *Sample) Confused() []Confused {
	k := len(s.z.classes)
	counts, sums := make([]int, k*k), make([]int, k)
	for _, j := range s.Judged {
		if j.Label >= 0 {
			counts[j.Label*k+j.Index]++
			sums[j.Label]++
		}
	}
	var out []Confused
	for i, n := range counts {
		if want, got := i/k, i%k; n > 0 && want != got {
			out = append(out, Confused{s.z.classes[want], s.z.classes[got], n, float64(n) / float64(sums[want]), s.z.alike(want, got)})
		}
	}
	slices.SortStableFunc(out, func(a, b Confused) int { return cmp.Compare(b.Count, a.Count) })
	return out
}

// alike is the cosine between two descriptions.
func (z *ZeroShot) alike(a, b int) float64 {
	return cosines(z.text[a*z.dim:(a+1)*z.dim], z.text[b*z.dim:(b+1)*z.dim])[0]
}

// Alike are two classes with the cosine between their descriptions.
type Alike struct {
	A      string  `json:"a"`
	B      string  `json:"b"`
	Cosine float64 `json:"cosine"`
}

// String says that the two cannot be told apart.
func (a Alike) String() string {
	return fmt.Sprintf("the prompts of %q and %q cannot be told apart: their descriptions are nearly the same (cosine %.3f)", a.A, a.B, a.Cosine)
}

// Alike lists pairs of classes, or of a class and a background prompt, whose
// descriptions have a cosine of at least the given one, the most alike first. It
// needs no pictures. Descriptions of different things have 0.6 to 0.9 in trained
// models.
func (z *ZeroShot) Alike(cosine float64) []Alike {
	names := slices.Concat([]string(z.classes), z.background)
	var out []Alike
	for a := range z.classes {
		for b := a + 1; b < len(names); b++ {
			if c := z.alike(a, b); c >= cosine {
				out = append(out, Alike{names[a], names[b], c})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Alike) int { return cmp.Compare(b.Cosine, a.Cosine) })
	return out
}

// Report is all that a sample tells about prompts and thresholds.
type Report struct {
	Pictures   int         `json:"pictures"`
	Unreadable int         `json:"unreadable"`
	Accuracy   float64     `json:"accuracy"`
	Fit        *Fit        `json:"fit"`
	Yield      *YieldTable `json:"yield"`
	Wordings   *Wordings   `json:"wordings"`
	Confused   []Confused  `json:"confused"`
	// Inseparable are the pairs of classes whose prompts say nothing about
	// which of the two a picture shows.
	Inseparable []Pair `json:"inseparable"`
	// Warnings say in words what is wrong with the prompts; none if nothing
	// stands out.
	Warnings []string `json:"warnings"`
}

// Report fits thresholds and judges prompts. That no threshold can be promised
// is no error here: Fit then keeps nothing, and a warning says why.
func (s *Sample) Report(ctx context.Context, o FitOptions) (*Report, error) {
	r := &Report{Pictures: len(s.Judged), Unreadable: len(s.Unreadable), Accuracy: s.Accuracy(), Confused: s.Confused(), Inseparable: s.Inseparable()}
	var err error
	if r.Fit, err = s.Fit(o); err != nil && !errors.Is(err, ErrPrecision) {
		return nil, err
	}
	if r.Yield, err = s.Yield(r.Fit.Measure, nil, r.Fit.Confidence); err != nil {
		return nil, err
	}
	if r.Wordings, err = s.Wordings(ctx); err != nil {
		return nil, err
	}
	r.Warnings = s.warnings(r)
	return r, nil
}

// Where warnings begin.
const (
	warnAlike     = 0.97 // cosine of two descriptions
	warnSensitive = 0.3  // share of pictures whose class hangs on the wording
	warnConfused  = 0.25 // share of a class taken for one other
	warnYield     = 0.1  // share kept
	warnEven      = 0.8  // mean entropy as a share of the largest
	warnMost      = 6    // pairs of classes that are named
)

// warnings are ordered: what the outcome is, what is wrong with the prompts as a
// whole, with those of pairs and of single classes, and with templates.
func (s *Sample) warnings(r *Report) []string {
	var out []string
	warn := func(format string, a ...any) { out = append(out, fmt.Sprintf(format, a...)) }
	k := len(s.z.classes)
	kept, entropy := 0, 0.0
	got, want, keep := make([]int, k), make([]int, k), make([]int, k)
	for _, j := range s.Judged {
		if r.Fit.Thresholds.Verdict(j.Prediction) == Keep {
			kept++
			keep[j.Index]++
		}
		entropy += j.Entropy
		got[j.Index]++
		if j.Label >= 0 {
			want[j.Label]++
		}
	}
	share := float64(kept) / float64(r.Pictures)
	switch {
	case !r.Fit.promised():
		warn("nothing is kept, every label is for review: %s", r.Fit.why())
	case share < warnYield:
		warn("only %.1f%% of the sample would be kept", 100*share)
	}
	if r.Accuracy < max(0.5, 1.5/float64(k)) && k > 1 {
		warn("the prompts name the right class for only %.0f%% of the sample: describe the classes in other or more words", 100*r.Accuracy)
	}
	if rows := k + len(s.z.background); rows > 1 && entropy/float64(r.Pictures) > warnEven*math.Log(float64(rows)) {
		warn("the probabilities are nearly even (mean entropy %.2f of at most %.2f nats): the prompts hardly tell the pictures apart", entropy/float64(r.Pictures), math.Log(float64(rows)))
	}
	out = append(out, s.inseparable(r)...)
	for i, name := range s.z.classes {
		switch {
		case got[i] == 0 && want[i] >= 5:
			warn("class %q is never named, though the sample has %d pictures of it", name, want[i])
		case keep[i] == 0 && got[i] >= 10 && kept > 0:
			warn("of the %d pictures that are taken for %q none would be kept: the class is left to people", got[i], name)
		}
	}
	var confused []string
	for _, c := range r.Confused {
		if c.Count >= 3 && c.Share >= warnConfused {
			confused = append(confused, fmt.Sprintf("%.0f%% of the pictures of %q are taken for %q (cosine of their descriptions %.2f)", 100*c.Share, c.Want, c.Got, c.Text))
		}
	}
	out = append(out, shortened(confused, "other pairs of classes are confused as often")...)
	if w := r.Wordings; w.Sensitive > warnSensitive {
		warn("for %.0f%% of the pictures the class hangs on the template: two templates agree on %.0f%% of them", 100*w.Sensitive, 100*w.Agreement)
	}
	for _, w := range r.Wordings.Rows {
		if !w.Keep {
			warn("%v does harm: without it %d pictures more are right, %d fewer", w.Name(), w.Lost, w.Won)
		}
	}
	return out
}

// inseparable says which prompts cannot be told apart, by the pictures of the
// sample or by their descriptions alone.
func (s *Sample) inseparable(r *Report) []string {
	var out []string
	said := map[[2]string]bool{}
	for _, p := range r.Inseparable {
		said[[2]string{p.A, p.B}] = true
		out = append(out, p.String())
	}
	for _, a := range s.z.Alike(warnAlike) {
		if !said[[2]string{a.A, a.B}] {
			out = append(out, a.String())
		}
	}
	return shortened(out, "other pairs of prompts cannot be told apart")
}

// shortened leaves out what comes after the first few.
func shortened(warnings []string, others string) []string {
	if left := len(warnings) - warnMost; left > 0 {
		return append(warnings[:warnMost:warnMost], fmt.Sprintf("%d %s", left, others))
	}
	return warnings
}

// Warnings say what can be seen without pictures to be wrong with the prompts:
// descriptions that hardly differ, or nothing that a class could be told from.
func (z *ZeroShot) Warnings() []string {
	if len(z.classes)+len(z.background) == 1 {
		return []string{fmt.Sprintf("%q is the only class and there is no background prompt: every picture is taken for it, with probability 1", z.classes[0])}
	}
	var out []string
	for _, a := range z.Alike(warnAlike) {
		out = append(out, a.String())
	}
	return shortened(out, "other pairs of prompts cannot be told apart")
}
