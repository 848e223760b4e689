package dataset

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// CIFAR-10's binary layout (Krizhevsky 2009): a label, then 32 x 32 bytes of
// red, of green, of blue.
const (
	cifarSide   = 32
	cifarRecord = 1 + 3*cifarSide*cifarSide
)

// cifarNames are the classes of CIFAR-10 in the order of their numbers.
func cifarNames() []string {
	return []string{"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"}
}

// OpenCIFAR reads files in CIFAR-10's binary layout, plain or gzip, one after
// the other: records of a label byte and 3072 bytes of pixels.
//
// Class names are Options.Classes, else the lines of batches.meta.txt beside
// the first file, else CIFAR-10's own as far as the labels go. A label that has
// no name is an error. With Quarantine a bad file is left out, see
// [Pixels.Bad].
func OpenCIFAR(fsys fs.FS, opts Options, names ...string) (*Pixels, error) {
	classes := opts.Classes
	if len(names) > 0 && len(classes) == 0 {
		var err error
		if classes, err = cifarMeta(fsys, path.Dir(names[0])); err != nil {
			return nil, err
		}
	}
	return openCIFAR(fsys, opts, names, classes, "")
}

// openCIFAR puts shown before the names in errors.
func openCIFAR(fsys fs.FS, opts Options, names, classes []string, shown string) (*Pixels, error) {
	p := &Pixels{classes: classes, w: cifarSide, h: cifarSide, channels: 3, stride: cifarRecord, skip: 1}
	limit := len(classes)
	if limit == 0 {
		limit = len(cifarNames())
	}
	for _, name := range names {
		records, err := readCIFAR(fsys, name, limit, opts.maxBytes())
		if err != nil {
			b := BadFile{shown + name, err}
			if !opts.Quarantine {
				return nil, &b
			}
			p.bad = append(p.bad, b)
			continue
		}
		p.files = append(p.files, part{name, p.Len()})
		if p.data == nil {
			p.data = records
		} else {
			p.data = append(p.data, records...)
		}
	}
	if p.Len() == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, strings.Join(names, ", "))
	}
	p.labels = make([]uint8, p.Len())
	top := 0
	for i := range p.labels {
		p.labels[i] = p.data[i*cifarRecord]
		top = max(top, int(p.labels[i]))
	}
	if len(classes) == 0 {
		p.classes = cifarNames()[:top+1]
	}
	return p, nil
}

func readCIFAR(fsys fs.FS, name string, classes int, most int64) ([]byte, error) {
	f, err := openPlain(fsys, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readAll(f, f.hint, most)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 || len(data)%cifarRecord != 0 {
		return nil, fmt.Errorf("%w: %d bytes are no whole number of CIFAR-10 records of %d", ErrCorrupt, len(data), cifarRecord)
	}
	for i := 0; i < len(data); i += cifarRecord {
		if int(data[i]) >= classes {
			return nil, fmt.Errorf("%w: record %d has label %d, there are %d classes", ErrCorrupt, i/cifarRecord, data[i], classes)
		}
	}
	return data, nil
}

// looksLikeCIFAR tells whether a file begins with records whose labels are
// below classes: 16 of them, or as many as it has and nothing else.
func looksLikeCIFAR(fsys fs.FS, name string, classes int) bool {
	f, err := openPlain(fsys, name)
	if err != nil {
		return false
	}
	defer f.Close()
	if f.plain && (f.hint <= 0 || f.hint%cifarRecord != 0) {
		return false
	}
	record := make([]byte, cifarRecord)
	for n := range 16 {
		if _, err := io.ReadFull(f, record); err != nil {
			return n > 0 && err == io.EOF
		}
		if int(record[0]) >= classes {
			return false
		}
	}
	return true
}

// cifarMeta reads batches.meta.txt in a folder: a class per line. Without such
// a file it returns nil.
func cifarMeta(fsys fs.FS, dir string) ([]string, error) {
	name := path.Join(dir, "batches.meta.txt")
	f, err := fsys.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, &BadFile{name, err}
	}
	defer f.Close()
	const most = 1 << 16
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, &BadFile{name, err}
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			names = append(names, line)
		}
	}
	if len(text) > most || len(names) > 256 || len(names) == 0 {
		return nil, &BadFile{name, fmt.Errorf("%w: %d class names", ErrCorrupt, len(names))}
	}
	sorted := slices.Sorted(slices.Values(names))
	if len(slices.Compact(sorted)) != len(names) {
		return nil, &BadFile{name, fmt.Errorf("%w: a class name occurs twice", ErrCorrupt)}
	}
	return names, nil
}
