package convnext

import (
	"fmt"
	"slices"
)

// The functions build the most used sizes with timm's settings, for a number of
// classes; Preset knows the others. Parameters are counted for 1000. Accuracy is
// the papers', on ImageNet-1k at 224 pixels.

// Atto has 3.7 M parameters.
func Atto(classes int) *Model { return preset("convnext_atto", classes) }

// Femto has 5.2 M parameters.
func Femto(classes int) *Model { return preset("convnext_femto", classes) }

// Pico has 9.0 M parameters.
func Pico(classes int) *Model { return preset("convnext_pico", classes) }

// Nano has 15.6 M parameters.
func Nano(classes int) *Model { return preset("convnext_nano", classes) }

// Tiny has 28.6 M parameters; 82.1 % on ImageNet in the paper.
func Tiny(classes int) *Model { return preset("convnext_tiny", classes) }

// Small has 50.2 M parameters; 83.1 %.
func Small(classes int) *Model { return preset("convnext_small", classes) }

// Base has 88.6 M parameters; 83.8 %.
func Base(classes int) *Model { return preset("convnext_base", classes) }

// Large has 197.8 M parameters; 84.3 %.
func Large(classes int) *Model { return preset("convnext_large", classes) }

// XLarge has 350.2 M parameters; 87.0 % after ImageNet-22k.
func XLarge(classes int) *Model { return preset("convnext_xlarge", classes) }

// V2Atto has 3.7 M parameters; 76.7 %.
func V2Atto(classes int) *Model { return preset("convnextv2_atto", classes) }

// V2Nano has 15.6 M parameters; 81.9 %.
func V2Nano(classes int) *Model { return preset("convnextv2_nano", classes) }

// V2Tiny has 28.6 M parameters; 83.0 %.
func V2Tiny(classes int) *Model { return preset("convnextv2_tiny", classes) }

// V2Base has 88.7 M parameters; 84.9 %.
func V2Base(classes int) *Model { return preset("convnextv2_base", classes) }

// Mini is a model of our own for images of about 32 pixels, of a ResNet-8's
// size (76 k parameters for 10 classes): two stages, 2x2 stem, fan-in
// initialisation.
func Mini(classes int) *Model { return preset("convnext_mini", classes) }

// The sizes that V1, V2 and timm's variants share.
var (
	zepto   = Config{Depths: []int{2, 2, 4, 2}, Dims: []int{32, 64, 128, 256}, ConvMLP: true}
	atto    = Config{Depths: []int{2, 2, 6, 2}, Dims: []int{40, 80, 160, 320}, ConvMLP: true}
	femto   = Config{Depths: []int{2, 2, 6, 2}, Dims: []int{48, 96, 192, 384}, ConvMLP: true}
	pico    = Config{Depths: []int{2, 2, 6, 2}, Dims: []int{64, 128, 256, 512}, ConvMLP: true}
	nano    = Config{Depths: []int{2, 2, 8, 2}, Dims: []int{80, 160, 320, 640}, ConvMLP: true}
	tiny    = Config{Depths: []int{3, 3, 9, 3}, Dims: []int{96, 192, 384, 768}}
	small   = Config{Depths: []int{3, 3, 27, 3}, Dims: []int{96, 192, 384, 768}}
	base    = Config{Depths: []int{3, 3, 27, 3}, Dims: []int{128, 256, 512, 1024}}
	large   = Config{Depths: []int{3, 3, 27, 3}, Dims: []int{192, 384, 768, 1536}}
	xlarge  = Config{Depths: []int{3, 3, 27, 3}, Dims: []int{256, 512, 1024, 2048}}
	huge    = Config{Depths: []int{3, 3, 27, 3}, Dims: []int{352, 704, 1408, 2816}}
	xxlarge = Config{Depths: []int{3, 4, 30, 3}, Dims: []int{384, 768, 1536, 3072}, Epsilon: 1e-5}
)

// What turns a size into a variant of it.

func (c Config) overlapping(o Overlap) Config { c.Overlap = o; return c }
func (c Config) normed(n Norm) Config         { c.Norm = n; return c }
func (c Config) v2() Config                   { c.Block = V2; return c }

// sizes lists the presets by timm's names, each family smallest first.
var sizes = []struct {
	name string
	cfg  Config
}{
	{"convnext_mini", Config{Depths: []int{3, 1}, Dims: []int{32, 64}, Stem: 2, Init: FanIn}},

	{"convnext_zepto_rms", zepto.normed(Simple)},
	{"convnext_zepto_rms_ols", zepto.normed(Simple).overlapping(OverlapAct)},
	{"convnext_atto", atto},
	{"convnext_atto_ols", atto.overlapping(OverlapTiered)},
	{"convnext_atto_rms", atto.normed(RMS)},
	{"convnext_femto", femto},
	{"convnext_femto_ols", femto.overlapping(OverlapTiered)},
	{"convnext_pico", pico},
	{"convnext_pico_ols", pico.overlapping(OverlapTiered)},
	{"convnext_nano", nano},
	{"convnext_nano_ols", nano.overlapping(OverlapPlain)},
	{"convnext_tiny", tiny},
	{"convnext_tiny_hnf", Config{Depths: tiny.Depths, Dims: tiny.Dims, Head: NormFirst, ConvMLP: true}},
	{"convnext_small", small},
	{"convnext_base", base},
	{"convnext_large", large},
	{"convnext_large_mlp", Config{Depths: large.Depths, Dims: large.Dims, HeadHidden: 1536}},
	{"convnext_xlarge", xlarge},
	{"convnext_xxlarge", xxlarge},

	{"convnextv2_atto", atto.v2()},
	{"convnextv2_femto", femto.v2()},
	{"convnextv2_pico", pico.v2()},
	{"convnextv2_nano", nano.v2()},
	{"convnextv2_tiny", tiny.v2()},
	{"convnextv2_small", small.v2()},
	{"convnextv2_base", base.v2()},
	{"convnextv2_large", large.v2()},
	{"convnextv2_huge", huge.v2()},

	{"test_convnext", Config{Depths: []int{1, 2, 4, 2}, Dims: []int{24, 32, 48, 64}, Epsilon: 1e-5, Act: "gelu_tanh"}},
	{"test_convnext2", Config{Depths: []int{1, 1, 1, 1}, Dims: []int{32, 64, 96, 128}, Epsilon: 1e-5, Act: "gelu_tanh"}},
	{"test_convnext3", Config{Depths: []int{1, 1, 1, 1}, Dims: []int{32, 64, 96, 128}, Epsilon: 1e-5, Kernels: []int{7, 5, 5, 3}, Act: "silu"}},
}

// Presets lists the names that Preset knows, each family smallest first: all of
// timm's ConvNeXts and "convnext_mini", which is our own.
func Presets() []string {
	names := make([]string, len(sizes))
	for i, s := range sizes {
		names[i] = s.name
	}
	return names
}

// Preset returns a preset's configuration, to be changed and built with New:
//
//	cfg, err := convnext.Preset("convnext_atto", 10)
//	cfg.DropPath = 0.1
//	m, err := convnext.New(cfg)
//
// A name that is not a preset is an error that wraps ErrConfig.
func Preset(name string, classes int) (Config, error) {
	for _, s := range sizes {
		if s.name == name {
			cfg := s.cfg
			cfg.Depths, cfg.Dims, cfg.Kernels = slices.Clone(cfg.Depths), slices.Clone(cfg.Dims), slices.Clone(cfg.Kernels)
			cfg.Classes = classes
			return cfg, nil
		}
	}
	return Config{}, fmt.Errorf("convnext: no model is called %q: %w", name, ErrConfig)
}

func preset(name string, classes int) *Model {
	cfg, err := Preset(name, classes)
	if err != nil {
		return &Model{err: err}
	}
	return build(cfg)
}
