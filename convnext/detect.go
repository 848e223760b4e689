package convnext

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

var (
	blockName = regexp.MustCompile(`^stages\.(\d{1,2})\.blocks\.(\d{1,3})\.conv_dw\.weight$`)
	// maxStages bounds what a file's names may ask for.
	maxStages = 16
)

// Detect reads a configuration from the names and shapes in src, whatever its
// dialect is: depths, channels, kernels, stem, kind of block and head, classes.
//
// What they do not reveal are dilations, whether 3x3 taps in the stem have a
// stride, the activation, the norms' epsilon and which of two norms without a
// bias it is. If they are those of a preset but for the number of classes, its
// values are taken; otherwise the defaults are, and RMS. Hugging Face's models
// get the epsilon of their last norm. A source without a classifier
// (pretraining without labels) gives 0 classes, for the caller to fill in. A
// source that is no ConvNeXt is an error that wraps ErrConfig.
func Detect(src weights.Source) (Config, error) {
	src, d := Recognize(src)
	fail := func(format string, args ...any) (Config, error) {
		return Config{}, fmt.Errorf("convnext: names taken for %s's: "+format+": %w", append(append([]any{d}, args...), ErrConfig)...)
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
	conv := func(name string) bool { return len(shapes[name]) == 4 }

	var c Config
	if !conv("stem.0.weight") {
		return fail("there is no stem of a ConvNeXt")
	}
	if in := dim("stem.0.weight", 1); in != 3 {
		c.In = in
	}
	switch k := dim("stem.0.weight", 2); {
	case conv("stem.2.weight"):
		c.Overlap = OverlapAct
	case conv("stem.1.weight") && dim("stem.1.weight", 0) == dim("stem.1.weight", 1):
		c.Overlap = OverlapPlain
	case conv("stem.1.weight"):
		c.Overlap = OverlapTiered
	case k == 1:
		c.Stem, c.StemKernel = 1, 1
	case k == 3:
		c.Stem = 1
	case k != 4:
		c.Stem = k
	}
	c.NoBias = !has("stem.0.bias")

	for name, shape := range shapes {
		m := blockName.FindStringSubmatch(name)
		if m == nil || len(shape) != 4 {
			continue
		}
		i, _ := strconv.Atoi(m[1])
		j, _ := strconv.Atoi(m[2])
		if i >= maxStages {
			return fail("%s of more than %d stages", name, maxStages)
		}
		for len(c.Depths) <= i {
			c.Depths, c.Dims, c.Kernels, c.Strides = append(c.Depths, 0), append(c.Dims, 0), append(c.Kernels, 0), append(c.Strides, 1)
		}
		c.Depths[i], c.Dims[i], c.Kernels[i] = max(c.Depths[i], j+1), shape[0], shape[2]
	}
	if len(c.Depths) == 0 {
		return fail("there are no blocks of a ConvNeXt")
	}
	for i := range c.Strides {
		if k := dim(fmt.Sprintf("stages.%d.downsample.1.weight", i), 2); k > 0 {
			c.Strides[i] = k
		}
	}
	if usual := (Config{Depths: c.Depths}).withDefaults().Strides; slices.Equal(c.Strides, usual) {
		c.Strides = nil
	}
	if k := c.Kernels[0]; !slices.ContainsFunc(c.Kernels, func(o int) bool { return o != k }) {
		c.Kernels = nil
		if k != 7 {
			c.Kernel = k
		}
	}

	first := ""
	for i, n := range c.Depths {
		if n > 0 {
			first = fmt.Sprintf("stages.%d.blocks.0.", i)
			break
		}
	}
	gamma, grn := has(first+"gamma"), has(first+"mlp.grn.weight")
	switch {
	case gamma && grn:
		c.Block = V2Both
	case grn:
		c.Block = V2
	case !gamma:
		c.Block = Plain
	}
	c.ConvMLP = len(shapes[first+"mlp.fc1.weight"]) == 4
	if !has(first + "norm.bias") {
		c.Norm = RMS
	}
	if has("norm_pre.weight") {
		c.Head = NormFirst
	}
	c.HeadHidden = dim("head.pre_logits.fc.weight", 0)
	c.Classes = dim("head.fc.weight", 0)
	if d == HuggingFace {
		c.HeadEpsilon = 1e-12
	}
	if p, ok := c.preset(); ok {
		p.HeadEpsilon = c.HeadEpsilon
		c = p
	}
	if check := c; true {
		check.Classes = max(check.Classes, 1)
		if err := check.check(); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

// preset finds the preset whose parameters have c's names and shapes.
func (c Config) preset() (Config, bool) {
	classes := c.Classes
	c.Classes = max(classes, 1)
	m := build(c)
	for _, s := range sizes {
		p, _ := Preset(s.name, c.Classes)
		if !slices.Equal(p.Depths, c.Depths) || !slices.Equal(p.Dims, c.Dims) {
			continue
		}
		if q := build(p); m.err == nil && sameParams(m.params, q.params) {
			p.Classes, p.ConvMLP = classes, c.ConvMLP
			return p, true
		}
	}
	return Config{}, false
}

// sameParams compares names and, but for axes of length 1, shapes.
func sameParams(a, b []*nn.Param) bool {
	return slices.EqualFunc(a, b, func(p, q *nn.Param) bool { return p.Name() == q.Name() && p.Len() == q.Len() })
}
