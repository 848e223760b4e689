package ood

import "fmt"

// DefaultScore is the name of the score that an empty name means.
const DefaultScore = "msp"

// A Score turns one row of K logits into one number at a temperature; a higher
// number is more like the training data. It is NaN where logits or temperature
// make no sense.
type Score func(logits []float32, temperature float64) float64

// ScoreByName returns the score that a [Decision] names: "msp" ([MSP]), which
// the empty name means too. Any other name is an error: the model file may
// come from a later version.
func ScoreByName(name string) (Score, error) {
	switch name {
	case "", DefaultScore:
		return MSP, nil
	}
	return nil, fmt.Errorf("ood: unknown score %q", name)
}

// Scores scores N rows of logits [N,K]. A length that is not a multiple of K,
// or an unknown score, is an error; no rows give an empty slice.
func Scores(logits []float32, classes int, score string, temperature float64) ([]float64, error) {
	f, err := ScoreByName(score)
	if err != nil {
		return nil, err
	}
	if classes < 1 || len(logits)%classes != 0 {
		return nil, fmt.Errorf("ood: scores: %d logits are no rows of %d classes", len(logits), classes)
	}
	out := make([]float64, len(logits)/classes)
	for i := range out {
		out[i] = f(logits[i*classes:(i+1)*classes], temperature)
	}
	return out, nil
}
