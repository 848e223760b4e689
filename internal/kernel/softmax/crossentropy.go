package softmax

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// Reduction says how the losses of the rows become one number.
type Reduction uint8

// Reductions.
const (
	Mean Reduction = iota // see CrossEntropy
	Sum
	None // one loss per row; the number returned is their sum
)

// CrossEntropy is the loss -Σ t log softmax(x) of logits x against targets t,
// with torch.nn.functional.cross_entropy's semantics (PyTorch 2). With labels
// y, smoothing ε (Szegedy et al. 2016, arXiv:1512.00567), class weights w and K
// classes a row's loss is
//
//	(1-ε) · -w[y] log p[y]  +  ε/K · Σ -w[k] log p[k]          Labels
//	Σ -w[k] ((1-ε) t[k] + ε/K) log p[k]                        Targets
//
// Mean divides the sum of the losses by the sum of w[y] over the rows that
// count (their number without weights), or, with Targets, by the number of
// rows. If no row counts the mean is NaN and the gradient 0.
//
// Set exactly one of Labels and Targets.
type CrossEntropy struct {
	Labels    []int32   // [R]; a negative label (PyTorch's is -100) leaves its row out
	Targets   []float32 // [R,K]; usually, but not necessarily, adding up to 1
	Weights   []float32 // [K] class weights; nil means ones
	Smoothing float64   // ε, 0 to 1
	Reduction Reduction
	Upstream  []float32 // [R] with None: the gradient of each row's loss; nil means ones
}

// Loss computes the loss of rows rows of k logits. dlogits [R,K] receives its
// gradient and each [R] the rows' losses (0 for rows left out) before any
// reduction; nil leaves either out. dlogits may be logits.
//
// A logit of -Inf gives the loss +Inf where its target is positive, and NaN
// with Targets where that is 0, as 0·∞ is.
func (o CrossEntropy) Loss(dlogits, each, logits []float32, rows, k int) float64 {
	if o.Targets != nil {
		check("CrossEntropy targets", rows, k, o.Targets)
	} else {
		check("CrossEntropy labels", rows, 1, o.Labels)
		for r, y := range o.Labels[:rows] {
			if int(y) >= k {
				panic(fmt.Sprintf("softmax: CrossEntropy: label %d in row %d of %d classes", y, r, k))
			}
		}
	}
	check("CrossEntropy logits", rows, k, logits)
	for _, s := range []struct {
		what  string
		slice []float32
		n     int
	}{{"gradient", dlogits, rows * k}, {"losses", each, rows}, {"weights", o.Weights, k}, {"upstream", o.Upstream, rows}} {
		if s.slice != nil && len(s.slice) < s.n {
			panic(fmt.Sprintf("softmax: CrossEntropy: %s has %d elements, want %d", s.what, len(s.slice), s.n))
		}
	}
	return crossEntropy(o.Labels, o.Targets, o.Weights, o.Upstream, o.Smoothing, o.Reduction, dlogits, each, logits, rows, k)
}

// crossEntropy is CrossEntropy.Loss over either type.
func crossEntropy[T kernel.Float](labels []int32, targets, weights, upstream []T, ε float64, reduction Reduction, dlogits, each, logits []T, rows, k int) float64 {
	divisor := 1.0
	if reduction == Mean {
		divisor = total(labels, targets, weights, rows)
	}
	weight := func(j int) float64 {
		if weights == nil {
			return 1
		}
		return float64(weights[j])
	}
	uniform := ε / float64(k)
	var sum float64
	for r := range rows {
		row := logits[r*k:][:k]
		if targets == nil && labels[r] < 0 {
			if dlogits != nil {
				clear(dlogits[r*k:][:k])
			}
			if each != nil {
				each[r] = 0
			}
			continue
		}
		// target is the coefficient of -log p[j].
		target := func(j int) float64 {
			if targets != nil {
				return weight(j) * ((1-ε)*float64(targets[r*k+j]) + uniform)
			}
			t := uniform * weight(j)
			if j == int(labels[r]) {
				t += (1 - ε) * weight(j)
			}
			return t
		}
		// One pass takes Σ exp, mass = Σ t and Σ t x: the loss is
		// mass·logsumexp - Σ t x, the gradient mass·p - t. The exponentials
		// wait in dlogits, which may be the logits.
		var out []T
		if dlogits != nil {
			out = dlogits[r*k:][:k]
		}
		m := origin(row)
		var s, mass, tx float64
		for j, v := range row {
			if targets != nil || ε != 0 || j == int(labels[r]) {
				t := target(j)
				mass += t
				tx += float64(t * (float64(v) - m))
			}
			e := math.Exp(float64(v) - m)
			s += e
			if out != nil {
				out[j] = T(e)
			}
		}
		loss := float64(mass*math.Log(s)) - tx
		sum += loss
		if each != nil {
			each[r] = T(loss)
		}
		scale := 1 / divisor
		if reduction == None && upstream != nil {
			scale = float64(upstream[r])
		}
		for j, e := range out {
			out[j] = T(scale * (float64(mass*(float64(e)/s)) - target(j)))
		}
	}
	if reduction == Mean {
		return sum / divisor
	}
	return sum
}

// total is what Mean divides by.
func total[T kernel.Float](labels []int32, targets, weights []T, rows int) float64 {
	if targets != nil {
		return float64(rows)
	}
	var n float64
	for _, y := range labels[:rows] {
		switch {
		case y < 0:
		case weights == nil:
			n++
		default:
			n += float64(weights[y])
		}
	}
	return n
}
