package convnext_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
)

func good() convnext.Config {
	return convnext.Config{Depths: []int{1, 1}, Dims: []int{8, 12}, Classes: 3}
}

func TestConfigurationsThatCannotBeBuiltAreErrors(t *testing.T) {
	for name, change := range map[string]func(c *convnext.Config){
		"no stages":             func(c *convnext.Config) { c.Depths, c.Dims = nil, nil },
		"too many stages":       func(c *convnext.Config) { c.Depths, c.Dims = make([]int, 17), slices.Repeat([]int{8}, 17) },
		"depths without dims":   func(c *convnext.Config) { c.Dims = c.Dims[:1] },
		"negative depth":        func(c *convnext.Config) { c.Depths = []int{1, -1} },
		"no channels":           func(c *convnext.Config) { c.Dims = []int{8, 0} },
		"too many channels":     func(c *convnext.Config) { c.Dims = []int{8, 1 << 30} },
		"no classes":            func(c *convnext.Config) { c.Classes = 0 },
		"negative images":       func(c *convnext.Config) { c.In = -1 },
		"even kernel":           func(c *convnext.Config) { c.Kernel = 4 },
		"one even kernel":       func(c *convnext.Config) { c.Kernels = []int{3, 6} },
		"kernels":               func(c *convnext.Config) { c.Kernels = []int{3} },
		"strides":               func(c *convnext.Config) { c.Strides = []int{1} },
		"stride 3":              func(c *convnext.Config) { c.Strides = []int{1, 3} },
		"dilations":             func(c *convnext.Config) { c.Dilations = []int{1} },
		"dilation 3":            func(c *convnext.Config) { c.Strides, c.Dilations = []int{1, 1}, []int{1, 3} },
		"dilated and strided":   func(c *convnext.Config) { c.Dilations = []int{1, 2} },
		"gaps in the stem":      func(c *convnext.Config) { c.StemKernel = 3 },
		"taps of an overlap":    func(c *convnext.Config) { c.Overlap, c.StemKernel = convnext.OverlapAct, 7 },
		"stem":                  func(c *convnext.Config) { c.Stem = -4 },
		"overlap":               func(c *convnext.Config) { c.Overlap = "overlap" },
		"overlapping patches":   func(c *convnext.Config) { c.Overlap, c.Stem = convnext.OverlapAct, 2 },
		"block":                 func(c *convnext.Config) { c.Block = "v3" },
		"norm":                  func(c *convnext.Config) { c.Norm = "batch" },
		"activation":            func(c *convnext.Config) { c.Act = "swish" },
		"head":                  func(c *convnext.Config) { c.Head = "none" },
		"negative hidden layer": func(c *convnext.Config) { c.HeadHidden = -1 },
		"hidden layer":          func(c *convnext.Config) { c.Head, c.HeadHidden = convnext.NormFirst, 8 },
		"epsilon":               func(c *convnext.Config) { c.Epsilon = math.NaN() },
		"last epsilon":          func(c *convnext.Config) { c.HeadEpsilon = 2 },
		"layer scale":           func(c *convnext.Config) { c.LayerScale = math.NaN() },
		"drop path":             func(c *convnext.Config) { c.DropPath = 1 },
		"init":                  func(c *convnext.Config) { c.Init = "random" },
	} {
		c := good()
		change(&c)
		if m, err := convnext.New(c); m != nil || !errors.Is(err, convnext.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What older versions wrote means the same, and gets no new keys.
func TestConfigurationsOfOlderModelFilesStayReadable(t *testing.T) {
	for text, want := range map[string]*convnext.Model{
		`{"depths":[3,1],"dims":[32,64],"classes":4,"stem":2,"init":"fan_in"}`:                     convnext.Mini(4),
		`{"depths":[2,2,6,2],"dims":[40,80,160,320],"classes":10,"conv_mlp":true}`:                 convnext.Atto(10),
		`{"depths":[1],"dims":[8],"classes":2,"stem":1,"kernel":3,"eps":0.00001,"drop_path":0.25}`: nil,
	} {
		var c convnext.Config
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m, err := convnext.New(c)
		if err != nil {
			t.Fatal(err)
		}
		if want != nil {
			nntest.SameParams(t, m, want)
		}
		if again, _ := json.Marshal(m.Config()); string(again) != text {
			t.Errorf("%s became %s", text, again)
		}
	}
}

func TestPresetsAreConfigurationsThatJSONCarries(t *testing.T) {
	for _, name := range convnext.Presets() {
		cfg, _ := convnext.Preset(name, 5)
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var back convnext.Config
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, cfg) {
			t.Errorf("%s: %s became %+v (%v)", name, text, back, err)
		}
		cfg.Depths[0], cfg.Dims[0] = -1, -1 // the caller's own
		if again, _ := convnext.Preset(name, 5); again.Depths[0] < 0 || again.Dims[0] < 0 {
			t.Fatalf("%s: presets share memory", name)
		}
	}
}

func TestWalkShowsEveryPartAndReturnsTheLogits(t *testing.T) {
	c := good()
	c.Head = convnext.NormFirst
	m, err := convnext.New(c)
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 1)
	x := make([]float32, 2*16*16*3)
	for i := range x {
		x[i] = float32(i%13) / 13
	}
	tape := nn.NewTape(nn.Inference, nil)
	var names []string
	shapes := map[string][]int{}
	in := tape.InputFloats(x, 2, 16, 16, 3)
	walked, err := m.Walk(tape, in, func(name string, y *nn.Tensor) {
		names = append(names, name)
		shapes[name] = y.Shape()
	}).Value()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"stem", "stages.0", "stages.1.downsample", "stages.1", "norm_pre", "head.global_pool", "pre_logits"}
	if !slices.Equal(names, want) {
		t.Errorf("parts %v, want %v", names, want)
	}
	if !slices.Equal(shapes["stages.1"], []int{2, 2, 2, 12}) || !slices.Equal(shapes["pre_logits"], []int{2, 12}) {
		t.Errorf("shapes %v", shapes)
	}
	plain, err := m.Forward(tape, in).Value()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plain.Data().([]float32), walked.Data().([]float32)) {
		t.Error("Walk has other logits than Forward")
	}
}

// A model draws the same whatever its variant, and every variant trains.
func TestEveryVariantHasAGradientForEveryParameter(t *testing.T) {
	for name, change := range map[string]func(c *convnext.Config){
		"v1":       func(*convnext.Config) {},
		"v2":       func(c *convnext.Config) { c.Block = convnext.V2 },
		"v2_ls":    func(c *convnext.Config) { c.Block = convnext.V2Both },
		"plain":    func(c *convnext.Config) { c.Block = convnext.Plain },
		"rms":      func(c *convnext.Config) { c.Norm = convnext.RMS },
		"simple":   func(c *convnext.Config) { c.Norm = convnext.Simple },
		"plain ol": func(c *convnext.Config) { c.Overlap = convnext.OverlapPlain },
		"act":      func(c *convnext.Config) { c.Overlap, c.Act = convnext.OverlapAct, "silu" },
		"no bias":  func(c *convnext.Config) { c.NoBias = true },
		"hidden":   func(c *convnext.Config) { c.HeadHidden = 7 },
		"first":    func(c *convnext.Config) { c.Head = convnext.NormFirst },
		"patch 2":  func(c *convnext.Config) { c.Stem, c.Strides = 2, []int{2, 2} },
		"dilated":  func(c *convnext.Config) { c.Strides, c.Dilations = []int{1, 1}, []int{1, 4} },
		"pixels":   func(c *convnext.Config) { c.Stem, c.StemKernel = 1, 1 },
		"gray":     func(c *convnext.Config) { c.In, c.Stem = 1, 1 },
	} {
		c := good()
		c.Init, c.DropPath = convnext.FanIn, 0.1
		change(&c)
		m, err := convnext.New(c)
		if err != nil {
			t.Fatal(err)
		}
		nn.Initialize(m, 1)
		in := max(c.In, 3-2*c.In)
		tape := nn.NewTape(nn.Training, nil)
		x := make([]float32, 4*16*16*in)
		for i := range x {
			x[i] = float32(math.Sin(float64(i * i)))
		}
		loss := tape.CrossEntropy(m.Forward(tape, tape.InputFloats(x, 4, 16, 16, in)), nn.Targets{Labels: []int{0, 1, 2, 0}})
		if err := tape.Backward(loss); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range m.Params() {
			if g := tape.Gradient(p); len(g) != p.Len() || !slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
				t.Errorf("%s: no gradient of %s", name, p.Name())
			}
		}
	}
}

// A stage that is dilated instead of made smaller has, at every other pixel,
// what the smaller one has (the algorithme à trous).
func TestDilatedStagesAgreeWithStridedOnes(t *testing.T) {
	c := good()
	c.Init, c.Stem = convnext.FanIn, 2
	strided, err := convnext.New(c)
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(strided, 1)
	c.Strides, c.Dilations = []int{1, 1}, []int{1, 2}
	dilated, err := convnext.New(c)
	if err != nil {
		t.Fatal(err)
	}
	nntest.SameParams(t, dilated, strided)
	if err := nn.Load(dilated, nn.Source(strided), nn.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 2*24*20*3)
	for i := range x {
		x[i] = float32(math.Sin(float64(i * i)))
	}
	maps := map[*convnext.Model][]float32{}
	for _, m := range []*convnext.Model{strided, dilated} {
		tape := nn.NewTape(nn.Inference, nil)
		var last *nn.Tensor
		logits := m.Walk(tape, tape.InputFloats(x, 2, 24, 20, 3), func(name string, y *nn.Tensor) {
			if name == "stages.1" {
				last = y.Keep()
			}
		})
		if err := tape.Eval(logits); err != nil {
			t.Fatal(err)
		}
		v, err := last.Floats()
		if err != nil {
			t.Fatal(err)
		}
		maps[m] = slices.Clone(v)
	}
	const n, h, w, ch = 2, 6, 5, 12
	for i, want := range maps[strided] {
		img, y, x, k := i/(h*w*ch), i/(w*ch)%h, i/ch%w, i%ch
		got := maps[dilated][((img*2*h+2*y)*2*w+2*x)*ch+k]
		if math.Abs(float64(got-want)) > 1e-5 {
			t.Fatalf("image %d, pixel %d,%d, channel %d: %v, want %v", img, y, x, k, got, want)
		}
	}
	if len(maps[dilated]) != 4*n*h*w*ch {
		t.Errorf("%d values", len(maps[dilated]))
	}
}
