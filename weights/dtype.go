package weights

import "gorgonia.org/tensor"

// DType names an element type as safetensors does.
type DType string

// Element types that can be read and written, F16 and BF16 only read.
const (
	F64  DType = "F64"
	F32  DType = "F32"
	F16  DType = "F16"  // IEEE 754 binary16
	BF16 DType = "BF16" // the upper half of a float32
	I64  DType = "I64"
	I32  DType = "I32"
	I16  DType = "I16"
	I8   DType = "I8"
	U64  DType = "U64"
	U32  DType = "U32"
	U16  DType = "U16"
	U8   DType = "U8"
	Bool DType = "BOOL" // one byte, 0 or 1
)

// Element types that can be listed only.
const (
	F8E5M2 DType = "F8_E5M2"
	F8E4M3 DType = "F8_E4M3"
	F8E8M0 DType = "F8_E8M0"
	F6E2M3 DType = "F6_E2M3"
	F6E3M2 DType = "F6_E3M2"
	F4     DType = "F4"
	C64    DType = "C64"
)

const noDType DType = ""

// dtypes has every element type of the format, in the order in which the
// reference's writer ranks them: alignment never decreases, and files are
// written from the last to the first.
var dtypes = []struct {
	name  DType
	bits  int
	reads bool // this package reads it
}{
	{Bool, 8, true},
	{F4, 4, false},
	{F6E2M3, 6, false},
	{F6E3M2, 6, false},
	{U8, 8, true},
	{I8, 8, true},
	{F8E5M2, 8, false},
	{F8E4M3, 8, false},
	{F8E8M0, 8, false},
	{I16, 16, true},
	{U16, 16, true},
	{F16, 16, true},
	{BF16, 16, true},
	{I32, 32, true},
	{U32, 32, true},
	{F32, 32, true},
	{C64, 64, false},
	{F64, 64, true},
	{I64, 64, true},
	{U64, 64, true},
}

// rank is the position in dtypes, -1 for what the format does not have.
func (d DType) rank() int {
	for i := range dtypes {
		if dtypes[i].name == d {
			return i
		}
	}
	return -1
}

// Bits is the size of one element; 0 for a type that the format does not have.
func (d DType) Bits() int {
	if i := d.rank(); i >= 0 {
		return dtypes[i].bits
	}
	return 0
}

// readable reports whether Tensor returns elements of this type.
func (d DType) readable() bool {
	i := d.rank()
	return i >= 0 && dtypes[i].reads
}

// Float reports whether elements are floating-point numbers that this package
// reads.
func (d DType) Float() bool { return d == F64 || d == F32 || d == F16 || d == BF16 }

// written is the type under which a tensor of type d comes out of Tensor: F16
// and BF16 become F32.
func (d DType) written() DType {
	if d == F16 || d == BF16 {
		return F32
	}
	return d
}

// dtypeOf is the type under which elements of a tensor's type are written: the one
// of the same name, I64 for int. It is "" for types that the format does not
// have.
func dtypeOf(t tensor.Dtype) DType {
	switch t {
	case tensor.Float64:
		return F64
	case tensor.Float32:
		return F32
	case tensor.Int64, tensor.Int:
		return I64
	case tensor.Int32:
		return I32
	case tensor.Int16:
		return I16
	case tensor.Int8:
		return I8
	case tensor.Uint64:
		return U64
	case tensor.Uint32:
		return U32
	case tensor.Uint16:
		return U16
	case tensor.Uint8:
		return U8
	case tensor.Bool:
		return Bool
	}
	return noDType
}

// Info describes a tensor without reading it.
type Info struct {
	DType DType
	Shape []int // as stored; empty for a scalar. The caller owns it.
	Size  int64 // bytes that it takes
}

// Elems is the number of elements: the product of the shape, 1 for a scalar.
func (i Info) Elems() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}
