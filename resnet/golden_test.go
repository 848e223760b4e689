package resnet_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/resnet"
)

// remarks are the keys of model goldens that configure nothing.
var remarks = append(slices.Clone(golden.Remarks), "arch", "inputs", "num_params", "n_params", "feat_max_abs_f32_vs_f64", "stochastic_depth", "num_classes", "norm_eps")

func TestTorchvisionModelsMatchGolden(t *testing.T) {
	golden.Each(t, "models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "torchvision.models.resnet.ResNet" {
			t.Skipf("%q is not torchvision's ResNet", kind.Arch)
		}
		c := struct {
			Block      string       `json:"block"`
			Layers     []int        `json:"layers"`
			Base       int          `json:"base_width"`
			Classes    int          `json:"num_classes"`
			Epsilon    float64      `json:"bn_eps"`
			Momentum   float64      `json:"bn_momentum"`
			Groups     int          `json:"groups"`
			GroupWidth int          `json:"width_per_group"`
			Train      nntest.Train `json:"train"`
		}{}
		g.Config(&c, slices.DeleteFunc(slices.Clone(remarks), func(s string) bool { return s == "num_classes" })...)
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
		nntest.Golden(t, g, nntest.Model{Model: m, Translate: resnet.Translate, Ties: true, LogitBound: 2e-5}, c.Train)
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

func TestTimmModelsMatchGolden(t *testing.T) {
	golden.Each(t, "timm/models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "timm.models.resnet.ResNet" {
			t.Skipf("%q is not a ResNet", kind.Arch)
		}
		var c struct {
			Config struct {
				Classes     int     `json:"num_classes"`
				Block       any     `json:"block"`
				Layers      []int   `json:"layers"`
				Channels    []int   `json:"channels"`
				Cardinality int     `json:"cardinality"`
				BaseWidth   int     `json:"base_width"`
				DropPath    float64 `json:"drop_path_rate"`

				// What this package does not build yet.
				StemWidth    int     `json:"stem_width"`
				StemType     string  `json:"stem_type"`
				AvgDown      bool    `json:"avg_down"`
				Attn         string  `json:"attn_layer"`
				AttnRatio    float64 `json:"attn_rd_ratio"`
				AntiAlias    string  `json:"aa_layer"`
				Norm         string  `json:"norm_layer"`
				Act          string  `json:"act_layer"`
				StemPool     bool    `json:"replace_stem_pool"`
				DownKernel   int     `json:"down_kernel_size"`
				ReduceFirst  int     `json:"block_reduce_first"`
				OutputStride int     `json:"output_stride"`
			} `json:"config"`
			Epsilon  float64      `json:"bn_eps"`
			Momentum float64      `json:"bn_momentum"`
			Train    nntest.Train `json:"train"`
		}
		g.Config(&c, remarks...)
		k := c.Config
		name, single := k.Block.(string)
		for what, present := range map[string]bool{
			"stem_type": k.StemType != "", "avg_down": k.AvgDown, "attn_layer": k.Attn != "", "aa_layer": k.AntiAlias != "",
			"norm_layer": k.Norm != "", "act_layer": k.Act != "" && k.Act != "relu", "replace_stem_pool": k.StemPool,
			"down_kernel_size": k.DownKernel > 1, "block_reduce_first": k.ReduceFirst > 1, "a list of blocks": !single,
			"output_stride": k.OutputStride != 0 && k.OutputStride != 32,
		} {
			if present {
				t.Skipf("%s: ResNets with it are not built yet", what)
			}
		}
		m, err := resnet.New(resnet.Config{Block: block(t, name), Layers: k.Layers, Widths: k.Channels, Classes: k.Classes,
			Groups: k.Cardinality, GroupWidth: k.BaseWidth, StemOut: 64, DropPath: k.DropPath, Epsilon: c.Epsilon})
		if err != nil {
			t.Fatal(err)
		}
		nntest.Golden(t, g, nntest.Model{Model: m}, c.Train)
	})
}

func TestNamesAndShapesMatchGolden(t *testing.T) {
	built := resnet.Presets()
	nntest.EachArch(t, "resnet", func(t *testing.T, name string, a nntest.Arch) {
		cfg, err := resnet.Preset(name, 1000)
		if errors.Is(err, resnet.ErrConfig) && !slices.Contains(built, name) {
			t.Skipf("%s is not built yet", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a.Agrees(t, m)
	})
}
