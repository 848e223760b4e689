package weights

import (
	"io"

	"gorgonia.org/tensor"
)

// place is where a tensor lies: byte at of r and on.
type place struct {
	Info
	r       io.ReaderAt
	at      int64
	strides []int64 // in elements; nil if the tensor lies in row-major order
	shard   *shard  // for an index: the file that has it, and nothing else is known
	err     error   // why the tensor cannot be had
}

func (p place) tensor() (*tensor.Dense, error) {
	n := p.Elems()
	if n == 0 {
		return nil, unsupported("shape %v has no elements, which *tensor.Dense cannot hold", p.Shape)
	}
	var data any
	var err error
	switch p.DType {
	case F64:
		data, err = numbers[float64](p, n)
	case F32, F16, BF16:
		dst := make([]float32, n)
		data, err = dst, p.float32(dst)
	case I64:
		data, err = numbers[int64](p, n)
	case I32:
		data, err = numbers[int32](p, n)
	case I16:
		data, err = numbers[int16](p, n)
	case I8:
		data, err = numbers[int8](p, n)
	case U64:
		data, err = numbers[uint64](p, n)
	case U32:
		data, err = numbers[uint32](p, n)
	case U16:
		data, err = numbers[uint16](p, n)
	case U8:
		data, err = numbers[uint8](p, n)
	case Bool:
		data, err = truths(p, n)
	default:
		return nil, unsupported("reading dtype %s", p.DType)
	}
	if err != nil {
		return nil, err
	}
	return dense(p.Shape, data), nil
}

// reader is r, or what reads r from the front if that is the only way.
func (p place) reader() (io.ReaderAt, func() error) {
	if d, ok := p.r.(*deflated); ok {
		c := &cursor{file: d.file}
		return c, c.close
	}
	return p.r, func() error { return nil }
}

// float32 reads the elements of a floating-point type.
func (p place) float32(dst []float32) error {
	r, done := p.reader()
	defer done()
	d := &decoder{r: r}
	return fill(p, dst, func(at int64, dst []float32) error { return d.float32(at, p.DType, dst) })
}

// numbers reads n elements that are stored as T.
func numbers[T number](p place, n int) ([]T, error) {
	r, done := p.reader()
	defer done()
	s := make([]T, n)
	return s, fill(p, s, func(at int64, dst []T) error { return readInto(r, at, dst) })
}

func truths(p place, n int) ([]bool, error) {
	r, done := p.reader()
	defer done()
	d := &decoder{r: r}
	s := make([]bool, n)
	return s, fill(p, s, d.bool)
}

// fill reads the elements of p in row-major order by means of read, which reads
// len(dst) of them that lie one after the other.
func fill[T any](p place, dst []T, read func(at int64, dst []T) error) error {
	if p.strides == nil {
		return read(p.at, dst)
	}
	return scatter(p, dst, read)
}
