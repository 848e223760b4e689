package weights

import (
	"errors"
	"fmt"
	"io"

	"gorgonia.org/tensor"
)

// Describe says what tensor name of src is: by src's method
// Info(name string) (Info, error) if it has one, else by fetching the tensor.
func Describe(src Source, name string) (Info, error) {
	if s, ok := src.(interface{ Info(string) (Info, error) }); ok {
		return s.Info(name)
	}
	t, err := src.Tensor(name)
	if err != nil {
		return Info{}, err
	}
	info, err := describe(t)
	if err != nil {
		return Info{}, &Error{Tensor: name, Err: err}
	}
	return info, nil
}

// Float32 puts the elements of a floating-point tensor of src into dst, in
// row-major order: by src's method Float32(name string, dst []float32) error if
// it has one, which a File does and which spares copies, else by fetching the
// tensor. The length of dst must be the tensor's number of elements; float64 is
// rounded. On an error the contents of dst are undefined.
func Float32(src Source, name string, dst []float32) error {
	if s, ok := src.(interface{ Float32(string, []float32) error }); ok {
		return s.Float32(name, dst)
	}
	t, err := src.Tensor(name)
	if err != nil {
		return err
	}
	if err := toFloat32(t, dst); err != nil {
		return &Error{Tensor: name, Err: err}
	}
	return nil
}

func toFloat32(t *tensor.Dense, dst []float32) error {
	data, err := values(t, false)
	if err != nil {
		return err
	}
	switch s := data.(type) {
	case []float32:
		if len(s) != len(dst) {
			return misfit(t.Shape(), len(dst))
		}
		copy(dst, s)
	case []float64:
		if len(s) != len(dst) {
			return misfit(t.Shape(), len(dst))
		}
		for i, v := range s {
			dst[i] = float32(v)
		}
	default:
		return unsupported("reading %v as float32", t.Dtype())
	}
	return nil
}

func misfit(shape []int, n int) error {
	return fmt.Errorf("shape %v for %d elements", shape, n)
}

// Close closes src if it has a method Close, as a File has, and what it is made
// of if it comes from Rename, Strip, Under, Omit or Join.
func Close(src Source) error {
	switch s := src.(type) {
	case *view:
		var all []error
		for _, src := range s.of {
			all = append(all, Close(src))
		}
		return errors.Join(all...)
	case io.Closer:
		return s.Close()
	}
	return nil
}
