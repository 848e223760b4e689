package weights_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/weights"
	"github.com/winnow-go/winnow/weights/weightstest"
)

// torchFiles are those of testdata/gen.py, without the extension, that have
// expected tensors.
func torchFiles(t testing.TB) []string {
	t.Helper()
	all, err := filepath.Glob("testdata/torch/*.safetensors")
	if err != nil || len(all) == 0 {
		t.Fatalf("no files in testdata/torch (%v)", err)
	}
	for i, path := range all {
		all[i] = strings.TrimSuffix(path, ".safetensors")
	}
	return all
}

func mustOpenFile(t testing.TB, path string) *weights.File {
	t.Helper()
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestTorchFilesReadAsTorchReadsThem(t *testing.T) {
	for _, stem := range torchFiles(t) {
		t.Run(filepath.Base(stem), func(t *testing.T) {
			f, want := mustOpenFile(t, stem+".pth"), mustOpenFile(t, stem+".safetensors")
			format := weights.TorchZip
			if strings.HasPrefix(filepath.Base(stem), "legacy") {
				format = weights.TorchLegacy
			}
			if f.Format() != format || want.Format() != weights.Safetensors {
				t.Errorf("formats %s and %s", f.Format(), want.Format())
			}
			var names []string
			var refused []string
			if s := want.Metadata()["unsupported"]; s != "" {
				refused = strings.Split(s, "\n")
			}
			for _, name := range f.Names() {
				if !slices.Contains(refused, name) {
					names = append(names, name)
				}
			}
			if len(f.Names()) != len(names)+len(refused) {
				t.Errorf("names %q lack some of %q, which are there though not supported", f.Names(), refused)
			}
			if !slices.Equal(names, want.Names()) {
				t.Fatalf("names %q, want %q", names, want.Names())
			}
			for _, name := range refused {
				_, err1 := f.Info(name)
				_, err2 := f.Tensor(name)
				for _, err := range []error{err1, err2, f.Float32(name, nil)} {
					if !errors.Is(err, weights.ErrUnsupported) || !strings.Contains(err.Error(), name) {
						t.Errorf("%s: %v", name, err)
					}
				}
			}
			for _, name := range names {
				same(t, name, f, want)
			}
			if err := weightstest.Source(weights.Rename(f, func(name string) string {
				if info, err := want.Info(name); err != nil || info.Elems() == 0 {
					return "" // what Tensor cannot return
				}
				return "other." + name
			})); err != nil {
				t.Error(err)
			}
			if name := want.Metadata()["model"]; name != "" {
				s, err := weights.StateDict(f, "")
				if err != nil || !slices.Contains(s.Names(), name) {
					t.Errorf("StateDict has %q, want %q among them (%v)", s.Names(), name, err)
				}
			}
		})
	}
}

// same compares a tensor of two files, bit for bit.
func same(t *testing.T, name string, got, want *weights.File) {
	t.Helper()
	a, err1 := got.Info(name)
	b, err2 := want.Info(name)
	if err1 != nil || err2 != nil || a.DType != b.DType || a.Size != b.Size || !slices.Equal(a.Shape, b.Shape) {
		t.Fatalf("%s is %+v, want %+v (%v, %v)", name, a, b, err1, err2)
	}
	if a.DType.Float() {
		x, y := make([]float32, a.Elems()), make([]float32, a.Elems())
		if err := errors.Join(got.Float32(name, x), want.Float32(name, y)); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(littleEndian(x), littleEndian(y)) {
			t.Errorf("%s is %v, want %v", name, x, y)
		}
	}
	if a.Elems() == 0 {
		return
	}
	x, err1 := got.Tensor(name)
	y, err2 := want.Tensor(name)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if x.Dtype() != y.Dtype() || !bytes.Equal(littleEndian(x.Data()), littleEndian(y.Data())) {
		t.Errorf("%s is %v %v, want %v %v", name, x.Dtype(), x.Data(), y.Dtype(), y.Data())
	}
}

func TestFilesThatAreNoStateDictAreRefusedByName(t *testing.T) {
	var old bytes.Buffer
	w := tar.NewWriter(&old)
	for _, name := range []string{"sys_info", "pickle", "tensors", "storages"} {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata/torch", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, c := range []struct {
		name string
		file []byte
		is   error
		says string
	}{
		{"TorchScript", read("torchscript.pth"), weights.ErrUnsupported, "TorchScript"},
		{"tar", old.Bytes(), weights.ErrUnsupported, "tar file, as torch before 0.1.10"},
		{"plain pickle", read("plain_pickle.pth"), weights.ErrFormat, "torch.save did not write"},
		{"pickled tensor", read("tensor_pickle.pth"), weights.ErrFormat, "torch.save did not write"},
		{"protocol 0", read("protocol0.pth"), weights.ErrUnsupported, "protocol 0"},
		{"values", read("no_tensors.pth"), weights.ErrUnsupported, "without tensors"},
		{"Namespace", read("namespace.pth"), weights.ErrUnsupported, "argparse.Namespace"},
		{"NumPy's arrays", read("arrays.npz"), weights.ErrFormat, "data.pkl"},
		{"gzip", []byte("\x1f\x8b\x08\x00abcdefghijkl"), weights.ErrUnsupported, "gzip"},
		{"LFS", []byte("version https://git-lfs.github.com/spec/v1\noid sha256:00\n"), weights.ErrFormat, "Git LFS"},
		{"index", []byte(`{"weight_map": {"a": "b.safetensors"}}`), weights.ErrUnsupported, "index"},
	} {
		_, err := openBytes(c.file)
		if !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want %v that says %q", c.name, err, c.is, c.says)
		}
	}
}

func TestGoldenTorchFileIsItsSafetensors(t *testing.T) {
	f := mustOpenFile(t, golden.Weights(t, "resnet20-12fca82f.th"))
	want := mustOpenFile(t, golden.Weights(t, "cifar10_resnet20.safetensors"))
	if f.Format() != weights.TorchLegacy || !strings.HasPrefix(f.Names()[0], "state_dict.module.") {
		t.Errorf("%s, names %q", f.Format(), f.Names())
	}
	agree(t, f, want)
}

// NAME.pth and NAME.safetensors of the folder that WINNOW_PEERS names.
func TestGoldenPeersReadAlikeInBothFormats(t *testing.T) {
	dir := os.Getenv("WINNOW_PEERS")
	if dir == "" {
		t.Skip("WINNOW_PEERS names no folder with NAME.pth and NAME.safetensors of the same weights")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.pth"))
	if err != nil || len(paths) == 0 {
		t.Skipf("no NAME.pth in WINNOW_PEERS, %s (%v)", dir, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			agree(t, mustOpenFile(t, path), mustOpenFile(t, strings.TrimSuffix(path, ".pth")+".safetensors"))
		})
	}
}

// agree compares the state dict in f with want.
func agree(t *testing.T, f, want *weights.File) {
	t.Helper()
	s, err := weights.StateDict(f, "")
	if err != nil {
		t.Fatal(err)
	}
	got, names := s.Names(), want.Names()
	slices.Sort(got)
	slices.Sort(names)
	if !slices.Equal(got, names) {
		t.Fatalf("names %q, want %q", got, names)
	}
	for _, name := range names {
		a, err1 := s.Tensor(name)
		b, err2 := want.Tensor(name)
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.Shape(), b.Shape()) || !bytes.Equal(littleEndian(a.Data()), littleEndian(b.Data())) {
			t.Errorf("%s is not the same", name)
		}
	}
}

func TestTorchTensorsAreReadConcurrently(t *testing.T) {
	for _, name := range []string{"zip_views", "zip_deflated", "legacy_views"} {
		f, want := mustOpenFile(t, "testdata/torch/"+name+".pth"), mustOpenFile(t, "testdata/torch/"+name+".safetensors")
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for _, name := range want.Names() {
					a, err1 := f.Tensor(name)
					b, err2 := want.Tensor(name)
					if err1 != nil || err2 != nil || !bytes.Equal(littleEndian(a.Data()), littleEndian(b.Data())) {
						t.Errorf("%s: %v, %v", name, err1, err2)
					}
				}
			})
		}
		all.Wait()
	}
}
