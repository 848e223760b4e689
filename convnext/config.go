package convnext

import (
	"errors"
	"fmt"
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

// Config describes a ConvNeXt V1. It is plain data that a model file carries
// as JSON; zero fields have the published meaning.
type Config struct {
	Depths  []int `json:"depths"`  // blocks per stage
	Dims    []int `json:"dims"`    // channels per stage
	Classes int   `json:"classes"` // logits

	// Stem is the stride of the stem: 0 or 4 for the published 4x4 patches, 2
	// for 2x2 patches, 1 for a 3x3 convolution that keeps the size. The small
	// ones are for images of about 32 pixels.
	Stem    int     `json:"stem,omitempty"`
	Kernel  int     `json:"kernel,omitempty"`   // of the depthwise convolutions, odd; 0 means 7
	ConvMLP bool    `json:"conv_mlp,omitempty"` // linear weights are [O,I,1,1] in files, as timm's smaller models have them
	Epsilon float64 `json:"eps,omitempty"`      // of the norms; 0 means 1e-6

	// LayerScale is the initial value of gamma; 0 means 1e-6, or 1 with FanIn.
	LayerScale float64 `json:"layer_scale,omitempty"`
	// DropPath is the last block's probability to be skipped in training,
	// rising linearly from 0 at the first block (arXiv:1603.09382).
	DropPath float64 `json:"drop_path,omitempty"`
	Init     Init    `json:"init,omitempty"`
}

func (c Config) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("convnext: "+format+": %w", append(args, ErrConfig)...)
	}
	if len(c.Depths) == 0 || len(c.Depths) != len(c.Dims) {
		return fail("depths %v and dims %v: want one of each per stage", c.Depths, c.Dims)
	}
	for i, d := range c.Depths {
		if d < 0 || d > 1000 || c.Dims[i] < 1 || c.Dims[i] > 1<<16 {
			return fail("depths %v, dims %v", c.Depths, c.Dims)
		}
	}
	switch {
	case c.Classes < 1 || c.Classes > 1<<24:
		return fail("%d classes", c.Classes)
	case c.Stem != 0 && c.Stem != 1 && c.Stem != 2 && c.Stem != 4:
		return fail("stem of stride %d, want 1, 2 or 4", c.Stem)
	case c.Kernel < 0 || c.Kernel > 99 || c.Kernel != 0 && c.Kernel%2 == 0:
		return fail("kernel %d, want an odd number", c.Kernel)
	case !(c.DropPath >= 0 && c.DropPath < 1):
		return fail("drop path %v, want [0,1)", c.DropPath)
	case !(c.Epsilon >= 0 && c.Epsilon < 1):
		return fail("epsilon %v", c.Epsilon)
	case c.LayerScale != c.LayerScale:
		return fail("layer scale %v", c.LayerScale)
	case c.Init != Published && c.Init != FanIn:
		return fail("initialisation %q", c.Init)
	}
	return nil
}

func (c Config) withDefaults() Config {
	if c.Stem == 0 {
		c.Stem = 4
	}
	if c.Kernel == 0 {
		c.Kernel = 7
	}
	if c.Epsilon == 0 {
		c.Epsilon = 1e-6
	}
	if c.LayerScale == 0 {
		c.LayerScale = 1e-6
		if c.Init == FanIn {
			c.LayerScale = 1
		}
	}
	return c
}
