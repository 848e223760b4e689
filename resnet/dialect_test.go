package resnet_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/weights"
)

// pairs are names of a checkpoint and ours, dialect by dialect.
var pairs = map[resnet.Dialect]map[string]string{
	resnet.HuggingFace: {
		"resnet.embedder.embedder.convolution.weight":                         "conv1.weight",
		"resnet.embedder.embedder.normalization.running_mean":                 "bn1.running_mean",
		"resnet.encoder.stages.0.layers.0.layer.0.convolution.weight":         "layer1.0.conv1.weight",
		"resnet.encoder.stages.3.layers.2.layer.2.normalization.bias":         "layer4.2.bn3.bias",
		"resnet.encoder.stages.2.layers.10.layer.1.normalization.running_var": "layer3.10.bn2.running_var",
		"resnet.encoder.stages.1.layers.0.shortcut.convolution.weight":        "layer2.0.downsample.0.weight",
		"resnet.encoder.stages.1.layers.0.shortcut.normalization.weight":      "layer2.0.downsample.1.weight",
		"classifier.1.weight": "fc.weight",
		"encoder.stages.1.layers.3.layer.0.convolution.weight":                           "layer2.3.conv1.weight",
		"resnet.encoder.stages.1.layers.3.layer.0.other.weight":                          "resnet.encoder.stages.1.layers.3.layer.0.other.weight",
		"resnet.encoder.stages.99999999999999999999.layers.3.layer.0.convolution.weight": "resnet.encoder.stages.99999999999999999999.layers.3.layer.0.convolution.weight",
	},
	resnet.Akamaster: {
		"conv1.weight":               "conv1.weight",
		"bn1.running_mean":           "bn1.running_mean",
		"layer2.0.conv1.weight":      "layer2.0.conv1.weight",
		"layer2.0.shortcut.0.weight": "layer2.0.downsample.0.weight",
		"layer3.0.shortcut.1.bias":   "layer3.0.downsample.1.bias",
		"linear.weight":              "fc.weight",
		"linear.bias":                "fc.bias",
	},
	resnet.Timm: {
		"conv1.0.weight":             "conv1.0.weight",
		"layer1.0.conv1.weight":      "layer1.0.conv1.weight",
		"layer1.0.se.fc1.weight":     "layer1.0.se.fc1.weight",
		"layer4.2.downsample.1.bias": "layer4.2.downsample.1.bias",
		"fc.bias":                    "fc.bias",
	},
	resnet.Unknown: {
		"stem.0.weight": "stem.0.weight",
	},
}

func TestDialectsAreRecognisedAndRenamed(t *testing.T) {
	for dialect, names := range pairs {
		for _, wrapper := range []string{"", "module.", "model.", "state_dict.", "state_dict.module.", "model_ema."} {
			t.Run(fmt.Sprintf("%s in %q", dialect, wrapper), func(t *testing.T) {
				src := &nntest.Shapes{}
				theirs := slices.Sorted(maps.Keys(names))
				for _, name := range theirs {
					src.Set(wrapper+name, []int{1})
				}
				got, d := resnet.Recognize(src)
				if d != dialect {
					t.Errorf("taken for %s", d)
				}
				for i, name := range got.Names() {
					if want := names[theirs[i]]; name != want {
						t.Errorf("%s became %s, want %s", theirs[i], name, want)
					}
				}
			})
		}
	}
}

func TestACheckpointOfAnyDialectLoadsAndTellsItsConfiguration(t *testing.T) {
	for _, s := range []struct {
		dialect resnet.Dialect
		cfg     resnet.Config
		to      func(name string) string
	}{
		{resnet.Timm, resnet.Config{Block: resnet.Bottleneck, Layers: []int{1, 2}, Widths: []int{8, 16}, Classes: 5}, func(name string) string { return name }},
		{resnet.HuggingFace, resnet.Config{Block: resnet.Basic, Layers: []int{1, 2}, Widths: []int{8, 16}, Classes: 5}, func(name string) string {
			parts := strings.Split(name, ".")
			last := parts[len(parts)-1]
			switch {
			case parts[0] == "fc":
				return "classifier.1." + last
			case parts[0] == "conv1":
				return "resnet.embedder.embedder.convolution." + last
			case parts[0] == "bn1":
				return "resnet.embedder.embedder.normalization." + last
			}
			at := fmt.Sprintf("resnet.encoder.stages.%d.layers.%s.", parts[0][5]-'1', parts[1])
			kind := map[byte]string{'c': "convolution", 'b': "normalization"}[parts[2][0]]
			if parts[2] == "downsample" {
				return at + "shortcut." + map[string]string{"0": "convolution.", "1": "normalization."}[parts[3]] + last
			}
			return at + fmt.Sprintf("layer.%d.%s.%s", parts[2][len(parts[2])-1]-'1', kind, last)
		}},
		{resnet.Akamaster, resnet.Config{Block: resnet.Basic, Layers: []int{1, 1, 1}, Widths: []int{4, 8, 16}, Classes: 5, Stem: resnet.Small1,
			Shortcut: resnet.Padding, Init: resnet.FanIn}, aka},
		{resnet.Akamaster, resnet.Config{Block: resnet.Basic, Layers: []int{1, 1, 1}, Widths: []int{4, 8, 16}, Classes: 5, Stem: resnet.Small1,
			Init: resnet.FanIn}, aka},
	} {
		t.Run(fmt.Sprintf("%s %q", s.dialect, s.cfg.Shortcut), func(t *testing.T) {
			m, err := resnet.New(s.cfg)
			if err != nil {
				t.Fatal(err)
			}
			nn.Initialize(m, 7)
			src := weights.NewMap()
			for _, p := range m.Params() {
				if p.Kind() == nn.Counter {
					continue // older checkpoints have none
				}
				d, _ := p.Tensor()
				src.Set("state_dict.module."+s.to(p.Name()), tensor.New(tensor.WithShape(p.Shape()...), tensor.WithBacking(d.Data())))
			}
			found, err := resnet.Detect(src)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(found, s.cfg) {
				t.Errorf("the file tells %+v, want %+v", found, s.cfg)
			}
			other, err := resnet.New(found)
			if err != nil {
				t.Fatal(err)
			}
			if err := resnet.Load(other, src, nn.LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			for i, p := range other.Params() {
				if !slices.Equal(p.Data(), m.Params()[i].Data()) {
					t.Errorf("%s has other values", p.Name())
				}
			}
			cut := weights.Omit(src, "state_dict.module.fc.w", "state_dict.module.linear.w", "state_dict.module.classifier.1.w")
			err = resnet.Load(other, cut, nn.LoadOptions{})
			var bad *nn.LoadError
			if !errors.As(err, &bad) || len(bad.Missing) != 1 || !strings.Contains(err.Error(), string(s.dialect)) {
				t.Errorf("without a classifier: %v", err)
			}
			if c, err := resnet.Detect(cut); err != nil || c.Classes != 0 {
				t.Errorf("without a classifier: %d classes, %v", c.Classes, err)
			}
		})
	}
}

func aka(name string) string {
	name = strings.Replace(name, ".downsample.", ".shortcut.", 1)
	return strings.Replace(name, "fc.", "linear.", 1)
}

func TestEveryPresetIsReadFromItsNamesAndShapes(t *testing.T) {
	for _, name := range resnet.Presets() {
		cfg, err := resnet.Preset(name, 17)
		if err != nil {
			t.Fatal(err)
		}
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		found, err := resnet.Detect(nntest.ShapesOf(m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := cfg
		want.AntiAlias = "" // leaves no trace in a file
		if want.StemWidth == 32 && found.StemWidth == 0 {
			want.StemWidth = 0
		}
		if !reflect.DeepEqual(found, want) {
			t.Errorf("%s: %+v, want %+v", name, found, want)
		}
	}
}

// Whatever a file says, the answer is an error or a model that can be built.
func TestDetectSurvivesHostileShapes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	built := 0
	for range 500 {
		cfg := resnet.Config{Block: resnet.Bottleneck, Layers: []int{1, 2}, Widths: []int{16, 32}, Classes: 3, Attention: resnet.SqueezeExcite, Groups: 2}
		if r.IntN(2) == 0 {
			cfg = resnet.Config{Layers: []int{1, 1}, Classes: 3, Stem: resnet.Deep, Pool: resnet.ConvPool, Shortcut: resnet.Average}
		}
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		src := &nntest.Shapes{}
		for _, p := range m.Params() {
			name, shape := p.Name(), slices.Clone(p.Shape())
			switch k := r.IntN(24); {
			case k == 0 && len(shape) > 0:
				shape = shape[:r.IntN(len(shape))]
			case k == 1 && len(shape) > 0:
				shape[r.IntN(len(shape))] = []int{0, 1, 2, 3, 7, 1 << 40}[r.IntN(6)]
			case k == 2:
				continue
			case k == 3:
				name = strings.Replace(name, "layer2.1", "layer2.999", 1)
			case k == 4:
				name = strings.Replace(name, "layer2", "layer9", 1)
			}
			src.Set(name, shape)
		}
		c, err := resnet.Detect(src)
		if err != nil {
			if !errors.Is(err, resnet.ErrConfig) {
				t.Fatal(err)
			}
			continue
		}
		c.Classes = max(c.Classes, 1)
		if _, err := resnet.New(c); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		built++
	}
	if built == 0 {
		t.Error("nothing was recognised")
	}
	for _, src := range []weights.Source{weights.NewMap(), &nntest.Shapes{}} {
		if _, err := resnet.Detect(src); !errors.Is(err, resnet.ErrConfig) {
			t.Errorf("error %v", err)
		}
	}
}
