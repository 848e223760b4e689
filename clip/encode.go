package clip

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// ErrNoVocabulary is wrapped by errors about texts that are given to a model
// without a vocabulary.
var ErrNoVocabulary = errors.New("the model has no vocabulary")

var _ Encoder = (*Model)(nil)

// Transform is how images are prepared for the model: OpenAI's way, or what the
// files say that it was opened from.
func (m *Model) Transform() transform.Config { return m.transform }

// SetTransform changes Transform. An error wraps transform.ErrConfig, or
// ErrConfig where the size is not the tower's.
func (m *Model) SetTransform(c transform.Config) error {
	if err := c.Validate(); err != nil {
		return err
	}
	c = c.WithDefaults()
	if v := m.cfg.Vision; v != nil && v.Kind != ConvNeXt && c.Size != v.Size {
		return fmt.Errorf("clip: images of %d pixels for a tower of %d: %w", c.Size, v.Size, ErrConfig)
	}
	m.transform = c
	return nil
}

// SetDevice sets where EncodeImages and EncodeTexts compute; nil means a new
// device with default options. It implies Refresh.
func (m *Model) SetDevice(dev *nn.Device) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.taken {
		m.dev, m.runs, m.id = dev, [2]*nn.Runner{}, ""
	}
}

// Refresh makes EncodeImages, EncodeTexts and ID take the weights as they are
// now. It does nothing to a model that was opened with Options.TakeWeights, as
// SetDevice does nothing.
func (m *Model) Refresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.taken {
		m.runs, m.id = [2]*nn.Runner{}, ""
	}
}

// Which of a model's runners.
const (
	ofImages = iota
	ofTexts
)

// run is the runner that holds the packed weights of a tower.
func (m *Model) run(tower int) *nn.Runner {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.dev == nil {
		m.dev = nn.NewDevice(nn.DeviceOptions{})
	}
	if m.runs[tower] == nil {
		m.runs[tower] = nn.RunnerOptions{Device: m.dev, TakeWeights: m.taken}.New(m)
	}
	return m.runs[tower]
}

// EncodeImages embeds n images x [n,Size,Size,3], prepared as Transform says,
// in one batch: [n,Dim], every row of length 1. ctx is looked at before the
// work begins. An empty batch gives nothing.
func (m *Model) EncodeImages(ctx context.Context, x []float32, n int) ([]float32, error) {
	if err := ctx.Err(); err != nil || n == 0 && len(x) == 0 {
		return nil, err
	}
	if m.vision == nil {
		return nil, fmt.Errorf("clip: encode images: %w", ErrNoTower)
	}
	size := m.transform.WithDefaults().Size
	y, _, err := m.run(ofImages).Run(nil, func(t *nn.Tape) *nn.Tensor {
		return t.Normalize(m.Image(t, t.InputFloats(x, n, size, size, 3)))
	})
	return y, err
}

// EncodeTokens embeds texts that were made into tokens, as Text takes them, in
// one batch: [len(tokens),Dim], every row of length 1. No texts give nothing.
func (m *Model) EncodeTokens(ctx context.Context, tokens [][]int32) ([]float32, error) {
	if err := ctx.Err(); err != nil || len(tokens) == 0 {
		return nil, err
	}
	y, _, err := m.run(ofTexts).Run(nil, func(t *nn.Tape) *nn.Tensor { return t.Normalize(m.Text(t, tokens)) })
	return y, err
}

// EncodeTexts embeds texts in one batch: [len(texts),Dim], every row of length
// 1. The error wraps ErrNoVocabulary if the model has none, and ErrTooLong if a
// text is too long and the tokenizer does not truncate.
func (m *Model) EncodeTexts(ctx context.Context, texts []string) ([]float32, error) {
	if m.text == nil {
		return nil, fmt.Errorf("clip: encode texts: %w", ErrNoTower)
	}
	if m.tokenizer == nil {
		return nil, fmt.Errorf("clip: encode texts: %w", cmp.Or(m.lacks, ErrNoVocabulary))
	}
	tokens := make([][]int32, len(texts))
	for i, text := range texts {
		var err error
		if tokens[i], err = m.tokenizer.Tokens(text, m.text.Context); err != nil {
			return nil, err
		}
	}
	return m.EncodeTokens(ctx, tokens)
}

// Tokenizer is what EncodeTexts reads texts with, nil without a vocabulary.
func (m *Model) Tokenizer() *Tokenizer { return m.tokenizer }

// SetTokenizer changes how texts are read; it must not be called while others
// use the model. The vocabulary must fit the text tower: no more tokens than
// that has, and the end token where the tower pools. Otherwise the error wraps
// ErrConfig.
func (m *Model) SetTokenizer(t *Tokenizer) error {
	if m.text == nil {
		return fmt.Errorf("clip: tokenizer: %w", ErrNoTower)
	}
	if t != nil {
		v := t.Vocabulary()
		last := int32(v.Size() - 1)
		switch {
		case v.Size() > m.text.Vocabulary:
			return fmt.Errorf("clip: a vocabulary of %d tokens for a text tower of %d: %w", v.Size(), m.text.Vocabulary, ErrConfig)
		case m.text.End != 0 && v.End() != m.text.End:
			return fmt.Errorf("clip: a vocabulary whose end token is %d for a text tower that pools at %d: %w", v.End(), m.text.End, ErrConfig)
		case m.text.End == 0 && v.End() != last:
			return fmt.Errorf("clip: a vocabulary whose end token is %d, not its last, %d, where the text tower pools: %w", v.End(), last, ErrConfig)
		}
	}
	m.tokenizer = t
	return nil
}
