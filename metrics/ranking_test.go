package metrics

import (
	"math"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
)

// TestRankingMatchesItsDefinitions holds the sorted counts to the definitions,
// evaluated pair by pair and threshold by threshold, on scores with many ties.
func TestRankingMatchesItsDefinitions(t *testing.T) {
	r := rng.New(1, rng.Test)
	for trial := range 200 {
		steps := []int{1, 2, 5, 50, 1 << 30}[trial%5]
		draw := func(n int, shift float64) []float64 {
			out := make([]float64, n)
			for i := range out {
				out[i] = math.Floor((r.Float64() + shift) * float64(steps))
			}
			return out
		}
		pos, neg := draw(1+r.IntN(30), 0.3), draw(1+r.IntN(30), 0)
		rank := Rank(pos, neg)

		var wins float64
		for _, p := range pos {
			for _, n := range neg {
				switch {
				case p > n:
					wins++
				case p == n:
					wins += 0.5
				}
			}
		}
		if got, want := rank.AUROC(), wins/float64(len(pos)*len(neg)); math.Abs(got-want) > 1e-15 {
			t.Errorf("trial %d: AUROC %v, want %v", trial, got, want)
		}

		at := func(threshold float64) (tp, fp int) {
			for _, p := range pos {
				if p >= threshold {
					tp++
				}
			}
			for _, n := range neg {
				if n >= threshold {
					fp++
				}
			}
			return tp, fp
		}
		best := Point{Threshold: math.Inf(-1)}
		for _, threshold := range append(append([]float64{}, pos...), neg...) {
			if tp, fp := at(threshold); share(tp, len(pos)) >= 0.8 && threshold > best.Threshold {
				best = Point{threshold, tp, fp, share(tp, len(pos)), share(fp, len(neg))}
			}
		}
		if got := rank.AtTPR(0.8); got != best {
			t.Errorf("trial %d: at 0.8 %+v, want %+v", trial, got, best)
		}
		least := 0.5
		for _, p := range rank.Points() {
			if tp, fp := at(p.Threshold); tp != p.TruePos || fp != p.FalsePos {
				t.Errorf("trial %d: %+v, want %d and %d", trial, p, tp, fp)
			}
			least = min(least, (1-p.TPR)/2+p.FPR/2)
		}
		if got := rank.DetectionError(); got != least {
			t.Errorf("trial %d: detection error %v, want %v", trial, got, least)
		}
		// Each positive adds the precision at its own score.
		var ap float64
		for _, p := range pos {
			tp, fp := at(p)
			ap += share(tp, tp+fp) / float64(len(pos))
		}
		if got := rank.AveragePrecision(); math.Abs(got-ap) > 1e-14 {
			t.Errorf("trial %d: average precision %v, want %v", trial, got, ap)
		}
	}
}

func TestRankingOfExtremes(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, test := range []struct {
		name                string
		pos, neg            []float64
		auroc, ap, fpr, err float64
	}{
		{"perfect", []float64{2, 3}, []float64{0, 1}, 1, 1, 0, 0},
		{"reversed", []float64{0, 1}, []float64{2, 3}, 0, (1./3 + 2./4) / 2, 1, 0.5},
		{"all equal", []float64{1, 1}, []float64{1, 1, 1}, 0.5, 0.4, 1, 0.5},
		{"infinite", []float64{inf, 0}, []float64{-inf, 0}, 0.875, (1 + 2./3) / 2, 0.5, 0.25},
		{"no negatives", []float64{1}, nil, nan, 1, nan, nan},
		{"no positives", nil, []float64{1}, nan, nan, nan, nan},
		{"nothing", nil, nil, nan, nan, nan, nan},
		{"NaN", []float64{1, nan}, []float64{0}, nan, nan, nan, nan},
		{"NaN among negatives", []float64{1}, []float64{0, nan}, nan, nan, nan, nan},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := Rank(test.pos, test.neg)
			got := []float64{r.AUROC(), r.AveragePrecision(), r.AtTPR(0.95).FPR, r.DetectionError()}
			for i, want := range []float64{test.auroc, test.ap, test.fpr, test.err} {
				if math.IsNaN(want) != math.IsNaN(got[i]) || math.Abs(got[i]-want) > 1e-15 {
					t.Errorf("%s: %v, want %v", []string{"AUROC", "average precision", "FPR95", "detection error"}[i], got[i], want)
				}
			}
		})
	}
	r := Rank([]float64{1, 2}, []float64{0})
	for _, tpr := range []float64{0, -1, 1.01, nan} {
		if p := r.AtTPR(tpr); !math.IsNaN(p.Threshold) {
			t.Errorf("at %v: %+v", tpr, p)
		}
	}
}

// TestTheShareOfTPRIsNotLostToRounding: 0.95 of n is c exactly when c/n rounds
// to 0.95, whatever 0.95*n rounds to.
func TestTheShareOfTPRIsNotLostToRounding(t *testing.T) {
	for n := 20; n <= 2000; n += 20 {
		pos := make([]float64, n)
		for i := range pos {
			pos[i] = float64(i)
		}
		if p := Rank(pos, nil).AtTPR(0.95); p.TruePos != n/20*19 {
			t.Errorf("0.95 of %d: %d", n, p.TruePos)
		}
	}
}
