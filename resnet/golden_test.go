package resnet_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

// remarks are the keys of model goldens that configure nothing, or that repeat
// what the configuration says.
var remarks = append(slices.Clone(golden.Remarks), "arch", "inputs", "num_params", "n_params", "stochastic_depth")

// bound is the issue's, on logits and features, relative to the largest.
const bound = 2e-5

func TestTorchvisionModelsMatchGolden(t *testing.T) {
	golden.Each(t, "models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "torchvision.models.resnet.ResNet" {
			t.Skipf("%q is not torchvision's ResNet", kind.Arch)
		}
		c := struct {
			Block      string             `json:"block"`
			Layers     []int              `json:"layers"`
			Base       int                `json:"base_width"`
			Classes    int                `json:"num_classes"`
			Epsilon    float64            `json:"bn_eps"`
			Momentum   float64            `json:"bn_momentum"`
			Groups     int                `json:"groups"`
			GroupWidth int                `json:"width_per_group"`
			Train      nntest.Train       `json:"train"`
			Gaps       map[string]float64 `json:"feat_max_abs_f32_vs_f64"`
		}{}
		g.Config(&c, remarks...)
		if c.Momentum != 0.1 {
			t.Fatalf("momentum %v", c.Momentum)
		}
		cfg := resnet.Config{Block: block(t, c.Block), Layers: c.Layers, Classes: c.Classes, Epsilon: c.Epsilon, Groups: c.Groups, GroupWidth: c.GroupWidth}
		for i := range c.Layers {
			cfg.Widths = append(cfg.Widths, c.Base<<i)
		}
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		feature := func(name string) string {
			switch name {
			case "conv1", "bn1": // one product with the activation
				return ""
			case "avgpool":
				return "pre_logits"
			}
			return name
		}
		nntest.Golden(t, g, nntest.Model{Model: m, Translate: resnet.Translate, Ties: true, LogitBound: bound, Feature: feature, Gaps: c.Gaps}, c.Train)
	})
}

func block(t *testing.T, name string) resnet.Block {
	switch name {
	case "BasicBlock":
		return resnet.Basic
	case "Bottleneck":
		return resnet.Bottleneck
	}
	t.Fatalf("block %q", name)
	return ""
}

// blocks is a name in JSON, or one per stage.
type blocks []string

func (b *blocks) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*b = blocks{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(b))
}

// attention is a keyword of timm's blocks.
type attention struct {
	Attn      string  `json:"attn_layer"`
	AttnRatio float64 `json:"attn_rd_ratio"`
}

// timmConfig is what timm's constructor takes by name.
type timmConfig struct {
	Classes      int     `json:"num_classes"`
	In           int     `json:"in_chans"`
	Block        blocks  `json:"block"`
	Layers       []int   `json:"layers"`
	Channels     []int   `json:"channels"`
	Cardinality  int     `json:"cardinality"`
	BaseWidth    int     `json:"base_width"`
	StemWidth    int     `json:"stem_width"`
	StemType     string  `json:"stem_type"`
	StemPool     bool    `json:"replace_stem_pool"`
	ReduceFirst  int     `json:"block_reduce_first"`
	DownKernel   int     `json:"down_kernel_size"`
	AvgDown      bool    `json:"avg_down"`
	Act          string  `json:"act_layer"`
	Norm         string  `json:"norm_layer"`
	AntiAlias    string  `json:"aa_layer"`
	DropPath     float64 `json:"drop_path_rate"`
	Drop         float64 `json:"drop_rate"`
	DropBlock    float64 `json:"drop_block_rate"`
	ZeroInitLast bool    `json:"zero_init_last"` // of initial values
	OutputStride int     `json:"output_stride"`
	Pool         string  `json:"global_pool"`
	attention
	BlockArgs attention `json:"block_args"`
}

// config translates timm's keywords; what it cannot is named and skipped.
func (k timmConfig) config(t *testing.T) resnet.Config {
	c := resnet.Config{
		Layers: k.Layers, Widths: k.Channels, Classes: k.Classes, In: k.In, Act: k.Act,
		Groups: k.Cardinality, GroupWidth: k.BaseWidth, ReduceFirst: k.ReduceFirst, DropPath: k.DropPath,
	}
	if c.Act == "swish" {
		c.Act = "silu"
	}
	if _, err := nn.ParseActivation(c.Act); err != nil && c.Act != "" {
		t.Skipf("act_layer %q is not built", k.Act)
	}
	for _, name := range k.Block {
		c.Blocks = append(c.Blocks, block(t, name))
	}
	if len(c.Blocks) == 1 {
		c.Block, c.Blocks = c.Blocks[0], nil
	}
	switch k.StemType {
	case "":
		c.StemOut = 64 // whatever the channels are
	case "deep", "deep_tiered":
		c.Stem = resnet.Stem(k.StemType)
		if c.StemWidth = k.StemWidth; c.StemWidth == 0 {
			c.StemWidth = 64
		}
	default:
		t.Fatalf("stem_type %q", k.StemType)
	}
	if k.StemPool {
		c.Pool = resnet.ConvPool
	}
	switch {
	case k.AvgDown:
		c.Shortcut = resnet.Average
	case k.DownKernel == 3:
		c.Shortcut = resnet.Wide
	case k.DownKernel > 1:
		t.Skipf("down_kernel_size %d is not built", k.DownKernel)
	}
	attn := k.attention
	if k.BlockArgs.Attn != "" {
		attn = k.BlockArgs
	}
	switch c.AttentionRatio = attn.AttnRatio; attn.Attn {
	case "":
	case "se", "eca":
		c.Attention = resnet.Attention(attn.Attn)
	default:
		t.Skipf("attn_layer %q is not built", attn.Attn)
	}
	switch k.AntiAlias {
	case "":
	case "blurpool", "blur":
		c.AntiAlias = resnet.BlurPool
	case "avgpool", "avg":
		c.AntiAlias = resnet.AveragePool
	default:
		t.Skipf("aa_layer %q is not built", k.AntiAlias)
	}
	switch k.Norm {
	case "", "batchnorm", "batchnorm2d":
	case "groupnorm":
		c.Norm = resnet.Group
	default:
		t.Skipf("norm_layer %q is not built", k.Norm)
	}
	if k.OutputStride == 0 {
		k.OutputStride = 32
	}
	total, dilation := 4, 1
	for i := range k.Layers {
		stride := min(i+1, 2)
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
	case k.Drop != 0, k.DropBlock != 0:
		t.Skipf("drop_rate %v, drop_block_rate %v: not built", k.Drop, k.DropBlock)
	}
	return c
}

func TestTimmModelsMatchGolden(t *testing.T) {
	golden.Each(t, "timm/models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "timm.models.resnet.ResNet" {
			t.Skipf("%q is not a ResNet", kind.Arch)
		}
		var c struct {
			Config   timmConfig         `json:"config"`
			Classes  int                `json:"num_classes"`
			Epsilon  float64            `json:"bn_eps"`
			NormEps  *float64           `json:"norm_eps"`
			Momentum float64            `json:"bn_momentum"`
			Train    nntest.Train       `json:"train"`
			Gaps     map[string]float64 `json:"feat_max_abs_f32_vs_f64"`
		}
		g.Config(&c, remarks...)
		cfg := c.Config.config(t)
		cfg.Epsilon = c.Epsilon
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		nntest.Golden(t, g, nntest.Model{Model: m, LogitBound: bound, Gaps: c.Gaps}, c.Train)

		// What the file reveals is read from it.
		found, err := resnet.Detect(g.Tensors(".weights.safetensors").Source())
		if err != nil {
			t.Fatal(err)
		}
		detected, err := resnet.New(found)
		if err != nil {
			t.Fatal(err)
		}
		nntest.SameParams(t, detected, m)
	})
}

func TestNamesShapesAndCountsMatchGolden(t *testing.T) {
	nntest.EachArch(t, "resnet", func(t *testing.T, name string, a nntest.Arch) {
		if strings.HasSuffix(name, "_pruned") {
			if _, err := resnet.Preset(name, 1000); !errors.Is(err, resnet.ErrConfig) {
				t.Errorf("error %v", err)
			}
			t.Skip("pruned widths are in no rule")
		}
		cfg, err := resnet.Preset(name, 1000)
		if err != nil {
			t.Fatal(err)
		}
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a.Agrees(t, m)
		a.Counts(t, m)
	})
}

func TestNamesThatAreNoModelsAreErrors(t *testing.T) {
	for _, name := range []string{"", "resnet", "resnet51", "convnext_tiny", "ResNet50", "resnet50.a1_in1k", "ecaresnet50d_pruned", "resnet21_cifar"} {
		if _, err := resnet.Preset(name, 10); !errors.Is(err, resnet.ErrConfig) || !strings.Contains(err.Error(), strconv.Quote(name)) {
			t.Errorf("%q: %v", name, err)
		}
	}
}
