package transform

import (
	"encoding/json"
	"errors"
	"image"
	"math"
	"testing"
)

func TestZeroConfigMeansWhatItSays(t *testing.T) {
	c := Config{}.WithDefaults()
	want := Config{Size: 224, Resize: 224, Mean: [3]float32{0.485, 0.456, 0.406}, Std: [3]float32{0.229, 0.224, 0.225}}
	if c != want {
		t.Fatalf("%+v, want %+v", c, want)
	}
	if got := (Config{Size: 224, CropPct: 0.875}).WithDefaults().Resize; got != 256 {
		t.Errorf("224 / 0.875 = %d", got)
	}
	if got := (Config{Size: 288, CropPct: 0.95}).WithDefaults().Resize; got != 303 {
		t.Errorf("288 / 0.95 = %d", got)
	}
	if err := (Config{}).Validate(); err != nil {
		t.Error(err)
	}
}

func TestConfigTravelsAsJSON(t *testing.T) {
	for _, c := range []Config{{}, ImageNet(), Native(32), {Crop: Border, Rounding: Down, Convert: AfterCrop}, {Size: 160, CropPct: 0.95, Interpolation: Bicubic, Crop: Squash, Mean: [3]float32{0.5, 0.5, 0.5}, Std: [3]float32{0.5, 0.5, 0.5}}} {
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var back Config
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if back != c.WithDefaults() {
			t.Errorf("%+v came back as %+v", c, back)
		}
	}
	text, _ := json.Marshal(Config{})
	const want = `{"size":224,"resize":224,"interpolation":"bilinear","crop":"center","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225]}`
	if string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
}

func TestBadConfigsAreErrors(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]Config{
		"negative size":       {Size: -1},
		"huge size":           {Size: 1 << 20},
		"negative resize":     {Resize: -5},
		"huge resize":         {Resize: 1 << 20},
		"crop share above 1":  {CropPct: 1.5},
		"crop share NaN":      {CropPct: math.NaN()},
		"crop share negative": {CropPct: -0.5},
		"crop share tiny":     {CropPct: 1e-300},
		"interpolation":       {Interpolation: 99},
		"crop":                {Crop: -1},
		"rounding":            {Rounding: 2},
		"conversion":          {Convert: -1},
		"mean NaN":            {Mean: [3]float32{nan, 0, 0}, Std: [3]float32{1, 1, 1}},
		"deviation zero":      {Std: [3]float32{1, 0, 1}},
		"deviation NaN":       {Std: [3]float32{1, nan, 1}},
	} {
		if err := c.Validate(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: Validate: %v", name, err)
		}
		if _, err := json.Marshal(c); err == nil {
			t.Errorf("%s: Marshal succeeds", name)
		}
		if _, err := c.Prepare(gradient(4, 4)); err == nil {
			t.Errorf("%s: Prepare succeeds", name)
		}
		if _, err := c.Normalizer(); err == nil {
			t.Errorf("%s: Normalizer succeeds", name)
		}
	}
	for _, text := range []string{`{"size":-1}`, `{"size":224,"border":true}`, `{"interpolation":"cubic"}`, `{"crop":"frame"}`, `{"rounding":"up"}`, `{"convert":"never"}`, `[]`, `{"std":[1,1]}`, `{"size":1e9}`} {
		c := Native(7)
		if err := json.Unmarshal([]byte(text), &c); err == nil {
			t.Errorf("%s is read", text)
		}
		if c != Native(7) {
			t.Errorf("%s changed the config", text)
		}
	}
}

func TestPictureOfTheRightSizeIsLeftAlone(t *testing.T) {
	p := gradient(32, 32)
	got, err := Native(32).Prepare(p)
	if err != nil {
		t.Fatal(err)
	}
	if got != p {
		t.Error("a 32x32 picture was copied or changed")
	}
}

func TestSidesAreRoundedLikeTorchvision(t *testing.T) {
	for _, tc := range []struct{ w, h, size, ww, hh int }{
		{500, 450, 73, 81, 73}, {220, 530, 73, 73, 175}, {3, 2, 5, 7, 5}, {2, 3, 5, 5, 7}, {100, 100, 32, 32, 32}, {1, 7, 3, 3, 21},
	} {
		if w, h := shorterSide(tc.w, tc.h, tc.size); w != tc.ww || h != tc.hh {
			t.Errorf("%dx%d to %d: %dx%d, want %dx%d", tc.w, tc.h, tc.size, w, h, tc.ww, tc.hh)
		}
	}
	for n, want := range map[int]int{0: 0, 1: 0, 2: 1, 3: 2, 5: 2, 7: 4, 9: 4} { // half to even
		if got := half(n); got != want {
			t.Errorf("half of %d is %d, want %d", n, got, want)
		}
	}
}

func TestSmallPictureGetsABlackFrame(t *testing.T) {
	p := gradient(3, 4)
	got := Config{Size: 6}.WithDefaults().crop(p, [3]uint8{})
	for y := range 6 {
		for x := range 6 {
			want := p.At(x-1, y-1) // torchvision: (6-3)/2 = 1 left, (6-4)/2 = 1 above
			if x < 1 || x >= 4 || y < 1 || y >= 5 {
				want = NewRGB(1, 1).At(0, 0)
			}
			if got.At(x, y) != want {
				t.Fatalf("(%d,%d) is %v, want %v", x, y, got.At(x, y), want)
			}
		}
	}
}

func TestApplyChecksItsDestination(t *testing.T) {
	c := Native(8)
	for _, n := range []int{0, c.Len() - 1, c.Len() + 1} {
		if err := c.Apply(make([]float32, n), gradient(9, 9)); err == nil {
			t.Errorf("%d elements are taken for %d", n, c.Len())
		}
	}
	if err := c.Apply(make([]float32, c.Len()), image.NewGray(image.Rectangle{})); err == nil {
		t.Error("an empty picture is taken")
	}
	n, err := c.Normalizer()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Apply(make([]float32, c.Len()), gradient(8, 9)); err == nil {
		t.Error("a picture of another size is normalised")
	}
}

// A strip whose long side would exceed every bound is an error, not gigabytes.
func TestStripsAreRefused(t *testing.T) {
	for _, p := range []*RGB{NewRGB(20000, 1), NewRGB(1, 20000)} {
		if _, err := (Config{}).Prepare(p); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%dx%d: %v, want ErrTooLarge", p.W, p.H, err)
		}
		if _, err := (Config{Crop: Squash}).Prepare(p); err != nil {
			t.Errorf("%dx%d is not squashed: %v", p.W, p.H, err)
		}
	}
}

func TestResizeChecksItsArguments(t *testing.T) {
	p := gradient(4, 4)
	for _, s := range [][2]int{{0, 4}, {4, 0}, {-1, 4}, {1 << 16, 4}} {
		if _, err := Resize(p, s[0], s[1], Bilinear); err == nil {
			t.Errorf("resized to %v", s)
		}
	}
	for _, s := range []struct {
		src  *RGB
		w, h int
	}{{p, 1 << 15, 1 << 15}, {NewRGB(1, 1<<20), 224, 224}} {
		if _, err := Resize(s.src, s.w, s.h, Bicubic); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%dx%d to %dx%d: %v, want ErrTooLarge", s.src.W, s.src.H, s.w, s.h, err)
		}
	}
	if _, err := Resize(p, 2, 2, Interpolation(77)); err == nil {
		t.Error("interpolation 77")
	}
	if _, err := Resize(&RGB{}, 2, 2, Bilinear); err == nil {
		t.Error("an empty picture is resized")
	}
}

func TestResizeOfOneColourIsThatColour(t *testing.T) {
	for how := Bilinear; how <= Lanczos; how++ {
		p := NewRGB(17, 9)
		for i := range p.Pix {
			p.Pix[i] = []uint8{255, 128, 1}[i%3]
		}
		for _, s := range [][2]int{{5, 3}, {40, 31}, {1, 1}, {17, 30}, {200, 2}} {
			got, err := Resize(p, s[0], s[1], how)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got.Pix {
				if want := []uint8{255, 128, 1}[i%3]; v != want {
					t.Fatalf("%v to %v: %d, want %d", how, s, v, want)
				}
			}
		}
	}
}
