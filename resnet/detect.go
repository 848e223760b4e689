package resnet

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/winnow-go/winnow/weights"
)

var blockName = regexp.MustCompile(`^layer(\d)\.(\d{1,3})\.conv1\.weight$`)

// Detect reads a configuration from the names and shapes in src, whatever its
// dialect is: stem, layers, widths, kinds of block, shortcut, norm and attention,
// groups, classes.
//
// What they do not reveal are anti-aliasing, dilations and the activation, taken
// to be none and ReLU, and whether a single 3x3 convolution in the stem has a stride, taken
// to be none; group norm is taken to have 32 groups. A source without a
// classifier gives 0 classes, for the caller to fill in. A source that is no
// ResNet is an error that wraps ErrConfig.
func Detect(src weights.Source) (Config, error) {
	src, d := Recognize(src)
	fail := func(format string, args ...any) (Config, error) {
		return Config{}, fmt.Errorf("resnet: names taken for %s's: "+format+": %w", append(append([]any{d}, args...), ErrConfig)...)
	}
	shapes := map[string][]int{}
	for _, name := range src.Names() {
		info, err := weights.Describe(src, name)
		if err != nil {
			return Config{}, err
		}
		shapes[name] = info.Shape
	}
	// dim is a length in a parameter's shape, 0 without it.
	dim := func(name string, axis int) int {
		if s := shapes[name]; axis < len(s) {
			return s[axis]
		}
		return 0
	}
	has := func(name string) bool { _, ok := shapes[name]; return ok }

	var c Config
	in := dim("conv1.weight", 1)
	switch k := dim("conv1.weight", 2); {
	case dim("conv1.0.weight", 3) == 3 && has("conv1.3.weight") && has("conv1.6.weight"):
		c.Stem, c.StemWidth = Deep, dim("conv1.3.weight", 0)
		if dim("conv1.0.weight", 0) != c.StemWidth {
			c.Stem = Tiered
		}
		in = dim("conv1.0.weight", 1)
	case k == 7:
		c.StemOut = dim("conv1.weight", 0)
	case k == 3:
		c.Stem, c.StemOut, c.Init = Small1, dim("conv1.weight", 0), FanIn
	default:
		return fail("there is no stem of a ResNet")
	}
	if in != 3 {
		c.In = in
	}
	if len(shapes["maxpool.0.weight"]) == 4 {
		c.Pool = ConvPool
		if has("maxpool.2.weight") {
			c.AntiAlias = AveragePool // something lies between, which only this or BlurPool explains
		}
	}
	if !has("bn1.running_mean") {
		c.Norm = Group
	}

	for name := range shapes {
		m := blockName.FindStringSubmatch(name)
		if m == nil {
			continue
		}
		i, _ := strconv.Atoi(m[1])
		j, _ := strconv.Atoi(m[2])
		if i < 1 || i > 8 {
			return fail("%s of stages 1 to 8", name)
		}
		for len(c.Layers) < i {
			c.Layers = append(c.Layers, 0)
		}
		c.Layers[i-1] = max(c.Layers[i-1], j+1)
	}
	if len(c.Layers) == 0 {
		return fail("there are no blocks of a ResNet")
	}
	projected, narrower := false, 0
	for i := range c.Layers {
		at := fmt.Sprintf("layer%d.0.", i+1)
		first, inner := dim(at+"conv1.weight", 0), dim(at+"conv2.weight", 0)
		b, outer := Basic, inner
		if has(at + "conv3.weight") {
			b, outer = Bottleneck, dim(at+"conv3.weight", 0)
		}
		width := outer / b.expansion()
		if first == 0 || inner == 0 || width == 0 {
			return fail("stage %d has no complete block", i+1)
		}
		if b == Bottleneck {
			per := dim(at+"conv2.weight", 1)
			if per == 0 {
				return fail("%sconv2.weight has shape %v", at, shapes[at+"conv2.weight"])
			}
			c.Groups = first / per
			c.GroupWidth = 64 * inner / (width * max(c.Groups, 1))
			c.ReduceFirst = inner / first
			if c.Groups > 0 && width*c.GroupWidth/64*c.Groups != inner {
				c.GroupWidth++ // rounded down once more when the channels are computed
			}
		} else if c.ReduceFirst == 0 {
			c.ReduceFirst = width / first
		}
		c.Blocks, c.Widths = append(c.Blocks, b), append(c.Widths, width)
		switch {
		case dim(at+"downsample.0.weight", 2) == 3:
			c.Shortcut, projected = Wide, true
		case len(shapes[at+"downsample.1.weight"]) == 4:
			c.Shortcut, projected = Average, true
		case has(at + "downsample.0.weight"):
			projected = true
		case i > 0:
			narrower++
		}
		if r := dim(at+"se.fc1.weight", 0); r > 0 {
			c.Attention = SqueezeExcite
			// The ratio of the widest stage: the others may be rounded up to 8.
			if c.AttentionRatio = float64(r) / float64(outer); c.AttentionRatio == 1.0/16 {
				c.AttentionRatio = 0
			}
			if c.squeezedAs(1.0/16, outer) == r {
				c.AttentionRatio = 0
			}
		} else if has(at + "se.conv.weight") {
			c.Attention = ChannelFilter
		}
	}
	if !projected && narrower > 0 {
		c.Shortcut = Padding
	}
	c.simplify()
	c.Classes = dim("fc.weight", 0)
	check := c
	check.Classes = max(c.Classes, 1)
	if err := check.check(); err != nil {
		return Config{}, err
	}
	return c, nil
}

func (c Config) squeezedAs(ratio float64, channels int) int {
	c.AttentionRatio = ratio
	return c.squeezed(channels)
}

// simplify turns values that are the default into 0.
func (c *Config) simplify() {
	same := true
	for _, b := range c.Blocks {
		same = same && b == c.Blocks[0]
	}
	if same {
		c.Block, c.Blocks = c.Blocks[0], nil
	}
	usual := true
	for i, w := range c.Widths {
		usual = usual && w == 64<<i
	}
	if c.StemOut == c.Widths[0] {
		c.StemOut = 0
	}
	if usual {
		c.Widths = nil
	}
	if c.Groups == 1 {
		c.Groups = 0
	}
	if c.GroupWidth == 64 {
		c.GroupWidth = 0
	}
	if c.ReduceFirst == 1 {
		c.ReduceFirst = 0
	}
}
