package weights_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/weights"
)

// FuzzOpen opens any bytes, in any format: an error is one of the documented
// kinds, and what opens can be read, written and read again.
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
	f.Fuzz(openAny)
}

// openAny is what holds for any bytes.
func openAny(t *testing.T, b []byte) {
	var file *weights.File
	var err error
	n := allocated(func() { file, err = openBytes(b) })
	if most := uint64(1<<21 + 256*len(b)); n > most { // the rest is the fuzzing itself
		t.Fatalf("opening %d bytes allocates %d", len(b), n)
	}
	if err != nil {
		var e *weights.Error
		if !errors.As(err, &e) || errors.Is(err, weights.ErrFormat) == errors.Is(err, weights.ErrUnsupported) {
			t.Fatalf("error %v is neither about the file nor about us", err)
		}
		return
	}
	rewrite(t, file, int64(len(b)), file.Format() != weights.Safetensors)
}

// rewrite reads, writes and reads again what can be read of a file of size
// bytes. Only a PyTorch file may have tensors whose kind is not supported, or
// that are compressed and turn out to be broken.
func rewrite(t *testing.T, file *weights.File, size int64, torch bool) {
	readable := weights.NewMap()
	left := 8 * size // of what is read, so that shared storages take no time
	for _, name := range file.Names() {
		info, err := file.Info(name)
		if err != nil && torch && (errors.Is(err, weights.ErrUnsupported) || strings.Contains(err.Error(), "ambiguous")) {
			if _, err := file.Tensor(name); err == nil {
				t.Fatalf("%q reads and cannot be described", name)
			}
			continue
		}
		most := size
		if torch {
			most *= 1032
		}
		if err != nil || info.Size > most || int64(info.Elems()) > 8*most {
			t.Fatalf("%q: %+v of %d bytes (%v)", name, info, size, err)
		}
		if left -= info.Size; left < 0 {
			return
		}
		if info.DType.Float() {
			if err := file.Float32(name, make([]float32, info.Elems())); err != nil && !(torch && errors.Is(err, weights.ErrFormat)) {
				t.Fatal(err)
			}
		}
		d, err := file.Tensor(name)
		switch {
		case err == nil:
			readable.Set(name, d)
		case errors.Is(err, weights.ErrUnsupported), (torch || info.DType == weights.Bool) && errors.Is(err, weights.ErrFormat):
		default:
			t.Fatal(err)
		}
	}
	for _, key := range []string{"", "model"} {
		if s, err := weights.StateDict(file, key); err == nil {
			for _, name := range s.Names() {
				if _, err := weights.Describe(s, name); errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
			}
		}
	}
	var first, second bytes.Buffer
	if err := weights.WriteTo(&first, readable, file.Metadata()); err != nil {
		if torch && errors.Is(err, weights.ErrUnsupported) {
			return // a name that safetensors reserves
		}
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
}

// bodies are pickles without protocol and stop.
func bodies() []string {
	one := rebuilt(store("FloatStorage", "0", 4), 1, []int64{2}, []int64{2})
	half := rebuilt(store("HalfStorage", "0", 8), 0, []int64{4, 2}, []int64{1, 4})
	return []string{
		w(0, []int64{2, 2}, []int64{1, 2}),
		dic(text("model"), dic(text("a"), one, text("b"), half), text("epoch"), "K\x03"),
		class("collections", "OrderedDict") + ")R(" + text("module.w") + "q\x00" + one + "q\x01h\x00h\x01u" + dic(text("_metadata"), "}") + "b",
		dic(text("args"), class("argparse", "Namespace")+")\x81"+dic(text("lr"), "G?\xf0\x00\x00\x00\x00\x00\x00")+"b", text("w"), one),
		class("collections", "OrderedDict") + "](](" + text("w") + one + "ee\x85R",
		dic(text("p"), class("torch._utils", "_rebuild_parameter")+tup(one, "\x88", "N")+"R", "K\x05", "](N\x89I\x01e"),
		dic(text("x"), "\x95\x04\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94\x8c\x01b\x94\x93", text("w"), one),
		dic(text("c"), rebuilt(store("ComplexDoubleStorage", "0", 1), 0, nil, nil), text("u"), rebuilt(store("UntypedStorage", "0", 16), 3, []int64{5}, []int64{1})),
		class("my", "Net") + ")\x81" + dic(text("_parameters"), dic(text("w"), one), text("_buffers"), dic(text("b"), one), text("_modules"), dic(text("sub"), class("my", "Net")+")\x81"+dic(text("_modules"), "}")+"b")) + "b",
		"]q\x00h\x00a", "\x8b\xff\xff\xff\x7f", "(0N2",
	}
}

// seed adds the files of testdata/torch that have the prefix.
func seed(f *testing.F, prefix string) {
	for _, stem := range torchFiles(f) {
		if strings.HasPrefix(filepath.Base(stem), prefix) {
			b, err := os.ReadFile(stem + ".pth")
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b, true)
		}
	}
}

// FuzzOpenPyTorch opens any archive, or, if not whole, any pickle in an archive
// that is in order.
func FuzzOpenPyTorch(f *testing.F) {
	seed(f, "zip")
	for _, name := range []string{"torchscript.pth", "arrays.npz"} {
		b, err := os.ReadFile("testdata/torch/" + name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, true)
	}
	for _, body := range bodies() {
		f.Add([]byte(body), false)
	}
	data := strings.Repeat(fourFloats, 4)
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		if !whole {
			b = archived(t, member{"a/data.pkl", pickled(string(b)), false}, member{"a/data/0", data, false}, member{"a/data/1", data, true})
		}
		openAny(t, b)
	})
}

// FuzzOpenLegacy opens any file of the old format, or, if not whole, any pickle
// with the rest in order.
func FuzzOpenLegacy(f *testing.F) {
	seed(f, "legacy")
	for _, body := range bodies() {
		f.Add([]byte(strings.ReplaceAll(body, "tQ", "NtQ")), false)
	}
	f.Add([]byte(dic(text("w"), rebuilt(store("FloatStorage", "0", 4, tup(text("v"), num(1), num(3))), 1, []int64{2}, []int64{1}))), false)
	rest := keys("0") + le(uint64(4)) + fourFloats
	f.Fuzz(func(t *testing.T, b []byte, whole bool) {
		if !whole {
			b = legacy(string(b), rest)
		}
		openAny(t, b)
	})
}

// FuzzOpenIndex opens any index in a folder with two files.
func FuzzOpenIndex(f *testing.F) {
	dir := f.TempDir()
	for _, name := range []string{"a.safetensors", "b.safetensors"} {
		m := weights.NewMap()
		m.SetFloat32("w", []float32{1, 2}, 2)
		m.SetFloat32("v", []float32{3}, 1)
		if err := weights.Write(filepath.Join(dir, name), m, nil); err != nil {
			f.Fatal(err)
		}
	}
	f.Add([]byte(`{"metadata": {"total_size": 12, "x": [1, {"y": "\""}]}, "weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}`))
	f.Add([]byte(`{"weight_map": {"w": "../a.safetensors"}}`))
	f.Add([]byte(`{"weight_map": {"u": "a.safetensors", "w": "index.json"}}`))
	f.Add([]byte(`{"weight_map": {"w": "missing"}, "weight_map": 1}`))
	f.Add([]byte(`{"weight_map": {"\u0077": "a.safetensors"}, "other": [null, true, -1.5e9]}`))
	path := filepath.Join(dir, "index.json")
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := weights.Open(path)
		if err != nil {
			var e *weights.Error
			kinds := 0
			for _, kind := range []error{weights.ErrFormat, weights.ErrUnsupported, fs.ErrNotExist} {
				if errors.Is(err, kind) {
					kinds++
				}
			}
			if !errors.As(err, &e) || kinds != 1 {
				t.Fatalf("error %v is of %d kinds", err, kinds)
			}
			return
		}
		defer file.Close()
		if file.Format() != weights.Sharded {
			return // FuzzOpen's
		}
		for _, name := range file.Names() {
			d, err := file.Tensor(name)
			switch {
			case err == nil && (name != "w" && name != "v" || d == nil):
				t.Fatalf("a tensor %q", name)
			case err != nil && !errors.Is(err, weights.ErrFormat) && !errors.Is(err, weights.ErrUnsupported):
				t.Fatal(err)
			}
		}
	})
}
