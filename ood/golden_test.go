package ood

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/metrics"
)

// cifarLogits reads logits of a published network on a named set, [N,K].
func cifarLogits(t *testing.T, net, set string) (logits []float32, classes int) {
	t.Helper()
	w := golden.OpenTensors(t, fmt.Sprintf("%s/logits/cifar10_%s_logits.safetensors", golden.Dir(t), net))
	if !w.Has(set) {
		set = strings.TrimRight(set, "0123456789")
	}
	return w.Float32(set), w.Shape(set)[1]
}

func cifarLabels(t *testing.T, n int) []int {
	t.Helper()
	bytes, err := os.ReadFile(golden.Data(t, "cifar10/labels_test.u8"))
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]int, n)
	for i := range labels {
		labels[i] = int(bytes[i])
	}
	return labels
}

// TestTemperatureMatchesGolden holds the fitted temperature to the zero of the
// derivative that the reference found, and its likelihood to that of every
// temperature the reference's other methods stopped at.
func TestTemperatureMatchesGolden(t *testing.T) {
	golden.Each(t, "metrics/*.json", func(t *testing.T, g *golden.File) {
		var file struct {
			Results map[string]struct {
				N           int `json:"n"`
				Temperature *struct {
					Fit          string             `json:"fit"`
					Temperatures map[string]float64 `json:"temperatures"`
				} `json:"temperature"`
			} `json:"results"`
		}
		g.Loose(&file) // package metrics checks the rest, and that nothing is unknown
		found := 0
		for name, result := range file.Results {
			if result.Temperature == nil {
				continue
			}
			found++
			t.Run(name, func(t *testing.T) {
				parts := strings.Split(name, "_")
				if len(parts) != 3 || parts[0] != "real" || result.Temperature.Fit != "first n//2 rows" {
					t.Fatalf("want real_NET_SET fitted on the first half, got %s on %q", name, result.Temperature.Fit)
				}
				logits, k := cifarLogits(t, parts[1], "test_"+parts[2])
				half := result.N / 2
				logits, labels := logits[:half*k], cifarLabels(t, half)
				got, err := FitTemperature(logits, labels)
				if err != nil {
					t.Fatal(err)
				}
				best := nll(t, logits, labels, got)
				for method, want := range result.Temperature.Temperatures {
					switch {
					case method == "optimum_rootfind":
						golden.CompareWithin(t, method, []float64{got}, []float64{want}, 1e-12)
					case strings.HasPrefix(method, "optimum_"):
						golden.CompareWithin(t, method, []float64{got}, []float64{want}, 1e-4) // minimisers of the value stop there
					case strings.HasPrefix(method, "gpleiss_"):
						t.Logf("%s stopped at %.4f, the minimum is at %.4f", method, want, got)
					default:
						t.Errorf("unknown method %q", method)
					}
					if at := nll(t, logits, labels, want); at < best-1e-14 { // the rounding of a mean near 1
						t.Errorf("%s: NLL %v at %v is below our %v at %v", method, at, want, best, got)
					}
				}
			})
		}
		if found == 0 {
			t.Skip("no temperature in this file")
		}
	})
}

func nll(t *testing.T, logits []float32, labels []int, temperature float64) float64 {
	t.Helper()
	p, err := metrics.FromLogits(logits, labels, temperature)
	if err != nil {
		t.Fatal(err)
	}
	return p.NLL()
}

// golden scores that this package has, by the goldens' names.
var built = map[string]string{"msp": "msp"}

// notBuilt are scores that the goldens have and this package does not.
var notBuilt = map[string]bool{
	"max_logit": true, "energy_T1": true, "energy_T2": true, "neg_entropy": true, "odin_temp_only_T1000": true,
	"max_minus_mean": true, "gen_gamma0.1_M10": true, "mahalanobis": true, "knn50_l2normalised": true,
}

func TestScoresMatchGolden(t *testing.T) {
	golden.Each(t, "ood/*.json", func(t *testing.T, g *golden.File) {
		var file struct {
			Sklearn string                                                      `json:"sklearn"`
			Results map[string]map[string]map[string]map[string]json.RawMessage `json:"results"`
		}
		g.Config(&file, golden.Remarks...)
		first := g.Tensors("_scores_first50.safetensors")
		for net, ids := range file.Results {
			for id, sets := range ids {
				for set, scores := range sets {
					for score, text := range scores {
						t.Run(strings.Join([]string{net, id, set, score}, "/"), func(t *testing.T) {
							if notBuilt[score] {
								t.Skipf("the score %s is not built", score)
							}
							name, ok := built[score]
							if !ok {
								t.Fatalf("unknown score %q", score)
							}
							checkScore(t, g.With(t), first.With(t), name, net, id, set, score, text)
						})
					}
				}
			}
		}
	})
}

func checkScore(t *testing.T, g *golden.File, first *golden.Tensors, name, net, id, set, score string, text json.RawMessage) {
	var want struct {
		AUROC          float64 `json:"auroc"`
		FPR95          float64 `json:"fpr_at_95tpr_id"`
		Threshold95    float64 `json:"threshold_at_95tpr"`
		AUPRIn         float64 `json:"aupr_in"`
		AUPROut        float64 `json:"aupr_out"`
		DetectionError float64 `json:"detection_error"`
		Known          int     `json:"n_id"`
		Strangers      int     `json:"n_ood"`
	}
	g.Strict(text, &want)
	var lists [2][]float64
	var rows [2][]float32
	var k int
	for i, from := range []string{id, set} {
		var err error
		rows[i], k = cifarLogits(t, net, from)
		if lists[i], err = Scores(rows[i], k, name, 1); err != nil {
			t.Fatal(err)
		}
		if stored := net + "." + from + "." + score; first.Has(stored) {
			ref := first.Float64(stored)
			golden.CompareWithin(t, stored, lists[i][:len(ref)], ref, 1e-14)
		}
	}
	e := Evaluate(lists[0], lists[1])
	golden.CompareInts(t, "numbers of images", []int{e.Known, e.Strangers}, []int{want.Known, want.Strangers})
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"AUROC", e.AUROC, want.AUROC},
		{"FPR95", e.FPR95, want.FPR95},
		{"Threshold95", e.Threshold95, want.Threshold95},
		{"AUPRIn", e.AUPRIn, want.AUPRIn},
		{"AUPROut", e.AUPROut, want.AUPROut},
		{"DetectionError", e.DetectionError, want.DetectionError},
	} {
		golden.CompareWithin(t, c.name, []float64{c.got}, []float64{c.want}, 1e-13)
	}
	threshold, err := Threshold(lists[0], 0.95)
	if err != nil || threshold != e.Threshold95 {
		t.Errorf("Threshold gives %v, Evaluate %v, error %v", threshold, e.Threshold95, err)
	}
	// The decision made of them does what the reference says it does.
	d := Decision{Score: name, Threshold: threshold}
	accepted := 0
	for i := range want.Strangers {
		if _, known := d.Decide(rows[1][i*k : (i+1)*k]); known {
			accepted++
		}
	}
	golden.CompareWithin(t, "strangers accepted", []float64{share(accepted, want.Strangers)}, []float64{want.FPR95}, 1e-13)
}
