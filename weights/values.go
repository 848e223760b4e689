package weights

import (
	"fmt"
	"slices"

	"gorgonia.org/tensor"
)

// describe is the Info of a tensor as it would be written.
func describe(t *tensor.Dense) (Info, error) {
	if t == nil {
		return Info{}, fmt.Errorf("the tensor is nil")
	}
	d := dtypeOf(t.Dtype())
	if d == noDType {
		return Info{}, unsupported("elements of type %v", t.Dtype())
	}
	info := Info{DType: d, Shape: slices.Clone([]int(t.Shape()))}
	if info.Shape == nil {
		info.Shape = []int{}
	}
	info.Size = int64(info.Elems()) * int64(d.Bits()/8)
	return info, nil
}

// values returns the elements of t in row-major order, as a slice of the Go
// type that its DType is read as. It shares t's memory where t lies that way
// already; fresh asks for memory of its own.
func values(t *tensor.Dense, fresh bool) (any, error) {
	if t == nil {
		return nil, fmt.Errorf("the tensor is nil")
	}
	if t.IsMasked() {
		return nil, unsupported("masked tensors")
	}
	switch t.Dtype() {
	case tensor.Float64:
		return gather[float64](t, fresh)
	case tensor.Float32:
		return gather[float32](t, fresh)
	case tensor.Int64:
		return gather[int64](t, fresh)
	case tensor.Int32:
		return gather[int32](t, fresh)
	case tensor.Int16:
		return gather[int16](t, fresh)
	case tensor.Int8:
		return gather[int8](t, fresh)
	case tensor.Uint64:
		return gather[uint64](t, fresh)
	case tensor.Uint32:
		return gather[uint32](t, fresh)
	case tensor.Uint16:
		return gather[uint16](t, fresh)
	case tensor.Uint8:
		return gather[uint8](t, fresh)
	case tensor.Bool:
		return gather[bool](t, fresh)
	case tensor.Int:
		s, err := gather[int](t, false)
		if err != nil {
			return nil, err
		}
		wide := make([]int64, len(s))
		for i, v := range s {
			wide[i] = int64(v)
		}
		return wide, nil
	}
	return nil, unsupported("elements of type %v", t.Dtype())
}

// gather walks t by its strides, so that views and transposed tensors come out
// in the order of their shape.
func gather[T any](t *tensor.Dense, fresh bool) ([]T, error) {
	var data []T
	switch d := t.Data().(type) {
	case T: // what Data returns for a scalar
		return []T{d}, nil
	case []T:
		data = d
	default:
		return nil, unsupported("a %v tensor backed by %T", t.Dtype(), d)
	}
	shape, strides := []int(t.Shape()), t.Strides()
	n := 1
	for _, d := range shape {
		n *= d
	}
	if len(shape) != len(strides) {
		return nil, unsupported("shape %v with strides %v", shape, strides)
	}
	if inOrder(shape, strides) {
		if len(data) < n {
			return nil, fmt.Errorf("shape %v with %d elements", shape, len(data))
		}
		if fresh {
			return slices.Clone(data[:n]), nil
		}
		return data[:n], nil
	}
	out := make([]T, 0, n)
	at := make([]int, len(shape)) // the index of the next element
	for i := 0; len(out) < n; {
		if i < 0 || i >= len(data) {
			return nil, fmt.Errorf("shape %v with strides %v does not fit %d elements", shape, strides, len(data))
		}
		out = append(out, data[i])
		for k := len(shape) - 1; k >= 0; k-- {
			at[k]++
			i += strides[k]
			if at[k] < shape[k] {
				break
			}
			i -= shape[k] * strides[k]
			at[k] = 0
		}
	}
	return out, nil
}

func inOrder(shape, strides []int) bool {
	step := 1
	for k := len(shape) - 1; k >= 0; k-- {
		if shape[k] != 1 && strides[k] != step {
			return false
		}
		step *= shape[k]
	}
	return true
}

// duplicate copies t into a row-major tensor of its own.
func duplicate(t *tensor.Dense) (*tensor.Dense, error) {
	data, err := values(t, true)
	if err != nil {
		return nil, err
	}
	return dense(t.Shape(), data), nil
}
