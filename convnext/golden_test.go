package convnext_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
)

// remarks are the keys of model goldens that configure nothing.
var remarks = append(slices.Clone(golden.Remarks), "arch", "inputs", "num_params", "n_params", "feat_max_abs_f32_vs_f64", "grn_eps")

func TestTorchvisionModelsMatchGolden(t *testing.T) {
	golden.Each(t, "models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "torchvision.models.convnext.ConvNeXt" {
			t.Skipf("%q is not torchvision's ConvNeXt, the one whose names this package translates", kind.Arch)
		}
		var c struct {
			Dims       []int        `json:"dims"`
			Depths     []int        `json:"depths"`
			Classes    int          `json:"num_classes"`
			Epsilon    float64      `json:"ln_eps"`
			Stochastic float64      `json:"stochastic_depth"`
			Train      nntest.Train `json:"train"`
		}
		g.Config(&c, remarks...)
		m, err := convnext.New(convnext.Config{Dims: c.Dims, Depths: c.Depths, Classes: c.Classes, Epsilon: c.Epsilon, DropPath: c.Stochastic})
		if err != nil {
			t.Fatal(err)
		}
		nntest.Golden(t, g, nntest.Model{Model: m, Translate: convnext.Translate, LogitBound: 2e-5}, c.Train)
	})
}

func TestTimmModelsMatchGolden(t *testing.T) {
	golden.Each(t, "timm/models/*.json", func(t *testing.T, g *golden.File) {
		var kind struct{ Arch string }
		g.Loose(&kind)
		if kind.Arch != "timm.models.convnext.ConvNeXt" {
			t.Skipf("%q is not a ConvNeXt", kind.Arch)
		}
		var c struct {
			Config struct {
				Classes    int      `json:"num_classes"`
				Depths     []int    `json:"depths"`
				Dims       []int    `json:"dims"`
				ConvMLP    bool     `json:"conv_mlp"`
				Epsilon    float64  `json:"norm_eps"`
				DropPath   float64  `json:"drop_path_rate"`
				Patch      int      `json:"patch_size"`
				LayerScale *float64 `json:"ls_init_value"`

				// What this package does not build yet.
				GRN           bool   `json:"use_grn"`
				Norm          string `json:"norm_layer"`
				Act           string `json:"act_layer"`
				Stem          string `json:"stem_type"`
				Kernels       any    `json:"kernel_sizes"`
				HeadNormFirst bool   `json:"head_norm_first"`
				HeadHidden    *int   `json:"head_hidden_size"`
				ConvBias      *bool  `json:"conv_bias"`
			} `json:"config"`
			Classes    int          `json:"num_classes"`
			Epsilon    float64      `json:"norm_eps"`
			Stochastic float64      `json:"stochastic_depth"`
			Train      nntest.Train `json:"train"`
		}
		g.Config(&c, remarks...)
		k := c.Config
		for what, present := range map[string]bool{
			"use_grn": k.GRN, "norm_layer": k.Norm != "", "act_layer": k.Act != "" && k.Act != "gelu",
			"stem_type": k.Stem != "" && k.Stem != "patch", "kernel_sizes": k.Kernels != nil,
			"head_norm_first": k.HeadNormFirst, "head_hidden_size": k.HeadHidden != nil,
			"patch_size": k.Patch != 0 && k.Patch != 4, "conv_bias": k.ConvBias != nil && !*k.ConvBias,
		} {
			if present {
				t.Skipf("%s: ConvNeXts with it are not built yet", what)
			}
		}
		m, err := convnext.New(convnext.Config{Dims: k.Dims, Depths: k.Depths, Classes: k.Classes, Epsilon: k.Epsilon, ConvMLP: k.ConvMLP, DropPath: k.DropPath})
		if err != nil {
			t.Fatal(err)
		}
		nntest.Golden(t, g, nntest.Model{Model: m}, c.Train)
	})
}

func TestNamesAndShapesMatchGolden(t *testing.T) {
	built := convnext.Presets()
	nntest.EachArch(t, "convnext", func(t *testing.T, name string, a nntest.Arch) {
		cfg, err := convnext.Preset(name, 1000)
		if errors.Is(err, convnext.ErrConfig) && !slices.Contains(built, name) {
			t.Skipf("%s is not built yet", name)
		}
		if err != nil {
			t.Fatal(err)
		}
		m, err := convnext.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		a.Agrees(t, m)
	})
}
