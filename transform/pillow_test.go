package transform

import (
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
)

// How far a decoder of Go's may be from Pillow's, in levels. JPEG: the inverse
// DCT may round one sample of luma and one of chroma the other way, 1 + 1.772
// levels; CMYK multiplies two such samples.
func decoderBound(format string) int {
	if format == "JPEG" {
		return 3
	}
	return 0
}

func TestGoldenPicturesDecodeLikePillow(t *testing.T) {
	golden.Testdata(t, "testdata/pictures*.json", func(t *testing.T, g *golden.File) {
		var cfg struct {
			Pictures []struct {
				Name    string `json:"name"`
				Format  string `json:"format"`
				Turned  bool   `json:"turned"`
				Want    string `json:"want"`
				Upright string `json:"upright"`
			} `json:"pictures"`
		}
		g.Config(&cfg, golden.Remarks...)
		w := g.Tensors(".safetensors")
		for _, p := range cfg.Pictures {
			t.Run(p.Name, func(t *testing.T) {
				w := w.With(t)
				data := w.Uint8(p.Name + ".file")
				picture := func(name string) *RGB {
					shape := w.Shape(name)
					return &RGB{W: shape[1], H: shape[0], Pix: w.Uint8(name)}
				}
				for _, ignore := range []bool{false, true} {
					want := p.Upright
					if ignore {
						want = p.Want
					}
					if ignore && p.Turned {
						continue // what is stored is not in the golden
					}
					img, err := DecodeBytes(data, Limits{IgnoreEXIF: ignore})
					if err != nil {
						t.Fatal(err)
					}
					samePicture(t, ToRGB(img), picture(want), decoderBound(p.Format))
				}
			})
		}
	})
}

func samePicture(t *testing.T, got, want *RGB, bound int) {
	t.Helper()
	if got.W != want.W || got.H != want.H {
		t.Errorf("size %dx%d, want %dx%d", got.W, got.H, want.W, want.H)
		return
	}
	worst, at, n := 0, 0, 0
	for i, v := range want.Pix {
		d := abs(int(got.Pix[i]) - int(v))
		if d > bound {
			n++
		}
		if d > worst {
			worst, at = d, i
		}
	}
	if n > 0 {
		t.Errorf("%d of %d values differ by more than %d; the worst, at (%d,%d) channel %d, is %d, want %d",
			n, len(want.Pix), bound, at/3%want.W, at/3/want.W, at%3, got.Pix[at], want.Pix[at])
	}
}

func TestGoldenResizeEqualsPillow(t *testing.T) {
	golden.Testdata(t, "testdata/resize*.json", func(t *testing.T, g *golden.File) {
		var cfg struct {
			Resizes []struct {
				Source        string        `json:"source"`
				W             int           `json:"w"`
				H             int           `json:"h"`
				Interpolation Interpolation `json:"interpolation"`
				Want          string        `json:"want"`
			} `json:"resizes"`
		}
		g.Config(&cfg, golden.Remarks...)
		w := g.Tensors(".safetensors")
		for _, r := range cfg.Resizes {
			t.Run(r.Want, func(t *testing.T) {
				w := w.With(t)
				shape := w.Shape(r.Source)
				got, err := Resize(&RGB{W: shape[1], H: shape[0], Pix: w.Uint8(r.Source)}, r.W, r.H, r.Interpolation)
				if err != nil {
					t.Fatal(err)
				}
				samePicture(t, got, &RGB{W: r.W, H: r.H, Pix: w.Uint8(r.Want)}, 0)
			})
		}
	})
}
