package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/transform"
)

// published is what a logits golden says about one network.
type published struct {
	name            string
	Weights         string `json:"weights"`
	File            string `json:"published_file"` // the authors' own, where it is at hand
	CorrectLossless int    `json:"correct_lossless"`
	CorrectJPEG     int    `json:"correct_jpeg"`
	Logits          string `json:"logits"`
}

// eachPublished runs f for every network of the goldens of this form, and with
// each of its weight files.
func eachPublished(t *testing.T, f func(t *testing.T, p published, weights string, want *golden.Tensors)) {
	golden.Each(t, "logits/*_logits.json", func(t *testing.T, g *golden.File) {
		var cfg struct {
			Results map[string]json.RawMessage `json:"results"`
		}
		g.Loose(&cfg)
		if len(cfg.Results) == 0 {
			t.Fatal("no networks")
		}
		for name, raw := range cfg.Results {
			p := published{name: name}
			if err := json.Unmarshal(raw, &p); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{p.File, p.Weights} {
				if file == "" {
					continue
				}
				t.Run(file, func(t *testing.T) {
					weights := golden.Weights(t, file)
					f(t, p, weights, golden.OpenTensors(t, filepath.Join(filepath.Dir(g.Path()), p.Logits)))
				})
			}
		}
	})
}

// run evaluates and returns the file of logits too.
func run(t *testing.T, o options) (*scores, *golden.Tensors) {
	t.Helper()
	o.logits = filepath.Join(t.TempDir(), "logits.safetensors")
	s, err := evaluate(context.Background(), o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return s, golden.OpenTensors(t, o.logits)
}

// near holds logits to 1e-4, the bound for these networks.
func near(t *testing.T, got, want []float32) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Fatalf("%d logits, want %d", len(got), len(want))
	}
	worst := 0.0
	for i, v := range want {
		d := math.Abs(float64(got[i]) - float64(v))
		if !(d <= worst) {
			worst = d
		}
	}
	if !(worst <= 1e-4) {
		t.Errorf("logits differ by up to %g", worst)
	}
	t.Logf("logits differ by up to %.2g", worst)
}

func TestGoldenLosslessImages(t *testing.T) {
	eachPublished(t, func(t *testing.T, p published, weights string, want *golden.Tensors) {
		data := golden.Data(t, "cifar10/test_first1017_lossless.bin")
		s, got := run(t, options{model: weights, arch: p.name + "_cifar", data: data})
		if right := int(math.Round(s.Top1 * float64(s.N))); s.N != 1017 || right != p.CorrectLossless {
			t.Errorf("%d of %d right, want %d of 1017", right, s.N, p.CorrectLossless)
		}
		near(t, got.Float32("logits"), want.Float32("test_lossless1017"))

		raw, err := os.ReadFile(data)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range got.Int64("labels") {
			if l != int64(raw[i*3073]) {
				t.Fatalf("label %d is %d, want %d", i, l, raw[i*3073])
			}
		}
	})
}

// The pixels are Pillow's, so the decoder is not in the comparison.
func TestGoldenPixelsOfJPEGs(t *testing.T) {
	eachPublished(t, func(t *testing.T, p published, weights string, want *golden.Tensors) {
		if p.File != "" && filepath.Base(weights) != p.File || p.name != "resnet20" {
			t.Skip("one file of the small network is enough here")
		}
		_, got := run(t, options{model: weights, arch: p.name + "_cifar", data: golden.Data(t, "cifar10/test_jpeg_first1000.bin.gz")})
		near(t, got.Float32("logits"), want.Float32("test_jpeg")[:1000*10])
	})
}

// All 10,000 test images as JPEGs, through our decoder.
func TestGoldenTenThousandJPEGs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds; run without -short")
	}
	eachPublished(t, func(t *testing.T, p published, weights string, want *golden.Tensors) {
		if p.File != "" && filepath.Base(weights) != p.File || p.name != "resnet20" {
			t.Skip("one file of the small network is enough here")
		}
		set := cifarJPEGs(t)
		s, err := open(options{model: weights, arch: p.name + "_cifar"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "logits.safetensors")
		got, err := s.measure(context.Background(), set, options{batch: 256, logits: file}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		right := int(math.Round(got.Top1 * float64(got.N)))
		if got.N != 10000 || math.Abs(got.Top1-float64(p.CorrectJPEG)/10000) > 0.0015 {
			t.Errorf("%d of %d right, want %d of 10000 within 15", right, got.N, p.CorrectJPEG)
		}
		theirs, ours := want.Float32("test_jpeg"), golden.OpenTensors(t, file).Float32("logits")
		other, sum := 0, 0.0
		for i := range got.N {
			a, b := theirs[10*i:10*i+10], ours[10*i:10*i+10]
			if slices.Index(a, slices.Max(a)) != slices.Index(b, slices.Max(b)) {
				other++
			}
			for k := range a {
				sum += math.Abs(float64(a[k] - b[k]))
			}
		}
		if other > 100 {
			t.Errorf("%d answers are not the ones on Pillow's pixels", other)
		}
		t.Logf("%d right, %d on Pillow's pixels; %d answers differ, logits by %.4f on average", right, p.CorrectJPEG, other, sum/1e5)
	})
}

// cifarJPEGs unpacks the test images into memory, in canonical order: a file's
// number is that of the image.
func cifarJPEGs(t *testing.T) dataset.Set {
	t.Helper()
	f, err := os.Open(golden.Data(t, "cifar10/cifar10_test_jpeg.tar.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	fsys := fstest.MapFS{}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fsys[strings.TrimPrefix(path.Clean(h.Name), "test/")] = &fstest.MapFile{Data: data}
	}
	all, err := dataset.OpenFolder(fsys, dataset.Options{Limits: transform.Limits{IgnoreEXIF: true}})
	if err != nil {
		t.Fatal(err)
	}
	number := func(i int) int {
		n, err := strconv.Atoi(strings.TrimSuffix(path.Base(all.Name(i)), ".jpg"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	order := make([]int, all.Len())
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(number(a), number(b)) })
	set, err := dataset.Subset(all, order)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := os.ReadFile(golden.Data(t, "cifar10/labels_test.u8"))
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, set.Len())
	for i := range got {
		got[i] = byte(set.Label(i))
	}
	if !bytes.Equal(got, labels) {
		t.Fatal(fmt.Errorf("folders and labels_test.u8 do not agree"))
	}
	return set
}
