package dataset

import (
	"fmt"
	"image"

	"github.com/winnow-go/winnow/transform"
)

// Relabelled is a Set with other labels than its own: those that a model
// proposed, or that people corrected.
type Relabelled struct {
	of      Set
	classes []string
	labels  []int
}

// Relabel gives the pictures of set labels of other classes, one for each
// picture in order: an index into classes, or -1. It keeps both slices.
func Relabel(set Set, classes []string, labels []int) (*Relabelled, error) {
	if len(labels) != set.Len() {
		return nil, fmt.Errorf("dataset: relabel: %d labels for %d pictures", len(labels), set.Len())
	}
	for i, l := range labels {
		if l < -1 || l >= len(classes) {
			return nil, fmt.Errorf("dataset: relabel: %s: label %d of %d classes", set.Name(i), l, len(classes))
		}
	}
	return &Relabelled{set, classes, labels}, nil
}

// Len is that of the set below.
func (r *Relabelled) Len() int { return len(r.labels) }

// Classes are those given to Relabel.
func (r *Relabelled) Classes() []string { return r.classes }

// Label is the one given to Relabel.
func (r *Relabelled) Label(i int) int { return r.labels[i] }

// Name is that of the set below.
func (r *Relabelled) Name(i int) string { return r.of.Name(i) }

// Image is that of the set below.
func (r *Relabelled) Image(i int) (image.Image, error) { return r.of.Image(i) }

func (r *Relabelled) pixels(i int, c *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	return pixels(r.of, i, c, buf)
}
