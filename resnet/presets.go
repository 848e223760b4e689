package resnet

import (
	"fmt"
	"slices"
)

// The presets build the published sizes for a number of classes. Parameters of
// the ImageNet family are counted for 1000, of the CIFAR family for 10.

// ResNet18 has 11.7 M parameters.
func ResNet18(classes int) *Model { return preset("resnet18", classes) }

// ResNet34 has 21.8 M parameters.
func ResNet34(classes int) *Model { return preset("resnet34", classes) }

// ResNet50 has 25.6 M parameters.
func ResNet50(classes int) *Model { return preset("resnet50", classes) }

// ResNet101 has 44.5 M parameters.
func ResNet101(classes int) *Model { return preset("resnet101", classes) }

// ResNet152 has 60.2 M parameters.
func ResNet152(classes int) *Model { return preset("resnet152", classes) }

// CIFAR8 is ResNet-8 for images of about 32 pixels, 75 k parameters.
func CIFAR8(classes int) *Model { return preset("resnet8_cifar", classes) }

// CIFAR20 is ResNet-20, 270 k parameters.
func CIFAR20(classes int) *Model { return preset("resnet20_cifar", classes) }

// CIFAR32 is ResNet-32, 464 k parameters.
func CIFAR32(classes int) *Model { return preset("resnet32_cifar", classes) }

// CIFAR44 is ResNet-44, 659 k parameters.
func CIFAR44(classes int) *Model { return preset("resnet44_cifar", classes) }

// CIFAR56 is ResNet-56, 853 k parameters.
func CIFAR56(classes int) *Model { return preset("resnet56_cifar", classes) }

// CIFAR110 is ResNet-110, 1.7 M parameters.
func CIFAR110(classes int) *Model { return preset("resnet110_cifar", classes) }

// sizes lists the presets, smallest first. The names of the ImageNet family
// are timm's.
var sizes = []struct {
	name string
	cfg  Config
}{
	{"resnet8_cifar", cifar(1)},
	{"resnet20_cifar", cifar(3)},
	{"resnet32_cifar", cifar(5)},
	{"resnet44_cifar", cifar(7)},
	{"resnet56_cifar", cifar(9)},
	{"resnet110_cifar", cifar(18)},
	{"resnet18", Config{Block: Basic, Layers: []int{2, 2, 2, 2}}},
	{"resnet34", Config{Block: Basic, Layers: []int{3, 4, 6, 3}}},
	{"resnet50", Config{Block: Bottleneck, Layers: []int{3, 4, 6, 3}}},
	{"resnet101", Config{Block: Bottleneck, Layers: []int{3, 4, 23, 3}}},
	{"resnet152", Config{Block: Bottleneck, Layers: []int{3, 8, 36, 3}}},
}

// cifar is the family of section 4.2 of the paper: n basic blocks in each of
// three stages, depth 6n+2.
func cifar(n int) Config {
	return Config{Block: Basic, Layers: []int{n, n, n}, Widths: []int{16, 32, 64}, Stem: Small1, Shortcut: Padding, Init: FanIn}
}

// Presets lists the names that Preset knows, each family smallest first.
func Presets() []string {
	names := make([]string, len(sizes))
	for i, s := range sizes {
		names[i] = s.name
	}
	return names
}

// Preset returns a preset's configuration, to be changed and built with New.
// A name that is not a preset is an error that wraps ErrConfig.
func Preset(name string, classes int) (Config, error) {
	for _, s := range sizes {
		if s.name == name {
			cfg := s.cfg
			cfg.Layers, cfg.Widths = slices.Clone(cfg.Layers), slices.Clone(cfg.Widths)
			cfg.Classes = classes
			return cfg, nil
		}
	}
	return Config{}, fmt.Errorf("resnet: no preset %q: %w", name, ErrConfig)
}

func preset(name string, classes int) *Model {
	cfg, err := Preset(name, classes)
	if err != nil {
		return &Model{err: err}
	}
	return build(cfg)
}
