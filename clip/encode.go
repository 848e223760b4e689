package clip

import (
	"context"
	"errors"
	"fmt"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// ErrNoVocabulary is wrapped by errors about texts that are given to a model
// without a vocabulary.
var ErrNoVocabulary = errors.New("the model has no vocabulary")

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
	m.dev, m.runner = dev, nil
}

// Refresh makes EncodeImages and EncodeTexts take the weights as they are now.
func (m *Model) Refresh() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runner = nil
}

// run is the runner that holds the packed weights.
func (m *Model) run() *nn.Runner {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runner == nil {
		m.runner = nn.NewRunner(m, m.dev)
		m.dev = m.runner.Device()
	}
	return m.runner
}

// EncodeImages embeds n images x [n,Size,Size,3], prepared as Transform says,
// in one batch: [n,Dim], every row of length 1. ctx is looked at before the
// work begins. An empty batch gives nothing.
func (m *Model) EncodeImages(ctx context.Context, x []float32, n int) ([]float32, error) {
	if err := ctx.Err(); err != nil || n == 0 && len(x) == 0 {
		return nil, err
	}
	size := m.transform.WithDefaults().Size
	y, _, err := m.run().Run(nil, func(t *nn.Tape) *nn.Tensor {
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
	y, _, err := m.run().Run(nil, func(t *nn.Tape) *nn.Tensor { return t.Normalize(m.Text(t, tokens)) })
	return y, err
}

// EncodeTexts embeds texts in one batch: [len(texts),Dim], every row of length
// 1. The error wraps ErrNoVocabulary if the model has none.
func (m *Model) EncodeTexts(ctx context.Context, texts []string) ([]float32, error) {
	if m.tokenize == nil {
		return nil, fmt.Errorf("clip: encode texts: %w", ErrNoVocabulary)
	}
	tokens, err := m.tokenize(texts)
	if err != nil {
		return nil, err
	}
	return m.EncodeTokens(ctx, tokens)
}

// ID tells models apart: a digest of the configuration and of the weights as
// they were opened; "" for a model that was made by New.
func (m *Model) ID() string { return m.id }
