package weights_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

// sharded is a folder with a model in two files and its index.
func sharded(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for i, names := range [][]string{{"a", "c"}, {"b", "unlisted"}} {
		m := weights.NewMap()
		for k, name := range names {
			m.SetFloat32(name, []float32{float32(i), float32(k)}, 1, 2)
		}
		if err := weights.Write(filepath.Join(dir, fmt.Sprintf("model-0000%d-of-00002.safetensors", i+1)), m, map[string]string{"format": "pt"}); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, filepath.Join(dir, "model.safetensors.index.json"), `{
  "metadata": {"total_size": 24, "note": "made \u0041 \"here\"", "nested": {"a": [1, "}"]}, "none": null, "yes": true},
  "other": [{"x": "]"}, 1.5e3, null, "\""],
  "weight_map": {
    "a": "model-00001-of-00002.safetensors",
    "b": "model-00002-of-00002.safetensors",
    "c": "model-00001-of-00002.safetensors"
  }
}
`)
	return dir
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestModelInSeveralFilesIsOneSource(t *testing.T) {
	dir := sharded(t)
	index := filepath.Join(dir, "model.safetensors.index.json")
	for _, path := range []string{index, dir} {
		f := mustOpenFile(t, path)
		if f.Format() != weights.Sharded || f.Path() != index {
			t.Errorf("%s at %s", f.Format(), f.Path())
		}
		if !slices.Equal(f.Names(), []string{"a", "b", "c"}) {
			t.Errorf("names %q", f.Names())
		}
		if got, want := fmt.Sprint(f.Metadata()), `map[note:made A "here" total_size:24 yes:true]`; got != want {
			t.Errorf("metadata %s, want %s", got, want)
		}
		for name, want := range map[string][]float32{"a": {0, 0}, "b": {1, 0}, "c": {0, 1}} {
			got := make([]float32, 2)
			if err := f.Float32(name, got); err != nil || !slices.Equal(got, want) {
				t.Errorf("%s is %v, want %v (%v)", name, got, want, err)
			}
		}
		if _, err := f.Tensor("unlisted"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a tensor that the index does not list: %v", err)
		}
		if err := weightstest.Source(f); err != nil {
			t.Error(err)
		}
	}
}

func TestShardsOpenWhenNeededAndCloseTogether(t *testing.T) {
	dir := sharded(t)
	f := mustOpenFile(t, dir)
	second := filepath.Join(dir, "model-00002-of-00002.safetensors")
	writeFile(t, second, "broken") // not yet opened
	if _, err := f.Tensor("a"); err != nil {
		t.Error(err)
	}
	if _, err := f.Tensor("b"); !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), second) {
		t.Errorf("a broken file: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for _, name := range f.Names() {
		if _, err := f.Tensor(name); !errors.Is(err, fs.ErrClosed) && name != "b" {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	g := mustOpenFile(t, sharded(t)) // nothing of it was open
	g.Close()
	if _, err := g.Tensor("a"); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestShardsAreReadConcurrently(t *testing.T) {
	f := mustOpenFile(t, sharded(t))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for _, name := range f.Names() {
				if _, err := f.Tensor(name); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

func TestIndexThatLiesIsAnError(t *testing.T) {
	dir := sharded(t)
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(filepath.Dir(dir), "outside.safetensors")
	if err := weights.Write(outside, weights.NewMap(), nil); err != nil {
		t.Fatal(err)
	}
	one := func(file string) string { return fmt.Sprintf(`{"weight_map":{"a":%q}}`, file) }
	for _, c := range []struct {
		name, text string
		is         error
		says       string
	}{
		{"missing files", `{"weight_map":{"a":"y.safetensors","b":"x.safetensors","c":"model-00001-of-00002.safetensors","d":"x.safetensors"}}`, fs.ErrNotExist, `2 of 3 files that the index names: "x.safetensors", "y.safetensors"`},
		{"in the folder above", one("../outside.safetensors"), weights.ErrFormat, "same folder"},
		{"in the folder above, by \\", one(`..\outside.safetensors`), weights.ErrFormat, "same folder"},
		{"in a folder below", one("folder/x.safetensors"), weights.ErrFormat, "same folder"},
		{"absolute", one(outside), weights.ErrFormat, "same folder"},
		{"on a drive", one(`C:x.safetensors`), weights.ErrFormat, "same folder"},
		{"no name", one(""), weights.ErrFormat, "same folder"},
		{"the folder itself", one("."), weights.ErrFormat, "same folder"},
		{"the folder above itself", one(".."), weights.ErrFormat, "same folder"},
		{"a name with a zero byte", `{"weight_map":{"a":"x\u0000"}}`, weights.ErrFormat, "same folder"},
		{"a folder", one("folder"), weights.ErrUnsupported, "not a regular file"},
		{"a tensor twice", `{"weight_map":{"a":"x","a":"y"}}`, weights.ErrFormat, "twice"},
		{"a tensor twice by escapes", `{"weight_map":{"a":"x","\u0061":"x"}}`, weights.ErrFormat, "twice"},
		{"weight_map twice", `{"weight_map":{},"weight_map":{}}`, weights.ErrFormat, "twice"},
		{"no weight_map", `{"hidden_size": 3}`, weights.ErrFormat, "weight_map"},
		{"weight_map of numbers", `{"weight_map":{"a":1}}`, weights.ErrFormat, "file name"},
		{"weight_map is a list", `{"weight_map":["a"]}`, weights.ErrFormat, "{"},
		{"invalid JSON", `{"weight_map":{"a":`, weights.ErrFormat, "JSON"},
		{"invalid UTF-8", "{\"weight_map\":{\"\xff\":\"x\"}}", weights.ErrFormat, "UTF-8"},
		{"deep nesting", `{"x":` + strings.Repeat("[", 20000), weights.ErrFormat, "JSON"},
	} {
		path := filepath.Join(dir, "lies.index.json")
		writeFile(t, path, c.text)
		f, err := weights.Open(path)
		if err == nil {
			f.Close()
		}
		var e *weights.Error
		if !errors.Is(err, c.is) || !errors.As(err, &e) || e.File != path || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v that says %q", c.name, err, c.is, c.says)
		}
	}
}

func TestIndexThatPromisesTooMuchIsFoundOut(t *testing.T) {
	dir := sharded(t)
	path := filepath.Join(dir, "model.safetensors.index.json")
	writeFile(t, path, `{"weight_map":{"a":"model-00002-of-00002.safetensors","b":"model.safetensors.index.json"}}`)
	f := mustOpenFile(t, path)
	if _, err := f.Tensor("a"); !errors.Is(err, weights.ErrFormat) || !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("a tensor in another file: %v", err)
	}
	if _, err := f.Info("b"); !errors.Is(err, weights.ErrUnsupported) {
		t.Errorf("an index that names itself: %v", err)
	}
}

func TestFolderIsOpenedByTheFilesInIt(t *testing.T) {
	dir := sharded(t)
	check := func(want string) {
		t.Helper()
		f := mustOpenFile(t, dir)
		if f.Path() != filepath.Join(dir, want) {
			t.Errorf("opened %s, want %s", f.Path(), want)
		}
	}
	check("model.safetensors.index.json")
	m := weights.NewMap()
	if err := weights.Write(filepath.Join(dir, "model.safetensors"), m, nil); err != nil {
		t.Fatal(err)
	}
	check("model.safetensors")
	dir = t.TempDir()
	b, err := os.ReadFile("testdata/torch/zip_types.pth")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "part.bin"), string(b))
	writeFile(t, filepath.Join(dir, "pytorch_model.bin.index.json"), `{"weight_map":{"F32":"part.bin"}}`)
	check("pytorch_model.bin.index.json")
	f := mustOpenFile(t, dir)
	if d, err := f.Tensor("F32"); err != nil || !slices.Equal(d.Shape(), []int{2, 3}) {
		t.Errorf("%v (%v)", d, err)
	}
	writeFile(t, filepath.Join(dir, "pytorch_model.bin"), string(b))
	check("pytorch_model.bin")
	if _, err := weights.Open(t.TempDir()); !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), "model.safetensors.index.json") {
		t.Errorf("an empty folder: %v", err)
	}
}
