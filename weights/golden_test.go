package weights_test

import (
	"bytes"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpodyssey/safetensors"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/weights"
)

// Every golden opens, every tensor reads with as many elements as its shape
// says, all bits as the oracle has them where it can read the file.
func TestGoldenFilesRead(t *testing.T) {
	dir := golden.Dir(t)
	var paths []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".safetensors") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("%d files in %s: %v", len(paths), dir, err)
	}
	for _, path := range paths {
		rel, _ := filepath.Rel(dir, path)
		t.Run(filepath.ToSlash(strings.TrimSuffix(rel, ".safetensors")), func(t *testing.T) { readAll(t, path) })
	}
}

func TestGoldenPublishedWeightsRead(t *testing.T) {
	for _, name := range []string{"cifar10_resnet20.safetensors", "cifar10_resnet56.safetensors"} {
		t.Run(name, func(t *testing.T) { readAll(t, golden.Weights(t, name)) })
	}
}

func readAll(t *testing.T, path string) {
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	oracle, refused := safetensors.Deserialize(text)
	names := f.Names()
	if len(names) == 0 || refused == nil && oracle.Len() != len(names) {
		t.Fatalf("%d tensors, the oracle has %d", len(names), oracle.Len())
	}
	total := int64(0)
	for _, name := range names {
		info, err := f.Info(name)
		if err != nil {
			t.Fatal(err)
		}
		total += info.Size
		d, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if d.Shape().TotalSize() != info.Elems() && !d.IsScalar() {
			t.Errorf("%s: shape %v, want %v", name, d.Shape(), info.Shape)
		}
		if refused == nil && info.DType != weights.F16 && info.DType != weights.BF16 {
			v, ok := oracle.Tensor(name)
			if !ok || !bytes.Equal(v.Data(), littleEndian(d.Data())) {
				t.Errorf("%s is not what the oracle reads", name)
			}
		}
		if info.DType.Float() {
			dst := make([]float32, info.Elems())
			if err := f.Float32(name, dst); err != nil {
				t.Fatal(err)
			}
			for i, v := range dst {
				if math.IsNaN(float64(v)) {
					t.Errorf("%s: element %d is NaN", name, i)
					break
				}
			}
		}
	}
	info, err := os.Stat(path)
	if err != nil || total >= info.Size() || total < info.Size()-int64(len(names)*300+300) {
		t.Errorf("the tensors take %d bytes of %d (%v)", total, info.Size(), err)
	}
}
