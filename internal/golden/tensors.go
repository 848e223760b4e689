package golden

import (
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

// Tensors are the tensors of one .safetensors file of a golden. Methods end the
// test if a tensor is not there or of another kind than asked for.
type Tensors struct {
	t    testing.TB
	file *weights.File
}

// Tensors opens the .safetensors file with the JSON's stem and a suffix:
// g.Tensors(".golden.safetensors"). It is closed when the test ends.
func (g *File) Tensors(suffix string) *Tensors {
	g.t.Helper()
	return OpenTensors(g.t, g.stem()+suffix)
}

// OpenTensors opens any .safetensors file for a test, which fails if it is not
// there. It is closed when the test ends.
func OpenTensors(t testing.TB, path string) *Tensors {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatalf("golden: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return &Tensors{t, f}
}

// With is the same file for another test, usually a subtest.
func (w *Tensors) With(t testing.TB) *Tensors { return &Tensors{t, w.file} }

// Source is the file as weights, for loading a model.
func (w *Tensors) Source() *weights.File { return w.file }

// Names lists the tensors whose names begin with prefix ("" for all), in the
// order of the file.
func (w *Tensors) Names(prefix string) []string {
	return slices.DeleteFunc(w.file.Names(), func(name string) bool { return !strings.HasPrefix(name, prefix) })
}

// Has reports whether there is such a tensor.
func (w *Tensors) Has(name string) bool {
	_, err := w.file.Info(name)
	return err == nil
}

// Info describes a tensor.
func (w *Tensors) Info(name string) weights.Info {
	w.t.Helper()
	info, err := w.file.Info(name)
	if err != nil {
		w.t.Fatalf("golden: %v", err)
	}
	return info
}

// Shape is the shape of a tensor, empty for a scalar.
func (w *Tensors) Shape(name string) []int { w.t.Helper(); return w.Info(name).Shape }

// Dense is a tensor as it is stored, F16 and BF16 widened.
func (w *Tensors) Dense(name string) *tensor.Dense {
	w.t.Helper()
	t, err := w.file.Tensor(name)
	if err != nil {
		w.t.Fatalf("golden: %v", err)
	}
	return t
}

// Float32 reads a floating-point tensor, in row-major order. F64 fails: it would
// be rounded unseen.
func (w *Tensors) Float32(name string) []float32 {
	w.t.Helper()
	info := w.Info(name)
	if info.DType == weights.F64 {
		w.t.Fatalf("golden: %s: %q is F64, want float32", w.file.Path(), name)
	}
	dst := make([]float32, info.Elems())
	if err := w.file.Float32(name, dst); err != nil {
		w.t.Fatalf("golden: %v", err)
	}
	return dst
}

// Float64 reads a floating-point tensor, widened where it is stored narrower,
// in row-major order.
func (w *Tensors) Float64(name string) []float64 {
	w.t.Helper()
	if info := w.Info(name); info.DType != weights.F64 {
		var wide []float64
		for _, v := range w.Float32(name) {
			wide = append(wide, float64(v))
		}
		return wide
	}
	return list[float64](w, name)
}

// Int64 reads a tensor of whole numbers of any size, or BOOL as 0 and 1, in
// row-major order.
func (w *Tensors) Int64(name string) []int64 {
	w.t.Helper()
	switch d := w.Info(name).DType; d {
	case weights.I64:
		return list[int64](w, name)
	case weights.I32:
		return widen(list[int32](w, name))
	case weights.I16:
		return widen(list[int16](w, name))
	case weights.I8:
		return widen(list[int8](w, name))
	case weights.U32:
		return widen(list[uint32](w, name))
	case weights.U16:
		return widen(list[uint16](w, name))
	case weights.U8:
		return widen(list[uint8](w, name))
	case weights.Bool:
		var wide []int64
		for _, b := range list[bool](w, name) {
			v := int64(0)
			if b {
				v = 1
			}
			wide = append(wide, v)
		}
		return wide
	default:
		w.t.Fatalf("golden: %s: %q is %s, want whole numbers", w.file.Path(), name, d)
		return nil
	}
}

// Uint8 reads a U8 tensor, such as pixels, in row-major order.
func (w *Tensors) Uint8(name string) []uint8 { w.t.Helper(); return list[uint8](w, name) }

func widen[T int8 | int16 | int32 | uint8 | uint16 | uint32](s []T) []int64 {
	wide := make([]int64, len(s))
	for i, v := range s {
		wide[i] = int64(v)
	}
	return wide
}

func list[T any](w *Tensors, name string) []T {
	w.t.Helper()
	switch d := w.Dense(name).Data().(type) {
	case []T:
		return d
	case T: // what Data returns for a scalar
		return []T{d}
	default:
		w.t.Fatalf("golden: %s: %q holds %T", w.file.Path(), name, d)
		return nil
	}
}
