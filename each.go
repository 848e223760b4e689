package winnow

import (
	"context"
	"fmt"
	"image"
	"io"
	"iter"
	"runtime"
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
// Inputs are taken a few batches ahead of the results.
func (c *Classifier) Each(ctx context.Context, inputs iter.Seq[Input]) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		batches := make(chan *chunk, 1)
		var readers sync.WaitGroup
		readers.Go(func() {
			defer close(batches)
			c.collect(ctx, inputs, batches)
		})
		defer func() { // leave no goroutine behind
			cancel()
			for range batches {
			}
			readers.Wait()
		}()
		for b := range batches {
			b.decoding.Wait()
			if err := ctx.Err(); err != nil {
				yield(Result{}, err)
				return
			}
			if err := c.fill(b); err != nil {
				yield(Result{}, err)
				return
			}
			for _, r := range b.results {
				if !yield(r, nil) {
					return
				}
			}
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

// collect takes inputs, starts their decoding and hands on batches.
func (c *Classifier) collect(ctx context.Context, inputs iter.Seq[Input], batches chan<- *chunk) {
	workers := make(chan struct{}, runtime.GOMAXPROCS(0))
	size := c.info.Transform.Len()
	var b *chunk
	send := func() bool {
		select {
		case batches <- b:
			b = nil
			return true
		case <-ctx.Done():
			b.decoding.Wait()
			return false
		}
	}
	for in := range inputs {
		if b == nil {
			b = &chunk{x: make([]float32, c.o.Batch*size), results: make([]Result, 0, c.o.Batch)}
		}
		i := len(b.results)
		b.results = append(b.results, Result{Name: in.Name}) // within its capacity: r stays good
		r, x := &b.results[i], b.x[i*size:(i+1)*size]
		select {
		case workers <- struct{}{}:
		case <-ctx.Done():
			b.decoding.Wait()
			return
		}
		b.decoding.Go(func() {
			defer func() { <-workers }()
			if err := c.decode(x, in); err != nil {
				r.Err = fmt.Errorf("%s: %w", in.Name, err)
			}
		})
		if len(b.results) == c.o.Batch && !send() {
			return
		}
	}
	if b != nil {
		send()
	}
}

// decode turns one input into the model's numbers.
func (c *Classifier) decode(dst []float32, in Input) error {
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
	if img.Bounds().Empty() {
		return fmt.Errorf("winnow: an image without pixels: %w", ErrImageCorrupt)
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
	p, err := c.predict(b.x[:len(good)*size], len(good))
	if err != nil {
		return err
	}
	for j, i := range good {
		b.results[i].Prediction = p[j]
	}
	return nil
}
