package convnext_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// pairs are names of a checkpoint and ours, dialect by dialect.
var pairs = map[convnext.Dialect]map[string]string{
	convnext.Torchvision: {
		"features.0.0.weight":           "stem.0.weight",
		"features.0.1.bias":             "stem.1.bias",
		"features.1.2.layer_scale":      "stages.0.blocks.2.gamma",
		"features.1.0.block.0.weight":   "stages.0.blocks.0.conv_dw.weight",
		"features.3.1.block.2.bias":     "stages.1.blocks.1.norm.bias",
		"features.5.10.block.3.weight":  "stages.2.blocks.10.mlp.fc1.weight",
		"features.7.0.block.5.bias":     "stages.3.blocks.0.mlp.fc2.bias",
		"features.2.0.weight":           "stages.1.downsample.0.weight",
		"features.6.1.bias":             "stages.3.downsample.1.bias",
		"classifier.0.weight":           "head.norm.weight",
		"classifier.2.bias":             "head.fc.bias",
		"something.else":                "something.else",
		"features.1.0.block.9.weight":   "features.1.0.block.9.weight",
		"features.99999999999999999999": "features.99999999999999999999",
	},
	convnext.Facebook: {
		"downsample_layers.0.0.weight": "stem.0.weight",
		"downsample_layers.0.1.bias":   "stem.1.bias",
		"downsample_layers.2.0.weight": "stages.2.downsample.0.weight",
		"downsample_layers.3.1.weight": "stages.3.downsample.1.weight",
		"stages.0.1.gamma":             "stages.0.blocks.1.gamma",
		"stages.2.26.dwconv.weight":    "stages.2.blocks.26.conv_dw.weight",
		"stages.1.0.norm.bias":         "stages.1.blocks.0.norm.bias",
		"stages.3.2.pwconv1.weight":    "stages.3.blocks.2.mlp.fc1.weight",
		"stages.3.2.pwconv2.bias":      "stages.3.blocks.2.mlp.fc2.bias",
		"stages.3.2.grn.gamma":         "stages.3.blocks.2.mlp.grn.weight",
		"stages.3.2.grn.beta":          "stages.3.blocks.2.mlp.grn.bias",
		"norm.weight":                  "head.norm.weight",
		"head.bias":                    "head.fc.bias",
	},
	convnext.HuggingFace: {
		"convnext.embeddings.patch_embeddings.weight":               "stem.0.weight",
		"convnext.embeddings.layernorm.bias":                        "stem.1.bias",
		"convnext.encoder.stages.1.downsampling_layer.0.weight":     "stages.1.downsample.0.weight",
		"convnext.encoder.stages.3.downsampling_layer.1.bias":       "stages.3.downsample.1.bias",
		"convnext.encoder.stages.0.layers.1.layer_scale_parameter":  "stages.0.blocks.1.gamma",
		"convnext.encoder.stages.2.layers.8.dwconv.weight":          "stages.2.blocks.8.conv_dw.weight",
		"convnext.encoder.stages.2.layers.8.layernorm.weight":       "stages.2.blocks.8.norm.weight",
		"convnext.encoder.stages.2.layers.8.pwconv1.weight":         "stages.2.blocks.8.mlp.fc1.weight",
		"convnext.encoder.stages.2.layers.8.pwconv2.bias":           "stages.2.blocks.8.mlp.fc2.bias",
		"convnext.layernorm.weight":                                 "head.norm.weight",
		"classifier.weight":                                         "head.fc.weight",
		"convnextv2.encoder.stages.2.layers.8.grn.weight":           "stages.2.blocks.8.mlp.grn.weight",
		"convnextv2.encoder.stages.2.layers.8.grn.bias":             "stages.2.blocks.8.mlp.grn.bias",
		"convnextv2.embeddings.patch_embeddings.bias":               "stem.0.bias",
		"encoder.stages.2.layers.7.dwconv.bias":                     "stages.2.blocks.7.conv_dw.bias",
		"layernorm.bias":                                            "head.norm.bias",
		"convnextv2.encoder.stages.0.layers.0.somethingelse.weight": "convnextv2.encoder.stages.0.layers.0.somethingelse.weight",
	},
	convnext.Timm: {
		"stem.0.weight":                    "stem.0.weight",
		"stages.0.blocks.0.gamma":          "stages.0.blocks.0.gamma",
		"stages.1.downsample.1.bias":       "stages.1.downsample.1.bias",
		"stages.3.blocks.2.mlp.grn.bias":   "stages.3.blocks.2.mlp.grn.bias",
		"head.pre_logits.fc.weight":        "head.pre_logits.fc.weight",
		"stages.0.blocks.0.conv_dw.weight": "stages.0.blocks.0.conv_dw.weight",
		"features.something":               "features.something",
		"downsample_layers.1.0.weight":     "downsample_layers.1.0.weight",
	},
	convnext.Unknown: {
		"conv1.weight":        "conv1.weight",
		"layer1.0.bn1.weight": "layer1.0.bn1.weight",
	},
}

func TestDialectsAreRecognisedAndRenamed(t *testing.T) {
	for dialect, names := range pairs {
		for _, wrapper := range []string{"", "module.", "model.", "state_dict.", "state_dict.module.", "model_ema.", "model.module."} {
			t.Run(fmt.Sprintf("%s in %q", dialect, wrapper), func(t *testing.T) {
				src := &nntest.Shapes{}
				theirs := slices.Sorted(maps.Keys(names))
				for _, name := range theirs {
					src.Set(wrapper+name, []int{1})
				}
				got, d := convnext.Recognize(src)
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

// dialects turns our names and shapes into a checkpoint's, as the projects'
// sources have them.
var spoken = []struct {
	name    string
	dialect convnext.Dialect
	v2      bool
	to      func(name string, shape []int) (string, []int)
}{
	{"torchvision", convnext.Torchvision, false, func(name string, shape []int) (string, []int) {
		if strings.HasSuffix(name, ".gamma") {
			shape = append(slices.Clone(shape), 1, 1)
		}
		return replace(name, map[string]string{
			`^stem\.`: "features.0.", `^head\.norm\.`: "classifier.0.", `^head\.fc\.`: "classifier.2.",
			`^stages\.0\.blocks\.`: "features.1.", `^stages\.1\.blocks\.`: "features.3.",
			`^stages\.1\.downsample\.`: "features.2.",
			`\.gamma$`:                 ".layer_scale", `\.conv_dw\.`: ".block.0.", `(features\.\d\.\d+)\.norm\.`: "$1.block.2.",
			`\.mlp\.fc1\.`: ".block.3.", `\.mlp\.fc2\.`: ".block.5.",
		}), shape
	}},
	{"facebook", convnext.Facebook, false, facebook},
	{"facebook v2", convnext.Facebook, true, facebook},
	{"huggingface", convnext.HuggingFace, false, func(name string, shape []int) (string, []int) { return hugging("convnext.", name), shape }},
	{"huggingface v2", convnext.HuggingFace, true, func(name string, shape []int) (string, []int) {
		if strings.Contains(name, ".grn.") {
			shape = append([]int{1, 1, 1}, shape...)
		}
		return hugging("convnextv2.", name), shape
	}},
	{"timm", convnext.Timm, true, func(name string, shape []int) (string, []int) {
		if strings.Contains(name, ".mlp.fc") && strings.HasSuffix(name, "weight") {
			shape = append(slices.Clone(shape), 1, 1)
		}
		return name, shape
	}},
}

func facebook(name string, shape []int) (string, []int) {
	if strings.Contains(name, ".grn.") {
		shape = append([]int{1, 1, 1}, shape...)
	}
	return replace(name, map[string]string{
		`^stem\.`: "downsample_layers.0.", `^stages\.1\.downsample\.`: "downsample_layers.1.", `^head\.norm\.`: "norm.", `^head\.fc\.`: "head.",
		`\.blocks\.`: ".", `\.conv_dw\.`: ".dwconv.", `\.mlp\.fc`: ".pwconv", `\.mlp\.grn\.weight`: ".grn.gamma", `\.mlp\.grn\.bias`: ".grn.beta",
	}), shape
}

func hugging(prefix, name string) string {
	if strings.HasPrefix(name, "head.fc.") {
		return "classifier." + strings.TrimPrefix(name, "head.fc.")
	}
	return prefix + replace(name, map[string]string{
		`^stem\.0\.`: "embeddings.patch_embeddings.", `^stem\.1\.`: "embeddings.layernorm.", `^head\.norm\.`: "layernorm.",
		`^stages\.`: "encoder.stages.", `\.downsample\.`: ".downsampling_layer.", `\.blocks\.`: ".layers.", `\.gamma$`: ".layer_scale_parameter",
		`\.conv_dw\.`: ".dwconv.", `(\d)\.norm\.`: "$1.layernorm.", `\.mlp\.fc`: ".pwconv", `\.mlp\.grn\.`: ".grn.",
	})
}

// replace applies patterns, those that look at the beginning first.
func replace(name string, by map[string]string) string {
	for _, begin := range []bool{true, false} {
		for _, p := range slices.Sorted(maps.Keys(by)) {
			if strings.HasPrefix(p, "^") == begin {
				name = regexp.MustCompile(p).ReplaceAllString(name, by[p])
			}
		}
	}
	return name
}

func TestACheckpointOfAnyDialectLoadsAndTellsItsConfiguration(t *testing.T) {
	for _, s := range spoken {
		t.Run(s.name, func(t *testing.T) {
			cfg := convnext.Config{Depths: []int{2, 1}, Dims: []int{8, 12}, Classes: 5}
			if s.v2 {
				cfg.Block = convnext.V2
			}
			m, err := convnext.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			nn.Initialize(m, 7)
			src := weights.NewMap()
			for _, p := range m.Params() {
				d, _ := p.Tensor()
				name, shape := s.to(p.Name(), p.Shape())
				src.Set("model."+name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(d.Data())))
			}
			found, err := convnext.Detect(src)
			if err != nil {
				t.Fatal(err)
			}
			want := cfg
			if s.dialect == convnext.HuggingFace {
				want.HeadEpsilon = 1e-12
			}
			want.ConvMLP = s.dialect == convnext.Timm
			if !reflect.DeepEqual(found, want) {
				t.Errorf("the file tells %+v, want %+v", found, want)
			}
			other, err := convnext.New(found)
			if err != nil {
				t.Fatal(err)
			}
			if err := convnext.Load(other, src, nn.LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			for i, p := range other.Params() {
				if !slices.Equal(p.Data(), m.Params()[i].Data()) {
					t.Errorf("%s has other values", p.Name())
				}
			}

			// One error lists all, with the dialect.
			cut := weights.Omit(src, "model.head", "model.classifier")
			err = convnext.Load(other, cut, nn.LoadOptions{})
			var bad *nn.LoadError
			if !errors.As(err, &bad) || len(bad.Missing) < 2 || !strings.Contains(err.Error(), string(s.dialect)) {
				t.Errorf("without a head: %v", err)
			}
			if c, err := convnext.Detect(cut); err != nil || c.Classes != 0 {
				t.Errorf("without a head: %d classes, %v", c.Classes, err)
			}
		})
	}
}

func TestEveryPresetIsReadFromItsNamesAndShapes(t *testing.T) {
	for _, name := range convnext.Presets() {
		cfg, err := convnext.Preset(name, 17)
		if err != nil {
			t.Fatal(err)
		}
		m, err := convnext.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		found, err := convnext.Detect(nntest.ShapesOf(m))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(found, cfg) {
			t.Errorf("%s: %+v, want %+v", name, found, cfg)
		}
	}
}

// Whatever a file says, the answer is an error or a model that can be built.
func TestDetectSurvivesHostileShapes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	built := 0
	for range 200 {
		m, err := convnext.New(convnext.Config{Depths: []int{1, 2}, Dims: []int{8, 12}, Classes: 3, Overlap: convnext.Overlap([]string{"", "tiered"}[r.IntN(2)]),
			Block: convnext.Block([]string{"", "v2"}[r.IntN(2)])})
		if err != nil {
			t.Fatal(err)
		}
		src := &nntest.Shapes{}
		for _, p := range m.Params() {
			name, shape := p.Name(), slices.Clone(p.Shape())
			switch r.IntN(12) {
			case 0:
				shape = shape[:r.IntN(len(shape)+1)]
			case 1:
				shape[r.IntN(len(shape))] = []int{0, 1, 2, 3, 7, 1 << 40}[r.IntN(6)]
			case 2:
				continue
			case 3:
				name = strings.Replace(name, "blocks.0", "blocks.999", 1)
			case 4:
				name = strings.Replace(name, "stages.1", "stages.15", 1)
			}
			src.Set(name, shape)
		}
		c, err := convnext.Detect(src)
		if err != nil {
			if !errors.Is(err, convnext.ErrConfig) {
				t.Fatal(err)
			}
			continue
		}
		c.Classes = max(c.Classes, 1)
		if _, err := convnext.New(c); err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		built++
	}
	if built == 0 {
		t.Error("nothing was recognised")
	}
	for _, src := range []weights.Source{weights.NewMap(), &nntest.Shapes{}, nntest.ShapesOf(convnext.Tiny(0))} {
		if _, err := convnext.Detect(src); !errors.Is(err, convnext.ErrConfig) {
			t.Errorf("error %v", err)
		}
	}
}
