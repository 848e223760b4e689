package ood

// Measure says what the decision does to known images, logits [N,K] with
// labels, and to strangers, logits [M,K], which may be nil: one row of a
// [Table]. The figures are only honest on images that were not used to
// calibrate. An image without a score is refused.
//
// Lengths that do not fit, labels outside 0..K-1, logits that are NaN or
// infinite, and a decision that does not pass [Decision.Validate] are errors.
func (d Decision) Measure(logits []float32, labels []int, strangers []float32) (Row, error) {
	if err := d.Validate(); err != nil {
		return Row{}, err
	}
	temperature := d.Temperature
	if temperature == 0 {
		temperature = 1
	}
	t, err := sweep(logits, labels, strangers, d.Score, []float64{temperature}, []float64{d.Threshold})
	if err != nil {
		return Row{}, err
	}
	return t.Rows[0], nil
}
