package resnet_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

func good() resnet.Config {
	return resnet.Config{Block: resnet.Bottleneck, Layers: []int{1, 1}, Widths: []int{16, 32}, Classes: 3}
}

func TestConfigurationsThatCannotBeBuiltAreErrors(t *testing.T) {
	for name, change := range map[string]func(c *resnet.Config){
		"no stages":         func(c *resnet.Config) { c.Layers = nil },
		"too many stages":   func(c *resnet.Config) { c.Layers, c.Widths = slices.Repeat([]int{1}, 9), nil },
		"empty stage":       func(c *resnet.Config) { c.Layers = []int{1, 0} },
		"block":             func(c *resnet.Config) { c.Block = "inverted" },
		"one block":         func(c *resnet.Config) { c.Blocks = []resnet.Block{resnet.Basic, "x"} },
		"blocks":            func(c *resnet.Config) { c.Blocks = []resnet.Block{resnet.Basic} },
		"widths":            func(c *resnet.Config) { c.Widths = []int{16} },
		"no width":          func(c *resnet.Config) { c.Widths = []int{16, 0} },
		"no classes":        func(c *resnet.Config) { c.Classes = 0 },
		"images":            func(c *resnet.Config) { c.In = -1 },
		"strides":           func(c *resnet.Config) { c.Strides = []int{1} },
		"stride 3":          func(c *resnet.Config) { c.Strides = []int{1, 3} },
		"dilations":         func(c *resnet.Config) { c.Dilations = []int{1} },
		"dilation 3":        func(c *resnet.Config) { c.Dilations = []int{1, 3} },
		"stem":              func(c *resnet.Config) { c.Stem = "shallow" },
		"deep stem's out":   func(c *resnet.Config) { c.Stem, c.StemOut = resnet.Deep, 64 },
		"stem's width":      func(c *resnet.Config) { c.StemWidth = 32 },
		"tiny tiers":        func(c *resnet.Config) { c.Stem, c.StemWidth = resnet.Tiered, 3 },
		"stem out":          func(c *resnet.Config) { c.StemOut = -1 },
		"pool":              func(c *resnet.Config) { c.Pool = "average" },
		"pool of none":      func(c *resnet.Config) { c.Stem, c.Pool = resnet.Small1, resnet.ConvPool },
		"shortcut":          func(c *resnet.Config) { c.Shortcut = "identity" },
		"narrowing":         func(c *resnet.Config) { c.Shortcut, c.Widths = resnet.Padding, []int{32, 16} },
		"norm":              func(c *resnet.Config) { c.Norm = "layer" },
		"group norm":        func(c *resnet.Config) { c.Norm = resnet.Group },
		"activation":        func(c *resnet.Config) { c.Act = "mish" },
		"attention":         func(c *resnet.Config) { c.Attention = "cbam" },
		"attention's ratio": func(c *resnet.Config) { c.AttentionRatio = 0.5 },
		"NaN ratio":         func(c *resnet.Config) { c.Attention, c.AttentionRatio = resnet.SqueezeExcite, math.NaN() },
		"anti-aliasing":     func(c *resnet.Config) { c.AntiAlias = "max" },
		"init":              func(c *resnet.Config) { c.Init = "zeros" },
		"groups":            func(c *resnet.Config) { c.Groups, c.ReduceFirst = 4, 6 },
		"negative groups":   func(c *resnet.Config) { c.Groups = -1 },
		"groups of basic":   func(c *resnet.Config) { c.Block, c.Groups = resnet.Basic, 2 },
		"no inner channels": func(c *resnet.Config) { c.GroupWidth = 1 },
		"reduced":           func(c *resnet.Config) { c.ReduceFirst = 64 },
		"drop path":         func(c *resnet.Config) { c.DropPath = -0.5 },
		"epsilon":           func(c *resnet.Config) { c.Epsilon = math.NaN() },
	} {
		c := good()
		change(&c)
		if m, err := resnet.New(c); m != nil || !errors.Is(err, resnet.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What older versions wrote means the same, and gets no new keys.
func TestConfigurationsOfOlderModelFilesStayReadable(t *testing.T) {
	for text, want := range map[string]*resnet.Model{
		`{"block":"basic","layers":[1,1,1],"widths":[16,32,64],"classes":4,"shortcut":"padding","init":"fan_in","stem":"3x3s1"}`: resnet.CIFAR8(4),
		`{"block":"bottleneck","layers":[3,4,6,3],"classes":10}`:                                                                 resnet.ResNet50(10),
		`{"layers":[1,1],"widths":[8,16],"classes":2,"stem":"3x3s2","stem_out":4,"eps":0.001,"drop_path":0.5}`:                   nil,
		`{"block":"bottleneck","layers":[1],"classes":2,"groups":32,"group_width":4}`:                                            nil,
	} {
		var c resnet.Config
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.DisallowUnknownFields()
		if err := d.Decode(&c); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		m, err := resnet.New(c)
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
	for _, name := range resnet.Presets() {
		cfg, _ := resnet.Preset(name, 5)
		text, err := json.Marshal(cfg)
		if err != nil {
			t.Fatal(err)
		}
		var back resnet.Config
		if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(back, cfg) {
			t.Errorf("%s: %s became %+v (%v)", name, text, back, err)
		}
		cfg.Layers[0] = -1 // the caller's own
		if again, _ := resnet.Preset(name, 5); again.Layers[0] < 0 {
			t.Fatalf("%s: presets share memory", name)
		}
	}
}

func TestWalkShowsEveryPartAndReturnsTheLogits(t *testing.T) {
	m, err := resnet.New(good())
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 1)
	x := make([]float32, 2*32*32*3)
	for i := range x {
		x[i] = float32(i%13) / 13
	}
	tape := nn.NewTape(nn.Inference, nil)
	var names []string
	in := tape.InputFloats(x, 2, 32, 32, 3)
	walked, err := m.Walk(tape, in, func(name string, y *nn.Tensor) { names = append(names, name) }).Value()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"act1", "maxpool", "layer1", "layer2", "pre_logits"}; !slices.Equal(names, want) {
		t.Errorf("parts %v, want %v", names, want)
	}
	plain, err := m.Forward(tape, in).Value()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plain.Data().([]float32), walked.Data().([]float32)) {
		t.Error("Walk has other logits than Forward")
	}
}

func TestEveryVariantHasAGradientForEveryParameter(t *testing.T) {
	for name, change := range map[string]func(c *resnet.Config){
		"bottleneck": func(*resnet.Config) {},
		"basic":      func(c *resnet.Config) { c.Block = resnet.Basic },
		"mixed":      func(c *resnet.Config) { c.Blocks = []resnet.Block{resnet.Basic, resnet.Bottleneck} },
		"deep":       func(c *resnet.Config) { c.Stem = resnet.Deep },
		"tiered":     func(c *resnet.Config) { c.Stem, c.StemWidth = resnet.Tiered, 8 },
		"conv pool":  func(c *resnet.Config) { c.Pool = resnet.ConvPool },
		"blur":       func(c *resnet.Config) { c.AntiAlias = resnet.BlurPool },
		"average":    func(c *resnet.Config) { c.AntiAlias, c.Shortcut = resnet.AveragePool, resnet.Average },
		"blurred rs": func(c *resnet.Config) { c.Pool, c.AntiAlias = resnet.ConvPool, resnet.BlurPool },
		"wide":       func(c *resnet.Config) { c.Shortcut, c.ReduceFirst = resnet.Wide, 2 },
		"padding":    func(c *resnet.Config) { c.Stem, c.Shortcut = resnet.Small2, resnet.Padding },
		"group":      func(c *resnet.Config) { c.Norm, c.Widths = resnet.Group, []int{32, 64} },
		"grouped rs": func(c *resnet.Config) {
			c.Norm, c.Widths, c.Pool, c.AntiAlias = resnet.Group, []int{32, 64}, resnet.ConvPool, resnet.AveragePool
		},
		"se":      func(c *resnet.Config) { c.Attention = resnet.SqueezeExcite },
		"eca":     func(c *resnet.Config) { c.Attention = resnet.ChannelFilter },
		"silu":    func(c *resnet.Config) { c.Act, c.Attention = "silu", resnet.SqueezeExcite },
		"resnext": func(c *resnet.Config) { c.Groups, c.GroupWidth = 4, 16 },
		"dilated": func(c *resnet.Config) { c.Strides, c.Dilations, c.Shortcut = []int{1, 1}, []int{1, 2}, resnet.Average },
		"blurred": func(c *resnet.Config) {
			c.Strides, c.Dilations, c.AntiAlias = []int{1, 1}, []int{1, 2}, resnet.BlurPool
		},
		"gray images": func(c *resnet.Config) { c.In = 1 },
	} {
		c := good()
		c.Init = resnet.FanOutOnes // with norms at 0 most gradients are 0
		change(&c)
		m, err := resnet.New(c)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		nn.Initialize(m, 1)
		in := max(c.In, 3-2*c.In)
		tape := nn.NewTape(nn.Training, nil)
		x := make([]float32, 4*32*32*in)
		for i := range x {
			x[i] = float32(math.Sin(float64(i * i)))
		}
		loss := tape.CrossEntropy(m.Forward(tape, tape.InputFloats(x, 4, 32, 32, in)), nn.Targets{Labels: []int{0, 1, 2, 0}})
		if err := tape.Backward(loss); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, p := range m.Params() {
			if p.Kind() != nn.Learnable {
				continue
			}
			if g := tape.Gradient(p); len(g) != p.Len() || !slices.ContainsFunc(g, func(v float32) bool { return v != 0 }) {
				t.Errorf("%s: no gradient of %s", name, p.Name())
			}
		}
	}
}

// A stage that is dilated instead of made smaller has, at every other pixel,
// what the smaller one has (the algorithme à trous).
func TestDilatedStagesAgreeWithStridedOnes(t *testing.T) {
	for _, b := range []resnet.Block{resnet.Basic, resnet.Bottleneck} {
		c := good()
		c.Block, c.Layers, c.Init = b, []int{1, 2}, resnet.FanOutOnes
		strided, err := resnet.New(c)
		if err != nil {
			t.Fatal(err)
		}
		nn.Initialize(strided, 1)
		c.Strides, c.Dilations = []int{1, 1}, []int{1, 2}
		dilated, err := resnet.New(c)
		if err != nil {
			t.Fatal(err)
		}
		nntest.SameParams(t, dilated, strided)
		if err := nn.Load(dilated, nn.Source(strided), nn.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, 2*48*40*3)
		for i := range x {
			x[i] = float32(math.Sin(float64(i * i)))
		}
		maps := map[*resnet.Model][]float32{}
		var shape []int
		for _, m := range []*resnet.Model{dilated, strided} {
			tape := nn.NewTape(nn.Inference, nil)
			var last *nn.Tensor
			logits := m.Walk(tape, tape.InputFloats(x, 2, 48, 40, 3), func(name string, y *nn.Tensor) {
				if name == "layer2" {
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
			maps[m], shape = slices.Clone(v), last.Shape()
		}
		h, w, ch := shape[1], shape[2], shape[3]
		for i, want := range maps[strided] {
			img, y, x, k := i/(h*w*ch), i/(w*ch)%h, i/ch%w, i%ch
			got := maps[dilated][((img*2*h+2*y)*2*w+2*x)*ch+k]
			if math.Abs(float64(got-want)) > 1e-4 {
				t.Fatalf("%s: image %d, pixel %d,%d, channel %d: %v, want %v", b, img, y, x, k, got, want)
			}
		}
		if len(maps[dilated]) != 4*len(maps[strided]) {
			t.Errorf("%s: %d values", b, len(maps[dilated]))
		}
	}
}
