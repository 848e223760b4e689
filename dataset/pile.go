package dataset

import (
	"errors"
	"fmt"
	"image"

	"github.com/winnow-go/winnow/transform"
)

// Pile is a Set of pictures about which nothing is known: every Label is -1
// and there are no Classes.
type Pile struct {
	set  Set
	Kind Kind
	// Ignored is how many files were passed over.
	Ignored int
	// Bad lists what quarantine left out.
	Bad []BadFile
}

// OpenUnlabelled opens what [Open] does as one pile: all parts, all classes. A
// folder may hold pictures directly or in any folders below it; an IDX file
// needs no labels. It is for pictures of unknown categories and for piles that
// nobody has sorted.
//
// Errors are those of Open, but that one class or none is enough.
func OpenUnlabelled(name string, opts Options) (*Pile, error) {
	f, err := survey(name, opts)
	if err != nil {
		return nil, err
	}
	out := &Pile{Kind: f.kind, Ignored: f.ignored}
	if f.kind == ImageFolder {
		all, err := openPictures(f.fsys, f.root, opts, f.shown)
		if err != nil {
			return nil, err
		}
		out.set, out.Ignored, out.Bad = all, all.ignored, all.bad
		return out, nil
	}
	var sets []*Pixels
	for _, name := range f.names {
		p, err := f.read(name, true)
		if err != nil {
			var bad *BadFile
			if !opts.Quarantine || !errors.As(err, &bad) {
				return nil, err
			}
			out.Bad = append(out.Bad, *bad)
			continue
		}
		sets = append(sets, p)
	}
	if len(sets) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, f.shown)
	}
	out.set = join(sets)
	return out, nil
}

// Len is the number of pictures.
func (p *Pile) Len() int { return p.set.Len() }

// Classes is nil.
func (p *Pile) Classes() []string { return nil }

// Label is -1.
func (p *Pile) Label(i int) int {
	_ = p.set.Label(i)
	return -1
}

// Name is the path of picture i, or its file and number.
func (p *Pile) Name(i int) string { return p.set.Name(i) }

// Image decodes picture i.
func (p *Pile) Image(i int) (image.Image, error) { return p.set.Image(i) }

func (p *Pile) pixels(i int, c *transform.Config, buf *transform.RGB) (*transform.RGB, bool, error) {
	return pixels(p.set, i, c, buf)
}
