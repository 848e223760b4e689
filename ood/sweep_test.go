package ood

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/metrics"
)

var update = flag.Bool("update", false, "rewrite the texts in testdata")

func TestSweepCountsWhatDecisionsDo(t *testing.T) {
	const k = 5
	logits, labels := sample(1, 400, k, 3, 1.5)
	strangers, _ := sample(2, 150, k, 1, 1)
	temperatures, thresholds := []float64{2, 0.5, 1, 2}, []float64{0.9, 0, 0.5, 0.3, 1.5, 0.5}
	table, err := Sweep(logits, labels, strangers, temperatures, thresholds)
	if err != nil {
		t.Fatal(err)
	}
	if table.Known != 400 || table.Strangers != 150 || len(table.Rows) != 3*5 || table.Score != "msp" {
		t.Fatalf("%d known, %d strangers, %d rows, score %q", table.Known, table.Strangers, len(table.Rows), table.Score)
	}
	if !slices.IsSortedFunc(table.Rows, func(a, b Row) int {
		return slices.Compare([]float64{a.Temperature, a.Threshold}, []float64{b.Temperature, b.Threshold})
	}) {
		t.Error("rows are not in order")
	}
	for _, r := range table.Rows {
		d := Decision{Temperature: r.Temperature, Threshold: r.Threshold}
		var kept, correct, refused int
		for i, label := range labels {
			row := logits[i*k : (i+1)*k]
			if _, known := d.Decide(row); known {
				kept++
				if slices.Index(row, slices.Max(row)) == label {
					correct++
				}
			}
		}
		for i := range 150 {
			if _, known := d.Decide(strangers[i*k : (i+1)*k]); !known {
				refused++
			}
		}
		want := Row{r.Temperature, r.Threshold, kept, correct, refused,
			float64(kept) / 400, share(correct, kept), float64(correct) / 400, float64(refused) / 150}
		if r != want && !(kept == 0 && math.IsNaN(r.Accuracy)) {
			t.Errorf("got  %+v\nwant %+v", r, want)
		}
		if m, err := d.Measure(logits, labels, strangers); err != nil || m != r && kept > 0 {
			t.Errorf("measured %+v, want %+v, error %v", m, r, err)
		}
	}
	if given := []float64{2, 0.5, 1, 2}; !slices.Equal(temperatures, given) {
		t.Errorf("the caller's temperatures became %v", temperatures)
	}
}

func TestSweepWithoutStrangers(t *testing.T) {
	logits, labels := sample(1, 50, 3, 3, 1)
	table, err := Sweep(logits, labels, nil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(Temperatures()) * len(Thresholds()); len(table.Rows) != want {
		t.Errorf("%d rows, want %d", len(table.Rows), want)
	}
	for _, r := range table.Rows {
		if !math.IsNaN(r.Stopped) || r.Threshold == 0 && r.Coverage != 1 {
			t.Fatalf("%+v", r)
		}
	}
	if strings.Contains(table.String(), "strangers") {
		t.Error("the text speaks of strangers")
	}
}

func TestSweepRefusesNonsense(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	logits, labels := []float32{1, 2, 3, 0}, []int{0, 1}
	for name, try := range map[string]func() (*Table, error){
		"strangers of other classes": func() (*Table, error) { return Sweep(logits, labels, []float32{1}, nil, nil) },
		"a stranger's NaN":           func() (*Table, error) { return Sweep(logits, labels, []float32{1, float32(nan)}, nil, nil) },
		"temperature 0":              func() (*Table, error) { return Sweep(logits, labels, nil, []float64{0}, nil) },
		"temperature NaN":            func() (*Table, error) { return Sweep(logits, labels, nil, []float64{nan}, nil) },
		"temperature infinite":       func() (*Table, error) { return Sweep(logits, labels, nil, []float64{inf}, nil) },
		"threshold NaN":              func() (*Table, error) { return Sweep(logits, labels, nil, nil, []float64{nan}) },
		"threshold infinite":         func() (*Table, error) { return Sweep(logits, labels, nil, nil, []float64{-inf}) },
	} {
		if table, err := try(); err == nil || table != nil {
			t.Errorf("%s: %v, error %v", name, table, err)
		}
	}
	if table, err := Sweep(logits, labels, nil, []float64{}, nil); err != nil || len(table.Rows) != 0 {
		t.Errorf("an empty grid: error %v", err)
	}
}

func TestTableIsWrittenAsCommitted(t *testing.T) {
	logits, labels := sample(1, 300, 4, 3, 1.5)
	strangers, _ := sample(2, 100, 4, 1, 1)
	table, err := Sweep(logits, labels, strangers, []float64{0.75, 1, 2}, []float64{0, 0.5, 0.9, 0.995, 2})
	if err != nil {
		t.Fatal(err)
	}
	alone, err := Sweep(logits, labels, nil, []float64{1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	asJSON := func(v any) string {
		text, err := json.MarshalIndent(v, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		return string(text) + "\n"
	}
	var list bytes.Buffer
	if err := table.WriteCSV(&list); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string]string{
		"table.txt": table.String(), "alone.txt": alone.String(), "table.csv": list.String(),
		"alone.json":      asJSON(&Table{Score: alone.Score, Known: alone.Known, Rows: alone.Rows[:2]}),
		"evaluation.json": asJSON(Evaluate([]float64{0.9, 0.8, 0.7, 0.4}, []float64{0.5, 0.3})),
		"undefined.json":  asJSON(Evaluate(nil, []float64{0.5, 0.3})),
	} {
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
	lines, err := csv.NewReader(&list).ReadAll()
	if err != nil || len(lines) != 1+len(table.Rows) {
		t.Errorf("the CSV file has %d lines, error %v", len(lines), err)
	}
	var b bytes.Buffer
	if n, err := table.WriteTo(&b); err != nil || n != int64(b.Len()) || b.String() != table.String() {
		t.Errorf("wrote %d bytes of %d, error %v", n, b.Len(), err)
	}
}

func TestEvaluationStatesBothConventions(t *testing.T) {
	known := []float64{0.9, 0.8, 0.7, 0.6, 0.2}
	strangers := []float64{0.85, 0.5, 0.4, 0.1}
	e := Evaluate(known, strangers)
	// All known are kept down to 0.2, where 3 of 4 strangers score as much.
	if e.FPR95 != 0.75 || e.Threshold95 != 0.2 {
		t.Errorf("FPR95 %v at %v, want 0.75 at 0.2", e.FPR95, e.Threshold95)
	}
	// All strangers are refused only if up to 0.85 is, which 4 of 5 known are.
	if e.FPR95Known != 0.8 {
		t.Errorf("FPR95Known %v, want 0.8", e.FPR95Known)
	}
	if math.Abs(e.AUROC-14./20) > 1e-15 {
		t.Errorf("AUROC %v, want 0.7", e.AUROC)
	}
	for name, e := range map[string]Evaluation{
		"no strangers": Evaluate(known, nil), "no known": Evaluate(nil, strangers), "NaN": Evaluate([]float64{math.NaN()}, strangers),
	} {
		if !math.IsNaN(e.AUROC) || !math.IsNaN(e.FPR95) || !math.IsNaN(e.AUPRIn) || !math.IsNaN(e.AUPROut) || !math.IsNaN(e.DetectionError) || strings.Contains(e.String(), "NaN") {
			t.Errorf("%s: %+v, %s", name, e, e)
		}
	}
}

// TestDoublePrecisionKeepsScoresApart: in float32 both of these are 1.
func TestDoublePrecisionKeepsScoresApart(t *testing.T) {
	a, b := MSP([]float32{20, 0}, 1), MSP([]float32{25, 0}, 1)
	if float32(a) != 1 || float32(b) != 1 || !(a < b && b < 1) {
		t.Errorf("%v and %v", a, b)
	}
	if p := metrics.Softmax(nil, []float32{3, 1, 2}, 1.7); math.Abs(MSP([]float32{3, 1, 2}, 1.7)-p[0]) > 1e-15 {
		t.Errorf("%v, want %v", MSP([]float32{3, 1, 2}, 1.7), p[0])
	}
}
