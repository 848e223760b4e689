package winnow

import (
	"context"
	"fmt"
	"image"
	"io"
	"iter"
	"sync"

	"github.com/winnow-go/winnow/transform"
)

// Input is one image for Each: decoded, or to be read and decoded.
type Input struct {
	Name  string      // returned with the result
	Image image.Image // or
	Open  func() (io.ReadCloser, error)
}

// Result is what Each says about one input.
type Result struct {
	Name string
	Prediction
	// Err says why this one could not be classified; the Prediction is then
	// empty. Errors of images are those of ClassifyReader, with the name.
	Err error
}

// Each classifies a sequence of images, in order: decoded in parallel, put
// through the model in batches. A bad image is a Result with an Err and does
// not end the sequence; an error in the second place (ctx, the model) does.
//
// Inputs are taken up to two batches ahead of the results, on the goroutine
// that ranges over Each, which therefore waits where inputs waits. Open is
// called on other goroutines; none of them is left when the loop ends.
func (c *Classifier) Each(ctx context.Context, inputs iter.Seq[Input]) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		next, stop := iter.Pull(inputs)
		workers := make(chan struct{}, c.decoders())
		var now, ahead *chunk
		defer func() { // leave no goroutine behind
			cancel()
			now.wait()
			ahead.wait()
			stop()
		}()
		now = c.collect(ctx, next, workers)
		for now != nil {
			ahead = c.collect(ctx, next, workers) // decodes while the model computes
			now.wait()
			if ctx.Err() != nil {
				break
			}
			if err := c.fill(now); err != nil {
				yield(Result{}, err)
				return
			}
			for _, r := range now.results {
				if !yield(r, nil) {
					return
				}
			}
			now = ahead
		}
		if err := ctx.Err(); err != nil {
			yield(Result{}, err)
		}
	}
}

// chunk is a batch on its way: inputs being decoded, then results.
type chunk struct {
	x        []float32 // [N,Size,Size,3]
	results  []Result
	decoding sync.WaitGroup
}

func (b *chunk) wait() {
	if b != nil {
		b.decoding.Wait()
	}
}

// collect takes up to a batch of inputs and starts their decoding; nil if
// there are none or ctx has ended.
func (c *Classifier) collect(ctx context.Context, next func() (Input, bool), workers chan struct{}) *chunk {
	var b *chunk
	size := c.info.Transform.Len()
	for i := 0; i < c.o.Batch && ctx.Err() == nil; i++ {
		in, ok := next()
		if !ok {
			break
		}
		if b == nil {
			b = &chunk{x: make([]float32, c.o.Batch*size), results: make([]Result, 0, c.o.Batch)}
		}
		b.results = append(b.results, Result{Name: in.Name}) // within its capacity: r stays good
		r, x := &b.results[i], b.x[i*size:(i+1)*size]
		workers <- struct{}{}
		b.decoding.Go(func() {
			defer func() { <-workers }()
			if ctx.Err() != nil {
				return
			}
			if err := c.decode(x, in); err != nil {
				r.Err = fmt.Errorf("%s: %w", in.Name, err)
			}
		})
	}
	return b
}

// decode turns one input into the model's numbers. What it calls is the
// caller's (Open, an image's At): a panic there is an error of that image.
func (c *Classifier) decode(dst []float32, in Input) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("winnow: reading the image panicked: %v: %w", v, ErrImageCorrupt)
		}
	}()
	img := in.Image
	if img == nil {
		if in.Open == nil {
			return fmt.Errorf("winnow: an input without image: %w", ErrImageFormat)
		}
		r, err := in.Open()
		if err != nil {
			return err
		}
		defer r.Close()
		if img, err = transform.Decode(r, c.o.Limits); err != nil {
			return err
		}
	}
	return c.prepare(dst, img)
}

// fill classifies a chunk's good images.
func (c *Classifier) fill(b *chunk) error {
	size := c.info.Transform.Len()
	var good []int
	for i := range b.results {
		if b.results[i].Err == nil {
			copy(b.x[len(good)*size:], b.x[i*size:(i+1)*size])
			good = append(good, i)
		}
	}
	if len(good) == 0 {
		return nil
	}
	logits, k, err := c.logits(b.x[:len(good)*size], len(good))
	if err != nil {
		return err
	}
	for j, i := range good {
		r := &b.results[i]
		if r.Prediction, err = c.judge(logits[j*k : (j+1)*k]); err != nil {
			r.Err = fmt.Errorf("%s: %w", r.Name, err)
		}
	}
	return nil
}
