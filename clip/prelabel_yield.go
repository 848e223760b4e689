package clip

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
)

// YieldTable says what thresholds would keep of a sample, class by class, and
// how much of that is right.
type YieldTable struct {
	Measure    Measure    `json:"measure"`
	Confidence float64    `json:"confidence"`
	Rows       []YieldRow `json:"rows"` // all classes together, then each; thresholds from loose to strict
}

// YieldRow is one threshold on the pictures that were taken for one class.
type YieldRow struct {
	Class     string // "" for all together
	Threshold float64
	N         int     // pictures that were taken for the class
	Kept      int     // those that reach the threshold and are Known
	Correct   int     // those of Kept that are of the class
	Share     float64 // Kept / N; NaN without pictures
	Precision float64 // Correct / Kept; NaN where nothing is kept
	// Lower and Upper bound the precision: each is passed with probability
	// 1-Confidence at most, for a threshold that was not chosen by this table.
	Lower, Upper float64
}

// MarshalJSON writes null for NaN.
func (r YieldRow) MarshalJSON() ([]byte, error) {
	number := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	return json.Marshal(struct {
		Class     string   `json:"class"`
		Threshold float64  `json:"threshold"`
		N         int      `json:"n"`
		Kept      int      `json:"kept"`
		Correct   int      `json:"correct"`
		Share     *float64 `json:"share"`
		Precision *float64 `json:"precision"`
		Lower     *float64 `json:"lower"`
		Upper     *float64 `json:"upper"`
	}{r.Class, r.Threshold, r.N, r.Kept, r.Correct, number(r.Share), number(r.Precision), number(r.Lower), number(r.Upper)})
}

// Yield tries thresholds on a measure. Without any, those are tried that keep
// all of the sample, nine tenths, and so on down to one tenth. confidence is
// that of the bounds; 0 means 0.9. Thresholds that are not finite are an error.
func (s *Sample) Yield(m Measure, thresholds []float64, confidence float64) (*YieldTable, error) {
	if err := m.Check(); err != nil {
		return nil, err
	}
	if confidence == 0 {
		confidence = 0.9
	}
	if !(confidence > 0 && confidence < 1) {
		return nil, fmt.Errorf("clip: a confidence of %v", confidence)
	}
	sure := make([]float64, len(s.Judged)) // higher is surer
	for i, j := range s.Judged {
		sure[i] = m.sure(m.Of(j.Prediction))
	}
	var at []float64
	for _, v := range thresholds {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("clip: a threshold of %v", v)
		}
		at = append(at, m.sure(v))
	}
	if len(at) == 0 {
		sorted := slices.Sorted(slices.Values(sure))
		for tenth := range 10 {
			at = append(at, sorted[len(sorted)*tenth/10])
		}
	}
	slices.Sort(at)
	at = slices.Compact(at)
	t := &YieldTable{Measure: m, Confidence: confidence}
	for class := -1; class < len(s.z.classes); class++ {
		for _, limit := range at {
			r := YieldRow{Threshold: m.sure(limit)}
			if class >= 0 {
				r.Class = s.z.classes[class]
			}
			for i, j := range s.Judged {
				if class >= 0 && j.Index != class {
					continue
				}
				r.N++
				if j.Known && sure[i] >= limit {
					r.Kept++
					if j.Label == j.Index {
						r.Correct++
					}
				}
			}
			r.Share, r.Precision = ratio(r.Kept, r.N), ratio(r.Correct, r.Kept)
			r.Lower, r.Upper = PrecisionBounds(r.Correct, r.Kept, confidence)
			t.Rows = append(t.Rows, r)
		}
	}
	return t, nil
}

// ratio is a/b, NaN for 0/0.
func ratio(a, b int) float64 { return float64(a) / float64(b) }

// WriteTo writes the table as text: a dash stands for what is undefined.
func (t *YieldTable) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	class := "\x00"
	for _, r := range t.Rows {
		if r.Class != class {
			class = r.Class
			name := class
			if name == "" {
				name = "all classes"
			}
			fmt.Fprintf(&b, "%s (%d pictures)\n  %10s %6s %7s %10s  %s\n", name, r.N, t.Measure, "kept", "share", "precision", "interval")
		}
		fmt.Fprintf(&b, "  %10.7g %6d %7s %10s  %s-%s\n", r.Threshold, r.Kept, share(r.Share), share(r.Precision), share(r.Lower), share(r.Upper))
	}
	return b.WriteTo(w)
}

func share(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	return fmt.Sprintf("%.3f", v)
}

// WriteTo writes the report as text.
func (r *Report) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "sample: %d pictures (%d unreadable), %.1f%% named right\n", r.Pictures, r.Unreadable, 100*r.Accuracy)
	for _, text := range r.Warnings {
		fmt.Fprintf(&b, "WARNING: %s\n", text)
	}
	fmt.Fprintf(&b, "\n%v\nyield against the threshold\n", r.Fit)
	if _, err := r.Yield.WriteTo(&b); err != nil {
		return 0, err
	}
	b.WriteString("\n")
	if _, err := r.Wordings.WriteTo(&b); err != nil {
		return 0, err
	}
	const most = 20 // pairs in either list
	if len(r.Inseparable) > 0 {
		b.WriteString("\nclasses whose prompts cannot be told apart\n")
		for _, p := range r.Inseparable[:min(len(r.Inseparable), most)] {
			fmt.Fprintf(&b, "  %s and %s: which is which is right in %.1f%% of cases; cosine of the descriptions %.3f\n", p.A, p.B, 100*p.Apart, p.Text)
		}
	}
	if len(r.Confused) > 0 {
		b.WriteString("\nclasses that are confused\n")
		for _, c := range r.Confused[:min(len(r.Confused), most)] {
			fmt.Fprintf(&b, "  %s taken for %s: %d, %.1f%%; cosine of the descriptions %.3f\n", c.Want, c.Got, c.Count, 100*c.Share, c.Text)
		}
	}
	return b.WriteTo(w)
}
