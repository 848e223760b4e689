package ood

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

// TestThresholdMatchesItsDefinition tries every score as a threshold.
func TestThresholdMatchesItsDefinition(t *testing.T) {
	r := rng.New(1, rng.Test)
	for trial := range 500 {
		n := 1 + r.IntN(60)
		steps := []float64{2, 10, 1 << 40}[trial%3]
		scores := make([]float64, n)
		for i := range scores {
			scores[i] = math.Floor(r.Float64()*steps) / steps
		}
		keep := []float64{1, 0.95, 0.9, 0.5, 1e-9, r.Float64()}[trial%6]
		if keep == 0 {
			continue
		}
		want := math.Inf(-1)
		for _, threshold := range scores {
			kept := 0
			for _, s := range scores {
				if s >= threshold {
					kept++
				}
			}
			if float64(kept)/float64(n) >= keep {
				want = max(want, threshold)
			}
		}
		if got, err := Threshold(scores, keep); err != nil || got != want {
			t.Fatalf("keep %v of %v: %v, want %v, error %v", keep, scores, got, want, err)
		}
	}
}

func TestThresholdCountsExactly(t *testing.T) {
	for n := 1; n <= 1000; n++ {
		scores := make([]float64, n)
		for i := range scores {
			scores[i] = float64(n - i) // n, n-1, ..., 1: the threshold tells how many are kept
		}
		got, err := Threshold(scores, 0.95)
		if err != nil {
			t.Fatal(err)
		}
		if kept, want := n-int(got)+1, (95*n+99)/100; kept != want {
			t.Errorf("0.95 of %d: %d kept, want %d", n, kept, want)
		}
	}
}

func TestThresholdRefusesNonsense(t *testing.T) {
	nan := math.NaN()
	for _, keep := range []float64{0, -1, 1.0001, nan, math.Inf(1)} {
		if _, err := Threshold([]float64{1}, keep); err == nil {
			t.Errorf("keep %v: no error", keep)
		}
		if keep != 0 {
			if _, err := Calibrate([]float32{1, 2}, []int{0}, Options{Keep: keep}); err == nil {
				t.Errorf("keep %v: calibrated", keep)
			}
		}
	}
	if _, err := Threshold(nil, 0.5); err == nil {
		t.Error("no scores: no error")
	}
	if _, err := Threshold([]float64{1, nan}, 0.5); err == nil {
		t.Error("NaN: no error")
	}
	if got, err := Threshold([]float64{math.Inf(-1), 3}, 1); err != nil || !math.IsInf(got, -1) {
		t.Errorf("infinite scores: %v, error %v", got, err)
	}
	for _, o := range []Options{{Score: "energy"}, {Temperature: -1}, {Temperature: nan}, {Temperature: math.Inf(1)}} {
		if _, err := Calibrate([]float32{1, 2}, []int{0}, o); err == nil {
			t.Errorf("%+v: calibrated", o)
		}
	}
}

func TestCalibratedDecisionKeepsTheStatedShare(t *testing.T) {
	for _, keep := range []float64{0, 0.5, 0.9, 0.99, 1} {
		logits, labels := sample(2, 1000, 7, 4, 2)
		d, err := Calibrate(logits, labels, Options{Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		if keep == 0 {
			keep = 0.95
		}
		r, err := d.Measure(logits, labels, nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Kept != int(math.Round(1000*keep)) || d.Keep != keep {
			t.Errorf("keep %v: %d of 1000 kept, decision %+v", keep, r.Kept, d)
		}
		// Deciding one by one gives the same.
		kept := 0
		for i := range labels {
			if _, known := d.Decide(logits[i*7 : (i+1)*7]); known {
				kept++
			}
		}
		if kept != r.Kept {
			t.Errorf("keep %v: Decide keeps %d, Measure %d", keep, kept, r.Kept)
		}
		// And so does the decision that was stored and read.
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back Decision
		if err := json.Unmarshal(text, &back); err != nil || back != d {
			t.Errorf("%s came back as %+v, error %v", text, back, err)
		}
	}
}

func TestAFixedTemperatureIsKept(t *testing.T) {
	logits, labels := sample(2, 100, 4, 4, 2)
	d, err := Calibrate(logits, labels, Options{Temperature: 3, Score: "msp"})
	if err != nil || d.Temperature != 3 || d.Score != "msp" {
		t.Errorf("%+v, error %v", d, err)
	}
}

func TestDecideOnAnything(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, test := range []struct {
		name   string
		d      Decision
		logits []float32
		score  float64
		known  bool
	}{
		{"zero decision", Decision{}, []float32{0, 0}, 0.5, true},
		{"at the threshold", Decision{Threshold: 0.5}, []float32{0, 0}, 0.5, true},
		{"below it", Decision{Threshold: math.Nextafter(0.5, 1)}, []float32{0, 0}, 0.5, false},
		{"one class", Decision{Threshold: 1}, []float32{-9}, 1, true},
		{"no logits", Decision{}, nil, math.NaN(), false},
		{"NaN", Decision{}, []float32{1, nan}, math.NaN(), false},
		{"infinite", Decision{}, []float32{1, inf}, math.NaN(), false},
		{"all masked", Decision{}, []float32{-inf, -inf}, math.NaN(), false},
		{"one masked", Decision{}, []float32{2, -inf}, 1, true},
		{"unknown score", Decision{Score: "later"}, []float32{1, 2}, math.NaN(), false},
		{"temperature below 0", Decision{Temperature: -1}, []float32{1, 2}, math.NaN(), false},
		{"threshold NaN", Decision{Threshold: math.NaN()}, []float32{0, 0}, 0.5, false},
		{"huge", Decision{}, []float32{math.MaxFloat32, -math.MaxFloat32}, 1, true},
	} {
		score, known := test.d.Decide(test.logits)
		if known != test.known || score != test.score && !(math.IsNaN(score) && math.IsNaN(test.score)) {
			t.Errorf("%s: %v, %v, want %v, %v", test.name, score, known, test.score, test.known)
		}
	}
}

func TestValidateRefusesWhatDecideCannotFollow(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, d := range []Decision{
		{Score: "later"}, {Temperature: -1}, {Temperature: nan}, {Temperature: inf},
		{Threshold: nan}, {Threshold: inf}, {Keep: -0.1}, {Keep: 1.1}, {Keep: nan},
	} {
		if d.Validate() == nil {
			t.Errorf("%+v passes", d)
		}
		if _, err := d.Measure([]float32{1, 2}, []int{0}, nil); err == nil {
			t.Errorf("%+v measures", d)
		}
	}
	if err := (Decision{}).Validate(); err != nil {
		t.Error(err)
	}
}
