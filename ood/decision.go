package ood

import (
	"fmt"
	"math"
)

// Decision says which images a model knows. It is a plain value that travels
// with the model as JSON, and safe for concurrent use.
//
// The zero Decision is that of a model that was never calibrated: temperature
// 1, and everything is known.
type Decision struct {
	// Score names the function that is compared with Threshold; "" is "msp".
	Score string `json:"score"`
	// Temperature divides the logits; 0 means 1.
	Temperature float64 `json:"temperature"`
	// Threshold is the lowest score of a known image.
	Threshold float64 `json:"threshold"`
	// Keep is the share of known images that Threshold was chosen to keep, 0
	// if it was chosen otherwise. It is a record and decides nothing.
	Keep float64 `json:"keep,omitempty"`
}

// Options say how [Calibrate] chooses.
type Options struct {
	// Keep is the share of known images to keep, above 0 and at most 1; 0
	// means 0.95.
	Keep float64
	// Score is the score to use; "" means "msp".
	Score string
	// Temperature fixes the temperature; 0 means that it is fitted.
	Temperature float64
}

// Calibrate finds temperature and threshold on known images that the model was
// not trained on: logits [N,K] and labels. All of them count as known, also
// those that the model takes for the wrong class.
//
// Where every label has the largest logit no temperature is better than the
// next lower one ([FitTemperature]); the smallest would push all probabilities
// to 1 and leave nothing to tell strangers by, so the temperature is then 1. So
// it is at the other end, where the labels' logits are no higher than others
// and the largest temperature would make all probabilities equal: a few dozen
// held-out images can do that.
//
// Errors are those of [FitTemperature], [Threshold] and [ScoreByName].
func Calibrate(logits []float32, labels []int, o Options) (Decision, error) {
	k, err := checkRows(logits, labels)
	if err != nil {
		return Decision{}, err
	}
	d := Decision{Score: o.Score, Temperature: o.Temperature, Keep: o.Keep}
	if d.Score == "" {
		d.Score = DefaultScore
	}
	if d.Keep == 0 {
		d.Keep = 0.95
	}
	if d.Temperature == 0 {
		d.Temperature = 1
		if !separable(logits, labels) {
			d.Temperature = fitTemperature(logits, labels)
		}
		if d.Temperature >= MaxTemperature {
			d.Temperature = 1
		}
	}
	if err := d.Validate(); err != nil {
		return Decision{}, err
	}
	scores, err := Scores(logits, k, d.Score, d.Temperature)
	if err != nil {
		return Decision{}, err
	}
	if d.Threshold, err = Threshold(scores, d.Keep); err != nil {
		return Decision{}, err
	}
	return d, nil
}

// Validate returns an error for a decision that [Decision.Decide] cannot
// follow: an unknown score, a temperature that is negative or not finite, a
// threshold that is NaN or infinite, a Keep outside 0..1. Whoever reads one
// from a file should call it.
func (d Decision) Validate() error {
	if _, err := ScoreByName(d.Score); err != nil {
		return err
	}
	if !(d.Temperature >= 0) || math.IsInf(d.Temperature, 1) {
		return fmt.Errorf("ood: temperature %v: want a positive number", d.Temperature)
	}
	if math.IsNaN(d.Threshold) || math.IsInf(d.Threshold, 0) {
		return fmt.Errorf("ood: threshold %v: want a number", d.Threshold)
	}
	if !(d.Keep >= 0 && d.Keep <= 1) {
		return fmt.Errorf("ood: keep %v of the known images: want a share", d.Keep)
	}
	return nil
}

// Decide scores one row of K logits and says whether the image is known: its
// score is the threshold or above. The score of "msp" is the calibrated
// probability of the predicted class. An image without a score (logits that
// are NaN or +Inf, no logits, a decision that does not pass
// [Decision.Validate]) has score NaN and is not known.
func (d Decision) Decide(logits []float32) (score float64, known bool) {
	f, err := ScoreByName(d.Score)
	if err != nil {
		return math.NaN(), false
	}
	t := d.Temperature
	if t == 0 {
		t = 1
	}
	score = f(logits, t)
	return score, score >= d.Threshold
}
