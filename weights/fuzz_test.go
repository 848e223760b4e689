package weights_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/winnow-go/winnow/weights"
)

// FuzzOpen opens any bytes: an error is one of the documented kinds, and what
// opens can be read, written and read again.
func FuzzOpen(f *testing.F) {
	four := []byte{1, 0, 1, 0}
	f.Add([]byte{})
	f.Add(everything())
	f.Add(raw(`{}`, nil))
	f.Add(raw(`{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four))
	f.Add(raw(`{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[0,7],"data_offsets":[4,4]}}`, four))
	f.Add(raw(`{"a":{"dtype":"BOOL","shape":[2,2],"data_offsets":[0,4]}}`, four))
	f.Add(raw(`{"a":{"dtype":"F4","shape":[2,2,2],"data_offsets":[0,4]}}`, four))
	f.Add(raw(`{"a":{"dtype":"I16","shape":[1],"data_offsets":[2,4]},"b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}}`, four))
	f.Add(raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,4]}}`, four))
	f.Add(raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}`, four))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := openBytes(b)
		if err != nil {
			var e *weights.Error
			if !errors.As(err, &e) || errors.Is(err, weights.ErrFormat) == errors.Is(err, weights.ErrUnsupported) {
				t.Fatalf("error %v is neither about the file nor about us", err)
			}
			return
		}
		readable := weights.NewMap()
		for _, name := range file.Names() {
			info, err := file.Info(name)
			if err != nil || info.Size > int64(len(b)) || info.Elems() > 8*len(b) {
				t.Fatalf("%q: %+v of %d bytes (%v)", name, info, len(b), err)
			}
			if info.DType.Float() {
				if err := file.Float32(name, make([]float32, info.Elems())); err != nil {
					t.Fatal(err)
				}
			}
			d, err := file.Tensor(name)
			switch {
			case err == nil:
				readable.Set(name, d)
			case errors.Is(err, weights.ErrUnsupported), info.DType == weights.Bool && errors.Is(err, weights.ErrFormat):
			default:
				t.Fatal(err)
			}
		}
		var first, second bytes.Buffer
		if err := weights.WriteTo(&first, readable, file.Metadata()); err != nil {
			t.Fatal(err)
		}
		again, err := openBytes(first.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if err := weights.WriteTo(&second, again, again.Metadata()); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Fatal("written, read and written again, the bytes differ")
		}
	})
}
