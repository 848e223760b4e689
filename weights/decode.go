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

// readBool reads through a buffer of fixed size.
func readBool(r io.ReaderAt, at int64, dst []bool) error {
	buf := make([]uint8, min(1<<15, len(dst)))
	for i := 0; i < len(dst); {
		b := buf[:min(len(dst)-i, len(buf))]
		if err := readInto(r, at+int64(i), b); err != nil {
			return err
		}
		for _, v := range b {
			if v > 1 {
				return malformed("a BOOL is %d", v)
			}
			dst[i] = v == 1
			i++
		}
	}
	return nil
}

// readFloat32 reads len(dst) elements of a floating-point type.
func readFloat32(r io.ReaderAt, at int64, d DType, dst []float32) error {
	switch d {
	case F32:
		return readInto(r, at, dst)
	case F64:
		return pieces(r, at, dst, func(dst []float32, src []float64) {
			for i, v := range src {
				dst[i] = float32(v)
			}
		})
	case F16:
		return pieces(r, at, dst, func(dst []float32, src []uint16) {
			for i, h := range src {
				if h&0x7c00-0x0400 < 0x7800 { // neither the smallest exponent nor the largest
					dst[i] = math.Float32frombits(uint32(h&0x8000)<<16 | uint32(h&0x7fff)<<13 + 112<<23)
				} else {
					dst[i] = edge(h)
				}
			}
		})
	case BF16:
		return pieces(r, at, dst, func(dst []float32, src []uint16) {
			for i, h := range src {
				dst[i] = math.Float32frombits(uint32(h) << 16)
			}
		})
	}
	return unsupported("reading %s as float32", d)
}

// pieces reads elements stored as T through a buffer that fits the nearest
// cache.
func pieces[T number](r io.ReaderAt, at int64, dst []float32, decode func([]float32, []T)) error {
	var elem T
	width := int(unsafe.Sizeof(elem))
	buf := make([]T, min(1<<15/width, len(dst)))
	for len(dst) > 0 {
		n := min(len(dst), len(buf))
		if err := readInto(r, at, buf[:n]); err != nil {
			return err
		}
		decode(dst[:n], buf[:n])
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
