package weights

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"

	"gorgonia.org/tensor"
)

// File is an open file of tensors, in any [Format]. It is a Source, and safe
// for concurrent use.
type File struct {
	path   string
	closer io.Closer
	*contents
}

// contents is what a file says before its tensors are read.
type contents struct {
	format Format
	meta   map[string]string
	names  []string
	byName map[string]place
	dicts  map[string]bool // of a PyTorch file: names of dictionaries inside, see StateDict
	shards []*shard
}

// Open opens a file, whose format it recognises by the contents, and reads its
// header, not its tensors. The caller closes it.
//
// The path may also be that of an index (model.safetensors.index.json), or of a
// folder that holds, in this order of preference, model.safetensors,
// model.safetensors.index.json, pytorch_model.bin or
// pytorch_model.bin.index.json. Of a file in several parts, every part must be
// there; each is opened when one of its tensors is first asked for, and Close
// closes them all.
func Open(path string) (*File, error) {
	// Stat first: opening a named pipe would wait for its other end.
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, &Error{File: path, Err: cause(err)}
	case info.IsDir():
		return openFolder(path)
	case !info.Mode().IsRegular():
		return nil, &Error{File: path, Err: unsupported("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, Err: cause(err)}
	}
	w, err := openFile(path, f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return w, nil
}

// openFile opens what is in f, which it closes on success if it is an index.
func openFile(path string, f *os.File) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, &Error{File: path, Err: cause(err)}
	}
	w, err := open(path, f, info.Size())
	if err == nil {
		w.closer = f
		return w, nil
	}
	if !errors.Is(err, errIndex) {
		return nil, err
	}
	index, err := readIndex(path, f, info.Size())
	if err != nil {
		return nil, blame(path, err)
	}
	if err := f.Close(); err != nil {
		return nil, &Error{File: path, Err: cause(err)}
	}
	return &File{path: path, contents: index}, nil
}

// cause drops the path that *Error states already.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// blame makes err an *Error about a file.
func blame(path string, err error) error {
	var e *Error
	if !errors.As(err, &e) {
		return &Error{File: path, Err: err}
	}
	if e.File == "" {
		return &Error{path, e.Tensor, e.Err}
	}
	return e
}

// NewReader reads the header of a file of size bytes from r, which stays in use
// as long as the File does and must allow parallel calls, as io.ReaderAt asks.
// The format is recognised by the contents; an index is none of them, because
// it needs the files that it names.
func NewReader(r io.ReaderAt, size int64) (*File, error) { return open("", r, size) }

func open(path string, r io.ReaderAt, size int64) (*File, error) {
	c, err := load(r, size)
	if err != nil {
		return nil, blame(path, err)
	}
	return &File{path: path, contents: c}, nil
}

// Close closes what Open opened; after it, reading a tensor fails. For a File
// of NewReader it does nothing.
func (f *File) Close() error {
	if f.shards != nil {
		var all []error
		for _, s := range f.shards {
			all = append(all, s.close())
		}
		return errors.Join(all...)
	}
	if f.closer == nil {
		return nil
	}
	if err := f.closer.Close(); err != nil {
		return &Error{File: f.path, Err: cause(err)}
	}
	return nil
}

// Path is what was given to Open, "" for a File of NewReader. For a folder it
// is the file that was found in it.
func (f *File) Path() string { return f.path }

// Format is how the file stores its tensors.
func (f *File) Format() Format { return f.format }

// Metadata returns the strings stored beside the tensors, as a map that the
// caller owns; empty if there are none, as in every PyTorch file. Of an index
// it is the strings, numbers and truth values of its "metadata", written as
// there.
func (f *File) Metadata() map[string]string {
	if f.meta == nil {
		return map[string]string{}
	}
	return maps.Clone(f.meta)
}

// Names lists the tensors in the order of the file. Those of a PyTorch file
// that lie in dictionaries, lists or modules inside each other have names with
// dots between: "state_dict.conv1.weight". [StateDict] takes the outer ones
// away.
func (f *File) Names() []string { return slices.Clone(f.names) }

// find is where a tensor lies, and in which file.
func (f *File) find(name string) (p place, path string, err error) {
	p, ok := f.byName[name]
	switch {
	case !ok:
		return p, "", missing(f.path, name)
	case p.err != nil:
		return p, "", &Error{f.path, name, p.err}
	case p.shard == nil:
		return p, f.path, nil
	}
	g, err := p.shard.open()
	if err != nil {
		return p, "", err
	}
	if _, ok := g.byName[name]; !ok {
		return p, "", &Error{f.path, name, malformed("the index promises it in %s, which does not have it", quote(p.shard.name))}
	}
	return g.find(name)
}

// Info describes a tensor without reading it.
func (f *File) Info(name string) (Info, error) {
	p, _, err := f.find(name)
	if err != nil {
		return Info{}, err
	}
	info := p.Info
	info.Shape = slices.Clone(info.Shape)
	return info, nil
}

// Tensor reads a tensor. Its element type is the stored one, float32 for F16
// and BF16. Whatever the order in which a PyTorch file stores the elements,
// they arrive in row-major order.
func (f *File) Tensor(name string) (*tensor.Dense, error) {
	p, path, err := f.find(name)
	if err != nil {
		return nil, err
	}
	t, err := p.tensor()
	if err != nil {
		return nil, &Error{path, name, err}
	}
	return t, nil
}

// dense wraps data, a slice with as many elements as shape.
func dense(shape []int, data any) *tensor.Dense {
	return tensor.New(tensor.WithShape(slices.Clone(shape)...), tensor.WithBacking(data))
}

// Float32 reads a floating-point tensor straight into dst, whose length must be
// the tensor's number of elements. F64 is rounded to the nearest float32;
// values too large for one become infinite. On an error the contents of dst are
// undefined.
func (f *File) Float32(name string, dst []float32) error {
	p, path, err := f.find(name)
	if err != nil {
		return err
	}
	switch {
	case !p.DType.Float():
		err = unsupported("reading %s as float32", p.DType)
	case len(dst) != p.Elems():
		err = fmt.Errorf("shape %v has %d elements, want %d", p.Shape, p.Elems(), len(dst))
	default:
		err = p.float32(dst)
	}
	if err != nil {
		return &Error{path, name, err}
	}
	return nil
}
