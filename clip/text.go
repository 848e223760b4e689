package clip

import (
	"fmt"

	"github.com/winnow-go/winnow/nn"
)

// text is the text tower.
type text struct {
	Text
	positions  *nn.Param // [Context,C]
	projection *nn.Projection
	blocks     transformer
	embedding  *nn.Embedding
	final      *nn.LayerNorm
}

// declareFirst and declareRest declare the parameters, which stand before and
// after the image tower's.
func (m *text) declareFirst(s *nn.Scope, embed int) {
	m.positions = s.Param("positional_embedding", nn.Normal(0.01), m.Context, m.Width)
	m.projection = nn.NewProjection(s, "text_projection", m.Width, embed, nn.Normal(invSqrt(m.Width)))
}

func (m *text) declareRest(s *nn.Scope) {
	m.blocks = newTransformer(s.Sub("transformer"), m.Width, m.Layers, m.Heads, m.MLP, m.Act, m.Eps, true)
	m.embedding = nn.NewEmbedding(s.Sub("token_embedding"), m.Vocabulary, m.Width, nn.Normal(0.02))
	m.final = nn.NewLayerNorm(s.Sub("ln_final"), m.Width, m.Eps)
}

// end is the position at which a text is pooled.
func (m *text) end(tokens []int32) (int, bool) {
	at := 0
	for i, id := range tokens {
		if m.End != 0 && id == m.End {
			return i, true
		}
		if id > tokens[at] {
			at = i
		}
	}
	return at, m.End == 0
}

// forward embeds tokens. Without see it leaves out what follows the end of the
// longest text.
func (m *text) forward(t *nn.Tape, tokens [][]int32, see see) *nn.Tensor {
	fail := func(format string, args ...any) *nn.Tensor {
		t.Fail(fmt.Errorf("clip: text: "+format, args...))
		return nil
	}
	if len(tokens) == 0 {
		return fail("no texts")
	}
	ends, longest := make([]int, len(tokens)), 0
	for i, text := range tokens {
		if len(text) == 0 || len(text) > m.Context || len(text) != len(tokens[0]) {
			return fail("%d tokens in text %d and %d in the first, want equally many, 1 to %d", len(text), i, len(tokens[0]), m.Context)
		}
		at, ok := m.end(text)
		if !ok {
			return fail("text %d does not hold the end token %d", i, m.End)
		}
		ends[i], longest = at, max(longest, at+1)
	}
	if see != nil {
		longest = len(tokens[0])
	}
	var ids []int32
	for _, text := range tokens {
		ids = append(ids, text[:longest]...)
	}
	x := m.embedding.Forward(t, ids, len(tokens))
	x = t.AddPositions(x, m.positions)
	if see == nil {
		x = m.final.Forward(t, m.blocks.pooled(t, x, ends))
	} else {
		x = m.blocks.forward(t, x)
		see("transformer", x)
		x = m.final.Forward(t, x)
		see("ln_final", x)
		x = t.SelectTokens(x, ends)
	}
	return m.projection.Forward(t, x)
}
