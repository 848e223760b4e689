package weights

import (
	"encoding/binary"
	"io"
	"math"
	"unsafe"
)

// number is an element that lies in a file as it does in the memory of a
// little-endian machine.
type number interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// asBytes is the memory of s.
func asBytes[T number](s []T) []byte {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(s[0])))
}

// swap turns the bytes of every element around where the machine is
// big-endian.
func swap(b []byte, width int) {
	if littleEndian || width == 1 {
		return
	}
	for ; len(b) >= width; b = b[width:] {
		for i, j := 0, width-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
	}
}

// readInto reads len(dst) elements at an offset, without a copy between.
func readInto[T number](r io.ReaderAt, at int64, dst []T) error {
	if len(dst) == 0 {
		return nil
	}
	b := asBytes(dst)
	if err := readFull(r, b, at); err != nil {
		return err
	}
	swap(b, len(b)/len(dst))
	return nil
}

// decoder reads elements that have to be converted, through a buffer that it
// keeps and that fits the nearest cache. It is for one goroutine.
type decoder struct {
	r      io.ReaderAt
	halves []uint16
	wide   []float64
	bytes  []uint8
}

// bool reads len(dst) elements of one byte, 0 or 1.
func (d *decoder) bool(at int64, dst []bool) error {
	return pieces(d.r, at, dst, &d.bytes, func(dst []bool, src []uint8) error {
		for i, v := range src {
			if v > 1 {
				return malformed("a BOOL is %d", v)
			}
			dst[i] = v == 1
		}
		return nil
	})
}

// float32 reads len(dst) elements of a floating-point type.
func (d *decoder) float32(at int64, t DType, dst []float32) error {
	switch t {
	case F32:
		return readInto(d.r, at, dst)
	case F64:
		return pieces(d.r, at, dst, &d.wide, func(dst []float32, src []float64) error {
			for i, v := range src {
				dst[i] = float32(v)
			}
			return nil
		})
	case F16:
		return pieces(d.r, at, dst, &d.halves, func(dst []float32, src []uint16) error {
			for i, h := range src {
				if h&0x7c00-0x0400 < 0x7800 { // neither the smallest exponent nor the largest
					dst[i] = math.Float32frombits(uint32(h&0x8000)<<16 | uint32(h&0x7fff)<<13 + 112<<23)
				} else {
					dst[i] = edge(h)
				}
			}
			return nil
		})
	case BF16:
		return pieces(d.r, at, dst, &d.halves, func(dst []float32, src []uint16) error {
			for i, h := range src {
				dst[i] = math.Float32frombits(uint32(h) << 16)
			}
			return nil
		})
	}
	return unsupported("reading %s as float32", t)
}

// pieces reads elements stored as T through a buffer, which it makes if it is
// too small.
func pieces[T number, D any](r io.ReaderAt, at int64, dst []D, buffer *[]T, decode func([]D, []T) error) error {
	var elem T
	width := int(unsafe.Sizeof(elem))
	most := min(1<<15/width, len(dst))
	if len(*buffer) < most {
		*buffer = make([]T, most)
	}
	for len(dst) > 0 {
		n := min(len(dst), len(*buffer))
		src := (*buffer)[:n]
		if err := readInto(r, at, src); err != nil {
			return err
		}
		if err := decode(dst[:n], src); err != nil {
			return err
		}
		dst, at = dst[n:], at+int64(n*width)
	}
	return nil
}

// edge widens an IEEE 754 binary16 that is zero or denormal, frac 2⁻²⁴, or
// infinite or NaN, which keeps its sign and payload.
func edge(h uint16) float32 {
	sign, frac := uint32(h&0x8000)<<16, uint32(h&0x03ff)
	if h&0x7c00 != 0 {
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | math.Float32bits(float32(int32(frac))*(1.0/(1<<24))))
}
