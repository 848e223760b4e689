package dataset

import (
	"context"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/transform"
)

// LoadOptions says what Batches does. The zero value goes through the set once,
// in its order, 64 pictures at a time.
type LoadOptions struct {
	// Batch is the number of pictures in a batch; 0 means 64. The last one
	// may have fewer.
	Batch int
	// Transform makes numbers of pictures.
	Transform transform.Config
	// Augment changes pictures at random; its zero value does not.
	Augment transform.Augment
	// Shuffle draws the order, anew for every Epoch.
	Shuffle bool
	// DropLast leaves out a last batch that is not full.
	DropLast bool
	// Seed and Epoch decide order and augmentation: equal ones give equal
	// batches, whatever Workers and Prefetch are.
	Seed  uint64
	Epoch int
	// Workers is how many goroutines decode; 0 means GOMAXPROCS.
	Workers int
	// Prefetch is how many batches are made ready ahead of the one in use; 0
	// means 2.
	Prefetch int
}

// Batch is some pictures ready for a model.
type Batch struct {
	// X is [N,H,W,3] float32, normalised. Its memory is used again: it is good
	// until the loop asks for the next batch.
	X *tensor.Dense
	// Labels has a class per picture, -1 where it is not known. The caller
	// owns it.
	Labels []int
	// Index is the place of each picture in the set. The caller owns it.
	Index []int
}

// Len is the number of pictures.
func (b Batch) Len() int { return len(b.Index) }

// Batches decodes, augments and normalises the pictures of set in the
// background and yields them batch by batch, in an order that does not depend
// on how many workers there are.
//
// A picture that cannot be had, a bad option, or the end of ctx is an error,
// and the last thing yielded; batches before it are complete. An empty set
// yields ErrEmpty. When the loop is left, all goroutines have ended. The
// sequence may be ranged over more than once and by several goroutines.
func Batches(ctx context.Context, set Set, opts LoadOptions) iter.Seq2[Batch, error] {
	return func(yield func(Batch, error) bool) {
		l, err := newLoader(set, opts)
		if err != nil {
			yield(Batch{}, err)
			return
		}
		l.run(ctx, yield)
	}
}

// loader is one pass over a set. Batches are cut into tasks of a few pictures;
// a ring of slots holds the batches that are being made or used.
type loader struct {
	set       Set
	opts      LoadOptions
	config    transform.Config
	normalise *transform.Normalizer
	order     []int
	batches   int
	chunk     int // pictures per task
	slots     []slot
}

type slot struct {
	x       []float32 // [Batch,H,W,3]
	pending atomic.Int64
	errs    []error // per task
	ready   chan struct{}
}

type task struct{ batch, chunk int }

func newLoader(set Set, opts LoadOptions) (*loader, error) {
	if opts.Batch == 0 {
		opts.Batch = 64
	}
	if opts.Workers == 0 {
		opts.Workers = runtime.GOMAXPROCS(0)
	}
	if opts.Prefetch == 0 {
		opts.Prefetch = 2
	}
	if opts.Batch < 0 || opts.Workers < 0 || opts.Prefetch < 0 {
		return nil, fmt.Errorf("dataset: batches: batch %d, workers %d, prefetch %d: must not be negative", opts.Batch, opts.Workers, opts.Prefetch)
	}
	n := set.Len()
	if n == 0 {
		return nil, ErrEmpty
	}
	l := &loader{set: set, opts: opts, config: opts.Transform.WithDefaults()}
	var err error
	if l.normalise, err = opts.Transform.Normalizer(); err != nil {
		return nil, err
	}
	if opts.Shuffle {
		l.order = rng.New(opts.Seed, rng.Order, uint64(opts.Epoch)).Perm(n)
	} else {
		l.order = make([]int, n)
		for i := range l.order {
			l.order[i] = i
		}
	}
	l.batches = n / opts.Batch
	if n%opts.Batch != 0 && !opts.DropLast {
		l.batches++
	}
	size := min(opts.Batch, n)
	l.chunk = min(max(size/(4*opts.Workers), 1), 32)
	l.slots = make([]slot, min(opts.Prefetch+1, l.batches))
	for i := range l.slots {
		l.slots[i].x = make([]float32, size*l.config.Len())
		l.slots[i].ready = make(chan struct{}, 1)
	}
	return l, nil
}

// members are the pictures of batch b.
func (l *loader) members(b int) []int {
	return l.order[b*l.opts.Batch : min((b+1)*l.opts.Batch, len(l.order))]
}

func (l *loader) tasks(b int) int { return (len(l.members(b)) + l.chunk - 1) / l.chunk }

func (l *loader) run(ctx context.Context, yield func(Batch, error) bool) {
	inner, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	tasks := make(chan task)
	free := make(chan struct{}, len(l.slots))
	for range l.slots {
		free <- struct{}{}
	}
	wg.Go(func() { // hands out tasks in order, as slots come free
		defer close(tasks)
		for b := range l.batches {
			select {
			case <-free:
			case <-inner.Done():
				return
			}
			s := &l.slots[b%len(l.slots)]
			n := l.tasks(b)
			s.pending.Store(int64(n))
			s.errs = make([]error, n)
			for c := range n {
				select {
				case tasks <- task{b, c}:
				case <-inner.Done():
					return
				}
			}
		}
	})
	for range min(l.opts.Workers, l.batches*l.tasks(0)) {
		wg.Go(func() {
			w := worker{loader: l}
			for t := range tasks {
				s := &l.slots[t.batch%len(l.slots)]
				s.errs[t.chunk] = w.do(inner, t, s)
				if s.pending.Add(-1) == 0 {
					s.ready <- struct{}{}
				}
			}
		})
	}
	for b := range l.batches {
		s := &l.slots[b%len(l.slots)]
		select {
		case <-s.ready:
		case <-ctx.Done():
		}
		if err := ctx.Err(); err != nil {
			yield(Batch{}, err)
			return
		}
		for _, err := range s.errs {
			if err != nil {
				yield(Batch{}, err)
				return
			}
		}
		if !yield(l.batch(b, s), nil) {
			return
		}
		free <- struct{}{}
	}
}

func (l *loader) batch(b int, s *slot) Batch {
	index := append([]int(nil), l.members(b)...)
	labels := make([]int, len(index))
	for k, i := range index {
		labels[k] = l.set.Label(i)
	}
	n, side := len(index), l.config.Size
	x := tensor.New(tensor.WithShape(n, side, side, 3), tensor.WithBacking(s.x[:n*l.config.Len()]))
	return Batch{X: x, Labels: labels, Index: index}
}

// worker is the memory of one goroutine.
type worker struct {
	*loader
	raw     transform.RGB
	scratch transform.Scratch
}

func (w *worker) do(ctx context.Context, t task, s *slot) error {
	members := w.members(t.batch)
	for k := t.chunk * w.chunk; k < min((t.chunk+1)*w.chunk, len(members)); k++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := w.config.Len()
		if err := w.one(s.x[k*n:(k+1)*n], members[k]); err != nil {
			return err
		}
	}
	return nil
}

// one makes picture i.
func (w *worker) one(dst []float32, i int) (err error) {
	defer func() { // a Set may be the caller's; a panic here could not be caught
		if v := recover(); v != nil {
			err = fmt.Errorf("dataset: picture %d: %v", i, v)
		}
	}()
	config := &w.config
	if len(w.opts.Augment.Picture) > 0 {
		config = nil
	}
	p, ready, err := pixels(w.set, i, config, &w.raw)
	if err != nil {
		return err
	}
	name := func(err error) error { return &BadFile{w.set.Name(i), err} }
	a := w.opts.Augment
	if a.None() {
		if !ready {
			p, err = w.config.Prepare(p)
		}
	} else {
		r := rng.New(w.opts.Seed, rng.Augment, uint64(w.opts.Epoch), uint64(i))
		if ready {
			p, err = a.ApplyPixels(p, &w.scratch, r)
		} else {
			p, err = a.Apply(w.config, p, &w.scratch, r)
		}
	}
	if err != nil {
		return name(err)
	}
	if err := w.normalise.Apply(dst, p); err != nil {
		return name(err)
	}
	return nil
}
