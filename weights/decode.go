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

// read reads n elements at an offset, without a copy between.
func read[T number](r io.ReaderAt, at int64, n int) ([]T, error) {
	s := make([]T, n)
	return s, readInto(r, at, s)
}

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

func readBool(r io.ReaderAt, at int64, n int) ([]bool, error) {
	b, err := read[uint8](r, at, n)
	if err != nil {
		return nil, err
	}
	s := make([]bool, n)
	for i, v := range b {
		if v > 1 {
			return nil, malformed("element %d of a BOOL is %d", i, v)
		}
		s[i] = v == 1
	}
	return s, nil
}

// readFloat32 reads len(dst) elements of a floating-point type.
func readFloat32(r io.ReaderAt, at int64, d DType, dst []float32) error {
	switch d {
	case F32:
		return readInto(r, at, dst)
	case F64:
		return pieces(r, at, dst, 8, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
			}
		})
	case F16:
		return pieces(r, at, dst, 2, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = half(binary.LittleEndian.Uint16(b[2*i:]))
			}
		})
	case BF16:
		return pieces(r, at, dst, 2, func(dst []float32, b []byte) {
			for i := range dst {
				dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
			}
		})
	}
	return unsupported("reading %s as float32", d)
}

// pieces reads elements of width bytes through a small buffer.
func pieces(r io.ReaderAt, at int64, dst []float32, width int, decode func([]float32, []byte)) error {
	buf := make([]byte, min(1<<16, width*len(dst)))
	for len(dst) > 0 {
		n := min(len(dst), len(buf)/width)
		b := buf[:n*width]
		if err := readFull(r, b, at); err != nil {
			return err
		}
		decode(dst[:n], b)
		dst, at = dst[n:], at+int64(len(b))
	}
	return nil
}

// half widens an IEEE 754 binary16, exactly. NaN keeps its sign and payload.
func half(h uint16) float32 {
	sign := uint32(h>>15) << 31
	exp, frac := uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // zero and denormals: frac 2⁻²⁴
		v := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}
