package weights_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

func of(data any, shape ...int) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))
}

// mixed is one tensor of each type that can be written.
func mixed() *weights.Map {
	m := weights.NewMap()
	m.Set("z.f32", of([]float32{1, float32(math.NaN()), float32(math.Inf(-1)), -0.5}, 2, 2))
	m.Set("a.f32", of([]float32{7}, 1))
	m.Set("f64", of([]float64{math.Pi, math.SmallestNonzeroFloat64}, 2))
	m.Set("steps", of([]int64{42}))
	m.Set("int", of([]int{-1, 1}, 2))
	m.Set("i32", of([]int32{math.MinInt32}, 1))
	m.Set("i16", of([]int16{-2}, 1))
	m.Set("i8", of([]int8{-3, 3, 0}, 3))
	m.Set("u64", of([]uint64{math.MaxUint64}, 1, 1))
	m.Set("u32", of([]uint32{1}, 1))
	m.Set("u16", of([]uint16{1}, 1))
	m.Set("u8", of([]uint8{1, 2, 3}, 3))
	m.Set("bool", of([]bool{true, false, true}, 3))
	m.Set(`quo"te </é>`, of([]float32{3}))
	return m
}

func toBytes(t *testing.T, src weights.Source, meta map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := weights.WriteTo(&b, src, meta); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenReadsBack(t *testing.T) {
	m := mixed()
	meta := map[string]string{"format": "pt", "classes": `["a<b","ü"]`, "": "empty key"}
	f := mustOpen(t, toBytes(t, m, meta))
	if !reflect.DeepEqual(f.Metadata(), meta) {
		t.Errorf("metadata %v, want %v", f.Metadata(), meta)
	}
	for _, name := range m.Names() {
		want, err := m.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.Shape(), got.Data()) != fmt.Sprint(want.Shape(), want.Data()) || got.Dtype() != want.Dtype() && name != "int" {
			t.Errorf("%s: wrote %v %v %v, read %v %v %v", name, want.Dtype(), want.Shape(), want.Data(), got.Dtype(), got.Shape(), got.Data())
		}
	}
	if err := weightstest.Source(m); err != nil {
		t.Error(err)
	}
}

func TestLayoutIsTheDocumentedOne(t *testing.T) {
	b := toBytes(t, mixed(), map[string]string{"b": "2", "a": "1"})
	n := int(binary.LittleEndian.Uint64(b))
	head := string(b[8 : 8+n])
	if n%8 != 0 || !strings.HasPrefix(head, `{"__metadata__":{"a":"1","b":"2"},"u64":{"dtype":"U64","shape":[1,1],"data_offsets":[0,8]},`) {
		t.Errorf("the header has %d bytes and begins %.120s", n, head)
	}
	want := []string{"u64", "int", "steps", "f64", "a.f32", `quo"te </é>`, "z.f32", "u32", "i32", "u16", "i16", "i8", "u8", "bool"}
	f := mustOpen(t, b)
	if got := f.Names(); !slices.Equal(got, want) {
		t.Errorf("order %q, want %q", got, want)
	}
	at := 8 + n
	for _, name := range want { // each starts on a multiple of its elements' size
		info, err := f.Info(name)
		if err != nil {
			t.Fatal(err)
		}
		if at%(info.DType.Bits()/8) != 0 {
			t.Errorf("%s starts at %d", name, at)
		}
		at += int(info.Size)
	}
	if again := toBytes(t, mixed(), map[string]string{"a": "1", "b": "2"}); !bytes.Equal(b, again) {
		t.Error("the same source gives other bytes")
	}
	if b := toBytes(t, weights.NewMap(), nil); string(b) != "\x08\x00\x00\x00\x00\x00\x00\x00{}      " {
		t.Errorf("no tensors and no metadata: %q", b)
	}
}

func TestViewsAreWrittenInTheOrderOfTheirShape(t *testing.T) {
	base := func() *tensor.Dense { return of([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 3, 4) }
	transposed := base()
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	cut := func(s ...tensor.Slice) *tensor.Dense {
		v, err := base().Slice(s...)
		if err != nil {
			t.Fatal(err)
		}
		return v.(*tensor.Dense)
	}
	for _, c := range []struct {
		name string
		t    *tensor.Dense
		want []float32
	}{
		{"transposed", transposed, []float32{0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}},
		{"rows", cut(tensor.S(1, 3)), []float32{4, 5, 6, 7, 8, 9, 10, 11}},
		{"a block", cut(tensor.S(1, 3), tensor.S(1, 3)), []float32{5, 6, 9, 10}},
		{"a column", cut(nil, tensor.S(2)), []float32{2, 6, 10}},
		{"a row", cut(tensor.S(2)), []float32{8, 9, 10, 11}},
		{"an element", cut(tensor.S(2), tensor.S(1)), []float32{9}},
		{"column major", tensor.New(tensor.WithShape(2, 3), tensor.AsFortran([]float32{1, 2, 3, 4, 5, 6})), []float32{1, 2, 3, 4, 5, 6}},
	} {
		m := weights.NewMap()
		m.Set("v", c.t)
		if err := weightstest.Source(m); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		f := mustOpen(t, toBytes(t, m, nil))
		got := make([]float32, len(c.want))
		if err := f.Float32("v", got); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		info, _ := f.Info("v")
		if !slices.Equal(got, c.want) || !slices.Equal(info.Shape, []int(c.t.Shape())) {
			t.Errorf("%s: wrote %v %v, want %v %v", c.name, info.Shape, got, c.t.Shape(), c.want)
		}
	}
}

func TestCopyKeepsEmptyTensorsAndRefusesWhatCannotBeRead(t *testing.T) {
	f := mustOpen(t, raw(`{"a":{"dtype":"F32","shape":[0,3],"data_offsets":[0,0]},"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, []byte{7}))
	info, err := mustOpen(t, toBytes(t, f, nil)).Info("a")
	if err != nil || info.DType != weights.F32 || !slices.Equal(info.Shape, []int{0, 3}) {
		t.Errorf("%+v (%v)", info, err)
	}
	f = mustOpen(t, raw(`{"a":{"dtype":"F8_E5M2","shape":[1],"data_offsets":[0,1]}}`, []byte{7}))
	var b bytes.Buffer
	if err := weights.WriteTo(&b, f, nil); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), "F8_E5M2") || b.Len() != 0 {
		t.Errorf("%v, %d bytes written", err, b.Len())
	}
}

// source is a Source of the interface's two methods only.
type source struct {
	names []string
	get   func(name string) (*tensor.Dense, error)
}

func (s source) Names() []string                           { return s.names }
func (s source) Tensor(name string) (*tensor.Dense, error) { return s.get(name) }

func TestWhatCannotBeWrittenIsAnErrorThatNamesTheTensor(t *testing.T) {
	one := func() *tensor.Dense { return of([]float32{1, 2}, 2) }
	calls := 0
	broken := errors.New("disk on fire")
	get := func(t *tensor.Dense, err error) func(string) (*tensor.Dense, error) {
		return func(string) (*tensor.Dense, error) { return t, err }
	}
	for _, c := range []struct {
		name string
		src  weights.Source
		meta map[string]string
		is   error
		says string
	}{
		{"complex", source{[]string{"c"}, get(of([]complex64{1}, 1), nil)}, nil, weights.ErrUnsupported, `"c"`},
		{"strings", source{[]string{"s"}, get(of([]string{"x"}, 1), nil)}, nil, weights.ErrUnsupported, `"s"`},
		{"nil", source{[]string{"n"}, get(nil, nil)}, nil, nil, `"n"`},
		{"name twice", source{[]string{"a", "a"}, get(one(), nil)}, nil, nil, `"a"`},
		{"reserved name", source{[]string{"__metadata__"}, get(one(), nil)}, nil, weights.ErrUnsupported, `"__metadata__"`},
		{"name not UTF-8", source{[]string{"\xff"}, get(one(), nil)}, nil, weights.ErrUnsupported, `"\xff"`},
		{"metadata not UTF-8", source{nil, nil}, map[string]string{"k": "\xff"}, weights.ErrUnsupported, `"k"`},
		{"failing", source{[]string{"a"}, get(nil, broken)}, nil, broken, "fire"},
		{"changing shape", source{[]string{"a"}, func(string) (*tensor.Dense, error) {
			if calls++; calls > 1 {
				return of([]float32{1, 2}, 2, 1), nil
			}
			return one(), nil
		}}, nil, nil, `"a"`},
		{"ambiguous", weights.Join(mixed(), mixed()), nil, nil, "ambiguous"},
	} {
		path := filepath.Join(t.TempDir(), "out.safetensors")
		err := weights.Write(path, c.src, c.meta)
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: error %v, want %v that says %s", c.name, err, c.is, c.says)
		}
		if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 0 {
			t.Errorf("%s: %v is left behind", c.name, left)
		}
	}
}

type failingWriter struct{ left int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errors.New("no space left")
	}
	return len(p), nil
}

func TestWriterThatFailsIsReported(t *testing.T) {
	m := weights.NewMap()
	m.SetFloat32("a", make([]float32, 100_000), 100_000)
	for _, room := range []int{0, 10, 70_000, 399_999} {
		if err := weights.WriteTo(&failingWriter{room}, m, nil); err == nil || !strings.Contains(err.Error(), "no space left") {
			t.Errorf("room for %d bytes: error %v", room, err)
		}
	}
}

func TestFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors")
	if err := weights.Write(path, mixed(), nil); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	src := source{[]string{"a", "b"}, func(name string) (*tensor.Dense, error) {
		if calls++; calls > 3 { // described both and written the first
			return nil, errors.New("out of luck")
		}
		return of(make([]float32, 1<<16), 1<<16), nil
	}}
	if err := weights.Write(path, src, nil); err == nil || !strings.Contains(err.Error(), "out of luck") || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the old file changed (%v)", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteReplacesTheFileItReadsFrom(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not replace a file that is open")
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := weights.Write(path, mixed(), map[string]string{"v": "1"}); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := weights.Write(path, weights.Omit(f, "z.", "a."), map[string]string{"v": "2"}); err != nil {
		t.Fatal(err)
	}
	g, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if g.Metadata()["v"] != "2" || len(g.Names()) != len(f.Names())-2 {
		t.Errorf("metadata %v, names %q", g.Metadata(), g.Names())
	}
	if _, err := f.Tensor("z.f32"); err != nil {
		t.Errorf("the file that was replaced, still open: %v", err)
	}
}

func TestWriteKeepsPermissionsAndLinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("permissions and links of Unix")
	}
	dir := t.TempDir()
	path, link := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "link")
	if err := weights.Write(path, mixed(), nil); err != nil {
		t.Fatal(err)
	}
	plain, err := os.Create(filepath.Join(dir, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	plain.Close()
	want, _ := os.Stat(plain.Name())
	if got, err := os.Stat(path); err != nil || got.Mode() != want.Mode() {
		t.Errorf("a new file has mode %v, os.Create gives %v (%v)", got.Mode(), want.Mode(), err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("model.safetensors", link); err != nil {
		t.Fatal(err)
	}
	if err := weights.Write(link, weights.NewMap(), nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o640 || info.Size() != 16 {
		t.Errorf("written through a link: mode %v, size %d (%v)", info.Mode(), info.Size(), err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v (%v)", info.Mode(), err)
	}
}

func TestWriteToABadPlaceIsAnErrorThatNamesIt(t *testing.T) {
	dir := t.TempDir()
	if err := weights.Write(dir, mixed(), nil); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), dir) {
		t.Errorf("writing to a folder: %v", err)
	}
	path := filepath.Join(dir, "absent", "model.safetensors")
	if err := weights.Write(path, mixed(), nil); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("writing into a folder that is not there: %v", err)
	}
}

// described counts how often its tensors are fetched.
type described struct {
	*weights.Map
	fetched map[string]int
}

func (d described) Tensor(name string) (*tensor.Dense, error) {
	d.fetched[name]++
	return d.Map.Tensor(name)
}

func TestRenamedTensorsAreFetchedOnceToBeWritten(t *testing.T) {
	d := described{mixed(), map[string]int{}}
	src := weights.Omit(weights.Strip(weights.Rename(d, func(name string) string { return "module." + name }), "module."), "z.")
	f := mustOpen(t, toBytes(t, src, nil))
	if len(f.Names()) != d.Len()-1 || len(d.fetched) != d.Len()-1 {
		t.Errorf("wrote %q, fetched %v", f.Names(), d.fetched)
	}
	for name, n := range d.fetched {
		if n != 1 {
			t.Errorf("%s was fetched %d times", name, n)
		}
	}
}
