package clip

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/label"
)

// Prediction is what a zero-shot classifier says about a picture: the class
// and four ways to say how sure it is. Prob is the probability of the class
// among all classes and background prompts; so the probabilities of the classes
// add up to 1 - Background. Known is false where a background prompt suits the
// picture better than every class.
type Prediction struct {
	label.Prediction
	// Cosine is the cosine between the picture and the class, in [-1,1]. For
	// trained models 0.2 is little and 0.35 a lot.
	Cosine float64 `json:"cosine"`
	// Margin is Prob less the probability of the next class or background
	// prompt: in [0,1] where Known, otherwise 0 or less. With one class and no
	// background it is Prob.
	Margin float64 `json:"margin"`
	// Entropy is that of all probabilities, in nats: 0 where one is 1, up to
	// ln(K+B) for K classes and B background prompts.
	Entropy float64 `json:"entropy"`
	// Background is the probability of all background prompts together.
	Background float64 `json:"background"`
}

// cosines compares an embedding with all classes and background prompts.
func (z *ZeroShot) cosines(embedding []float32) ([]float64, error) {
	if len(embedding) != z.dim {
		return nil, fmt.Errorf("clip: an embedding of %d values, want %d", len(embedding), z.dim)
	}
	v := widen(embedding)
	if !unit(v) {
		return nil, fmt.Errorf("clip: the embedding of the picture is no direction: %w", ErrEmbedding)
	}
	return cosines(z.text, v), nil
}

// cosines multiplies the rows of unit vectors text [R,D] with v.
func cosines(text, v []float64) []float64 {
	d := len(v)
	out := make([]float64, len(text)/d)
	for r := range out {
		sum := 0.0
		for i, x := range text[r*d : (r+1)*d] {
			sum += float64(x * v[i])
		}
		out[r] = min(max(sum, -1), 1)
	}
	return out
}

// Score classifies the embedding of a picture [D] that the same model made; its
// length does not matter. One without direction wraps ErrEmbedding.
func (z *ZeroShot) Score(embedding []float32) (Prediction, error) {
	cos, err := z.cosines(embedding)
	if err != nil {
		return Prediction{}, err
	}
	return predict(z.classes, cos, z.scale)
}

// predict makes a Prediction of the cosines of K classes and B background
// prompts.
func predict(classes label.Classes, cos []float64, scale float64) (Prediction, error) {
	top := math.Inf(-1)
	for _, c := range cos {
		top = max(top, c)
	}
	probs := make([]float64, len(cos))
	sum := 0.0
	for i, c := range cos {
		probs[i] = math.Exp(scale * (c - top))
		sum += probs[i]
	}
	entropy, background := 0.0, 0.0
	for i := range probs {
		probs[i] /= sum
		if probs[i] > 0 {
			entropy -= float64(probs[i] * math.Log(probs[i]))
		}
		if i >= len(classes) {
			background += probs[i]
		}
	}
	k := len(classes)
	// By cosines, not by probabilities: those may be equal at 0.
	best := 0
	for i, c := range cos[:k] {
		if c > cos[best] {
			best = i
		}
	}
	known, rival := true, 0.0
	for i, p := range probs {
		if i != best {
			rival = max(rival, p)
		}
		if i >= k && cos[i] > cos[best] {
			known = false
		}
	}
	// The most likely class of label.Predict is the first of the largest
	// probability; where all underflow beside a background prompt, or two
	// differ by less than a bit, that may be another than the nearest one.
	all := probs[:k:k]
	p, err := label.Predict(classes, all, known)
	if err != nil {
		return Prediction{}, fmt.Errorf("clip: %w", err)
	}
	p.Class, p.Index, p.Prob = classes[best], best, all[best]
	return Prediction{Prediction: p, Cosine: cos[best], Margin: all[best] - rival, Entropy: max(entropy, 0), Background: background}, nil
}
