package scenes

import (
	"fmt"
	"image"
	"sync"

	"github.com/winnow-go/winnow/internal/rng"
)

// category is a name and how to draw it.
type category struct {
	name string
	draw func(*pen)
}

func known() []category {
	return []category{
		{"airplane", airplane}, {"bird", bird}, {"boat", boat}, {"car", car}, {"cat", cat},
		{"fish", fish}, {"flower", flower}, {"house", house}, {"mushroom", mushroom}, {"tree", tree},
	}
}

func strange() []category {
	return []category{
		{"bicycle", bicycle}, {"butterfly", butterfly}, {"chair", chair}, {"cup", cup},
		{"key", key}, {"rocket", rocket}, {"snail", snail}, {"umbrella", umbrella},
	}
}

// Options say which scenes to draw.
type Options struct {
	Seed  uint64
	N     int   // how many; 0 means 12,000
	Style Style // the zero value is Training
	Size  int   // width and height in pixels, 8 to 256; 0 means 32
}

// Set is a sequence of labelled scenes, each drawn anew whenever it is asked
// for. It is safe for concurrent use.
type Set struct {
	o       Options
	strange uint64 // 1 for strangers
	kinds   []category
	classes []string
	artists sync.Pool
}

// Classes returns the ten categories of New, in the order of their labels.
func Classes() []string { return names(known()) }

// StrangerKinds returns the categories of Strangers. None is among Classes.
func StrangerKinds() []string { return names(strange()) }

func names(kinds []category) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return out
}

// New returns scenes of the ten categories.
func New(o Options) (*Set, error) { return newSet(o, known(), 0) }

// Strangers returns scenes of other categories.
func Strangers(o Options) (*Set, error) { return newSet(o, strange(), 1) }

func newSet(o Options, kinds []category, strange uint64) (*Set, error) {
	if o.N == 0 {
		o.N = 12000
	}
	if o.Size == 0 {
		o.Size = 32
	}
	switch {
	case o.N < 0:
		return nil, fmt.Errorf("scenes: %d images", o.N)
	case o.Size < 8 || o.Size > 256:
		return nil, fmt.Errorf("scenes: size %d is not within 8 to 256 pixels", o.Size)
	case int(o.Style) >= len(manners):
		return nil, fmt.Errorf("scenes: style %d does not exist", o.Style)
	}
	s := &Set{o: o, strange: strange, kinds: kinds, classes: names(kinds)}
	s.artists.New = func() any { return newArtist(o.Size) }
	return s, nil
}

func (s *Set) Len() int { return s.o.N }

func (s *Set) Classes() []string { return append([]string(nil), s.classes...) }

const (
	orderKey = iota
	sceneKey
)

// Label: every run of K images, K the number of categories, holds each once in
// an order of its own.
func (s *Set) Label(i int) int {
	k := len(s.kinds)
	r := rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.strange, orderKey, uint64(i/k))
	return r.Perm(k)[i%k]
}

func (s *Set) Name(i int) string {
	return fmt.Sprintf("%s/%s/%06d", s.o.Style, s.classes[s.Label(i)], i)
}

func (s *Set) Image(i int) (image.Image, error) {
	if i < 0 || i >= s.o.N {
		return nil, fmt.Errorf("scenes: image %d of %d", i, s.o.N)
	}
	a := s.artists.Get().(*artist)
	defer s.artists.Put(a)
	r := rng.New(s.o.Seed, rng.Scene, uint64(s.o.Style), s.strange, sceneKey, uint64(i))
	return a.scene(r, &manners[s.o.Style], s.kinds[s.Label(i)].draw), nil
}
