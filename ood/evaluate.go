package ood

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/winnow-go/winnow/metrics"
)

// Evaluation is how well a score tells known images from strangers. Shares are
// 0..1; what needs an image of a kind of which there is none is NaN, and
// everything is where a score is NaN. In JSON NaN is null.
type Evaluation struct {
	Known, Strangers int // numbers of images

	// AUROC is the probability that a known image scores higher than a
	// stranger, a tie counting half. 0.5 is chance.
	AUROC float64
	// FPR95 is the share of strangers accepted by the highest threshold that
	// keeps 95% of the known images, which is Threshold95. Most papers mean
	// this.
	FPR95, Threshold95 float64
	// FPR95Known is the same with the roles exchanged: the share of known
	// images refused when 95% of the strangers are. OpenOOD means this.
	FPR95Known float64
	// AUPRIn is the average precision of finding known images, AUPROut of
	// finding strangers. They depend on how many there are of each.
	AUPRIn, AUPROut float64
	// DetectionError is the smallest mean of the two error rates over all
	// thresholds.
	DetectionError float64
}

// Evaluate compares the scores of known images with those of strangers, a
// higher score being more like the training data.
func Evaluate(known, strangers []float64) Evaluation {
	in := metrics.Rank(known, strangers)
	out := metrics.Rank(negate(strangers), negate(known))
	at := in.AtTPR(0.95)
	e := Evaluation{
		Known:          len(known),
		Strangers:      len(strangers),
		AUROC:          in.AUROC(),
		FPR95:          at.FPR,
		Threshold95:    at.Threshold,
		FPR95Known:     out.AtTPR(0.95).FPR,
		AUPRIn:         in.AveragePrecision(),
		AUPROut:        out.AveragePrecision(),
		DetectionError: in.DetectionError(),
	}
	if e.Known == 0 || e.Strangers == 0 { // 1 says nothing where there is nobody else to find
		e.AUPRIn, e.AUPROut = math.NaN(), math.NaN()
	}
	return e
}

// String writes the usual three in one line.
func (e Evaluation) String() string {
	return fmt.Sprintf("AUROC %s, %s of strangers accepted when 95%% of known images are kept (%d known, %d strangers)",
		decimal(e.AUROC, 4), percent(e.FPR95), e.Known, e.Strangers)
}

// MarshalJSON writes the fields in snake case, null for NaN.
func (e Evaluation) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Known          int      `json:"known"`
		Strangers      int      `json:"strangers"`
		AUROC          *float64 `json:"auroc"`
		FPR95          *float64 `json:"fpr95"`
		Threshold95    *float64 `json:"threshold95"`
		FPR95Known     *float64 `json:"fpr95_known"`
		AUPRIn         *float64 `json:"aupr_in"`
		AUPROut        *float64 `json:"aupr_out"`
		DetectionError *float64 `json:"detection_error"`
	}{e.Known, e.Strangers, number(e.AUROC), number(e.FPR95), number(e.Threshold95),
		number(e.FPR95Known), number(e.AUPRIn), number(e.AUPROut), number(e.DetectionError)})
}

func negate(v []float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = -x
	}
	return out
}

// number is how a value that may be undefined goes into JSON.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}
