package label_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/label"
)

var animals = label.Classes{"cat", "dog", "otter", "seal"}

func TestPredictionNamesTheMostLikelyClass(t *testing.T) {
	for _, c := range []struct {
		probs []float64
		index int
		top   []int // all classes by rank
	}{
		{[]float64{0.1, 0.2, 0.4, 0.3}, 2, []int{2, 3, 1, 0}},
		{[]float64{0.25, 0.25, 0.25, 0.25}, 0, []int{0, 1, 2, 3}},
		{[]float64{0, 0.5, 0, 0.5}, 1, []int{1, 3, 0, 2}},
		{[]float64{0, 0, 0, 0}, 0, []int{0, 1, 2, 3}},
		{[]float64{0, 0, 0, 1}, 3, []int{3, 0, 1, 2}},
	} {
		for _, known := range []bool{true, false} {
			p, err := label.Predict(animals, c.probs, known)
			if err != nil {
				t.Fatal(err)
			}
			if p.Class != animals[c.index] || p.Index != c.index || p.Prob != c.probs[c.index] || p.Known != known {
				t.Errorf("%v: %+v", c.probs, p)
			}
			for k := -1; k <= 6; k++ {
				top := p.Top(k)
				if len(top) != min(max(k, 0), 4) {
					t.Fatalf("Top(%d) has %d", k, len(top))
				}
				for i, s := range top {
					if want := (label.Score{Class: animals[c.top[i]], Index: c.top[i], Prob: c.probs[c.top[i]]}); s != want {
						t.Errorf("%v: Top(%d)[%d] is %+v, want %+v", c.probs, k, i, s, want)
					}
				}
			}
			if !reflect.DeepEqual(p.Probs(), c.probs) {
				t.Errorf("Probs returns %v of %v", p.Probs(), c.probs)
			}
		}
	}
}

func TestWhatIsNoProbabilityIsAnError(t *testing.T) {
	for _, probs := range [][]float64{
		nil, {1}, {0, 0, 0, 0, 1},
		{0, math.NaN(), 1, 0}, {math.Inf(1), 0, 0, 0}, {0, -1e-9, 1, 0}, {0, math.Inf(-1), 1, 0},
	} {
		p, err := label.Predict(animals, probs, true)
		if err == nil || !strings.HasPrefix(err.Error(), "label: ") || p.Class != "" {
			t.Errorf("%v: %+v, error %v", probs, p, err)
		}
	}
	if _, err := label.Predict(nil, nil, true); err == nil {
		t.Error("no classes: no error")
	}
	if _, err := label.Predict(animals, []float64{0, math.NaN(), 1, 0}, true); !strings.Contains(err.Error(), `"dog"`) {
		t.Errorf("the error does not name the class: %v", err)
	}
}

func TestPredictionAsJSON(t *testing.T) {
	p, err := label.Predict(animals, []float64{0.125, 0.5, 0.25, 0.125}, false)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if want := `{"class":"dog","index":1,"prob":0.5,"known":false}`; err != nil || string(text) != want {
		t.Errorf("%s, want %s (%v)", text, want, err)
	}
	text, err = json.Marshal(p.Top(2))
	if want := `[{"class":"dog","index":1,"prob":0.5},{"class":"otter","index":2,"prob":0.25}]`; err != nil || string(text) != want {
		t.Errorf("%s, want %s (%v)", text, want, err)
	}
	var back label.Prediction
	if err := json.Unmarshal([]byte(`{"class":"dog","index":1,"prob":0.5,"known":true}`), &back); err != nil {
		t.Fatal(err)
	}
	if top := back.Top(3); len(top) != 1 || top[0] != (label.Score{Class: "dog", Index: 1, Prob: 0.5}) || !back.Known || back.Probs() != nil {
		t.Errorf("read back: %+v, top %+v", back, top)
	}
	if top := (label.Prediction{}).Top(3); len(top) != 0 {
		t.Errorf("the zero Prediction has a top: %+v", top)
	}
}
