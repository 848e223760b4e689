package clip

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"iter"
	"sync"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/transform"
)

// Opener is what a dataset.Set of files offers besides: the bytes of picture i.
// Such pictures are told apart by the SHA-256 of their file, and one whose
// embedding is in the cache is not decoded. Other sets' pictures are decoded
// and told apart by what they show, as dataset.ID does.
type Opener interface {
	Open(i int) (io.ReadCloser, error)
}

// Result is what Each says about one picture.
type Result struct {
	Picture int    // its place in the set; Index is that of the class
	Name    string // the set's
	// SHA256 is that of the file where the set is an Opener, otherwise the
	// dataset.ID of the picture; zero where it could not be read.
	SHA256 [sha256.Size]byte
	Prediction
	// Err says why the picture could not be classified; Prediction is then
	// empty. It names the picture.
	Err error
}

// Each classifies the pictures of a set, in order. They are read and decoded on
// other goroutines, put through the model in batches, and no more than two
// batches are in memory. A picture that cannot be had is a Result with an Err
// and does not end the sequence; an error in the second place (ctx, the model)
// does. When the loop is left all goroutines have ended.
func (z *ZeroShot) Each(ctx context.Context, set dataset.Set) iter.Seq2[Result, error] {
	return func(yield func(Result, error) bool) {
		for it, err := range z.each(ctx, set, nil, nil) {
			if err != nil {
				yield(Result{}, err)
				return
			}
			if !yield(it.Result, nil) {
				return
			}
		}
	}
}

// item is a picture on its way.
type item struct {
	Result
	excluded  bool
	embedding []float32 // [D], of any length
	decoded   bool      // its numbers are in the chunk's x
}

// chunk is a batch being read, then classified.
type chunk struct {
	x       []float32 // [Batch,Size,Size,3]
	items   []item
	reading sync.WaitGroup
}

// each goes through set, leaving out what skip says. A picture that exclude
// refuses by name and hash does not reach the model. Items are good until the
// next one is asked for.
func (z *ZeroShot) each(ctx context.Context, set dataset.Set, skip func(int) bool, exclude func(name string, sum [sha256.Size]byte) bool) iter.Seq2[*item, error] {
	return func(yield func(*item, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		workers := make(chan struct{}, z.o.Workers)
		batch := min(z.o.Batch, max(set.Len(), 1))
		now, ahead := &chunk{items: make([]item, 0, batch)}, &chunk{items: make([]item, 0, batch)}
		defer func() { // leave no goroutine behind
			cancel()
			now.reading.Wait()
			ahead.reading.Wait()
		}()
		next := 0
		// collect starts reading the next batch into c and reports whether there is one.
		collect := func(c *chunk) bool {
			c.items = c.items[:0]
			size := z.transform.Len()
			for ; next < set.Len() && len(c.items) < batch && inner.Err() == nil; next++ {
				if skip != nil && skip(next) {
					continue
				}
				if c.x == nil {
					c.x = make([]float32, batch*size)
				}
				j := len(c.items)
				c.items = append(c.items, item{Result: Result{Picture: next, Name: set.Name(next)}}) // within its capacity
				it, x := &c.items[j], c.x[j*size:(j+1)*size]
				c.reading.Go(func() {
					workers <- struct{}{} // here, so that the loop goes on to the model at once
					defer func() { <-workers }()
					if inner.Err() != nil {
						return
					}
					if err := z.load(set, it, x, exclude); err != nil {
						it.Err = named(it.Name, err)
					}
				})
			}
			return len(c.items) > 0
		}
		for more := collect(now); more; now, ahead = ahead, now {
			more = collect(ahead) // is read while the model computes
			now.reading.Wait()
			if ctx.Err() != nil {
				break
			}
			if err := z.classify(ctx, now); err != nil {
				yield(nil, err)
				return
			}
			for i := range now.items {
				if !yield(&now.items[i], nil) {
					return
				}
			}
		}
		if err := ctx.Err(); err != nil {
			yield(nil, err)
		}
	}
}

// named puts a picture's name before an error that does not have it.
func named(name string, err error) error {
	var bad *dataset.BadFile
	if errors.As(err, &bad) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// load reads a picture and makes numbers of it, or finds its embedding. What it
// calls is the caller's: a panic there is an error of that picture.
func (z *ZeroShot) load(set dataset.Set, it *item, x []float32, exclude func(string, [sha256.Size]byte) bool) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("reading the picture panicked: %v: %w", v, transform.ErrCorrupt)
		}
	}()
	var img image.Image
	var data []byte
	if o, ok := set.(Opener); ok {
		if data, err = read(o, it.Picture, z.o.Limits); err != nil {
			return err
		}
		it.SHA256 = sha256.Sum256(data)
	} else {
		if img, err = set.Image(it.Picture); err != nil {
			return err
		}
		it.SHA256 = pixelSum(img)
	}
	if exclude != nil && exclude(it.Name, it.SHA256) {
		it.excluded = true
		return nil
	}
	if v, ok := z.o.Cache.get(z.images, it.SHA256, z.dim); ok {
		it.embedding = v
		return nil
	}
	if img == nil {
		if img, err = transform.DecodeBytes(data, z.o.Limits); err != nil {
			return err
		}
	}
	if err := z.transform.Apply(x, img); err != nil {
		return err
	}
	it.decoded = true
	return nil
}

func read(o Opener, i int, limits transform.Limits) ([]byte, error) {
	r, err := o.Open(i)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	most := limits.WithDefaults().MaxBytes
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("%w: more than %d bytes", transform.ErrTooLarge, most)
	}
	return data, nil
}

// pixelSum is the dataset.ID of a decoded picture.
func pixelSum(img image.Image) [sha256.Size]byte {
	p := transform.ToRGB(img)
	h := sha256.New()
	var size [16]byte
	binary.LittleEndian.PutUint64(size[:], uint64(p.W))
	binary.LittleEndian.PutUint64(size[8:], uint64(p.H))
	h.Write(size[:])
	h.Write(p.Pix[:3*p.W*p.H])
	return [sha256.Size]byte(h.Sum(nil))
}

// classify embeds what was decoded and scores what has an embedding.
func (z *ZeroShot) classify(ctx context.Context, c *chunk) error {
	size := z.transform.Len()
	var which []int
	for i := range c.items {
		if c.items[i].decoded {
			if j := len(which); j != i {
				copy(c.x[j*size:(j+1)*size], c.x[i*size:(i+1)*size])
			}
			which = append(which, i)
		}
	}
	if n := len(which); n > 0 {
		v, err := z.encodeImages(ctx, c.x[:n*size], n)
		if err != nil {
			return err
		}
		for j, i := range which {
			c.items[i].embedding = v[j*z.dim : (j+1)*z.dim]
		}
	}
	for i := range c.items {
		it := &c.items[i]
		if it.embedding == nil {
			continue
		}
		p, err := z.Score(it.embedding)
		if err != nil {
			it.Err = named(it.Name, err)
			continue
		}
		it.Prediction = p
		if it.decoded {
			z.o.Cache.put(z.images, it.SHA256, it.embedding)
		}
	}
	return nil
}
