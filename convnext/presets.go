package convnext

import (
	"fmt"
	"slices"
)

// The presets build the published V1 sizes with timm's settings, for a number
// of classes. Parameters are counted for 1000.

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

// XLarge has 350.2 M parameters.
func XLarge(classes int) *Model { return preset("convnext_xlarge", classes) }

// Mini is a model of our own for images of about 32 pixels, of a ResNet-8's
// size (76 k parameters for 10 classes): two stages, 2x2 stem, fan-in
// initialisation.
func Mini(classes int) *Model { return preset("convnext_mini", classes) }

// sizes lists the presets by timm's names, smallest first.
var sizes = []struct {
	name string
	cfg  Config
}{
	{"convnext_mini", Config{Depths: []int{3, 1}, Dims: []int{32, 64}, Stem: 2, Init: FanIn}},
	{"convnext_atto", Config{Depths: []int{2, 2, 6, 2}, Dims: []int{40, 80, 160, 320}, ConvMLP: true}},
	{"convnext_femto", Config{Depths: []int{2, 2, 6, 2}, Dims: []int{48, 96, 192, 384}, ConvMLP: true}},
	{"convnext_pico", Config{Depths: []int{2, 2, 6, 2}, Dims: []int{64, 128, 256, 512}, ConvMLP: true}},
	{"convnext_nano", Config{Depths: []int{2, 2, 8, 2}, Dims: []int{80, 160, 320, 640}, ConvMLP: true}},
	{"convnext_tiny", Config{Depths: []int{3, 3, 9, 3}, Dims: []int{96, 192, 384, 768}}},
	{"convnext_small", Config{Depths: []int{3, 3, 27, 3}, Dims: []int{96, 192, 384, 768}}},
	{"convnext_base", Config{Depths: []int{3, 3, 27, 3}, Dims: []int{128, 256, 512, 1024}}},
	{"convnext_large", Config{Depths: []int{3, 3, 27, 3}, Dims: []int{192, 384, 768, 1536}}},
	{"convnext_xlarge", Config{Depths: []int{3, 3, 27, 3}, Dims: []int{256, 512, 1024, 2048}}},
}

// Presets lists the names that Preset knows, smallest first.
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
			cfg.Depths, cfg.Dims = slices.Clone(cfg.Depths), slices.Clone(cfg.Dims)
			cfg.Classes = classes
			return cfg, nil
		}
	}
	return Config{}, fmt.Errorf("convnext: no preset %q: %w", name, ErrConfig)
}

func preset(name string, classes int) *Model {
	cfg, err := Preset(name, classes)
	if err != nil {
		return &Model{err: err}
	}
	return build(cfg)
}
