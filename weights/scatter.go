package weights

import (
	"cmp"
	"slices"
)

// axis is one dimension of a strided tensor.
type axis struct {
	size int
	from int64 // elements from one index to the next, in the file
	to   int   // and in row-major order
}

// axes lists the dimensions that have more than one index, the one with the
// longest stride first.
func axes(shape []int, strides []int64) []axis {
	all := make([]axis, 0, len(shape))
	step := 1
	for k := len(shape) - 1; k >= 0; k-- {
		if shape[k] > 1 {
			all = append(all, axis{shape[k], strides[k], step})
		}
		step *= shape[k]
	}
	slices.SortStableFunc(all, func(a, b axis) int { return cmp.Compare(b.from, a.from) })
	return all
}

// nested reports whether each dimension's stride spans all of the next one, so
// that walking the axes in their order walks the file forward and meets no
// element twice. That is so for every permutation and slice of a row-major
// tensor.
func nested(all []axis) bool {
	span := int64(1) // elements from the first to the last of the axes so far, and one
	for _, a := range slices.Backward(all) {
		if a.from < span {
			return false
		}
		span += int64(a.size-1) * a.from
	}
	return true
}

const (
	window = 1 << 14 // elements read at once
	sparse = 64      // stride from which on elements are read one by one
)

// scatter reads p, whose axes nest, forward and through a buffer of fixed size,
// and puts each element where row-major order wants it.
func scatter[T any](p place, dst []T, read func(at int64, dst []T) error) error {
	all := axes(p.Shape, p.strides)
	if len(dst) == 0 {
		return nil
	}
	last := int64(0)
	for _, a := range all {
		last += int64(a.size-1) * a.from
	}
	most := int64(window)
	if len(all) > 0 && all[len(all)-1].from >= sparse {
		most = 1
	}
	width := int64(p.DType.Bits() / 8)
	buf := make([]T, min(most, last+1))
	lo, hi := int64(0), int64(0) // which elements the buffer holds
	index := make([]int, len(all))
	from, to := int64(0), 0
	for {
		if from >= hi {
			lo, hi = from, min(from+most, last+1)
			if err := read(p.at+lo*width, buf[:hi-lo]); err != nil {
				return err
			}
		}
		dst[to] = buf[from-lo]
		k := len(all) - 1
		for ; k >= 0; k-- {
			index[k]++
			from, to = from+all[k].from, to+all[k].to
			if index[k] < all[k].size {
				break
			}
			from, to = from-int64(all[k].size)*all[k].from, to-all[k].size*all[k].to
			index[k] = 0
		}
		if k < 0 {
			return nil
		}
	}
}
