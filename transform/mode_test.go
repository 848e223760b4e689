package transform

import (
	"image"
	"image/color"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
)

func TestGoldenModesEqualPillow(t *testing.T) {
	golden.Testdata(t, "testdata/modes*.json", func(t *testing.T, g *golden.File) {
		var cfg struct {
			Cases []struct {
				File          string        `json:"file"`
				Kind          string        `json:"kind"`
				Size          int           `json:"size"`
				Resize        int           `json:"resize"`
				Interpolation Interpolation `json:"interpolation"`
				Mean          [3]float64    `json:"mean"`
				Want          string        `json:"want"`
			} `json:"cases"`
		}
		g.Config(&cfg, golden.Remarks...)
		w := g.Tensors(".safetensors")
		for _, e := range cfg.Cases {
			c := Config{Size: e.Size, Resize: e.Resize, Interpolation: e.Interpolation, Mean: to32(e.Mean), Std: [3]float32{1, 1, 1}}
			switch e.Kind {
			case "center":
			case "clip":
				c.Convert = AfterCrop
			case "border":
				c.Crop = Border
			case "down":
				c.Rounding = Down
			default:
				t.Fatalf("unknown kind %q", e.Kind)
			}
			t.Run(e.File+"/"+e.Kind+"/"+e.Want, func(t *testing.T) {
				w := w.With(t)
				img, err := DecodeBytes(w.Uint8(e.File+".file"), Limits{})
				if err != nil {
					t.Fatal(err)
				}
				got, err := c.Prepare(img)
				if err != nil {
					t.Fatal(err)
				}
				samePicture(t, got, &RGB{W: e.Size, H: e.Size, Pix: w.Uint8(e.Want)}, 0)
			})
		}
	})
}

// What the picture's own mode does not touch is the same either way.
func TestOwnModeOfPlainPicturesIsRGB(t *testing.T) {
	p := gradient(31, 23)
	grey := image.NewGray(image.Rect(3, 4, 34, 27))
	opaque := image.NewNRGBA(image.Rect(-2, -1, 29, 22))
	multiplied := image.NewRGBA(p.Bounds())
	for y := range 23 {
		for x := range 31 {
			grey.Set(3+x, 4+y, p.At(x, y))
			opaque.Set(x-2, y-1, p.At(x, y))
			multiplied.Set(x, y, p.At(x, y))
		}
	}
	for _, c := range []Config{{Size: 12, Resize: 14, Interpolation: Bicubic}, {Size: 40, Resize: 33}, {Size: 9, Crop: Squash}, {Size: 17, Resize: 15, Crop: Border}} {
		own := c
		own.Convert = AfterCrop
		for name, img := range map[string]image.Image{"RGB": p, "grey": grey, "opaque": opaque, "RGBA": multiplied} {
			want, err := c.Prepare(img)
			if err != nil {
				t.Fatal(err)
			}
			got, err := own.Prepare(img)
			if err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) { samePicture(t, got, want, 0) })
		}
	}
}

// A frame has the colour that its mode's zero is, or the mean.
func TestFramesByMode(t *testing.T) {
	r := image.Rect(0, 0, 8, 2)
	palette := image.NewPaletted(r, color.Palette{color.NRGBA{9, 8, 7, 255}, color.White})
	for i := range palette.Pix {
		palette.Pix[i] = 1
	}
	deep := image.NewGray16(r)
	for name, tc := range map[string]struct {
		img  image.Image
		crop Crop
		want [3]uint8
	}{
		"palette":        {palette, Centre, [3]uint8{9, 8, 7}},
		"palette border": {palette, Border, [3]uint8{124, 116, 104}},
		"CMYK":           {image.NewCMYK(r), Centre, [3]uint8{255, 255, 255}},
		"CMYK border":    {image.NewCMYK(r), Border, [3]uint8{124, 116, 104}},
		"alpha":          {image.NewNRGBA(r), Centre, [3]uint8{}},
		"alpha border":   {image.NewNRGBA(r), Border, [3]uint8{124, 116, 104}},
		"16 bits":        {deep, Centre, [3]uint8{}},
		"16 bits border": {deep, Border, [3]uint8{124, 116, 104}},
		"RGB border":     {NewRGB(8, 2), Border, [3]uint8{124, 116, 104}},
	} {
		c := Config{Size: 8, Resize: 4, Crop: tc.crop, Convert: AfterCrop}
		p, err := c.Prepare(tc.img)
		if err != nil {
			t.Fatal(err)
		}
		if got := [3]uint8(p.Pix[:3]); got != tc.want {
			t.Errorf("%s: the corner is %v, want %v", name, got, tc.want)
		}
	}
}

func TestOwnModeRefusesWhatResizeRefuses(t *testing.T) {
	r := image.Rect(0, 0, 20000, 1)
	for name, img := range map[string]image.Image{
		"16 bits": image.NewGray16(r), "CMYK": image.NewCMYK(r), "alpha": image.NewNRGBA(r),
		"palette": image.NewPaletted(r, color.Palette{color.Black}), "no colours": image.NewPaletted(r, nil),
	} {
		if _, err := (Config{Convert: AfterCrop}).Prepare(img); err == nil {
			t.Errorf("%s: a strip is taken", name)
		}
	}
}
