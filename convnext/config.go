package convnext

import (
	"errors"
	"fmt"
	"slices"

	"github.com/winnow-go/winnow/nn"
)

// ErrConfig is wrapped by errors about a configuration that cannot be built.
var ErrConfig = errors.New("invalid configuration")

// Init names how a model's weights start.
type Init string

// Initialisations.
const (
	// Published is the paper's: normal with standard deviation 0.02, layer
	// scale 1e-6. It suits long trainings.
	Published Init = ""
	// FanIn draws with standard deviation 1/√fan-in, truncated at two, the
	// head with 0.02, and starts layer scale at 1: for short trainings on
	// small images, where the published one is many points behind.
	FanIn Init = "fan_in"
)

// Overlap names a stem whose windows overlap: two 3x3 convolutions of stride 2
// in place of patches.
type Overlap string

// Overlaps.
const (
	Patches       Overlap = ""       // one convolution whose windows do not overlap
	OverlapPlain  Overlap = "plain"  // both with the first stage's channels
	OverlapTiered Overlap = "tiered" // the first with about half of them
	OverlapAct    Overlap = "act"    // plain, with the activation between them
)

// Block names what a block has beside its convolution, norm and MLP.
type Block string

// Blocks.
const (
	V1     Block = ""      // layer scale gamma
	V2     Block = "v2"    // global response norm inside the MLP, no gamma
	V2Both Block = "v2_ls" // global response norm and gamma
	Plain  Block = "plain" // neither
)

func (b Block) gamma() bool { return b == V1 || b == V2Both }
func (b Block) grn() bool   { return b == V2 || b == V2Both }

// Norm names the norm that a model uses throughout.
type Norm string

// Norms.
const (
	Layer  Norm = ""       // LayerNorm, with weight and bias
	RMS    Norm = "rms"    // RMSNorm, weight only
	Simple Norm = "simple" // SimpleNorm, weight only
)

// Head names what comes after the last stage.
type Head string

// Heads.
const (
	PoolFirst Head = ""           // pooling, norm, linear layer
	NormFirst Head = "norm_first" // norm of every pixel, pooling, linear layer
)

// Config describes a ConvNeXt. It is plain data that a model file carries as
// JSON; zero fields have the published V1 meaning.
type Config struct {
	Depths  []int `json:"depths"`       // blocks per stage
	Dims    []int `json:"dims"`         // channels per stage
	Classes int   `json:"classes"`      // logits
	In      int   `json:"in,omitempty"` // channels of an image; 0 means 3

	// Stem is the stride of the stem: 0 or 4 for the published 4x4 patches,
	// another number for patches of that size, 1 for a 3x3 convolution that
	// keeps the size. The small ones are for images of about 32 pixels.
	Stem int `json:"stem,omitempty"`
	// StemKernel is the size of the stem's windows; 0 means as large as their
	// stride, 3 for stride 1.
	StemKernel int     `json:"stem_kernel,omitempty"`
	Overlap    Overlap `json:"overlap,omitempty"` // with Stem 4 only
	// Strides are how much smaller an image gets on its way into each stage, 1
	// or 2; nil means 1 for the first and 2 for the others. A 2 for the first
	// puts a norm and a convolution between it and the stem.
	Strides []int `json:"strides,omitempty"`
	// Dilations are the distances between the taps of each stage's convolutions:
	// 1, or a power of two in a stage whose stride is 1 so that the image stays
	// large (timm's output_stride); nil means 1 in all.
	Dilations []int `json:"dilations,omitempty"`

	Block   Block  `json:"block,omitempty"`
	Kernel  int    `json:"kernel,omitempty"`   // of the depthwise convolutions, odd; 0 means 7
	Kernels []int  `json:"kernels,omitempty"`  // the same stage by stage; nil means Kernel in all
	ConvMLP bool   `json:"conv_mlp,omitempty"` // linear weights are [O,I,1,1] in files, as timm's smaller models have them
	NoBias  bool   `json:"no_bias,omitempty"`  // the convolutions, MLPs apart, have no bias
	Act     string `json:"act,omitempty"`      // of the MLPs, see nn.ParseActivation; "" means "gelu"

	Norm    Norm    `json:"norm,omitempty"`
	Epsilon float64 `json:"eps,omitempty"` // of the norms; 0 means 1e-6
	// HeadEpsilon is Epsilon for the last norm; 0 means the same. Hugging Face's
	// models have 1e-12 there.
	HeadEpsilon float64 `json:"head_eps,omitempty"`

	Head       Head `json:"head,omitempty"`
	HeadHidden int  `json:"head_hidden,omitempty"` // channels of a hidden layer with GELU before the last; 0 means no such layer; not with NormFirst

	// LayerScale is the initial value of gamma; 0 means 1e-6, or 1 with FanIn.
	LayerScale float64 `json:"layer_scale,omitempty"`
	// DropPath is the last block's probability to be skipped in training, rising
	// linearly from 0 at the first block (arXiv:1603.09382). What is skipped is
	// not computed.
	DropPath float64 `json:"drop_path,omitempty"`
	Init     Init    `json:"init,omitempty"`
}

func (c Config) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("convnext: "+format+": %w", append(args, ErrConfig)...)
	}
	if len(c.Depths) == 0 || len(c.Depths) != len(c.Dims) || len(c.Depths) > 16 {
		return fail("depths %v and dims %v: want one of each per stage, for 1 to 16 stages", c.Depths, c.Dims)
	}
	for i, d := range c.Depths {
		if d < 0 || d > 1000 || c.Dims[i] < 1 || c.Dims[i] > 1<<16 {
			return fail("depths %v, dims %v", c.Depths, c.Dims)
		}
	}
	for _, k := range append(slices.Clone(c.Kernels), c.Kernel) {
		if k < 0 || k > 99 || k != 0 && k%2 == 0 {
			return fail("kernel %d, want an odd number", k)
		}
	}
	for _, s := range c.Strides {
		if s != 1 && s != 2 {
			return fail("strides %v, want 1 or 2", c.Strides)
		}
	}
	for i, d := range c.Dilations {
		if d < 1 || d > 64 || d&(d-1) != 0 {
			return fail("dilations %v, want powers of two up to 64", c.Dilations)
		}
		if strides := c.withDefaults().Strides; d > 1 && (i >= len(strides) || strides[i] != 1) {
			return fail("dilation %d in a stage that makes the image smaller", d)
		}
	}
	if _, err := nn.ParseActivation(c.Act); c.Act != "" && err != nil {
		return fail("activation %q", c.Act)
	}
	switch {
	case c.Kernels != nil && len(c.Kernels) != len(c.Depths):
		return fail("kernels %v for %d stages", c.Kernels, len(c.Depths))
	case c.Strides != nil && len(c.Strides) != len(c.Depths):
		return fail("strides %v for %d stages", c.Strides, len(c.Depths))
	case c.Dilations != nil && len(c.Dilations) != len(c.Depths):
		return fail("dilations %v for %d stages", c.Dilations, len(c.Depths))
	case c.Classes < 1 || c.Classes > 1<<24:
		return fail("%d classes", c.Classes)
	case c.In < 0 || c.In > 1<<12:
		return fail("images of %d channels", c.In)
	case c.Stem < 0 || c.Stem > 64:
		return fail("stem of stride %d, want 1 to 64", c.Stem)
	case c.StemKernel < 0 || c.StemKernel > 64 || c.StemKernel != 0 && c.Overlap != Patches:
		return fail("stem of %d taps, overlap %q", c.StemKernel, c.Overlap)
	case c.StemKernel != 0 && c.StemKernel < c.withDefaults().Stem:
		return fail("stem of %d taps that leave pixels out at stride %d", c.StemKernel, c.Stem)
	case !slices.Contains([]Overlap{Patches, OverlapPlain, OverlapTiered, OverlapAct}, c.Overlap):
		return fail("overlap %q", c.Overlap)
	case c.Overlap != Patches && c.Stem != 0 && c.Stem != 4:
		return fail("overlap %q with a stem of stride %d, want 4", c.Overlap, c.Stem)
	case !slices.Contains([]Block{V1, V2, V2Both, Plain}, c.Block):
		return fail("block %q", c.Block)
	case !slices.Contains([]Norm{Layer, RMS, Simple}, c.Norm):
		return fail("norm %q", c.Norm)
	case c.Head != PoolFirst && c.Head != NormFirst:
		return fail("head %q", c.Head)
	case c.HeadHidden < 0 || c.HeadHidden > 1<<16:
		return fail("hidden layer of %d channels in the head", c.HeadHidden)
	case c.HeadHidden > 0 && c.Head == NormFirst:
		return fail("a hidden layer in a head that norms first")
	case !(c.DropPath >= 0 && c.DropPath < 1):
		return fail("drop path %v, want [0,1)", c.DropPath)
	case !(c.Epsilon >= 0 && c.Epsilon < 1 && c.HeadEpsilon >= 0 && c.HeadEpsilon < 1):
		return fail("epsilon %v, in the head %v", c.Epsilon, c.HeadEpsilon)
	case c.LayerScale != c.LayerScale:
		return fail("layer scale %v", c.LayerScale)
	case c.Init != Published && c.Init != FanIn:
		return fail("initialisation %q", c.Init)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.In == 0 {
		c.In = 3
	}
	if c.Stem == 0 {
		c.Stem = 4
	}
	if c.StemKernel == 0 {
		c.StemKernel = c.Stem
		if c.Stem == 1 {
			c.StemKernel = 3
		}
	}
	if c.Dilations == nil {
		c.Dilations = slices.Repeat([]int{1}, len(c.Depths))
	}
	if c.Strides == nil {
		c.Strides = make([]int, len(c.Depths))
		for i := range c.Strides {
			c.Strides[i] = min(i+1, 2)
		}
	}
	if c.Kernel == 0 {
		c.Kernel = 7
	}
	if c.Kernels == nil {
		c.Kernels = make([]int, len(c.Depths))
	}
	c.Kernels = slices.Clone(c.Kernels)
	for i, k := range c.Kernels {
		if k == 0 {
			c.Kernels[i] = c.Kernel
		}
	}
	if c.Act == "" {
		c.Act = nn.GELU.String()
	}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-6
	}
	if c.HeadEpsilon == 0 {
		c.HeadEpsilon = c.Epsilon
	}
	if c.LayerScale == 0 {
		c.LayerScale = 1e-6
		if c.Init == FanIn {
			c.LayerScale = 1
		}
	}
	return c
}
