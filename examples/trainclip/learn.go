package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"time"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
)

// config is the model that is trained: about a quarter of a million numbers.
func config(vocabulary int) clip.Config {
	return clip.Config{
		Embed: 64,
		Vision: &clip.Vision{Kind: clip.ConvNeXt, Size: side, Trunk: &convnext.Config{
			Depths: []int{2, 1}, Dims: []int{32, 64}, Stem: 2, Init: convnext.FanIn,
		}},
		Text: &clip.Text{Vocabulary: vocabulary, Context: clip.Context, Width: 64, Heads: 2, Layers: 2},
	}
}

// build makes a model that reads and looks as the pairs are written and drawn.
func build(p *pairs) (*clip.Model, error) {
	m, err := clip.New(config(p.vocabulary.Size()))
	if err != nil {
		return nil, err
	}
	if err := m.SetTransform(p.transform); err != nil {
		return nil, err
	}
	return m, m.SetTokenizer(p.tokenizer)
}

const (
	peakRate    = 4e-3
	warmup      = 0.05 // share of the steps
	weightDecay = 0.05
	longestStep = 1.0  // norm that gradients are cut down to
	average     = 0.99 // decay of the averaged weights
	every       = 50   // steps between lines of progress
)

// learn trains m and leaves the average of its weights in it.
func learn(ctx context.Context, m *clip.Model, p *pairs, dev *nn.Device, o options, w io.Writer) error {
	words := newGuesser(m)
	nn.Initialize(words, o.seed)
	avg := &ema.Average{Decay: average}
	if err := avg.Start(m); err != nil {
		return err
	}
	optimizer := &train.AdamW{Beta2: 0.98, Epsilon: 1e-6, WeightDecay: weightDecay}
	schedule := train.Cosine{Peak: peakRate, Warmup: warmup}
	t := nn.NewTape(nn.Training, dev)
	began, sum, n := time.Now(), 0.0, 0
	next, failed, stop := p.ahead(o.steps)
	defer stop()
	for step := range o.steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, ok := <-next
		if !ok {
			return *failed
		}
		t.Seed(o.seed, uint64(step))
		x := tensor.New(tensor.WithShape(p.batch, side, side, 3), tensor.WithBacking(b.images))
		help := 1 - float64(step)/float64(o.steps)
		loss, err := descend(t, m, words, help, x, b, optimizer, schedule.Rate(step, o.steps))
		if err != nil {
			return fmt.Errorf("step %d: %w", step+1, err)
		}
		if err := avg.Update(m); err != nil {
			return err
		}
		sum, n = sum+loss, n+1
		if (step+1)%every == 0 || step+1 == o.steps {
			left := time.Since(began) / time.Duration(step+1) * time.Duration(o.steps-step-1)
			fmt.Fprintf(w, "step %4d of %d  loss %.3f  scale %5.1f  %s left\n", step+1, o.steps, sum/float64(n), m.LogitScale(), left.Round(time.Second))
			sum, n = 0, 0
		}
	}
	if err := avg.Swap(); err != nil {
		return err
	}
	m.Refresh()
	return nil
}

// descend makes one step and returns the contrastive loss before it. help is the
// weight of the guesses.
func descend(t *nn.Tape, m *clip.Model, words *guesser, help float64, x *tensor.Dense, b batch, optimizer train.Optimizer, rate float64) (float64, error) {
	defer t.Reset()
	images, texts := m.Image(t, t.Input(x)), m.Text(t, b.tokens)
	contrast := train.Contrastive(t, images, texts, m.Scale())
	contrast.Keep()
	guesses := t.Add(words.loss(t, images, b.words), words.loss(t, texts, b.words))
	if err := t.Backward(t.Add(contrast, t.Times(guesses, float32(help)))); err != nil {
		return 0, err
	}
	v, err := contrast.Floats()
	if err != nil {
		return 0, err
	}
	var updates []train.Update
	squares := 0.0
	for _, p := range words.Params() {
		g := t.Gradient(p)
		if g == nil {
			continue
		}
		updates = append(updates, train.Update{Param: p, Gradient: g})
		for _, d := range g {
			squares += float64(d) * float64(d)
		}
	}
	loss, norm := float64(v[0]), math.Sqrt(squares)
	if math.IsNaN(loss+norm) || math.IsInf(loss+norm, 0) {
		return 0, fmt.Errorf("loss %v, gradient norm %v: %w", loss, norm, train.ErrDiverged)
	}
	if err := optimizer.Step(updates, rate, min(1, longestStep/(norm+1e-6))); err != nil {
		return 0, err
	}
	train.ClampScale(m.Scale())
	return loss, nil
}

// ahead draws the batches of all steps in order, one while another is learned
// from. The channel is closed after the last, or early with an error. The caller
// calls stop in the end.
func (p *pairs) ahead(steps int) (next <-chan batch, failed *error, stop func()) {
	ready, quit := make(chan batch, 1), make(chan struct{})
	failed = new(error)
	go func() {
		defer close(ready)
		for step := range steps {
			b, err := p.draw(step)
			if err != nil {
				*failed = err
				return
			}
			select {
			case ready <- b:
			case <-quit:
				return
			}
		}
	}()
	return ready, failed, func() { close(quit) }
}
