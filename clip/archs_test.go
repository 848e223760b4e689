package clip_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// arch is what open_clip lists for one of its configurations.
type arch struct {
	Config      json.RawMessage      `json:"config"`
	Params      int64                `json:"params"`
	Visual      int64                `json:"params_visual"`
	VisionHeads int                  `json:"vision_heads"`
	TextHeads   int                  `json:"text_heads"`
	SHA256      string               `json:"sha256"`
	Tensors     [][2]json.RawMessage `json:"tensors"`
	Tags        map[string]struct {
		Mean          [3]float32 `json:"mean"`
		Std           [3]float32 `json:"std"`
		Interpolation string     `json:"interpolation"`
		Resize        string     `json:"resize_mode"`
		Quick         bool       `json:"quick_gelu"`
	} `json:"tags"`
}

func eachArch(t *testing.T, f func(t *testing.T, name string, a arch)) {
	var archs struct {
		Models map[string]arch `json:"models"`
	}
	golden.Independent(t, "timm/clip_archs.json.gz").Loose(&archs)
	var names []string
	for name := range archs.Models {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { f(t, name, archs.Models[name]) })
	}
}

func TestGoldenConfigurationsHaveOpenCLIPsParameters(t *testing.T) {
	eachArch(t, func(t *testing.T, name string, a arch) {
		c, _, err := clip.ReadOpenCLIP(a.Config)
		if err != nil {
			t.Fatal(err)
		}
		m, err := clip.New(c)
		if err != nil {
			t.Fatal(err)
		}
		sum, params, visual := sha256.New(), int64(0), int64(0)
		if len(m.Params()) != len(a.Tensors) {
			t.Errorf("%d tensors, open_clip has %d", len(m.Params()), len(a.Tensors))
		}
		for i, p := range m.Params() {
			if p.Data() != nil {
				t.Fatalf("%s has memory", p.Name())
			}
			if i >= len(a.Tensors) {
				break
			}
			var theirs string
			var shape []int
			if err := errors.Join(json.Unmarshal(a.Tensors[i][0], &theirs), json.Unmarshal(a.Tensors[i][1], &shape)); err != nil {
				t.Fatal(err)
			}
			if p.Name() != theirs || !slices.Equal(p.Shape(), shape) {
				t.Fatalf("tensor %d is %s %v, open_clip has %s %v", i, p.Name(), p.Shape(), theirs, shape)
			}
			if p.Kind() == nn.Learnable {
				params += int64(p.Len())
				if strings.HasPrefix(p.Name(), "visual.") {
					visual += int64(p.Len())
				}
			}
			dims := strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", "x"), "[]")
			fmt.Fprintf(sum, "%s:%s\n", p.Name(), dims)
		}
		if params != a.Params || visual != a.Visual {
			t.Errorf("%d parameters, %d of them the image tower's, open_clip has %d and %d", params, visual, a.Params, a.Visual)
		}
		if digest := hex.EncodeToString(sum.Sum(nil)); digest != a.SHA256 {
			t.Errorf("digest %s, open_clip has %s", digest, a.SHA256)
		}
		if c.Text.Heads != a.TextHeads || a.VisionHeads != 0 && c.Vision.Heads != a.VisionHeads {
			t.Errorf("%d heads for images and %d for texts, open_clip has %d and %d", c.Vision.Heads, c.Text.Heads, a.VisionHeads, a.TextHeads)
		}
	})
}

// What a preset says agrees with the configuration, and with the preprocessing
// and activation of each of the published weights.
func TestGoldenPresetsAgreeWithOpenCLIP(t *testing.T) {
	eachArch(t, func(t *testing.T, name string, a arch) {
		want, _, err := clip.ReadOpenCLIP(a.Config)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := clip.Preset(name, "")
		if err != nil {
			t.Fatal(err)
		}
		same(t, c, want)
		for tag, p := range a.Tags {
			c, prep, err := clip.Preset(name, tag)
			if err != nil {
				t.Error(err)
				continue
			}
			act := "gelu"
			if p.Quick {
				act = "quick_gelu"
			}
			if got := activation(c); got != act {
				t.Errorf("%s: activation %s, want %s", tag, got, act)
			}
			crop := map[string]transform.Crop{"shortest": transform.Centre, "squash": transform.Squash}
			if want, ok := crop[p.Resize]; !ok || prep.Crop != want || prep.Mean != p.Mean || prep.Std != p.Std || prep.Interpolation.String() != p.Interpolation {
				t.Errorf("%s: preprocessing %+v, want %+v", tag, prep, p)
			}
		}
		if n := len(clip.Tags(name)); n != len(a.Tags) {
			t.Errorf("%d tags, open_clip has %d", n, len(a.Tags))
		}
	})
}

func activation(c clip.Config) string {
	if c.Text.Act == "" {
		return "gelu"
	}
	return c.Text.Act
}

// same compares models by their parameters and heads.
func same(t *testing.T, a, b clip.Config) {
	t.Helper()
	ma, err := clip.New(a)
	if err != nil {
		t.Fatal(err)
	}
	mb, err := clip.New(b)
	if err != nil {
		t.Fatal(err)
	}
	nntest.SameParams(t, ma, mb)
	heads := func(v clip.Vision) int {
		if v.Heads == 0 && v.Kind == clip.ViT {
			return v.Width / 64
		}
		if v.Heads == 0 && v.Kind == clip.ResNet {
			return v.Width / 2
		}
		return v.Heads
	}
	sameSize := a.Vision.Size == b.Vision.Size || a.Vision.Kind == clip.ConvNeXt // which does not show in shapes
	if !sameSize || heads(*a.Vision) != heads(*b.Vision) || a.Text.Heads != b.Text.Heads {
		t.Errorf("%+v %+v, want %+v %+v", *a.Vision, *a.Text, *b.Vision, *b.Text)
	}
}

func TestPresetsWithoutWeights(t *testing.T) {
	for _, name := range clip.Presets() {
		c, prep, err := clip.Preset(name, "")
		if err != nil {
			t.Fatal(err)
		}
		m, err := clip.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := nntest.MACs(m, prep.Size, prep.Size); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		// Everything is found again from names and shapes.
		d, err := clip.Detect(nntest.ShapesOf(m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		same(t, d, c)
		if activation(d) != "gelu" { // told from the order of the names
			t.Errorf("%s: activation %s", name, activation(d))
		}
	}
	for _, c := range [][2]string{{"ViT-B-33", ""}, {"ViT-B-32", "no_such_tag"}} {
		if _, _, err := clip.Preset(c[0], c[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", c, err)
		}
	}
}

// The work of the towers is that of open_clip's table of profiles. RN50 there
// projects the queries and the results of all 50 tokens, of which only the first
// counts.
func TestOperationsAreCounted(t *testing.T) {
	for name, want := range map[string]float64{"ViT-B-32": 8.82, "RN50": 12.22 - 2*49*2048*(2048+1024)/1e9, "ViT-B-16": 35.13, "ViT-L-14": 162.03, "convnext_base_w": 40.11, "convnext_large_d_320": 140.25} {
		c, prep, _ := clip.Preset(name, "")
		c.Text = nil
		m, err := clip.New(c)
		if err != nil {
			t.Fatal(err)
		}
		tape := nn.NewTape(nn.Inference, nil)
		m.WalkImage(tape, tape.Describe(1, prep.Size, prep.Size, 3), nil)
		n, err := tape.MACs(), tape.Err()
		if err != nil {
			t.Fatal(err)
		}
		if got := 2 * float64(n) / 1e9; got < 0.98*want || got > 1.02*want {
			t.Errorf("%s: %.2f GFLOPs, the table has %.2f", name, got, want)
		}
	}
}
