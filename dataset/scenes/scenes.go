package scenes

import (
	"fmt"
	"image"
	"sync"

	"github.com/winnow-go/winnow/internal/rng"
)

const (
	defaultN    = 10000
	defaultSize = 32
	minSize     = 8
	maxSize     = 256
)

// Options say which scenes to draw. The zero value is 10,000 scenes of 32x32
// pixels in the training style.
type Options struct {
	// Seed chooses the pictures. Zero is a seed like any other.
	Seed uint64
	// N is the number of pictures; 0 means 10,000.
	N int
	// Style is how they are drawn.
	Style Style
	// Size is the width and the height in pixels, 8 to 256; 0 means 32.
	Size int
}

// Set is a sequence of labelled scenes (a dataset.Set). It holds no pictures:
// each is drawn when it is asked for. It is safe for concurrent use. An index
// outside [0, Len) panics.
type Set struct {
	o       Options
	origin  uint64 // known or strange
	kinds   []category
	classes []string
	artists sync.Pool // of *artist
}

// category is a name and how to draw it.
type category struct {
	name string
	draw func(*pen)
}

// Parts of the keys of random numbers: part of what a seed means, never to be
// renumbered.
const (
	known   uint64 = 0
	strange uint64 = 1

	orderKey uint64 = 0
	sceneKey uint64 = 1
)

func categories() []category {
	return []category{
		{"airplane", airplane}, {"bird", bird}, {"boat", boat}, {"car", car}, {"cat", cat},
		{"fish", fish}, {"flower", flower}, {"house", house}, {"mushroom", mushroom}, {"tree", tree},
	}
}

func strangers() []category {
	return []category{
		{"bicycle", bicycle}, {"butterfly", butterfly}, {"chair", chair}, {"cup", cup},
		{"key", key}, {"rocket", rocket}, {"snail", snail}, {"umbrella", umbrella},
	}
}

// Classes returns the ten categories of New, in the order of their labels. The
// caller owns the slice.
func Classes() []string { return names(categories()) }

// StrangerClasses returns the eight categories of Strangers, in the order of
// their labels. None of them is in Classes. The caller owns the slice.
func StrangerClasses() []string { return names(strangers()) }

func names(kinds []category) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

// New returns scenes of the ten categories. A negative N, a size outside
// [8, 256] and a style that does not exist are errors.
func New(o Options) (*Set, error) { return open(o, categories(), known) }

// Strangers returns scenes of categories that New never draws, in the same
// styles, with the same backgrounds and clutter: what a model trained on New
// should refuse. Their labels count StrangerClasses, not Classes. Errors are
// those of New.
func Strangers(o Options) (*Set, error) { return open(o, strangers(), strange) }

func open(o Options, kinds []category, origin uint64) (*Set, error) {
	if o.N == 0 {
		o.N = defaultN
	}
	if o.Size == 0 {
		o.Size = defaultSize
	}
	switch {
	case o.N < 0:
		return nil, fmt.Errorf("scenes: cannot draw %d pictures", o.N)
	case o.Size < minSize || o.Size > maxSize:
		return nil, fmt.Errorf("scenes: a size of %d pixels: want %d to %d", o.Size, minSize, maxSize)
	case int(o.Style) >= len(manners):
		return nil, fmt.Errorf("scenes: style %d: want Training or Testing", o.Style)
	}
	s := &Set{o: o, origin: origin, kinds: kinds, classes: names(kinds)}
	s.artists.New = func() any { return newArtist(o.Size) }
	return s, nil
}

// Len is the number of pictures.
func (s *Set) Len() int { return s.o.N }

// Classes are the names of the categories, in the order of their labels. The
// caller must not change the slice.
func (s *Set) Classes() []string { return s.classes }

// Label is the category of picture i, an index into Classes. Labels are
// balanced and shuffled: with K classes, pictures 0 to K-1 show each once in
// some order, so do K to 2K-1, and so on.
func (s *Set) Label(i int) int {
	s.check(i)
	k := len(s.kinds)
	r := rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.origin, orderKey, uint64(i/k))
	return r.Perm(k)[i%k]
}

// Name is style, category and number: "training/boat/000123".
func (s *Set) Name(i int) string {
	return fmt.Sprintf("%s/%s/%06d", s.o.Style, s.classes[s.Label(i)], i)
}

// Image draws picture i: an *image.RGBA of Size x Size opaque pixels, which is
// the caller's. There is no error.
func (s *Set) Image(i int) (image.Image, error) {
	draw := s.kinds[s.Label(i)].draw
	a := s.artists.Get().(*artist)
	defer s.artists.Put(a)
	r := rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.origin, sceneKey, uint64(i))
	return a.scene(r, &manners[s.o.Style], draw), nil
}

func (s *Set) check(i int) {
	if i < 0 || i >= s.o.N {
		panic(fmt.Sprintf("scenes: picture %d of %d", i, s.o.N))
	}
}
