package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
)

// IDX (LeCun's MNIST page): two zero bytes, the type of the elements (8 is
// uint8), the number of dimensions, the dimensions as big-endian uint32, data.
const (
	idxLabels = 0x00000801
	idxImages = 0x00000803
)

// OpenIDX reads a pair of IDX files, plain or gzip: pictures uint8 [N,H,W] and
// labels uint8 [N]. Grey pictures come out with three equal channels. With ""
// for labels the pictures have none.
//
// Classes are Options.Classes, else "0", "1", ... up to the largest label.
func OpenIDX(fsys fs.FS, images, labels string, opts Options) (*Pixels, error) {
	return openIDX(fsys, images, labels, opts, "")
}

func openIDX(fsys fs.FS, images, labels string, opts Options, shown string) (*Pixels, error) {
	data, dims, err := readIDX(fsys, images, idxImages, opts.maxBytes())
	if err != nil {
		return nil, &BadFile{shown + images, err}
	}
	n, h, w := dims[0], dims[1], dims[2]
	if n == 0 {
		return nil, &BadFile{shown + images, ErrEmpty}
	}
	p := &Pixels{w: w, h: h, channels: 1, stride: w * h, data: data, files: []part{{images, 0}}}
	if labels == "" {
		return p, nil
	}
	p.labels, dims, err = readIDX(fsys, labels, idxLabels, opts.maxBytes())
	if err != nil {
		return nil, &BadFile{shown + labels, err}
	}
	if dims[0] != n {
		return nil, &BadFile{shown + labels, fmt.Errorf("%w: %d labels for %d pictures of %s", ErrCorrupt, dims[0], n, images)}
	}
	top := 0
	for _, l := range p.labels {
		top = max(top, int(l))
	}
	p.classes = opts.Classes
	if len(p.classes) == 0 {
		p.classes = numbers(top + 1)
	}
	if top >= len(p.classes) {
		return nil, &BadFile{shown + labels, fmt.Errorf("%w: label %d with %d classes", ErrCorrupt, top, len(p.classes))}
	}
	return p, nil
}

// numbers are the names "0" to n-1.
func numbers(n int) []string {
	s := make([]string, n)
	for i := range s {
		s[i] = strconv.Itoa(i)
	}
	return s
}

// readIDX reads a file of the kind that magic says; dims has one or three
// elements, all but the first at least 1.
func readIDX(fsys fs.FS, name string, magic uint32, most int64) (data []byte, dims []int, err error) {
	f, err := openPlain(fsys, name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	head := make([]byte, 4+4*(magic&0xff))
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, nil, fmt.Errorf("%w: header of an IDX file: %w", ErrCorrupt, err)
	}
	if got := binary.BigEndian.Uint32(head); got != magic {
		return nil, nil, fmt.Errorf("%w: IDX type %#08x, want %#08x", ErrCorrupt, got, magic)
	}
	size := int64(1)
	for i := 4; i < len(head); i += 4 {
		d := int64(binary.BigEndian.Uint32(head[i:]))
		if i > 4 && d == 0 {
			return nil, nil, fmt.Errorf("%w: pictures without pixels", ErrCorrupt)
		}
		if d > 0 && size > most/d {
			return nil, nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
		}
		size *= d
		dims = append(dims, int(d))
	}
	if left := f.hint - int64(len(head)); f.plain && left != size {
		return nil, nil, fmt.Errorf("%w: %d bytes of data, the header says %d", ErrCorrupt, left, size)
	}
	hint := int64(0)
	if f.plain {
		hint = size
	}
	data, err = readAll(f, hint, size)
	switch {
	case errors.Is(err, ErrTooLarge):
		return nil, nil, fmt.Errorf("%w: more than the %d bytes of data that the header says", ErrCorrupt, size)
	case err != nil:
		return nil, nil, err
	case int64(len(data)) != size:
		return nil, nil, fmt.Errorf("%w: %d bytes of data, the header says %d", ErrCorrupt, len(data), size)
	}
	return data, dims, nil
}

// idxKind returns the first four bytes of a file if they are those of an IDX
// file of pictures or labels, else 0.
func idxKind(fsys fs.FS, name string) uint32 {
	f, err := openPlain(fsys, name)
	if err != nil {
		return 0
	}
	defer f.Close()
	var head [4]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return 0
	}
	if m := binary.BigEndian.Uint32(head[:]); m == idxImages || m == idxLabels {
		return m
	}
	return 0
}
