package dataset

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/transform"
)

func TestGoldenFashionMNISTOpens(t *testing.T) {
	s, err := Open(golden.Data(t, "fashion-mnist"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind != IDX || s.Drawn || s.Train.Len() != 60000 || s.Test.Len() != 10000 || s.Ignored != 1 || len(s.Classes()) != 10 {
		t.Fatalf("%s: %d and %d, drawn %v, %d ignored", s.Kind, s.Train.Len(), s.Test.Len(), s.Drawn, s.Ignored)
	}
	for i, n := range Counts(s.Train) {
		if n != 6000 || Counts(s.Test)[i] != 1000 {
			t.Errorf("class %d has %d and %d pictures", i, n, Counts(s.Test)[i])
		}
	}
	// The first labels that the data set's own page shows: ankle boot, two
	// T-shirts, two dresses.
	if got := Labels(s.Train)[:5]; !reflect.DeepEqual(got, []int{9, 0, 0, 3, 0}) {
		t.Errorf("labels %v", got)
	}
	img, err := s.Train.Image(0)
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != 28 || b.Dy() != 28 {
		t.Errorf("%v", b)
	}
	train, held, err := HoldOut(s.Train, 1)
	if err != nil || train.Len() != 57000 || held.Len() != 3000 {
		t.Fatalf("%d and %d, %v", train.Len(), held.Len(), err)
	}
	for i, n := range Counts(held) {
		if n != 300 {
			t.Errorf("class %d: %d held out", i, n)
		}
	}
}

func TestGoldenMNISTHasOnlyATestPart(t *testing.T) {
	dir := golden.Data(t, "mnist")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Drawn || s.Train.Len() != 8000 || s.Test.Len() != 2000 || s.All().Len() != 10000 {
		t.Errorf("%d and %d of %d", s.Train.Len(), s.Test.Len(), s.All().Len())
	}
	p, err := OpenUnlabelled(dir, Options{})
	if err != nil || p.Len() != 10000 || p.Label(0) != -1 {
		t.Errorf("strangers: %v", err)
	}
	idx, err := OpenIDX(os.DirFS(dir), "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := Labels(idx)[:8]; !reflect.DeepEqual(got, []int{7, 2, 1, 0, 4, 1, 4, 9}) {
		t.Errorf("labels %v", got)
	}
}

func TestGoldenCIFARLabelsAreTheOfficialOnes(t *testing.T) {
	dir := golden.Data(t, "cifar10")
	s, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind != CIFAR10 || s.Drawn || s.Train.Len() != 8068 || s.Test.Len() != 2017 || !slices.Equal(s.Classes(), cifarNames()) {
		t.Fatalf("%s: %d and %d, drawn %v, %v", s.Kind, s.Train.Len(), s.Test.Len(), s.Drawn, s.Classes())
	}
	official := func(part string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, "labels_"+part+".u8"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	test := official("test")
	for i := range s.Test.Len() {
		_, number, _ := strings.Cut(s.Test.Name(i), "#")
		k, err := strconv.Atoi(number)
		if err != nil || s.Test.Label(i) != int(test[k]) {
			t.Fatalf("%s has label %d, officially %d", s.Test.Name(i), s.Test.Label(i), test[k])
		}
	}
	index, err := os.Open(filepath.Join(dir, "train_lossless_8068.index.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer index.Close()
	train := official("train")
	i := 0
	for lines := bufio.NewScanner(index); lines.Scan(); i++ {
		k, err := strconv.Atoi(lines.Text())
		if err != nil || s.Train.Label(i) != int(train[k]) {
			t.Fatalf("picture %d has label %d, officially %d", i, s.Train.Label(i), train[k])
		}
	}
	if i != s.Train.Len() {
		t.Errorf("%d lines for %d pictures", i, s.Train.Len())
	}
}

// unpack reads at most n files of a tar archive whose names have the suffix.
func unpack(t testing.TB, path, suffix string, n int) fstest.MapFS {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	m := fstest.MapFS{}
	for a := tar.NewReader(r); len(m) < n; {
		h, err := a.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, suffix) {
			continue
		}
		data, err := io.ReadAll(a)
		if err != nil {
			t.Fatal(err)
		}
		m[strings.TrimPrefix(h.Name, "./")] = &fstest.MapFile{Data: data}
	}
	return m
}

func TestGoldenFolderOfJPEGsEqualsTheBinaryOfThem(t *testing.T) {
	m := unpack(t, golden.Data(t, "cifar10/cifar10_test_jpeg.tar.gz"), ".jpg", 10000)
	for name := range m {
		number, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(name), ".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if number >= 1000 {
			delete(m, name)
		}
	}
	bin, err := OpenCIFAR(os.DirFS(golden.Data(t, "cifar10")), Options{}, "test_jpeg_first1000.bin.gz")
	if err != nil {
		t.Fatal(err)
	}
	dir := fstest.MapFS{}
	for name, f := range m {
		dir[strings.TrimPrefix(name, "test/")] = f
	}
	folder, err := OpenFolder(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if folder.Len() != 1000 || bin.Len() != 1000 || !slices.Equal(folder.Classes(), bin.Classes()) {
		t.Fatalf("%d and %d pictures, classes %v", folder.Len(), bin.Len(), folder.Classes())
	}
	sum, worst := 0, 0
	for i := range folder.Len() {
		k, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(folder.Name(i)), ".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		if folder.Label(i) != bin.Label(k) {
			t.Fatalf("%s has label %d, the binary %d", folder.Name(i), folder.Label(i), bin.Label(k))
		}
		got, err := folder.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		want, err := bin.Image(k)
		if err != nil {
			t.Fatal(err)
		}
		pix := transform.ToRGB(got).Pix
		for j, v := range want.(*transform.RGB).Pix {
			d := abs(int(v) - int(pix[j]))
			sum, worst = sum+d, max(worst, d)
		}
	}
	// The inverse DCT may round a sample of luma and one of chroma the other
	// way, see package transform; a wrong picture would be 30 levels off.
	mean := float64(sum) / (1000 * 3072)
	if worst > 3 || mean > 0.1 {
		t.Errorf("differs by %.4f in the mean, %d at worst", mean, worst)
	}
	t.Logf("mean %.4f, worst %d", mean, worst)
}

func TestGoldenPhotosOpen(t *testing.T) {
	dir := write(t, unpack(t, golden.Data(t, "photos/hymenoptera_subset.tar"), "", 1000))
	s, err := Open(dir, Options{Quarantine: true})
	if err != nil {
		t.Fatal(err)
	}
	if s.Kind != ImageFolder || s.Drawn || s.Train.Len()+s.Test.Len() != 23 || len(s.Bad) != 0 || !slices.Equal(s.Classes(), []string{"ants", "bees"}) {
		t.Errorf("%s: %d and %d, drawn %v, bad %v", s.Kind, s.Train.Len(), s.Test.Len(), s.Drawn, s.Bad)
	}
	flowers, err := OpenFolder(unpack(t, golden.Data(t, "photos/flowers128_5class.tar"), ".jpg", 2000), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := Counts(flowers); !reflect.DeepEqual(got, []int{200, 200, 200, 200, 200}) {
		t.Errorf("flowers: %v", got)
	}
	pile, err := openPictures(unpack(t, golden.Data(t, "photos/imagenet_sample_subset.tar"), "", 100), ".", Options{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if pile.Len() != 37 {
		t.Errorf("ImageNet's samples: %d", pile.Len())
	}
	n := 0
	for b, err := range Batches(t.Context(), pile, LoadOptions{Batch: 16, Transform: transform.ImageNet()}) {
		if err != nil {
			t.Fatal(err)
		}
		n += b.Len()
	}
	if n != 37 {
		t.Errorf("%d pictures in batches", n)
	}
}

// A truncated photo is found wherever it is cut.
func TestGoldenTruncatedPhotoIsFound(t *testing.T) {
	m := unpack(t, golden.Data(t, "photos/hymenoptera_subset.tar"), ".jpg", 1)
	for _, f := range m {
		for _, n := range []int{0, 1, 3, 100, 700, len(f.Data) / 2, len(f.Data) - 2} {
			m := tree(t, "a/1.png", "b/1.png")
			m["a/photo.jpg"] = &fstest.MapFile{Data: bytes.Clone(f.Data[:n])}
			s, err := OpenFolder(m, Options{Quarantine: true})
			if err != nil || len(s.Bad()) != 1 || s.Bad()[0].Name != "a/photo.jpg" {
				t.Errorf("%d of %d bytes: %v", n, len(f.Data), err)
			}
		}
	}
}
