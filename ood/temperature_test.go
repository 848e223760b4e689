package ood

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/metrics"
)

// sample draws rows of logits and labels from softmax(logits/temperature), so
// that the temperature is the right one but for chance.
func sample(seed uint64, n, k int, spread, temperature float64) (logits []float32, labels []int) {
	r := rng.New(seed, rng.Test)
	var p []float64
	for range n {
		row := make([]float32, k)
		for c := range row {
			row[c] = float32(spread * r.NormFloat64())
		}
		p = metrics.Softmax(p, row, temperature)
		u, label := r.Float64(), 0
		for u -= p[0]; u > 0 && label < k-1; u -= p[label] {
			label++
		}
		logits, labels = append(logits, row...), append(labels, label)
	}
	return logits, labels
}

func TestFittedTemperatureIsTheMinimum(t *testing.T) {
	for _, test := range []struct {
		name                string
		n, k                int
		spread, temperature float64
	}{
		{"honest", 4000, 10, 3, 1},
		{"too sure", 4000, 10, 9, 3},
		{"too modest", 4000, 10, 1, 0.4},
		{"two classes", 4000, 2, 3, 1.5},
		{"many classes", 300, 1000, 4, 1.2},
		{"raw cosine similarities", 4000, 10, 0.03, 0.01},
		{"huge logits", 4000, 10, 600, 200},
		{"few", 20, 3, 3, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			logits, labels := sample(1, test.n, test.k, test.spread, test.temperature)
			got, err := FitTemperature(logits, labels)
			if err != nil {
				t.Fatal(err)
			}
			// Four standard errors of log T are below 10% for every large set.
			if test.n > 1000 && math.Abs(math.Log(got/test.temperature)) > 0.1 {
				t.Errorf("T = %v, labels were drawn at %v", got, test.temperature)
			}
			at := nll(t, logits, labels, got)
			for _, factor := range []float64{0.5, 0.9, 0.999, 1.001, 1.1, 2} {
				if other := nll(t, logits, labels, got*factor); other <= at {
					t.Errorf("NLL %v at T = %v, but %v at %v", at, got, other, got*factor)
				}
			}
			// Logits times 4 need a temperature times 4.
			for i := range logits {
				logits[i] *= 4
			}
			scaled, err := FitTemperature(logits, labels)
			if err != nil || math.Abs(scaled/(4*got)-1) > 1e-12 {
				t.Errorf("logits times 4: T = %v, want %v, error %v", scaled, 4*got, err)
			}
		})
	}
}

func TestTemperatureWithoutMinimum(t *testing.T) {
	for _, test := range []struct {
		name   string
		logits []float32
		labels []int
		want   float64
	}{
		{"all right", []float32{2, 1, 1, 3}, []int{0, 1}, MinTemperature},
		{"all right with ties", []float32{2, 1, 3, 3}, []int{0, 1}, MinTemperature},
		{"all right by a hair", []float32{1e-30, 0, 0, 1e-30}, []int{0, 1}, MinTemperature},
		{"all right by far", []float32{3e38, -3e38, -3e38, 3e38}, []int{0, 1}, MinTemperature},
		{"all wrong", []float32{2, 1, 1, 3}, []int{1, 0}, MaxTemperature},
		{"all wrong by far", []float32{3e38, -3e38, -3e38, 3e38}, []int{1, 0}, MaxTemperature},
		{"as often wrong as right", []float32{2, 1, 2, 1}, []int{0, 1}, MaxTemperature},
		{"one class", []float32{5, -3, 7}, []int{0, 0, 0}, 1},
		{"equal logits", []float32{4, 4, -1, -1}, []int{0, 1}, 1},
		{"one sample, right", []float32{1, 0}, []int{0}, MinTemperature},
		{"one sample, wrong", []float32{1, 0}, []int{1}, MaxTemperature},
		{"wrong once by very far", []float32{3e38, -3e38, 1, 0, 1, 0, 1, 0}, []int{1, 0, 0, 0}, MaxTemperature},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := FitTemperature(test.logits, test.labels)
			if err != nil || got != test.want {
				t.Errorf("T = %v, want %v, error %v", got, test.want, err)
			}
			d, err := Calibrate(test.logits, test.labels, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if d.Temperature != 1 { // a bound is no fit
				t.Errorf("calibrated at %v", d.Temperature)
			}
			if err := d.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLabelsOfOneClassAreNoTrouble(t *testing.T) {
	logits, _ := sample(3, 500, 5, 2, 1)
	labels := make([]int, 500) // all 0, so mostly wrong
	got, err := FitTemperature(logits, labels)
	if err != nil || !(got >= MinTemperature && got <= MaxTemperature) {
		t.Errorf("T = %v, error %v", got, err)
	}
}

// TestTemperatureStaysInBoundsOnAnything draws logits of every magnitude that
// float32 has.
func TestTemperatureStaysInBoundsOnAnything(t *testing.T) {
	r := rng.New(4, rng.Test)
	for trial := range 2000 {
		n, k := 1+r.IntN(6), 1+r.IntN(5)
		logits, labels := make([]float32, n*k), make([]int, n)
		size := math.Pow(10, r.Float64()*76-38)
		for i := range logits {
			logits[i] = float32(size * r.NormFloat64() * math.Pow(10, -5*r.Float64()*float64(trial%2)))
		}
		for i := range labels {
			labels[i] = r.IntN(k)
		}
		if slices.ContainsFunc(logits, func(z float32) bool { return math.IsInf(float64(z), 0) }) {
			continue
		}
		got, err := FitTemperature(logits, labels)
		if err != nil || !(got >= MinTemperature*(1-1e-12) && got <= MaxTemperature*(1+1e-12)) {
			t.Fatalf("trial %d: T = %v, error %v for %v, %v", trial, got, err, logits, labels)
		}
		if got == MinTemperature || got == MaxTemperature {
			continue
		}
		if at := nll(t, logits, labels, got); at > nll(t, logits, labels, min(got*1.01, MaxTemperature))*(1+1e-12) ||
			at > nll(t, logits, labels, max(got/1.01, MinTemperature))*(1+1e-12) {
			t.Errorf("trial %d: %v is no minimum for %v, %v", trial, got, logits, labels)
		}
	}
}

func TestWhatCannotBeFittedIsAnError(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, test := range map[string]struct {
		logits    []float32
		labels    []int
		notFinite bool
	}{
		"nothing":            {nil, nil, false},
		"no labels":          {[]float32{1, 2}, nil, false},
		"no logits":          {nil, []int{0}, false},
		"a length too many":  {[]float32{1, 2, 3}, []int{0, 1}, false},
		"a label below 0":    {[]float32{1, 2}, []int{-1}, false},
		"a label of K":       {[]float32{1, 2}, []int{2}, false},
		"NaN":                {[]float32{1, 2, nan, 1}, []int{0, 1}, true},
		"an infinite logit":  {[]float32{1, 2, 1, inf}, []int{0, 1}, true},
		"one infinite below": {[]float32{1, -inf}, []int{0}, true},
	} {
		_, err := FitTemperature(test.logits, test.labels)
		if err == nil || errors.Is(err, metrics.ErrNotFinite) != test.notFinite {
			t.Errorf("%s: fit: error %v", name, err)
		}
		if _, err := Calibrate(test.logits, test.labels, Options{}); err == nil {
			t.Errorf("%s: calibrated", name)
		}
		if _, err := Sweep(test.logits, test.labels, nil, nil, nil); err == nil {
			t.Errorf("%s: swept", name)
		}
		if _, err := (Decision{}).Measure(test.logits, test.labels, nil); err == nil {
			t.Errorf("%s: measured", name)
		}
	}
}
