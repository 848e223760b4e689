package weights_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

// raw is a file with the given header and data.
func raw(header string, data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func openBytes(b []byte) (*weights.File, error) {
	return weights.NewReader(bytes.NewReader(b), int64(len(b)))
}

func mustOpen(t *testing.T, b []byte) *weights.File {
	t.Helper()
	f, err := openBytes(b)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestHostileFileIsAnErrorThatNamesFileAndTensor(t *testing.T) {
	four := make([]byte, 4)
	for _, c := range []struct {
		name   string
		file   []byte
		is     error
		tensor string // named in the error
		says   string
	}{
		{"empty", nil, weights.ErrFormat, "", "too few"},
		{"seven bytes", make([]byte, 7), weights.ErrFormat, "", "too few"},
		{"zero header", make([]byte, 8), weights.ErrFormat, "", "begin with"},
		{"header length of all ones", bytes.Repeat([]byte{0xff}, 16), weights.ErrFormat, "", "limit"},
		{"header longer than the file", append(binary.LittleEndian.AppendUint64(nil, 99_000_000), "{}"...), weights.ErrFormat, "", "truncated"},
		{"not an object", raw(`[]`, nil), weights.ErrFormat, "", "begin with"},
		{"space first", raw(` {}`, nil), weights.ErrFormat, "", "begin with"},
		{"invalid JSON", raw(`{"a":`, nil), weights.ErrFormat, "", "JSON"},
		{"two values", raw(`{}{}`, nil), weights.ErrFormat, "", "JSON"},
		{"trailing comma", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},}`, four), weights.ErrFormat, "", "JSON"},
		{"deep nesting", raw(`{"a":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`}`, nil), weights.ErrFormat, "", "JSON"},
		{"invalid UTF-8", raw("{\"a\xff\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", four), weights.ErrFormat, "", "UTF-8"},
		{"entry is a number", raw(`{"a":1}`, nil), weights.ErrFormat, "a", "{"},
		{"entry is null", raw(`{"a":null}`, nil), weights.ErrFormat, "a", "{"},
		{"name twice", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}`, four), weights.ErrFormat, "a", "twice"},
		{"name twice by escapes", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[0],"data_offsets":[4,4]}}`, four), weights.ErrFormat, "a", "twice"},
		{"key twice", raw(`{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "twice"},
		{"metadata twice", raw(`{"__metadata__":{},"__metadata__":{}}`, nil), weights.ErrFormat, "", "twice"},
		{"metadata key twice", raw(`{"__metadata__":{"k":"1","k":"2"}}`, nil), weights.ErrFormat, "", "twice"},
		{"metadata of numbers", raw(`{"__metadata__":{"k":1}}`, nil), weights.ErrFormat, "", "not a string"},
		{"metadata nested", raw(`{"__metadata__":{"k":{}}}`, nil), weights.ErrFormat, "", "not a string"},
		{"metadata is a list", raw(`{"__metadata__":[]}`, nil), weights.ErrFormat, "", ""},
		{"unknown key", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":{}}}`, four), weights.ErrFormat, "a", "unknown key"},
		{"dtype missing", raw(`{"a":{"shape":[1],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "dtype is missing"},
		{"shape missing", raw(`{"a":{"dtype":"F32","data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "shape is missing"},
		{"offsets missing", raw(`{"a":{"dtype":"F32","shape":[1]}}`, four), weights.ErrFormat, "a", "data_offsets is missing"},
		{"dtype unknown", raw(`{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}`, four), weights.ErrUnsupported, "a", "F33"},
		{"dtype is a number", raw(`{"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "dtype"},
		{"shape is a string", raw(`{"a":{"dtype":"F32","shape":"1","data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "shape"},
		{"shape negative", raw(`{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "-1"},
		{"shape fractional", raw(`{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "1.0"},
		{"shape of strings", raw(`{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "not a number"},
		{"shape nested", raw(`{"a":{"dtype":"F32","shape":[[1]],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "not a number"},
		{"shape over 63 bits", raw(`{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "whole number"},
		{"product wraps to the right size", raw(`{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "overflows"},
		{"product of two wraps", raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967297],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "overflows"},
		{"product overflows before a zero", raw(`{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}`, nil), weights.ErrFormat, "a", "overflows"},
		{"half a byte", raw(`{"a":{"dtype":"F4","shape":[1],"data_offsets":[0,1]}}`, four[:1]), weights.ErrFormat, "a", ""},
		{"33 dimensions", raw(`{"a":{"dtype":"F32","shape":[`+strings.Repeat("1,", 32)+`1],"data_offsets":[0,4]}}`, four), weights.ErrUnsupported, "a", "32"},
		{"size too small", raw(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "takes 8 bytes"},
		{"size too large", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "a", "takes 2 bytes"},
		{"offsets reversed", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}`, four), weights.ErrFormat, "a", "no range"},
		{"one offset", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}`, four), weights.ErrFormat, "a", "no range"},
		{"three offsets", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}`, four), weights.ErrUnsupported, "a", "more than 2"},
		{"truncated data", raw(`{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, four[:3]), weights.ErrFormat, "a", "truncated"},
		{"offsets beyond the data", raw(`{"a":{"dtype":"U8","shape":[1000000000000],"data_offsets":[0,1000000000000]}}`, four), weights.ErrFormat, "a", "beyond"},
		{"gap before the first", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, four), weights.ErrFormat, "a", "gap"},
		{"gap between", raw(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, four), weights.ErrFormat, "b", "gap"},
		{"overlap", raw(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, four), weights.ErrFormat, "b", "overlap"},
		{"same place twice", raw(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, four), weights.ErrFormat, "b", "overlap"},
		{"bytes after the last", raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, four), weights.ErrFormat, "", "2 bytes after"},
		{"data without tensors", raw(`{}`, four), weights.ErrFormat, "", "4 bytes after"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "hostile.safetensors")
			if err := os.WriteFile(path, c.file, 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := weights.Open(path)
			if err == nil {
				f.Close()
				t.Fatal("opened")
			}
			var e *weights.Error
			if !errors.Is(err, c.is) || !errors.As(err, &e) {
				t.Fatalf("error %v is not %v", err, c.is)
			}
			if errors.Is(err, weights.ErrFormat) && errors.Is(err, weights.ErrUnsupported) {
				t.Errorf("error %v blames both sides", err)
			}
			if e.File != path || e.Tensor != c.tensor || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %q: file %q, tensor %q; want it to name %q and tensor %q and to say %q", err, e.File, e.Tensor, path, c.tensor, c.says)
			}
		})
	}
}

func TestEveryTruncationIsAnError(t *testing.T) {
	m := weights.NewMap()
	m.SetFloat32("weight", []float32{1, 2, 3, 4, 5, 6}, 2, 3)
	m.SetFloat32("bias", []float32{1, 2}, 2)
	var b bytes.Buffer
	if err := weights.WriteTo(&b, m, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	for n := range b.Len() {
		if _, err := openBytes(b.Bytes()[:n]); !errors.Is(err, weights.ErrFormat) {
			t.Fatalf("cut to %d of %d bytes: error %v", n, b.Len(), err)
		}
	}
	if _, err := openBytes(append(b.Bytes(), 0)); !errors.Is(err, weights.ErrFormat) {
		t.Fatalf("one byte too long: error %v", err)
	}
}

func TestHeaderIsNotAllocatedBeforeTheFileIsKnownToHoldIt(t *testing.T) {
	file := append(binary.LittleEndian.AppendUint64(nil, 100_000_000), make([]byte, 100)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 10 {
		if _, err := openBytes(file); !errors.Is(err, weights.ErrFormat) {
			t.Fatalf("error %v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated for a file of %d", n, len(file))
	}
}

func TestOpenOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := weights.Open(filepath.Join(dir, "absent")); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "absent") {
		t.Errorf("absent file: %v", err)
	}
	if _, err := weights.Open(dir); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), dir) {
		t.Errorf("folder: %v", err)
	}
}

// everything is a file with each type that can be read, listed out of the order
// of its data, and a scalar and an empty tensor among them.
func everything() []byte {
	var data []byte
	le := binary.LittleEndian
	var entries []string
	add := func(name, dtype, shape string, b []byte) {
		entries = append(entries, fmt.Sprintf(`%q:{"dtype":%q,"shape":%s,"data_offsets":[%d,%d]}`, name, dtype, shape, len(data), len(data)+len(b)))
		data = append(data, b...)
	}
	add("i64", "I64", "[]", le.AppendUint64(nil, 1<<63|5))
	add("f64", "F64", "[2]", le.AppendUint64(le.AppendUint64(nil, math.Float64bits(0.1)), math.Float64bits(-1e300)))
	add("f32", "F32", "[2,1]", le.AppendUint32(le.AppendUint32(nil, math.Float32bits(0.1)), math.Float32bits(float32(math.Inf(1)))))
	add("f16", "F16", "[2]", []byte{0x00, 0x3c, 0xff, 0x7b}) // 1, 65504
	add("bf16", "BF16", "[1,2]", []byte{0x80, 0x3f, 0x49, 0xc0})
	add("i32", "I32", "[1]", le.AppendUint32(nil, 1<<31))
	add("i16", "I16", "[1]", []byte{0, 0x80})
	add("i8", "I8", "[1]", []byte{0x80})
	add("u64", "U64", "[1]", bytes.Repeat([]byte{0xff}, 8))
	add("u32", "U32", "[1]", bytes.Repeat([]byte{0xff}, 4))
	add("u16", "U16", "[1]", bytes.Repeat([]byte{0xff}, 2))
	add("u8", "U8", "[3]", []byte{0, 127, 255})
	add("bool", "BOOL", "[2,1,1]", []byte{0, 1})
	add("scalar", "F32", "[]", le.AppendUint32(nil, math.Float32bits(4.6052)))
	slices.Reverse(entries)
	return raw("{"+strings.Join(entries, ",")+`,"__metadata__":{"format":"pt","é":"\u00fc\n"}}  `, data)
}

func TestTensorsArriveAsTheGoTypesOfTheirNames(t *testing.T) {
	f := mustOpen(t, everything())
	if want := map[string]string{"format": "pt", "é": "ü\n"}; !reflect.DeepEqual(f.Metadata(), want) {
		t.Errorf("metadata %v, want %v", f.Metadata(), want)
	}
	for _, c := range []struct {
		name  string
		dtype weights.DType
		shape []int
		data  any // what *tensor.Dense has: a slice, or the value of a scalar
	}{
		{"i64", weights.I64, []int{}, int64(math.MinInt64 + 5)},
		{"f64", weights.F64, []int{2}, []float64{0.1, -1e300}},
		{"f32", weights.F32, []int{2, 1}, []float32{0.1, float32(math.Inf(1))}},
		{"f16", weights.F16, []int{2}, []float32{1, 65504}},
		{"bf16", weights.BF16, []int{1, 2}, []float32{1, -3.140625}},
		{"i32", weights.I32, []int{1}, []int32{math.MinInt32}},
		{"i16", weights.I16, []int{1}, []int16{math.MinInt16}},
		{"i8", weights.I8, []int{1}, []int8{math.MinInt8}},
		{"u64", weights.U64, []int{1}, []uint64{math.MaxUint64}},
		{"u32", weights.U32, []int{1}, []uint32{math.MaxUint32}},
		{"u16", weights.U16, []int{1}, []uint16{math.MaxUint16}},
		{"u8", weights.U8, []int{3}, []uint8{0, 127, 255}},
		{"bool", weights.Bool, []int{2, 1, 1}, []bool{false, true}},
		{"scalar", weights.F32, []int{}, float32(4.6052)},
	} {
		info, err := f.Info(c.name)
		if err != nil || info.DType != c.dtype || !slices.Equal(info.Shape, c.shape) || info.Size != int64(info.Elems()*info.DType.Bits()/8) {
			t.Errorf("%s: info %+v, error %v; want %s %v", c.name, info, err, c.dtype, c.shape)
		}
		d, err := f.Tensor(c.name)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !slices.Equal([]int(d.Shape()), c.shape) || !reflect.DeepEqual(d.Data(), c.data) {
			t.Errorf("%s: %v %v, want %v %v", c.name, d.Shape(), d.Data(), c.shape, c.data)
		}
	}
	if names := f.Names(); names[0] != "scalar" || names[len(names)-1] != "i64" {
		t.Errorf("names %q are not in the header's order", names)
	}
	if err := weightstest.Source(f); err != nil {
		t.Error(err)
	}
}

func TestTensorThatCannotBeHadIsAClearError(t *testing.T) {
	f := mustOpen(t, raw(`{"e":{"dtype":"F32","shape":[3,0,2],"data_offsets":[0,0]},"f8":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]},"f4":{"dtype":"F4","shape":[4],"data_offsets":[2,4]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[4,5]}}`, []byte{1, 2, 3, 4, 2}))
	for _, c := range []struct {
		name string
		is   error
	}{{"e", weights.ErrUnsupported}, {"f8", weights.ErrUnsupported}, {"f4", weights.ErrUnsupported}, {"b", weights.ErrFormat}, {"absent", fs.ErrNotExist}} {
		_, err := f.Tensor(c.name)
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), `"`+c.name+`"`) {
			t.Errorf("Tensor(%q): %v, want %v", c.name, err, c.is)
		}
	}
	if err := f.Float32("e", nil); err != nil {
		t.Errorf("Float32 of an empty tensor: %v", err)
	}
	if err := f.Float32("b", make([]float32, 1)); !errors.Is(err, weights.ErrUnsupported) {
		t.Errorf("Float32 of a BOOL: %v", err)
	}
}

// counter records which bytes are read.
type counter struct {
	io.ReaderAt
	mu   sync.Mutex
	read [][2]int64
}

func (c *counter) ReadAt(p []byte, off int64) (int, error) {
	c.mu.Lock()
	c.read = append(c.read, [2]int64{off, off + int64(len(p))})
	c.mu.Unlock()
	return c.ReaderAt.ReadAt(p, off)
}

func TestReadingATensorReadsOnlyItsBytes(t *testing.T) {
	const head = `{"a":{"dtype":"F32","shape":[300,100],"data_offsets":[0,120000]},"b":{"dtype":"F16","shape":[100000],"data_offsets":[120000,320000]}}`
	file := raw(head, make([]byte, 320000))
	c := &counter{ReaderAt: bytes.NewReader(file)}
	f, err := weights.NewReader(c, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	data := int64(8 + len(head))
	for _, r := range c.read {
		if r[1] > data {
			t.Errorf("opening reads bytes %v, the data begins at %d", r, data)
		}
	}
	c.read = nil
	if _, err := f.Tensor("b"); err != nil {
		t.Fatal(err)
	}
	at := data + 120000
	for _, r := range c.read {
		if r[0] != at {
			t.Errorf("reads %v, want it to begin at %d", r, at)
		}
		at = r[1]
	}
	if at != int64(len(file)) {
		t.Errorf("reads up to %d of %d", at, len(file))
	}
}

func TestFileCutWhileOpenIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cut.safetensors")
	m := weights.NewMap()
	m.SetFloat32("a", make([]float32, 1000), 1000)
	if err := weights.Write(path, m, nil); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 1000); err != nil {
		f.Close()
		t.Skipf("this system does not cut open files: %v", err)
	}
	if _, err := f.Tensor("a"); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), path) {
		t.Errorf("reading a tensor that was cut off: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Tensor("a"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("reading after Close: %v", err)
	}
}

func TestTensorsAreReadConcurrently(t *testing.T) {
	file := everything()
	f := mustOpen(t, file)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, name := range f.Names() {
				if _, err := f.Tensor(name); err != nil {
					t.Error(err)
				}
			}
			dst := make([]float32, 2)
			for _, name := range []string{"f64", "f32", "f16", "bf16"} {
				if err := f.Float32(name, dst); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
