package resnet

import (
	"fmt"
	"slices"
)

// The functions build the most used models for a number of classes; Preset knows
// the others. Parameters of the ImageNet family are counted for 1000, of the
// CIFAR family for 10.

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

// The depths that variants share.
var (
	depth10  = Config{Block: Basic, Layers: []int{1, 1, 1, 1}}
	depth14  = Config{Block: Bottleneck, Layers: []int{1, 1, 1, 1}}
	depth18  = Config{Block: Basic, Layers: []int{2, 2, 2, 2}}
	depth26  = Config{Block: Bottleneck, Layers: []int{2, 2, 2, 2}}
	depth34  = Config{Block: Basic, Layers: []int{3, 4, 6, 3}}
	depth50  = Config{Block: Bottleneck, Layers: []int{3, 4, 6, 3}}
	depth101 = Config{Block: Bottleneck, Layers: []int{3, 4, 23, 3}}
	depth152 = Config{Block: Bottleneck, Layers: []int{3, 8, 36, 3}}
	depth200 = Config{Block: Bottleneck, Layers: []int{3, 24, 36, 3}}
	depth269 = Config{Block: Bottleneck, Layers: []int{3, 30, 48, 8}}
)

// The letters that timm, like GluonCV before it, ends names with.

func (c Config) c() Config { c.Stem, c.StemWidth = Deep, 32; return c }
func (c Config) s() Config { c.Stem, c.StemWidth = Deep, 64; return c }
func (c Config) d() Config { c = c.c(); c.Shortcut = Average; return c }
func (c Config) t() Config { c = c.d(); c.Stem = Tiered; return c }

// Other variations.

func (c Config) wide() Config { c.GroupWidth = 128; return c }
func (c Config) grouped(groups, groupWidth int) Config {
	c.Groups, c.GroupWidth = groups, groupWidth
	return c
}
func (c Config) se() Config   { c.Attention = SqueezeExcite; return c }
func (c Config) eca() Config  { c.Attention = ChannelFilter; return c }
func (c Config) blur() Config { c.AntiAlias = BlurPool; return c }
func (c Config) aa() Config   { c.AntiAlias = AveragePool; return c }

// rs is ResNet-RS (Bello et al. 2021, arXiv:2103.07579).
func rs(layers ...int) Config {
	c := Config{Block: Bottleneck, Layers: layers}.d().se()
	c.Pool, c.AttentionRatio = ConvPool, 0.25
	return c
}

// cifar is the family of section 4.2 of the paper: n basic blocks in each of
// three stages, depth 6n+2.
func cifar(n int, s Shortcut) Config {
	return Config{Block: Basic, Layers: []int{n, n, n}, Widths: []int{16, 32, 64}, Stem: Small1, Shortcut: s, Init: FanIn}
}

// sizes lists the presets, each family smallest first. The names of the
// ImageNet family are timm's.
var sizes = []struct {
	name string
	cfg  Config
}{
	{"resnet8_cifar", cifar(1, Padding)},
	{"resnet20_cifar", cifar(3, Padding)},
	{"resnet32_cifar", cifar(5, Padding)},
	{"resnet44_cifar", cifar(7, Padding)},
	{"resnet56_cifar", cifar(9, Padding)},
	{"resnet110_cifar", cifar(18, Padding)},
	{"resnet1202_cifar", cifar(200, Padding)},
	{"resnet8b_cifar", cifar(1, Projection)},
	{"resnet20b_cifar", cifar(3, Projection)},
	{"resnet32b_cifar", cifar(5, Projection)},
	{"resnet44b_cifar", cifar(7, Projection)},
	{"resnet56b_cifar", cifar(9, Projection)},
	{"resnet110b_cifar", cifar(18, Projection)},
	{"resnet1202b_cifar", cifar(200, Projection)},

	{"resnet10t", depth10.t()},
	{"resnet14t", depth14.t()},
	{"resnet18", depth18},
	{"resnet18d", depth18.d()},
	{"resnet26", depth26},
	{"resnet26d", depth26.d()},
	{"resnet26t", depth26.t()},
	{"resnet34", depth34},
	{"resnet34d", depth34.d()},
	{"resnet50", depth50},
	{"resnet50c", depth50.c()},
	{"resnet50d", depth50.d()},
	{"resnet50s", depth50.s()},
	{"resnet50t", depth50.t()},
	{"resnet50_gn", Config{Block: Bottleneck, Layers: depth50.Layers, Norm: Group}},
	{"resnet101", depth101},
	{"resnet101c", depth101.c()},
	{"resnet101d", depth101.d()},
	{"resnet101s", depth101.s()},
	{"resnet152", depth152},
	{"resnet152c", depth152.c()},
	{"resnet152d", depth152.d()},
	{"resnet152s", depth152.s()},
	{"resnet200", depth200},
	{"resnet200d", depth200.d()},

	{"wide_resnet50_2", depth50.wide()},
	{"wide_resnet101_2", depth101.wide()},

	{"resnext50_32x4d", depth50.grouped(32, 4)},
	{"resnext50d_32x4d", depth50.d().grouped(32, 4)},
	{"resnext101_32x4d", depth101.grouped(32, 4)},
	{"resnext101_32x8d", depth101.grouped(32, 8)},
	{"resnext101_32x16d", depth101.grouped(32, 16)},
	{"resnext101_32x32d", depth101.grouped(32, 32)},
	{"resnext101_64x4d", depth101.grouped(64, 4)},

	{"seresnet18", depth18.se()},
	{"seresnet34", depth34.se()},
	{"seresnet50", depth50.se()},
	{"seresnet50t", depth50.t().se()},
	{"seresnet101", depth101.se()},
	{"seresnet152", depth152.se()},
	{"seresnet152d", depth152.d().se()},
	{"seresnet200d", depth200.d().se()},
	{"seresnet269d", depth269.d().se()},
	{"seresnext26d_32x4d", depth26.d().grouped(32, 4).se()},
	{"seresnext26t_32x4d", depth26.t().grouped(32, 4).se()},
	{"seresnext50_32x4d", depth50.grouped(32, 4).se()},
	{"seresnext101_32x4d", depth101.grouped(32, 4).se()},
	{"seresnext101_32x8d", depth101.grouped(32, 8).se()},
	{"seresnext101d_32x8d", depth101.d().grouped(32, 8).se()},
	{"seresnext101_64x4d", depth101.grouped(64, 4).se()},
	{"senet154", Config{Block: Bottleneck, Layers: depth152.Layers, Stem: Deep, StemWidth: 64, Shortcut: Wide,
		Groups: 64, GroupWidth: 4, ReduceFirst: 2, Attention: SqueezeExcite}},

	{"ecaresnet26t", depth26.t().eca()},
	{"ecaresnetlight", Config{Block: Bottleneck, Layers: []int{1, 1, 11, 3}, Shortcut: Average, Attention: ChannelFilter}},
	{"ecaresnet50d", depth50.d().eca()},
	{"ecaresnet50t", depth50.t().eca()},
	{"ecaresnet101d", depth101.d().eca()},
	{"ecaresnet200d", depth200.d().eca()},
	{"ecaresnet269d", depth269.d().eca()},
	{"ecaresnext26t_32x4d", depth26.t().grouped(32, 4).eca()},
	{"ecaresnext50t_32x4d", depth26.t().grouped(32, 4).eca()}, // 26 layers in timm as well

	{"resnetblur18", depth18.blur()},
	{"resnetblur50", depth50.blur()},
	{"resnetblur50d", depth50.d().blur()},
	{"resnetblur101d", depth101.d().blur()},
	{"resnetaa34d", depth34.d().aa()},
	{"resnetaa50", depth50.aa()},
	{"resnetaa50d", depth50.d().aa()},
	{"resnetaa101d", depth101.d().aa()},
	{"seresnetaa50d", depth50.d().se().aa()},
	{"seresnextaa101d_32x8d", depth101.d().grouped(32, 8).se().aa()},
	{"seresnextaa201d_32x8d", Config{Block: Bottleneck, Layers: []int{3, 24, 36, 4}, Stem: Deep, StemWidth: 64, Shortcut: Average,
		Groups: 32, GroupWidth: 8, Attention: SqueezeExcite, AntiAlias: AveragePool}},

	{"resnetrs50", rs(3, 4, 6, 3)},
	{"resnetrs101", rs(3, 4, 23, 3)},
	{"resnetrs152", rs(3, 8, 36, 3)},
	{"resnetrs200", rs(3, 24, 36, 3)},
	{"resnetrs270", rs(4, 29, 53, 4)},
	{"resnetrs350", rs(4, 36, 72, 4)},
	{"resnetrs420", rs(4, 44, 87, 4)},

	{"test_resnet", Config{Blocks: []Block{Basic, Basic, Bottleneck, Basic}, Layers: []int{1, 1, 1, 1}, Widths: []int{32, 48, 48, 96},
		Stem: Deep, StemWidth: 16, Shortcut: Average}},
}

// Presets lists the names that Preset knows, each family smallest first: timm's
// ResNets but for the two pruned ones, whose widths are irregular, and the CIFAR
// family, whose shortcuts are option A of the paper, or B where the depth is
// followed by b.
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
			cfg.Blocks, cfg.Layers, cfg.Widths = slices.Clone(cfg.Blocks), slices.Clone(cfg.Layers), slices.Clone(cfg.Widths)
			cfg.Classes = classes
			return cfg, nil
		}
	}
	return Config{}, fmt.Errorf("resnet: no model is called %q: %w", name, ErrConfig)
}

func preset(name string, classes int) *Model {
	cfg, err := Preset(name, classes)
	if err != nil {
		return &Model{err: err}
	}
	return build(cfg)
}
