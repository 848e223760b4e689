package main

import (
	"slices"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/nn"
)

// guesser guesses a word of the caption from an embedding, be it the picture's
// or the caption's own: one linear layer for both, which is thrown away in the
// end.
//
// The contrastive loss alone begins slowly. At first the cosines of all pairs
// are noise, and the quickest way to less of it is that all embeddings become
// alike; out of that state a batch of a hundred pairs finds its way after
// hundreds of steps only. Guessing words from pictures (Joulin et al. 2016,
// arXiv:1511.02251) has no such state, and the common layer puts pictures and
// texts with the same words into the same place from the beginning. Its weight
// falls to nothing along the training.
type guesser struct {
	*clip.Model
	head   *nn.Linear // [V,E]
	params []*nn.Param
}

func newGuesser(m *clip.Model) *guesser {
	s := nn.NewScope()
	c := m.Config()
	g := &guesser{Model: m, head: nn.NewLinear(s, nn.LinearConfig{In: c.Embed, Out: c.Text.Vocabulary})}
	g.params = s.Params()
	return g
}

// Params are those of the model and of the layer.
func (g *guesser) Params() []*nn.Param { return slices.Concat(g.Model.Params(), g.params) }

// loss is the cross-entropy [1] of the words [N,V], as embeddings [N,E] tell
// them.
func (g *guesser) loss(t *nn.Tape, embeddings *nn.Tensor, words []float32) *nn.Tensor {
	return t.CrossEntropy(g.head.Forward(t, embeddings, nn.Epilogue{}), nn.Targets{Soft: words})
}
