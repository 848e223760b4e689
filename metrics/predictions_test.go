package metrics

import (
	"errors"
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

func TestSoftmaxSurvivesExtremeLogits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, test := range []struct {
		name        string
		logits      []float32
		temperature float64
		want        []float64 // nil: all NaN
	}{
		{"two equal", []float32{5, 5}, 1, []float64{0.5, 0.5}},
		{"log 3", []float32{0, float32(math.Log(3))}, 1, []float64{0.25, 0.75}},
		{"temperature", []float32{0, float32(2 * math.Log(3))}, 2, []float64{0.25, 0.75}},
		{"huge", []float32{math.MaxFloat32, -math.MaxFloat32}, 1, []float64{1, 0}},
		{"huge over a small temperature", []float32{math.MaxFloat32, 0}, 1e-300, []float64{1, 0}},
		{"one", []float32{-7}, 1, []float64{1}},
		{"masked", []float32{-inf, 3, 3}, 1, []float64{0, 0.5, 0.5}},
		{"none", []float32{}, 1, []float64{}},
		{"NaN", []float32{1, nan, 2}, 1, nil},
		{"infinite", []float32{1, inf}, 1, nil},
		{"all masked", []float32{-inf, -inf}, 1, nil},
		{"temperature 0", []float32{1, 2}, 0, nil},
		{"temperature below 0", []float32{1, 2}, -1, nil},
		{"temperature NaN", []float32{1, 2}, math.NaN(), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Softmax(make([]float64, 1, 8), test.logits, test.temperature)
			if len(got) != len(test.logits) {
				t.Fatalf("%d probabilities for %d logits", len(got), len(test.logits))
			}
			for i, p := range got {
				if test.want == nil {
					if !math.IsNaN(p) {
						t.Errorf("%d: %v, want NaN", i, p)
					}
				} else if math.Abs(p-test.want[i]) > 1e-7 { // float32(log 3)
					t.Errorf("%d: %v, want %v", i, p, test.want[i])
				}
			}
		})
	}
}

func TestTopKBreaksTiesByIndex(t *testing.T) {
	row := []float32{1, 3, 3, 0, 3}
	for label, rank := range []int{4, 1, 2, 5, 3} {
		p, err := FromLogits(row, []int{label}, 0)
		if err != nil {
			t.Fatal(err)
		}
		for k := -1; k <= 7; k++ {
			want := 0.0
			if k >= rank {
				want = 1
			}
			if got := p.TopK(k); got != want {
				t.Errorf("label %d, k %d: %v, want %v", label, k, got, want)
			}
		}
	}
}

func TestLogLossIsExactWhereProbabilitiesVanish(t *testing.T) {
	p, err := FromLogits([]float32{3000, 0}, []int{1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.NLL() != 3000 || p.Brier() != 2 || p.Accuracy() != 0 || p.ECE() != 1 {
		t.Errorf("NLL %v, Brier %v, accuracy %v, ECE %v", p.NLL(), p.Brier(), p.Accuracy(), p.ECE())
	}
	q, err := FromProbs([]float64{1, 0}, []int{1})
	if err != nil || !math.IsInf(q.NLL(), 1) {
		t.Errorf("probability 0: NLL %v, error %v", q.NLL(), err)
	}
}

func TestAnEdgeBelongsToTheBinBelow(t *testing.T) {
	for _, n := range []int{1, 10, 15, 64} {
		for i := 1; i <= n; i++ {
			edge := float64(i) / float64(n)
			for _, c := range []struct {
				confidence float64
				bin        int
			}{{edge, i - 1}, {math.Nextafter(edge, 2), i}, {math.Nextafter(edge, 0), i - 1}} {
				if c.confidence > 1 {
					continue
				}
				p, err := FromProbs([]float64{c.confidence}, []int{0})
				if err != nil {
					t.Fatal(err)
				}
				if bins := p.Reliability(n); bins[c.bin].Count != 1 {
					t.Errorf("%d bins: %v is not in bin %d", n, c.confidence, c.bin)
				}
			}
		}
	}
	p, err := FromProbs([]float64{0}, []int{0})
	if err != nil || p.Reliability(0)[0].Count != 1 || len(p.Reliability(-3)) != Bins {
		t.Errorf("confidence 0 is not in the first of %d bins, error %v", Bins, err)
	}
}

func TestNothingMeasuredIsNaN(t *testing.T) {
	p, err := NewPredictions(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{p.Accuracy(), p.TopK(3), p.NLL(), p.Brier(), p.ECE(), p.MCE()} {
		if !math.IsNaN(v) {
			t.Errorf("%v, want NaN", v)
		}
	}
}

func TestWrongInputIsAnErrorAndCountsNothing(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	p, err := NewPredictions(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"short row":      p.Add([]float32{1}, 0),
		"long row":       p.AddProbs([]float64{1, 0, 0}, 0),
		"label -1":       p.Add([]float32{1, 2}, -1),
		"label K":        p.AddProbs([]float64{1, 0}, 2),
		"above 1":        p.AddProbs([]float64{1.1, 0}, 0),
		"below 0":        p.AddProbs([]float64{-0.1, 1}, 0),
		"NaN":            p.Add([]float32{float32(nan), 1}, 0),
		"infinite":       p.Add([]float32{1, float32(-inf)}, 0),
		"NaN probs":      p.AddProbs([]float64{nan, 1}, 0),
		"other K":        p.Merge(&Predictions{classes: 3}),
		"no labels":      second(FromLogits(nil, nil, 1)),
		"no logits":      second(FromLogits(nil, []int{1}, 1)),
		"ragged":         second(FromLogits(make([]float32, 5), []int{0, 1}, 1)),
		"a label of N":   second(FromLogits(make([]float32, 4), []int{0, 2}, 1)),
		"temperature -1": second(FromLogits(make([]float32, 4), []int{0, 1}, -1)),
		"temperature ∞":  second(FromLogits(make([]float32, 4), []int{0, 1}, inf)),
		"no classes":     second(NewPredictions(0, 1)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if p.N() != 0 {
		t.Errorf("%d samples counted", p.N())
	}
	if err := p.Add([]float32{float32(nan), 1}, 0); !errors.Is(err, ErrNotFinite) {
		t.Errorf("error %v, want ErrNotFinite", err)
	}
}

func second(_ *Predictions, err error) error { return err }

func TestMergedPredictionsAreThoseOfTheWhole(t *testing.T) {
	r := rng.New(1, rng.Test)
	var logits []float32
	var labels []int
	for range 100 {
		labels = append(labels, r.IntN(4))
		for range 4 {
			logits = append(logits, float32(2*r.NormFloat64()))
		}
	}
	whole, err := FromLogits(logits, labels, 1.5)
	if err != nil {
		t.Fatal(err)
	}
	a, err := FromLogits(logits[:120], labels[:30], 1.5)
	if err != nil {
		t.Fatal(err)
	}
	b, err := FromLogits(logits[120:], labels[30:], 1.5)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Merge(b); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string][2]float64{
		"accuracy": {a.Accuracy(), whole.Accuracy()}, "top 2": {a.TopK(2), whole.TopK(2)}, "ECE": {a.ECE(), whole.ECE()},
		"NLL": {a.NLL(), whole.NLL()}, "Brier": {a.Brier(), whole.Brier()}, "N": {float64(a.N()), float64(whole.N())},
	} {
		if math.Abs(v[0]-v[1]) > 1e-13*math.Abs(v[1]) {
			t.Errorf("%s: %v, want %v", name, v[0], v[1])
		}
	}
}
