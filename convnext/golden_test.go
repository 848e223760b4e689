package convnext_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
)

// remarks are the keys of model goldens that configure nothing, or that repeat
// what the configuration says.
var remarks = append(slices.Clone(golden.Remarks), "arch", "inputs", "num_params", "n_params", "grn_eps")

// bound is the issue's, on logits and features, relative to the largest.
const bound = 2e-5

func TestTorchvisionModelsMatchGolden(t *testing.T) {
	golden.Each(t, "models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "torchvision.models.convnext.ConvNeXt" {
			t.Skipf("%q is not torchvision's ConvNeXt", kind.Arch)
		}
		var c struct {
			Dims       []int              `json:"dims"`
			Depths     []int              `json:"depths"`
			Classes    int                `json:"num_classes"`
			Epsilon    float64            `json:"ln_eps"`
			Stochastic float64            `json:"stochastic_depth"`
			Train      nntest.Train       `json:"train"`
			Gaps       map[string]float64 `json:"feat_max_abs_f32_vs_f64"`
		}
		g.Config(&c, remarks...)
		m, err := convnext.New(convnext.Config{Dims: c.Dims, Depths: c.Depths, Classes: c.Classes, Epsilon: c.Epsilon, DropPath: c.Stochastic})
		if err != nil {
			t.Fatal(err)
		}
		// One sequence holds the stem, the stages and what leads to them.
		feature := func(name string) string {
			n, ok := strings.CutPrefix(name, "features.")
			if !ok {
				return "head.global_pool"
			}
			i, err := strconv.Atoi(n)
			switch {
			case err != nil:
				return name
			case i == 0:
				return "stem"
			case i%2 == 1:
				return "stages." + strconv.Itoa(i/2)
			}
			return "stages." + strconv.Itoa(i/2) + ".downsample"
		}
		nntest.Golden(t, g, nntest.Model{Model: m, Translate: convnext.Translate, LogitBound: bound, Feature: feature, Gaps: c.Gaps}, c.Train)
	})
}

func TestFacebookModelsMatchGolden(t *testing.T) {
	golden.Each(t, "models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if !strings.HasPrefix(kind.Arch, "facebookresearch/ConvNeXt") {
			t.Skipf("%q is not Facebook's ConvNeXt", kind.Arch)
		}
		src := g.Tensors(".weights.safetensors").Source()
		cfg, err := convnext.Detect(src)
		if err != nil {
			t.Fatal(err)
		}
		var c struct {
			Dims     []int              `json:"dims"`
			Depths   []int              `json:"depths"`
			Classes  int                `json:"num_classes"`
			Epsilon  float64            `json:"ln_eps"`
			Scale    float64            `json:"layer_scale_init_value"` // these three are in the weights
			Head     float64            `json:"head_init_scale"`
			GRN      bool               `json:"use_grn"`
			DropPath float64            `json:"drop_path"`
			Train    nntest.Train       `json:"train"`
			Gaps     map[string]float64 `json:"feat_max_abs_f32_vs_f64"`
		}
		g.Config(&c, remarks...)
		if c.Dims != nil && (!slices.Equal(cfg.Dims, c.Dims) || !slices.Equal(cfg.Depths, c.Depths) || cfg.Classes != c.Classes) {
			t.Errorf("read %+v from the file, the golden says %+v", cfg, c)
		}
		cfg.Epsilon, cfg.DropPath = c.Epsilon, c.DropPath
		m, err := convnext.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		nntest.Golden(t, g, nntest.Model{Model: m, Translate: convnext.Translate, LogitBound: bound, Gaps: c.Gaps}, c.Train)
	})
}

// timmConfig is what timm's constructor takes by name.
type timmConfig struct {
	Classes       int      `json:"num_classes"`
	In            int      `json:"in_chans"`
	Pool          string   `json:"global_pool"`
	OutputStride  int      `json:"output_stride"`
	Depths        []int    `json:"depths"`
	Dims          []int    `json:"dims"`
	Kernels       numbers  `json:"kernel_sizes"`
	LayerScale    optional `json:"ls_init_value"`
	Stem          string   `json:"stem_type"`
	Patch         int      `json:"patch_size"`
	HeadScale     float64  `json:"head_init_scale"` // of initial values
	HeadNormFirst bool     `json:"head_norm_first"`
	HeadHidden    int      `json:"head_hidden_size"`
	ConvMLP       bool     `json:"conv_mlp"`
	ConvBias      *bool    `json:"conv_bias"`
	GRN           bool     `json:"use_grn"`
	Act           string   `json:"act_layer"`
	Norm          string   `json:"norm_layer"`
	Epsilon       float64  `json:"norm_eps"`
	Drop          float64  `json:"drop_rate"`
	DropPath      float64  `json:"drop_path_rate"`
}

// config translates timm's keywords; what it cannot is named and skipped.
func (k timmConfig) config(t *testing.T) convnext.Config {
	c := convnext.Config{
		Classes: k.Classes, In: k.In, Depths: k.Depths, Dims: k.Dims, ConvMLP: k.ConvMLP, HeadHidden: k.HeadHidden,
		Epsilon: k.Epsilon, DropPath: k.DropPath, Act: k.Act, NoBias: k.ConvBias != nil && !*k.ConvBias,
	}
	switch len(k.Kernels) {
	case 0:
	case 1:
		c.Kernel = k.Kernels[0]
	default:
		c.Kernels = k.Kernels
	}
	if c.Act == "swish" {
		c.Act = "silu"
	}
	if _, err := nn.ParseActivation(c.Act); err != nil && c.Act != "" {
		t.Skipf("act_layer %q is not built", k.Act)
	}
	scaled := !k.LayerScale.null
	switch {
	case k.GRN && scaled:
		c.Block = convnext.V2Both
	case k.GRN:
		c.Block = convnext.V2
	case !scaled:
		c.Block = convnext.Plain
	}
	switch k.Norm {
	case "", "layernorm", "layernorm2d":
	case "rmsnorm", "rmsnorm2d":
		c.Norm = convnext.RMS
	case "simplenorm", "simplenorm2d":
		c.Norm = convnext.Simple
	default:
		t.Skipf("norm_layer %q is not built", k.Norm)
	}
	switch k.Stem {
	case "", "patch":
	case "overlap":
		c.Overlap = convnext.OverlapPlain
	case "overlap_tiered":
		c.Overlap = convnext.OverlapTiered
	case "overlap_act":
		c.Overlap = convnext.OverlapAct
	default:
		t.Fatalf("stem_type %q", k.Stem)
	}
	if k.HeadNormFirst {
		c.Head = convnext.NormFirst
	}
	if k.Patch == 0 || c.Overlap != convnext.Patches {
		k.Patch = 4
	}
	if k.OutputStride == 0 {
		k.OutputStride = 32
	}
	c.Stem, c.StemKernel = k.Patch, 0
	if k.Patch == 1 {
		c.StemKernel = 1
	}
	total, dilation := k.Patch, 1
	for i := range k.Depths {
		stride := 1
		if total == 2 || i > 0 {
			stride = 2
		}
		if total >= k.OutputStride {
			dilation *= stride
			stride = 1
		}
		total *= stride
		c.Strides, c.Dilations = append(c.Strides, stride), append(c.Dilations, dilation)
	}
	switch {
	case k.Pool != "" && k.Pool != "avg":
		t.Skipf("global_pool %q is not built", k.Pool)
	case k.Drop != 0:
		t.Skipf("drop_rate %v: dropout before the head is not built", k.Drop)
	}
	return c
}

func TestTimmModelsMatchGolden(t *testing.T) {
	golden.Each(t, "timm/models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "timm.models.convnext.ConvNeXt" {
			t.Skipf("%q is not a ConvNeXt", kind.Arch)
		}
		var c struct {
			Config     timmConfig         `json:"config"`
			Classes    int                `json:"num_classes"`
			Epsilon    float64            `json:"norm_eps"`
			Stochastic float64            `json:"stochastic_depth"`
			Train      nntest.Train       `json:"train"`
			Gaps       map[string]float64 `json:"feat_max_abs_f32_vs_f64"`
		}
		g.Config(&c, remarks...)
		m, err := convnext.New(c.Config.config(t))
		if err != nil {
			t.Fatal(err)
		}
		nntest.Golden(t, g, nntest.Model{Model: m, LogitBound: bound, Gaps: c.Gaps}, c.Train)

		// What the file reveals is read from it.
		src := g.Tensors(".weights.safetensors").Source()
		found, err := convnext.Detect(src)
		if err != nil {
			t.Fatal(err)
		}
		detected, err := convnext.New(found)
		if err != nil {
			t.Fatal(err)
		}
		nntest.SameParams(t, detected, m)
	})
}

func TestNamesShapesAndCountsMatchGolden(t *testing.T) {
	nntest.EachArch(t, "convnext", func(t *testing.T, name string, a nntest.Arch) {
		cfg, err := convnext.Preset(name, 1000)
		if err != nil {
			t.Fatal(err)
		}
		m, err := convnext.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a.Agrees(t, m)
		a.Counts(t, m)
	})
}

func TestNamesThatAreNoModelsAreErrors(t *testing.T) {
	for _, name := range []string{"", "convnext", "convnext_gigantic", "resnet50", "CONVNEXT_TINY", "convnext_tiny.fb_in1k"} {
		if _, err := convnext.Preset(name, 10); !errors.Is(err, convnext.ErrConfig) || !strings.Contains(err.Error(), strconv.Quote(name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
