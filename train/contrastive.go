package train

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/nn"
)

// Contrastive is CLIP's loss of n pairs of embeddings (Radford et al. 2021,
// arXiv:2103.00020, figure 3): images and texts [n,E], row i of one belonging to
// row i of the other, of any length. Both are normalised; the cosines of all
// pairs times e to the power of logScale are the logits, and the loss [1] is
// the mean of two cross-entropies: of each image among the texts, and of each
// text among the images. logScale is learned with the rest; see ClampScale.
//
// A batch of one pair has loss 0 and no gradient.
func Contrastive(t *nn.Tape, images, texts *nn.Tensor, logScale *nn.Param) *nn.Tensor {
	if t.Err() == nil && images != nil && texts != nil && images.Dim(0) != texts.Dim(0) {
		t.Fail(fmt.Errorf("train: contrastive: %d images and %d texts, want pairs", images.Dim(0), texts.Dim(0)))
	}
	images, texts = t.Normalize(images), t.Normalize(texts)
	pairs := make([]int, images.Dim(0))
	for i := range pairs {
		pairs[i] = i
	}
	y := nn.Targets{Labels: pairs}
	byImage := t.CrossEntropy(t.TimesExp(t.MulTransposed(images, texts), logScale), y)
	byText := t.CrossEntropy(t.TimesExp(t.MulTransposed(texts, images), logScale), y)
	return t.Times(t.Add(byImage, byText), 0.5)
}

// ClampScale keeps the logarithm of the factor between cosines and logits
// within 0 and ln 100, after a step: a larger factor makes training unstable
// (section 2.5 of the paper; open_clip training/train.py).
func ClampScale(logScale *nn.Param) {
	for i, v := range logScale.Data() {
		logScale.Data()[i] = min(max(v, 0), float32(math.Log(100)))
	}
}
