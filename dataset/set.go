package dataset

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"

	"github.com/winnow-go/winnow/transform"
)

var (
	// ErrEmpty says that there is no picture at all.
	ErrEmpty = errors.New("dataset: no pictures")
	// ErrTooFew says that there are too few pictures to divide.
	ErrTooFew = errors.New("dataset: too few pictures")
	// ErrEmptyClass says that a class has no picture.
	ErrEmptyClass = errors.New("dataset: a class without pictures")
	// ErrOneClass says that there are fewer than two classes.
	ErrOneClass = errors.New("dataset: only one class")
	// ErrKind says that what lies at a path is no data set of a known kind.
	ErrKind = errors.New("dataset: neither an image folder nor CIFAR-10 nor IDX files")
	// ErrCorrupt says that a CIFAR or IDX file is damaged or truncated, or
	// that its parts do not fit together.
	ErrCorrupt = errors.New("dataset: damaged file")
	// ErrTooLarge says that a CIFAR or IDX file exceeds Options.MaxBytes.
	ErrTooLarge = errors.New("dataset: file too large")
)

// BadFile is a file that cannot be used, and why. It is an error.
type BadFile struct {
	Name string // path of the file
	Err  error  // wraps transform.ErrCorrupt, transform.ErrTooLarge and the like
}

// Error names the file.
func (b *BadFile) Error() string { return fmt.Sprintf("dataset: %s: %v", b.Name, b.Err) }

// Unwrap returns the cause.
func (b *BadFile) Unwrap() error { return b.Err }

// Set is a finite sequence of labelled pictures. Implementations are safe for
// concurrent use. An index outside [0, Len) panics, like that of a slice.
type Set interface {
	// Len is the number of pictures.
	Len() int
	// Classes are the names of the classes, in the order of their numbers. The
	// caller must not change the slice. It is empty where nothing is known
	// about the pictures.
	Classes() []string
	// Label is the class of picture i, an index into Classes, or -1 where it
	// is not known.
	Label(i int) int
	// Name tells a person which picture it is: a path, or a file and a number.
	Name(i int) string
	// Image decodes picture i. The caller must not change it. An error names
	// the picture.
	Image(i int) (image.Image, error)
}

// pixelSource is a Set that can do better than Image.
type pixelSource interface {
	// pixels returns picture i as RGB, in buf or in memory that must not be
	// changed. With a config it may return the picture that c.Prepare makes
	// of it and says so by ready.
	pixels(i int, c *transform.Config, buf *transform.RGB) (p *transform.RGB, ready bool, err error)
}

func pixels(s Set, i int, c *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	if p, ok := s.(pixelSource); ok {
		return p.pixels(i, c, buf)
	}
	img, err := s.Image(i)
	if err != nil {
		return nil, false, err
	}
	if c != nil && c.Convert == transform.AfterCrop { // needs the picture in its own mode
		p, err := c.Prepare(img)
		if err != nil {
			return nil, false, &BadFile{s.Name(i), err}
		}
		return p, true, nil
	}
	return transform.ToRGB(img), false, nil
}

// Labels returns the label of every picture, in order.
func Labels(s Set) []int {
	l := make([]int, s.Len())
	for i := range l {
		l[i] = s.Label(i)
	}
	return l
}

// Counts returns the number of pictures of every class, in the order of
// Classes. Pictures without a label are not counted.
func Counts(s Set) []int {
	n := make([]int, len(s.Classes()))
	for i := range s.Len() {
		if l := s.Label(i); l >= 0 && l < len(n) {
			n[l]++
		}
	}
	return n
}

// ID is a fingerprint of what picture i shows: SHA-256 over its size and its
// RGB values. It does not depend on the file format or the name.
func ID(s Set, i int) ([32]byte, error) {
	p, _, err := pixels(s, i, nil, new(transform.RGB))
	if err != nil {
		return [32]byte{}, err
	}
	h := sha256.New()
	var size [16]byte
	binary.LittleEndian.PutUint64(size[:], uint64(p.W))
	binary.LittleEndian.PutUint64(size[8:], uint64(p.H))
	h.Write(size[:])
	h.Write(p.Pix[:3*p.W*p.H])
	return [32]byte(h.Sum(nil)), nil
}
