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

// File is an open safetensors file. It is a Source, and safe for concurrent
// use.
type File struct {
	path   string
	r      io.ReaderAt
	closer io.Closer
	*header
}

// Open opens a file and reads its header, not its tensors. The caller closes
// it.
func Open(path string) (*File, error) {
	// Stat first: opening a named pipe would wait for its other end.
	switch info, err := os.Stat(path); {
	case err != nil:
		return nil, &Error{File: path, Err: cause(err)}
	case !info.Mode().IsRegular():
		return nil, &Error{File: path, Err: unsupported("not a regular file")}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, &Error{File: path, Err: cause(err)}
	}
	info, err := f.Stat()
	if err == nil {
		var w *File
		if w, err = open(path, f, info.Size()); err == nil {
			w.closer = f
			return w, nil
		}
	}
	return nil, errors.Join(err, f.Close())
}

// cause drops the path that *Error states already.
func cause(err error) error {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// NewReader reads the header of a file of size bytes from r, which stays in use
// as long as the File does and must allow parallel calls, as io.ReaderAt asks.
func NewReader(r io.ReaderAt, size int64) (*File, error) { return open("", r, size) }

func open(path string, r io.ReaderAt, size int64) (*File, error) {
	h, err := readHeader(r, size)
	if err != nil {
		var e *Error
		if errors.As(err, &e) {
			e.File = path
			return nil, e
		}
		return nil, &Error{File: path, Err: err}
	}
	return &File{path: path, r: r, header: h}, nil
}

// Close closes what Open opened; after it, reading a tensor fails. For a File
// of NewReader it does nothing.
func (f *File) Close() error {
	if f.closer == nil {
		return nil
	}
	if err := f.closer.Close(); err != nil {
		return &Error{File: f.path, Err: cause(err)}
	}
	return nil
}

// Path is what was given to Open, "" for a File of NewReader.
func (f *File) Path() string { return f.path }

// Metadata returns the strings stored beside the tensors, as a map that the
// caller owns; empty if there are none.
func (f *File) Metadata() map[string]string {
	if f.meta == nil {
		return map[string]string{}
	}
	return maps.Clone(f.meta)
}

// Names lists the tensors in the order of the header.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Info describes a tensor without reading it.
func (f *File) Info(name string) (Info, error) {
	e, ok := f.byName[name]
	if !ok {
		return Info{}, missing(f.path, name)
	}
	info := e.Info
	info.Shape = slices.Clone(info.Shape)
	return info, nil
}

// Tensor reads a tensor. Its element type is the stored one, float32 for F16
// and BF16.
func (f *File) Tensor(name string) (*tensor.Dense, error) {
	e, ok := f.byName[name]
	if !ok {
		return nil, missing(f.path, name)
	}
	t, err := f.tensor(e)
	if err != nil {
		return nil, &Error{f.path, name, err}
	}
	return t, nil
}

func (f *File) tensor(e entry) (*tensor.Dense, error) {
	n := e.Elems()
	if n == 0 {
		return nil, unsupported("shape %v has no elements, which *tensor.Dense cannot hold", e.Shape)
	}
	at := f.data + e.begin
	var data any
	var err error
	switch e.DType {
	case F64:
		data, err = read[float64](f.r, at, n)
	case F32:
		data, err = read[float32](f.r, at, n)
	case F16, BF16:
		dst := make([]float32, n)
		data, err = dst, readFloat32(f.r, at, e.DType, dst)
	case I64:
		data, err = read[int64](f.r, at, n)
	case I32:
		data, err = read[int32](f.r, at, n)
	case I16:
		data, err = read[int16](f.r, at, n)
	case I8:
		data, err = read[int8](f.r, at, n)
	case U64:
		data, err = read[uint64](f.r, at, n)
	case U32:
		data, err = read[uint32](f.r, at, n)
	case U16:
		data, err = read[uint16](f.r, at, n)
	case U8:
		data, err = read[uint8](f.r, at, n)
	case Bool:
		data, err = readBool(f.r, at, n)
	default:
		return nil, unsupported("reading dtype %s", e.DType)
	}
	if err != nil {
		return nil, err
	}
	return dense(e.Shape, data), nil
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
	e, ok := f.byName[name]
	if !ok {
		return missing(f.path, name)
	}
	var err error
	switch {
	case !e.DType.Float():
		err = unsupported("reading %s as float32", e.DType)
	case len(dst) != e.Elems():
		err = fmt.Errorf("shape %v has %d elements, want %d", e.Shape, e.Elems(), len(dst))
	default:
		err = readFloat32(f.r, f.data+e.begin, e.DType, dst)
	}
	if err != nil {
		return &Error{f.path, name, err}
	}
	return nil
}
