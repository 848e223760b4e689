package ood

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
)

// Row is what one temperature and threshold do to known images and strangers.
// Shares are 0..1.
type Row struct {
	Temperature, Threshold float64

	Kept    int // known images whose score is the threshold or above
	Correct int // of these, the number whose class is right
	Refused int // strangers whose score is below the threshold

	Coverage float64 // Kept as a share of the known images
	Accuracy float64 // Correct as a share of Kept; NaN when nothing is kept
	Overall  float64 // Correct as a share of all known images: a refusal counts as an error
	Stopped  float64 // Refused as a share of the strangers; NaN without strangers
}

// MarshalJSON writes the fields in snake case, null for NaN.
func (r Row) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Temperature float64  `json:"temperature"`
		Threshold   float64  `json:"threshold"`
		Kept        int      `json:"kept"`
		Correct     int      `json:"correct"`
		Refused     int      `json:"refused"`
		Coverage    float64  `json:"coverage"`
		Accuracy    *float64 `json:"accuracy"`
		Overall     float64  `json:"overall"`
		Stopped     *float64 `json:"stopped"`
	}{r.Temperature, r.Threshold, r.Kept, r.Correct, r.Refused, r.Coverage, number(r.Accuracy), r.Overall, number(r.Stopped)})
}

// Table is what temperatures and thresholds cost and buy.
type Table struct {
	Score     string `json:"score"`
	Known     int    `json:"known"`     // known images
	Strangers int    `json:"strangers"` // strangers, 0 if none were given
	// Rows are in order of temperature, then threshold, both rising.
	Rows []Row `json:"rows"`
}

// Temperatures returns the default grid of [Sweep].
func Temperatures() []float64 { return []float64{0.5, 1, 1.5, 2, 3} }

// Thresholds returns the default grid of [Sweep]: 0, which keeps everything,
// and steps that narrow toward 1.
func Thresholds() []float64 {
	return []float64{0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99}
}

// Sweep tries every pair of temperature and threshold with the maximum softmax
// probability: on known images, logits [N,K] with labels, and on strangers,
// logits [M,K], which may be nil. Nil temperatures or thresholds are the
// defaults; given ones are sorted and repeated ones dropped. Like the figures
// of a [Decision] those of a table are only honest on images that neither
// training nor the choice of the decision has seen.
//
// Lengths that do not fit, labels outside 0..K-1, logits, temperatures or
// thresholds that are NaN or infinite, and temperatures not above 0, are
// errors.
func Sweep(logits []float32, labels []int, strangers []float32, temperatures, thresholds []float64) (*Table, error) {
	if temperatures == nil {
		temperatures = Temperatures()
	}
	if thresholds == nil {
		thresholds = Thresholds()
	}
	for _, t := range temperatures {
		if !(t > 0) || math.IsInf(t, 1) {
			return nil, fmt.Errorf("ood: sweep: temperature %v: want a positive number", t)
		}
	}
	for _, t := range thresholds {
		if math.IsNaN(t) || math.IsInf(t, 0) {
			return nil, fmt.Errorf("ood: sweep: threshold %v: want a number", t)
		}
	}
	temperatures = slices.Compact(slices.Sorted(slices.Values(temperatures)))
	thresholds = slices.Compact(slices.Sorted(slices.Values(thresholds)))
	return sweep(logits, labels, strangers, DefaultScore, temperatures, thresholds)
}

// sweep is Sweep for any score, on grids already checked.
func sweep(logits []float32, labels []int, strangers []float32, score string, temperatures, thresholds []float64) (*Table, error) {
	k, err := checkRows(logits, labels)
	if err != nil {
		return nil, err
	}
	if len(strangers)%k != 0 {
		return nil, fmt.Errorf("ood: sweep: %d logits of strangers are no rows of %d classes", len(strangers), k)
	}
	if err := checkFinite(strangers, k); err != nil {
		return nil, fmt.Errorf("ood: sweep: strangers: %w", err)
	}
	right := make([]bool, len(labels))
	for i, label := range labels {
		right[i] = argmax(logits[i*k:(i+1)*k]) == label
	}
	table := &Table{Score: score, Known: len(labels), Strangers: len(strangers) / k}
	for _, temperature := range temperatures {
		known, err := Scores(logits, k, score, temperature)
		if err != nil {
			return nil, err
		}
		strange, err := Scores(strangers, k, score, temperature)
		if err != nil {
			return nil, err
		}
		for _, threshold := range thresholds {
			r := Row{Temperature: temperature, Threshold: threshold}
			for i, s := range known {
				if s >= threshold {
					r.Kept++
					if right[i] {
						r.Correct++
					}
				}
			}
			for _, s := range strange {
				if !(s >= threshold) {
					r.Refused++
				}
			}
			r.Coverage = share(r.Kept, table.Known)
			r.Accuracy = share(r.Correct, r.Kept)
			r.Overall = share(r.Correct, table.Known)
			r.Stopped = share(r.Refused, table.Strangers)
			table.Rows = append(table.Rows, r)
		}
	}
	return table, nil
}

func argmax(row []float32) int {
	best := 0
	for k, z := range row {
		if z > row[best] {
			best = k
		}
	}
	return best
}

// share is a/b, NaN when b is 0.
func share(a, b int) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}
