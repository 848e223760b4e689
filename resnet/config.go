package resnet

import (
	"errors"
	"fmt"
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

// Stem names what comes before the first stage.
type Stem string

// Stems.
const (
	// Published is a 7x7 convolution of stride 2 and a 3x3 max pooling of
	// stride 2.
	Published Stem = ""
	// Small1 is a 3x3 convolution that keeps the size, for images of about 32
	// pixels; the CIFAR family's.
	Small1 Stem = "3x3s1"
	// Small2 is a 3x3 convolution of stride 2, for images of about 64 pixels.
	Small2 Stem = "3x3s2"
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
)

// Init names how a model's weights start.
type Init string

// Initialisations.
const (
	// FanOut is torchvision's and timm's: He et al.'s normal by fan-out, the
	// last norm of each block at 0, PyTorch's default for the head.
	FanOut Init = ""
	// FanIn is the CIFAR family's: by fan-in, head included, norms at 1.
	FanIn Init = "fan_in"
)

// Config describes a ResNet. It is plain data that a model file carries as
// JSON; zero fields have the published meaning.
type Config struct {
	Block    Block    `json:"block,omitempty"`    // "" means Basic
	Layers   []int    `json:"layers"`             // blocks per stage
	Widths   []int    `json:"widths,omitempty"`   // channels per stage (of a bottleneck's inner part); nil means 64, 128, 256...
	StemOut  int      `json:"stem_out,omitempty"` // channels after the stem; 0 means as the first stage
	Classes  int      `json:"classes"`            // logits
	Stem     Stem     `json:"stem,omitempty"`     //
	Shortcut Shortcut `json:"shortcut,omitempty"` //
	Init     Init     `json:"init,omitempty"`     //

	// Groups and GroupWidth make the 3x3 convolution of a bottleneck grouped
	// and wider (ResNeXt and Wide ResNet): it has Groups * (GroupWidth/64 * its
	// stage's width) channels. 0 means 1 and 64.
	Groups     int `json:"groups,omitempty"`
	GroupWidth int `json:"group_width,omitempty"`

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
	switch {
	case c.Block != "" && c.Block != Basic && c.Block != Bottleneck:
		return fail("block %q", c.Block)
	case c.Widths != nil && len(c.Widths) != len(c.Layers):
		return fail("widths %v for layers %v: want one of each per stage", c.Widths, c.Layers)
	case c.StemOut < 0 || c.StemOut > 1<<16:
		return fail("stem of %d channels", c.StemOut)
	case c.Classes < 1 || c.Classes > 1<<24:
		return fail("%d classes", c.Classes)
	case c.Stem != Published && c.Stem != Small1 && c.Stem != Small2:
		return fail("stem %q", c.Stem)
	case c.Shortcut != Projection && c.Shortcut != Padding:
		return fail("shortcut %q", c.Shortcut)
	case c.Init != FanOut && c.Init != FanIn:
		return fail("initialisation %q", c.Init)
	case c.Groups < 0 || c.GroupWidth < 0 || c.Groups > 1<<12 || c.GroupWidth > 1<<12:
		return fail("%d groups of width %d", c.Groups, c.GroupWidth)
	case (c.Groups > 1 || c.GroupWidth != 0 && c.GroupWidth != 64) && c.Block != Bottleneck:
		return fail("groups and group width need bottleneck blocks")
	case !(c.DropPath >= 0 && c.DropPath < 1):
		return fail("drop path %v, want [0,1)", c.DropPath)
	case !(c.Epsilon >= 0 && c.Epsilon < 1):
		return fail("epsilon %v", c.Epsilon)
	}
	d := c.withDefaults()
	for _, w := range d.Widths {
		if w < 1 || w > 1<<16 {
			return fail("widths %v", d.Widths)
		}
		if n := d.inner(w); n < 1 || n%d.Groups != 0 {
			return fail("%d groups do not divide %d channels", d.Groups, n)
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Block == "" {
		c.Block = Basic
	}
	if c.Widths == nil {
		for i := range c.Layers {
			c.Widths = append(c.Widths, 64<<i)
		}
	}
	if c.StemOut == 0 {
		c.StemOut = c.Widths[0]
	}
	if c.Groups == 0 {
		c.Groups = 1
	}
	if c.GroupWidth == 0 {
		c.GroupWidth = 64
	}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-5
	}
	return c
}

// inner is the number of channels inside a block of a stage.
func (c Config) inner(width int) int {
	if c.Block == Basic {
		return width
	}
	return width * c.GroupWidth / 64 * c.Groups
}

// outer is the number of channels that a block of a stage returns.
func (c Config) outer(width int) int {
	if c.Block == Basic {
		return width
	}
	return 4 * width
}
