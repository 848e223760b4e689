package dataset

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"image"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"
	"unsafe"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/transform"
)

// digest goes through a set and keeps what came.
func digest(t testing.TB, s Set, o LoadOptions) (sum uint64, index, labels, sizes []int) {
	t.Helper()
	h := fnv.New64a()
	for b, err := range Batches(t.Context(), s, o) {
		if err != nil {
			t.Fatal(err)
		}
		x := b.X.Data().([]float32)
		if want := (tensor.Shape{b.Len(), o.Transform.Size, o.Transform.Size, 3}); !b.X.Shape().Eq(want) || len(x) != want.TotalSize() {
			t.Fatalf("shape %v with %d elements, want %v", b.X.Shape(), len(x), want)
		}
		h.Write(unsafe.Slice((*byte)(unsafe.Pointer(&x[0])), 4*len(x)))
		index = append(index, b.Index...)
		labels = append(labels, b.Labels...)
		sizes = append(sizes, b.Len())
	}
	return h.Sum64(), index, labels, sizes
}

func TestBatchesDoNotDependOnTheWorkers(t *testing.T) {
	folder, err := OpenFolder(tree(t, "a/1.png", "a/2.png", "b/1.png", "b/2.png", "c/1.png", "c/2.png", "c/3.png"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := Prepare(folder, transform.Native(8), 0)
	if err != nil {
		t.Fatal(err)
	}
	partly, err := Prepare(folder, transform.Native(8), 3*3*8*8)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string][]Set{"bytes": {bytesSet(t, 203, 5)}, "folder": {folder, prepared, partly}} {
		for _, a := range []transform.Augment{{}, transform.CIFAR(), transform.ImageNetTrain(8, transform.Bicubic)} {
			for _, shuffle := range []bool{false, true} {
				o := LoadOptions{Batch: 16, Transform: transform.Native(8), Augment: a, Shuffle: shuffle, Seed: 5, Epoch: 2, Workers: 1, Prefetch: 1}
				want, index, labels, sizes := digest(t, s[0], o)
				for _, set := range s {
					for _, workers := range []int{1, 2, 3, 8} {
						for _, prefetch := range []int{1, 2, 5} {
							o.Workers, o.Prefetch = workers, prefetch
							got, i, l, z := digest(t, set, o)
							if got != want || !reflect.DeepEqual(i, index) || !reflect.DeepEqual(l, labels) || !reflect.DeepEqual(z, sizes) {
								t.Fatalf("%s %T, shuffle %v, %d workers, %d ahead: other batches", name, set, shuffle, workers, prefetch)
							}
						}
					}
				}
			}
		}
	}
}

func TestOrderIsThatOfTheEpoch(t *testing.T) {
	s := bytesSet(t, 100, 10)
	o := LoadOptions{Batch: 32, Transform: transform.Native(4), Augment: transform.CIFAR()}
	plain, index, labels, sizes := digest(t, s, o)
	if !slices.IsSorted(index) || len(index) != 100 || !reflect.DeepEqual(labels, Labels(s)) || !reflect.DeepEqual(sizes, []int{32, 32, 32, 4}) {
		t.Errorf("in order: %v of sizes %v", index, sizes)
	}
	if again, _, _, _ := digest(t, s, o); again != plain {
		t.Error("the same options give other batches")
	}
	o.Epoch = 1
	if other, _, _, _ := digest(t, s, o); other == plain {
		t.Error("augmentation is the same in every epoch")
	}
	o.Epoch, o.Seed = 0, 1
	if other, _, _, _ := digest(t, s, o); other == plain {
		t.Error("augmentation is the same with every seed")
	}
	o.Shuffle, o.DropLast = true, true
	_, first, _, sizes := digest(t, s, o)
	if !reflect.DeepEqual(sizes, []int{32, 32, 32}) || slices.IsSorted(first) {
		t.Errorf("shuffled, without the last: sizes %v", sizes)
	}
	o.DropLast = false
	_, first, _, _ = digest(t, s, o)
	o.Epoch = 1
	_, second, labels, _ := digest(t, s, o)
	if reflect.DeepEqual(first, second) {
		t.Error("the order is the same in every epoch")
	}
	for k, i := range second {
		if labels[k] != s.Label(i) {
			t.Fatalf("picture %d has label %d in the batch, %d in the set", i, labels[k], s.Label(i))
		}
	}
	slices.Sort(second)
	if !reflect.DeepEqual(second, index) {
		t.Error("a shuffled epoch is not every picture once")
	}
}

func TestBatchHoldsWhatTheConfigMakes(t *testing.T) {
	s := bytesSet(t, 20, 3)
	for _, c := range []transform.Config{transform.Native(4), {Size: 7, CropPct: 0.9, Interpolation: transform.Bicubic}} {
		want := make([]float32, c.Len())
		for b, err := range Batches(t.Context(), s, LoadOptions{Batch: 6, Transform: c, Shuffle: true}) {
			if err != nil {
				t.Fatal(err)
			}
			x := b.X.Data().([]float32)
			for k, i := range b.Index {
				img, err := s.Image(i)
				if err == nil {
					err = c.Apply(want, img)
				}
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(x[k*len(want):(k+1)*len(want)], want) {
					t.Fatalf("picture %d is not what Apply makes", i)
				}
			}
		}
	}
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}

// slow is a Set whose pictures take a moment, and go wrong or mad as told.
type slow struct {
	Set
	bad, mad int // from this picture on; 0: never
	served   atomic.Int64
}

var errBad = errors.New("dataset: this one is bad")

func (s *slow) Image(i int) (image.Image, error) {
	s.served.Add(1)
	time.Sleep(time.Millisecond)
	if s.mad > 0 && i >= s.mad {
		panic("mad")
	}
	if s.bad > 0 && i >= s.bad {
		return nil, fmt.Errorf("%w: %d", errBad, i)
	}
	return s.Set.Image(i)
}

func TestLeavingTheLoopEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, stop := range []int{0, 1, 3} {
		s := &slow{Set: bytesSet(t, 400, 4)}
		n := 0
		for _, err := range Batches(t.Context(), s, LoadOptions{Batch: 8, Transform: transform.Native(4), Workers: 4}) {
			if err != nil {
				t.Fatal(err)
			}
			if n == stop {
				break
			}
			n++
		}
		if served := s.served.Load(); served > int64(8*(stop+1+3)) {
			t.Errorf("left at batch %d: %d pictures were made", stop, served)
		}
		settled(t, before)
	}
}

func TestPanicInTheLoopEndsEverything(t *testing.T) {
	before := runtime.NumGoroutine()
	func() {
		defer func() { recover() }()
		for range Batches(t.Context(), &slow{Set: bytesSet(t, 100, 4)}, LoadOptions{Batch: 8, Transform: transform.Native(4)}) {
			panic("in the loop")
		}
	}()
	settled(t, before)
}

func TestCancelledContextEndsTheSequence(t *testing.T) {
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n := 0
	var last error
	for _, err := range Batches(ctx, &slow{Set: bytesSet(t, 400, 4)}, LoadOptions{Batch: 8, Transform: transform.Native(4), Workers: 2}) {
		if last = err; err != nil {
			continue
		}
		if n++; n == 2 {
			cancel()
		}
	}
	if n != 2 || !errors.Is(last, context.Canceled) {
		t.Errorf("%d batches, then %v", n, last)
	}
	settled(t, before)
	for _, err := range Batches(ctx, bytesSet(t, 4, 2), LoadOptions{Transform: transform.Native(4)}) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled before it began: %v", err)
		}
	}
}

func TestErrorIsThatOfTheFirstBadPicture(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, workers := range []int{1, 2, 7} {
		for _, s := range []*slow{{Set: bytesSet(t, 60, 4), bad: 21}, {Set: bytesSet(t, 60, 4), mad: 21}} {
			n := 0
			var last error
			for b, err := range Batches(t.Context(), s, LoadOptions{Batch: 8, Transform: transform.Native(4), Workers: workers, Prefetch: 4}) {
				if err != nil {
					last = err
					continue
				}
				n += b.Len()
			}
			if n != 16 || last == nil || !strings.Contains(last.Error(), "21") || (s.bad > 0) != errors.Is(last, errBad) {
				t.Errorf("%d workers: %d pictures, then %v", workers, n, last)
			}
		}
	}
	settled(t, before)
}

func TestBadPictureIsNamed(t *testing.T) {
	m := tree(t, "a/1.png", "a/2.png", "b/1.png")
	m["a/2.png"].Data = m["a/2.png"].Data[:60]
	f, err := OpenFolder(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range Batches(t.Context(), f, LoadOptions{Transform: transform.Native(4)}) {
		var bad *BadFile
		if !errors.As(err, &bad) || bad.Name != "a/2.png" || !errors.Is(err, transform.ErrCorrupt) {
			t.Errorf("%v", err)
		}
	}
	// A picture that decodes and cannot be scaled is named, too.
	m = fstest.MapFS{"a/1.png": {Data: picturePNG(t, 1, 3000, 1)}, "b/1.png": {Data: picturePNG(t, 1, 3, 3)}}
	if f, err = OpenFolder(m, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, err := range Batches(t.Context(), f, LoadOptions{}) {
		var bad *BadFile
		if !errors.As(err, &bad) || bad.Name != "a/1.png" {
			t.Errorf("%v", err)
		}
	}
}

func TestBadOptionsAreErrors(t *testing.T) {
	s := bytesSet(t, 4, 2)
	for name, o := range map[string]LoadOptions{
		"batch": {Batch: -1}, "workers": {Workers: -1}, "prefetch": {Prefetch: -1}, "config": {Transform: transform.Config{Size: -1}},
		"step": {Transform: transform.Native(4), Augment: transform.Augment{Pixels: []transform.Step{transform.HorizontalFlip{P: 7}}}},
		"size": {Transform: transform.Native(8), Augment: transform.Augment{Pixels: []transform.Step{transform.RandomResizedCrop{Size: 5}}}},
	} {
		n := 0
		for _, err := range Batches(t.Context(), s, o) {
			if n++; err == nil || n > 1 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	n := 0
	for _, err := range Batches(t.Context(), &View{of: s}, LoadOptions{Transform: transform.Native(4)}) {
		if n++; !errors.Is(err, ErrEmpty) {
			t.Errorf("no pictures: %v", err)
		}
	}
	if n != 1 {
		t.Errorf("no pictures: %d batches", n)
	}
	for range Batches(t.Context(), s, LoadOptions{Batch: 64, DropLast: true, Transform: transform.Native(4)}) {
		t.Error("a batch that is not full was not dropped")
	}
}

func TestSequenceServesSeveralLoops(t *testing.T) {
	seq := Batches(t.Context(), bytesSet(t, 100, 4), LoadOptions{Batch: 16, Transform: transform.Native(4), Shuffle: true})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			n := 0
			for b, err := range seq {
				if err != nil {
					t.Error(err)
				}
				n += b.Len()
			}
			if n != 100 {
				t.Errorf("%d pictures", n)
			}
		})
	}
	wg.Wait()
}
