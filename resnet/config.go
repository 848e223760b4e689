package resnet

import (
	"errors"
	"fmt"
	"slices"

	"github.com/winnow-go/winnow/nn"
)

// ErrConfig is wrapped by errors about a configuration that cannot be built.
var ErrConfig = errors.New("invalid configuration")

// Block names a residual block.
type Block string

// Blocks.
const (
	// Basic is two 3x3 convolutions.
	Basic Block = "basic"
	// Bottleneck is 1x1, 3x3 (with the stride), 1x1 to four times the
	// channels.
	Bottleneck Block = "bottleneck"
)

func (b Block) expansion() int {
	if b == Bottleneck {
		return 4
	}
	return 1
}

// Stem names what comes before the first stage.
type Stem string

// Stems. All but the small ones are followed by a pooling of stride 2.
const (
	// Published is a 7x7 convolution of stride 2.
	Published Stem = ""
	// Deep is three 3x3 convolutions, the first of stride 2, of StemWidth,
	// StemWidth and twice that many channels (He, T. et al. 2019,
	// arXiv:1812.01187).
	Deep Stem = "deep"
	// Tiered is Deep with three quarters of StemWidth in the first.
	Tiered Stem = "deep_tiered"
	// Small1 is a 3x3 convolution that keeps the size, for images of about 32
	// pixels; the CIFAR family's.
	Small1 Stem = "3x3s1"
	// Small2 is a 3x3 convolution of stride 2, for images of about 64 pixels.
	Small2 Stem = "3x3s2"
)

func (s Stem) deep() bool   { return s == Deep || s == Tiered }
func (s Stem) pooled() bool { return s != Small1 && s != Small2 }

// Pool names the pooling after the stem.
type Pool string

// Pools.
const (
	MaxPool  Pool = ""     // 3x3 of stride 2
	ConvPool Pool = "conv" // a 3x3 convolution of stride 2 with norm and activation, ResNet-RS's (arXiv:2103.07579)
)

// Shortcut names how a shortcut changes its shape.
type Shortcut string

// Shortcuts.
const (
	// Projection is a 1x1 convolution with a norm (option B of the paper).
	Projection Shortcut = ""
	// Padding takes every other pixel and adds zero channels on both sides
	// (option A); it has no parameters.
	Padding Shortcut = "padding"
	// Average is a 2x2 average pooling, whatever is left over included, and a
	// 1x1 convolution with a norm (arXiv:1812.01187).
	Average Shortcut = "average"
	// Wide is Projection with 3x3 taps where the stride is 2, SENet-154's.
	Wide Shortcut = "3x3"
)

// Norm names the norm that follows each convolution.
type Norm string

// Norms.
const (
	Batch Norm = ""      // batch norm
	Group Norm = "group" // group norm of 32 groups; channels are multiples of that
)

// Attention names what weighs the channels at the end of each block.
type Attention string

// Attentions.
const (
	NoAttention   Attention = ""
	SqueezeExcite Attention = "se"  // arXiv:1709.01507; the hidden layer has AttentionRatio of the channels
	ChannelFilter Attention = "eca" // arXiv:1910.03151
)

// AntiAlias names what reduces the size in place of strides and of the maximum
// after the stem.
type AntiAlias string

// Kinds of anti-aliasing.
const (
	NoAntiAlias AntiAlias = ""
	BlurPool    AntiAlias = "blur"    // a binomial filter (Zhang 2019, arXiv:1904.11486); the maximum stays, with stride 1
	AveragePool AntiAlias = "average" // 2x2 averages, also instead of the maximum
)

// Init names how a model's weights start.
type Init string

// Initialisations.
const (
	// FanOut is timm's: He et al.'s normal by fan-out, the last norm of each
	// block at 0, PyTorch's default for the head.
	FanOut Init = ""
	// FanOutOnes is torchvision's: the same with all norms at 1.
	FanOutOnes Init = "fan_out_ones"
	// FanIn is the CIFAR family's: by fan-in, head included, norms at 1.
	FanIn Init = "fan_in"
)

// Config describes a ResNet. It is plain data that a model file carries as
// JSON; zero fields have the published meaning.
type Config struct {
	Block  Block   `json:"block,omitempty"`  // "" means Basic
	Blocks []Block `json:"blocks,omitempty"` // the same stage by stage; nil means Block in all
	Layers []int   `json:"layers"`           // blocks per stage
	Widths []int   `json:"widths,omitempty"` // channels per stage (of a bottleneck's inner part); nil means 64, 128, 256...
	// Strides are how much smaller an image gets in each stage, 1 or 2; nil means
	// 1 for the first and 2 for the others. Dilations are the distances between
	// the taps of its 3x3 convolutions, powers of two; nil means 1. A stage of
	// stride 1 and twice the dilation of the one before it keeps the image large
	// with the weights of one of stride 2 (timm's output_stride).
	Strides   []int `json:"strides,omitempty"`
	Dilations []int `json:"dilations,omitempty"`

	Classes  int      `json:"classes"`            // logits
	In       int      `json:"in,omitempty"`       // channels of an image; 0 means 3
	Shortcut Shortcut `json:"shortcut,omitempty"` //
	Init     Init     `json:"init,omitempty"`     //

	Stem      Stem `json:"stem,omitempty"`       //
	StemWidth int  `json:"stem_width,omitempty"` // of a deep stem; 0 means 32
	StemOut   int  `json:"stem_out,omitempty"`   // channels after another stem; 0 means as the first stage
	Pool      Pool `json:"pool,omitempty"`       //

	Norm           Norm      `json:"norm,omitempty"`            //
	Act            string    `json:"act,omitempty"`             // see nn.ParseActivation; "" means "relu"
	Attention      Attention `json:"attention,omitempty"`       //
	AttentionRatio float64   `json:"attention_ratio,omitempty"` // of squeeze and excitation; 0 means 1/16
	AntiAlias      AntiAlias `json:"anti_alias,omitempty"`      //

	// Groups and GroupWidth make the 3x3 convolution of a bottleneck grouped
	// and wider (ResNeXt and Wide ResNet): it has Groups * (GroupWidth/64 * its
	// stage's width) channels. 0 means 1 and 64.
	Groups     int `json:"groups,omitempty"`
	GroupWidth int `json:"group_width,omitempty"`
	// ReduceFirst divides the channels after each block's first convolution; 0
	// means 1.
	ReduceFirst int `json:"reduce_first,omitempty"`

	Epsilon float64 `json:"eps,omitempty"` // of the norms; 0 means 1e-5
	// DropPath is the last block's probability to be skipped in training,
	// rising linearly from 0 at the first block (arXiv:1603.09382).
	DropPath float64 `json:"drop_path,omitempty"`
}

func (c Config) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("resnet: "+format+": %w", append(args, ErrConfig)...)
	}
	if len(c.Layers) == 0 || len(c.Layers) > 8 {
		return fail("layers %v: want 1 to 8 stages", c.Layers)
	}
	for _, n := range c.Layers {
		if n < 1 || n > 1000 {
			return fail("layers %v", c.Layers)
		}
	}
	for _, b := range c.Blocks {
		if b != Basic && b != Bottleneck {
			return fail("block %q", b)
		}
	}
	if _, err := nn.ParseActivation(c.Act); c.Act != "" && err != nil {
		return fail("activation %q", c.Act)
	}
	for _, s := range c.Strides {
		if s != 1 && s != 2 {
			return fail("strides %v, want 1 or 2", c.Strides)
		}
	}
	for _, d := range c.Dilations {
		if d < 1 || d > 64 || d&(d-1) != 0 {
			return fail("dilations %v, want powers of two up to 64", c.Dilations)
		}
	}
	switch {
	case c.Strides != nil && len(c.Strides) != len(c.Layers):
		return fail("strides %v for %d stages", c.Strides, len(c.Layers))
	case c.Dilations != nil && len(c.Dilations) != len(c.Layers):
		return fail("dilations %v for %d stages", c.Dilations, len(c.Layers))
	case c.Block != "" && c.Block != Basic && c.Block != Bottleneck:
		return fail("block %q", c.Block)
	case c.Blocks != nil && len(c.Blocks) != len(c.Layers):
		return fail("blocks %v for layers %v: want one of each per stage", c.Blocks, c.Layers)
	case c.Widths != nil && len(c.Widths) != len(c.Layers):
		return fail("widths %v for layers %v: want one of each per stage", c.Widths, c.Layers)
	case c.In < 0 || c.In > 1<<12:
		return fail("images of %d channels", c.In)
	case !slices.Contains([]Stem{Published, Deep, Tiered, Small1, Small2}, c.Stem):
		return fail("stem %q", c.Stem)
	case c.StemOut < 0 || c.StemOut > 1<<16:
		return fail("stem of %d channels", c.StemOut)
	case c.StemWidth < 0 || c.StemWidth > 1<<15:
		return fail("stem of width %d", c.StemWidth)
	case c.Stem.deep() && c.StemOut != 0:
		return fail("%d channels after a %s stem, which has twice its width", c.StemOut, c.Stem)
	case !c.Stem.deep() && c.StemWidth != 0:
		return fail("width %d of a stem that is not deep", c.StemWidth)
	case c.Stem == Tiered && c.StemWidth > 0 && c.StemWidth < 4:
		return fail("%s stem of width %d", c.Stem, c.StemWidth)
	case c.Pool != MaxPool && c.Pool != ConvPool:
		return fail("pool %q", c.Pool)
	case c.Pool != MaxPool && !c.Stem.pooled():
		return fail("pool %q after stem %q, which has none", c.Pool, c.Stem)
	case c.Classes < 1 || c.Classes > 1<<24:
		return fail("%d classes", c.Classes)
	case !slices.Contains([]Shortcut{Projection, Padding, Average, Wide}, c.Shortcut):
		return fail("shortcut %q", c.Shortcut)
	case c.Norm != Batch && c.Norm != Group:
		return fail("norm %q", c.Norm)
	case !slices.Contains([]Attention{NoAttention, SqueezeExcite, ChannelFilter}, c.Attention):
		return fail("attention %q", c.Attention)
	case !(c.AttentionRatio >= 0 && c.AttentionRatio <= 16):
		return fail("attention ratio %v", c.AttentionRatio)
	case c.AttentionRatio != 0 && c.Attention != SqueezeExcite:
		return fail("attention ratio %v without squeeze and excitation", c.AttentionRatio)
	case !slices.Contains([]AntiAlias{NoAntiAlias, BlurPool, AveragePool}, c.AntiAlias):
		return fail("anti-aliasing %q", c.AntiAlias)
	case !slices.Contains([]Init{FanOut, FanOutOnes, FanIn}, c.Init):
		return fail("initialisation %q", c.Init)
	case c.Groups < 0 || c.GroupWidth < 0 || c.Groups > 1<<12 || c.GroupWidth > 1<<12:
		return fail("%d groups of width %d", c.Groups, c.GroupWidth)
	case c.ReduceFirst < 0 || c.ReduceFirst > 1<<12:
		return fail("first convolutions reduced %d times", c.ReduceFirst)
	case !(c.DropPath >= 0 && c.DropPath < 1):
		return fail("drop path %v, want [0,1)", c.DropPath)
	case !(c.Epsilon >= 0 && c.Epsilon < 1):
		return fail("epsilon %v", c.Epsilon)
	}
	d := c.withDefaults()
	if (d.Groups > 1 || d.GroupWidth != 64) && slices.Contains(d.Blocks, Basic) {
		return fail("groups and group width need bottleneck blocks")
	}
	normed := []int{d.StemOut}
	in := d.StemOut
	for i, w := range d.Widths {
		if w < 1 || w > 1<<16 {
			return fail("widths %v", d.Widths)
		}
		first, inner, outer := d.channels(i)
		switch {
		case first < 1 || inner < 1 || inner > 1<<20:
			return fail("%d and %d channels inside the blocks of stage %d", first, inner, i+1)
		case inner%d.Groups != 0 || first%d.Groups != 0:
			return fail("%d groups do not divide %d and %d channels", d.Groups, first, inner)
		case d.Shortcut == Padding && outer < in:
			return fail("stage %d narrows from %d to %d channels, which zeros cannot pad", i+1, in, outer)
		}
		normed = append(normed, first, inner, outer)
		in = outer
	}
	if d.Stem.deep() {
		normed = append(normed, d.tiers()...)
	}
	for _, n := range normed {
		if d.Norm == Group && n%groups != 0 {
			return fail("group norm of %d channels, want multiples of %d", n, groups)
		}
	}
	return nil
}

// groups is how many a group norm has.
const groups = 32

func (c Config) withDefaults() Config {
	if c.Blocks == nil {
		b := c.Block
		if b == "" {
			b = Basic
		}
		c.Blocks = slices.Repeat([]Block{b}, len(c.Layers))
	}
	if c.Widths == nil {
		for i := range c.Layers {
			c.Widths = append(c.Widths, 64<<i)
		}
	}
	if c.Strides == nil {
		for i := range c.Layers {
			c.Strides = append(c.Strides, min(i+1, 2))
		}
	}
	if c.Dilations == nil {
		c.Dilations = slices.Repeat([]int{1}, len(c.Layers))
	}
	if c.In == 0 {
		c.In = 3
	}
	if c.StemWidth == 0 {
		c.StemWidth = 32
	}
	switch {
	case c.Stem.deep():
		c.StemOut = 2 * c.StemWidth
	case c.StemOut == 0:
		c.StemOut = c.Widths[0]
	}
	if c.Act == "" {
		c.Act = nn.ReLU.String()
	}
	if c.AttentionRatio == 0 {
		c.AttentionRatio = 1.0 / 16
	}
	if c.Groups == 0 {
		c.Groups = 1
	}
	if c.GroupWidth == 0 {
		c.GroupWidth = 64
	}
	if c.ReduceFirst == 0 {
		c.ReduceFirst = 1
	}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-5
	}
	return c
}

// channels are those after the first convolution of stage i's blocks, after
// the 3x3 convolution that has the stride, and at the end. A basic block's
// first convolution is that one.
func (c Config) channels(i int) (first, inner, outer int) {
	w := c.Widths[i]
	if c.Blocks[i] == Basic {
		return w / c.ReduceFirst, w / c.ReduceFirst, w
	}
	inner = w * c.GroupWidth / 64 * c.Groups
	return inner / c.ReduceFirst, inner, 4 * w
}

// tiers are the channels inside a deep stem.
func (c Config) tiers() []int {
	if c.Stem == Tiered {
		return []int{3 * (c.StemWidth / 4), c.StemWidth}
	}
	return []int{c.StemWidth, c.StemWidth}
}

// squeezed is how many channels squeeze and excitation has inside: a multiple
// of 8.
func (c Config) squeezed(channels int) int {
	return max(int(float64(channels)*c.AttentionRatio+4)/8*8, 8)
}
