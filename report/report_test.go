package report

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/rng"
	"github.com/winnow-go/winnow/metrics"
	"github.com/winnow-go/winnow/ood"
)

var figures = flag.String("figures", "", "folder to write the figures of the tests to, for looking at")

// fashion are class names of different lengths.
var fashion = []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"}

// logits draws rows whose label tends to have the largest logit, the scale too
// large by overconfidence; strangers have no label to favour.
func drawLogits(seed uint64, n, k int, overconfidence float64) (logits []float32, labels []int, strangers []float32) {
	r := rng.New(seed, rng.Test)
	for range n {
		label := r.IntN(k)
		labels = append(labels, label)
		for c := range k {
			z := r.NormFloat64()
			if c == label {
				z += 3.2 - 0.15*float64(label)
			}
			if c == (label+2)%k {
				z += 1.2
			}
			logits = append(logits, float32(z*overconfidence))
		}
		for range k {
			strangers = append(strangers, float32(r.NormFloat64()*1.4*overconfidence))
		}
	}
	return logits, labels, strangers
}

func matrix(t *testing.T, names []string, n int) *metrics.Confusion {
	t.Helper()
	c := metrics.NewConfusion(names...)
	k := len(names)
	logits, labels, _ := drawLogits(3, n, k, 1)
	for i, label := range labels {
		best := 0
		for j, z := range logits[i*k : (i+1)*k] {
			if z > logits[i*k+best] {
				best = j
			}
		}
		if err := c.Add(label, best); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

func names(k int, form string) []string {
	out := make([]string, k)
	for i := range out {
		out[i] = fmt.Sprintf(form, i)
	}
	return out
}

func exampleRuns() []Run {
	r := rng.New(1, rng.Test)
	curve := func(from, to, rate, noise float64, n int) (s Series) {
		for i := range n {
			x := float64(i+1) / float64(n)
			s.Y = append(s.Y, to+(from-to)*math.Exp(-rate*x)+noise*r.NormFloat64())
		}
		return s
	}
	steps := func(s Series, epochs float64) Series {
		for i := range s.Y {
			s.X = append(s.X, epochs*float64(i+1)/float64(len(s.Y)))
		}
		return s
	}
	return []Run{
		{Name: "ConvNeXt", Loss: steps(curve(2.3, 0.35, 5, 0.12, 900), 12), Accuracy: curve(0.4, 0.88, 4, 0.008, 12), EMAAccuracy: curve(0.2, 0.895, 5, 0.001, 12)},
		{Name: "ResNet", Loss: steps(curve(2.2, 0.25, 7, 0.1, 900), 12), Accuracy: curve(0.55, 0.9, 4, 0.008, 12), EMAAccuracy: curve(0.3, 0.91, 5, 0.001, 12)},
	}
}

func TestFiguresAreReadablePNG(t *testing.T) {
	logits, labels, strangers := drawLogits(2, 600, 10, 2.2)
	fitted, err := ood.Calibrate(logits, labels, ood.Options{Keep: 0.95})
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := fitted.Measure(logits, labels, strangers)
	if err != nil {
		t.Fatal(err)
	}
	table, err := ood.Sweep(logits, labels, strangers, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := ood.Sweep(logits, labels, nil, []float64{1, fitted.Temperature}, nil)
	if err != nil {
		t.Fatal(err)
	}
	bins := func(temperature float64) []metrics.Bin {
		p, err := metrics.FromLogits(logits, labels, temperature)
		if err != nil {
			t.Fatal(err)
		}
		return p.Reliability(0)
	}
	one := exampleRuns()[0]
	one.EMAAccuracy = Series{}
	short := []Run{
		{Name: "ConvNeXt", Loss: Series{Y: []float64{1.2, 0.8}}, Accuracy: Series{Y: []float64{0.82, 0.86}}, EMAAccuracy: Series{Y: []float64{0.7, 0.88}}},
		{Name: "a model with a name that tells its whole configuration, as people do, down to the seed 12345", Accuracy: Series{Y: []float64{0.81}}},
		{Name: "diverged", Loss: Series{Y: []float64{3, math.NaN()}}, Accuracy: Series{Y: []float64{math.NaN(), math.Inf(1)}}},
	}
	var many []Run
	for i := range 9 {
		r := exampleRuns()[i%2]
		r.Name = fmt.Sprintf("model %d", i)
		many = append(many, r)
	}

	for _, test := range []struct {
		name          string
		draw          func(io.Writer) error
		width, height int // pixels, at least and at most twice
	}{
		{"curves/two models", func(w io.Writer) error { return Curves(w, "Fashion-MNIST", exampleRuns()...) }, 1800, 700},
		{"curves/one model", func(w io.Writer) error { return Curves(w, "", one) }, 1800, 650},
		{"curves/two epochs", func(w io.Writer) error { return Curves(w, "Two epochs", short...) }, 1800, 700},
		{"curves/nine models", func(w io.Writer) error { return Curves(w, "Nine models", many...) }, 1800, 700},
		{"confusion/fashion", func(w io.Writer) error {
			return Confusion(w, "Fashion-MNIST, ConvNeXt (EMA), test images", matrix(t, fashion, 10000))
		}, 1100, 1100},
		{"confusion/two classes", func(w io.Writer) error { return Confusion(w, "Ants and bees", matrix(t, []string{"ants", "bees"}, 23)) }, 700, 300},
		{"confusion/long names", func(w io.Writer) error {
			return Confusion(w, "Long names", matrix(t, names(12, "a rather long class name of the %dth kind, greater spotted"), 900))
		}, 1200, 1200},
		{"confusion/30 classes", func(w io.Writer) error { return Confusion(w, "", matrix(t, names(30, "class %d"), 3000)) }, 1300, 1300},
		{"confusion/100 classes", func(w io.Writer) error { return Confusion(w, "CIFAR-100", matrix(t, names(100, "class %d"), 5000)) }, 1200, 1200},
		{"confusion/one class, no sample", func(w io.Writer) error { return Confusion(w, "", metrics.NewConfusion("only")) }, 700, 200},
		{"sweep/strangers", func(w io.Writer) error {
			return Sweep(w, "Fashion-MNIST against MNIST", table, chosen)
		}, 1800, 700},
		{"sweep/no strangers", func(w io.Writer) error { return Sweep(w, "", alone) }, 1200, 650},
		{"reliability/before and after", func(w io.Writer) error {
			return Reliability(w, "Confidence of the test images", Calibration{"temperature 1", bins(1)},
				Calibration{fmt.Sprintf("temperature %.2f", fitted.Temperature), bins(fitted.Temperature)})
		}, 1200, 800},
	} {
		t.Run(test.name, func(t *testing.T) {
			var first, second bytes.Buffer
			if err := test.draw(&first); err != nil {
				t.Fatal(err)
			}
			if *figures != "" {
				name := strings.NewReplacer("/", "_", " ", "_", ",", "").Replace(test.name) + ".png"
				if err := os.WriteFile(filepath.Join(*figures, name), first.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if strings.HasPrefix(test.name, "sweep") || strings.HasPrefix(test.name, "reliability") || test.name == "curves/two epochs" {
				if err := test.draw(&second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
					t.Errorf("drawn again: other bytes, error %v", err)
				}
			}
			picture, err := png.Decode(&first)
			if err != nil {
				t.Fatal(err)
			}
			b := picture.Bounds()
			img := image.NewNRGBA(b)
			draw.Draw(img, b, picture, b.Min, draw.Src)
			if b.Dx() < test.width || b.Dx() > 2*test.width || b.Dy() < test.height || b.Dy() > 2*test.height {
				t.Errorf("%d x %d pixels, want about %d x %d", b.Dx(), b.Dy(), test.width, test.height)
			}
			if edge := inkOnEdge(img); edge > 0 {
				t.Errorf("%d pixels of the edge are not white: something runs off the page", edge)
			}
			if n := inkInside(img); n < b.Dx()*b.Dy()/200 {
				t.Errorf("only %d of %d pixels are drawn", n, b.Dx()*b.Dy())
			}
		})
	}
}

// drawn reports whether a pixel is not white.
func drawn(img *image.NRGBA, x, y int) bool {
	p := img.Pix[img.PixOffset(x, y):]
	return p[0] != 0xff || p[1] != 0xff || p[2] != 0xff
}

func inkOnEdge(img *image.NRGBA) (n int) {
	b := img.Bounds()
	for x := b.Min.X; x < b.Max.X; x++ {
		if drawn(img, x, b.Min.Y) || drawn(img, x, b.Max.Y-1) {
			n++
		}
	}
	for y := b.Min.Y; y < b.Max.Y; y++ {
		if drawn(img, b.Min.X, y) || drawn(img, b.Max.X-1, y) {
			n++
		}
	}
	return n
}

func inkInside(img *image.NRGBA) (n int) {
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			if drawn(img, x, y) {
				n++
			}
		}
	}
	return n
}

func TestWhatCannotBeDrawnIsAnError(t *testing.T) {
	for _, test := range []struct {
		name string
		draw func(io.Writer) error
		want string
	}{
		{"curves/no run", func(w io.Writer) error { return Curves(w, "") }, "nothing to draw"},
		{"curves/empty run", func(w io.Writer) error { return Curves(w, "", Run{Name: "x"}) }, "nothing to draw"},
		{"curves/only NaN", func(w io.Writer) error {
			return Curves(w, "", Run{Loss: Series{Y: []float64{math.NaN()}}})
		}, "nothing to draw"},
		{"curves/lengths", func(w io.Writer) error {
			return Curves(w, "", Run{Name: "x", Accuracy: Series{X: []float64{1}, Y: []float64{1, 2}}})
		}, "x, accuracy: 1 values of X for 2 of Y"},
		{"confusion/no class", func(w io.Writer) error { return Confusion(w, "", metrics.NewConfusion()) }, "0 classes"},
		{"confusion/too many", func(w io.Writer) error {
			return Confusion(w, "", metrics.NewConfusion(make([]string, MaxClasses+1)...))
		}, "1001 classes"},
		{"sweep/empty", func(w io.Writer) error { return Sweep(w, "", &ood.Table{}) }, "without rows"},
		{"reliability/none", func(w io.Writer) error { return Reliability(w, "") }, "0 panels"},
		{"reliability/no bins", func(w io.Writer) error { return Reliability(w, "", Calibration{Name: "x"}) }, "x: no bins"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			err := test.draw(&out)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "report: ") {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
			if out.Len() > 0 {
				t.Errorf("%d bytes written all the same", out.Len())
			}
		})
	}
}

func TestFiguresCanBeDrawnAtOnce(t *testing.T) {
	c := matrix(t, fashion, 500)
	pictures := make(chan []byte)
	const drawers = 4
	for range drawers {
		go func() {
			var b bytes.Buffer
			if err := Confusion(&b, "at once", c); err != nil {
				t.Error(err)
			}
			pictures <- b.Bytes()
		}()
	}
	first := <-pictures
	for range drawers - 1 {
		if !bytes.Equal(<-pictures, first) {
			t.Error("figures of the same matrix differ")
		}
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAWriteErrorIsPassedOn(t *testing.T) {
	if err := Curves(full{}, "", exampleRuns()...); !errors.Is(err, errFull) {
		t.Errorf("error %v, want %v", err, errFull)
	}
}
