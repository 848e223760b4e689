package transform

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
)

// preprocessFile is one entry of a preprocess golden.
type preprocessFile struct {
	Name    string   `json:"name"`
	File    string   `json:"file"`
	Decoded string   `json:"decoded_rgb"`
	Mode    string   `json:"pil_mode"`
	Size    [2]int   `json:"size_wh"`
	EXIF    *int     `json:"exif_orientation"`
	Made    string   `json:"made"`
	Tensors []string `json:"tensors"`
}

type preprocessGolden struct {
	Pillow string                   `json:"pillow"`
	Files  []json.RawMessage        `json:"files"`
	Means  map[string][2][3]float32 `json:"means"`
}

func eachPreprocess(t *testing.T, f func(t *testing.T, g *golden.File, means map[string][2][3]float32, e preprocessFile)) {
	golden.Each(t, "preprocess/preprocess*.json", func(t *testing.T, g *golden.File) {
		var cfg preprocessGolden
		g.Config(&cfg, golden.Remarks...)
		if len(cfg.Files) == 0 {
			t.Fatal("no files listed")
		}
		for _, raw := range cfg.Files {
			var e preprocessFile
			g.Strict(raw, &e)
			t.Run(e.Name, func(t *testing.T) { f(t, g, cfg.Means, e) })
		}
	})
}

func readPNG(t *testing.T, path string) *RGB {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return ToRGB(img)
}

func decodeFile(t *testing.T, path string) image.Image {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	img, err := DecodeBytes(data, Limits{IgnoreEXIF: true})
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// inked is the CMYK picture without black of which p was made.
func inked(p *RGB) *image.CMYK {
	m := image.NewCMYK(p.Bounds())
	for i := range p.W * p.H {
		for c := range 3 {
			m.Pix[4*i+c] = 255 - p.Pix[3*i+c]
		}
	}
	return m
}

// chw is a picture as the goldens store it.
func chw(p *RGB) []uint8 {
	out := make([]uint8, 3*p.W*p.H)
	for i := range p.W * p.H {
		for c := range 3 {
			out[c*p.W*p.H+i] = p.Pix[3*i+c]
		}
	}
	return out
}

// compareInterpolated holds Interpolate of p to a golden in [3,h,w], p's values
// having been divided by 255. Only float32 was stored: 1e-5 of the largest.
func compareInterpolated(t *testing.T, w *golden.Tensors, name string, p *RGB, height, width int, how string, antialias bool) {
	t.Helper()
	var i Interpolation
	if err := i.UnmarshalText([]byte(how)); err != nil {
		t.Fatal(err)
	}
	src := make([]float32, len(p.Pix))
	for i, v := range p.Pix {
		src[i] = float32(v) / 255
	}
	hwc := make([]float32, 3*height*width)
	if err := Interpolate(hwc, height, width, src, p.H, p.W, i, antialias); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(hwc))
	for i, v := range hwc {
		got[i%3*height*width+i/3] = v
	}
	golden.Compare(t, name, got, nil, w.Float32(name))
}

func upright(t *testing.T, p *RGB, e preprocessFile) *RGB {
	t.Helper()
	if e.EXIF == nil {
		t.Fatalf("%s has no orientation", e.Name)
	}
	return turn(p, *e.EXIF)
}

func TestPreprocessGoldenPixelsEqualPillows(t *testing.T) {
	eachPreprocess(t, func(t *testing.T, g *golden.File, means map[string][2][3]float32, e preprocessFile) {
		inputs := filepath.Join(filepath.Dir(g.Path()), "inputs")
		src := readPNG(t, filepath.Join(inputs, e.Decoded))
		if src.W != e.Size[0] || src.H != e.Size[1] {
			t.Fatalf("%s is %dx%d, the golden says %v", e.Decoded, src.W, src.H, e.Size)
		}
		w := golden.OpenTensors(t, filepath.Join(filepath.Dir(g.Path()), e.Name+".safetensors"))
		for _, name := range e.Tensors {
			t.Run(name, func(t *testing.T) {
				key, isPixels := strings.CutSuffix(name, ".u8")
				src := src
				var img image.Image // instead of src
				statistics := "imagenet"
				var c Config
				var h, ww int
				var how string
				switch {
				case strings.HasPrefix(key, "tensor_interp_"):
					var antialias int
					if !scan(strings.ReplaceAll(key, "_", " "), "tensor interp %dx%d %s aa%d", &h, &ww, &how, &antialias) {
						t.Fatalf("unknown key %q", name)
					}
					compareInterpolated(t, w.With(t), name, src, h, ww, how, antialias == 1)
					return
				case scan(key, "resize_%dx%d_%s", &h, &ww, &how):
					var i Interpolation
					if err := i.UnmarshalText([]byte(how)); err != nil {
						t.Fatal(err)
					}
					p, err := Resize(src, ww, h, i)
					if err != nil {
						t.Fatal(err)
					}
					golden.CompareInts(t, name, chw(p), w.With(t).Uint8(name))
					return
				case strings.HasPrefix(key, "clip"):
					rest := strings.TrimPrefix(key, "clip")
					side, order, _ := strings.Cut(rest, "_")
					switch order {
					case "":
						c.Convert = AfterCrop
						if strings.HasSuffix(e.File, ".png") { // the mode is in the original
							img = decodeFile(t, filepath.Join(inputs, e.File))
						}
						if e.Mode == "CMYK" {
							img = inked(src)
						}
					case "rgbfirst":
					case "exif_applied":
						src = upright(t, src, e)
					default:
						t.Fatalf("unknown key %q", name)
					}
					if !scan(side, "%d", &c.Size) {
						t.Fatalf("unknown key %q", name)
					}
					c.Interpolation = Bicubic
					statistics = "clip"
				case scan(key, "tv%d_bilinear_%d_%d", new(int), &c.Resize, &c.Size):
				case scan(key, "tv%d_%d", &c.Resize, &c.Size):
				default:
					t.Fatalf("unknown key %q", name)
				}
				m, ok := means[statistics]
				if !ok {
					t.Fatalf("no mean called %q", statistics)
				}
				c.Mean, c.Std = m[0], m[1]
				if img == nil {
					img = src
				}
				if isPixels {
					p, err := c.Prepare(img)
					if err != nil {
						t.Fatal(err)
					}
					golden.CompareInts(t, name, chw(p), w.With(t).Uint8(name))
					return
				}
				got := make([]float32, c.Len())
				if err := c.Apply(got, img); err != nil {
					t.Fatal(err)
				}
				want := w.With(t).Float32(name)
				n := len(want) / 3
				for i, v := range want {
					if g := got[3*(i%n)+i/n]; g != v {
						t.Fatalf("channel %d pixel %d: %v, want %v", i/n, i%n, g, v)
					}
				}
			})
		}
	})
}

// scan is Sscanf that must use up s.
func scan(s, format string, into ...any) bool {
	n, err := fmt.Sscanf(s+" end", format+" end", into...)
	return err == nil && n == len(into)
}

func TestPreprocessGoldenDecodesLikePillow(t *testing.T) {
	eachPreprocess(t, func(t *testing.T, g *golden.File, _ map[string][2][3]float32, e preprocessFile) {
		inputs := filepath.Join(filepath.Dir(g.Path()), "inputs")
		want := readPNG(t, filepath.Join(inputs, e.Decoded))
		data, err := os.ReadFile(filepath.Join(inputs, e.File))
		if err != nil {
			t.Fatal(err)
		}
		img, err := DecodeBytes(data, Limits{IgnoreEXIF: true})
		if err != nil {
			t.Fatal(err)
		}
		got := ToRGB(img)
		worst, sum, off := 0, 0, 0
		if got.W != want.W || got.H != want.H {
			t.Fatalf("%dx%d, want %dx%d", got.W, got.H, want.W, want.H)
		}
		for i, v := range want.Pix {
			d := abs(int(got.Pix[i]) - int(v))
			worst, sum = max(worst, d), sum+d
			if d > 0 {
				off++
			}
		}
		mean := float64(sum) / float64(len(want.Pix))
		// Files without loss are equal. Go's inverse DCT may round a sample of
		// luma and of chroma the other way: 1 + 1.772 levels, which are 3; with
		// one channel, or inks that do not mix, it is 1.
		bound, most := 0, 0.0
		if Sniff(data) == JPEG {
			bound, most = 3, 0.06
			if e.Mode == "L" || e.Mode == "CMYK" {
				bound = 1
			}
		}
		if worst > bound || mean > most {
			t.Errorf("%v: mean difference %.4f (bound %v), worst %d (bound %d)", Sniff(data), mean, most, worst, bound)
		}
		t.Logf("%v: mean %.4f, worst %d, %d of %d values differ", Sniff(data), mean, worst, off, len(want.Pix))
	})
}
