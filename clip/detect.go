package clip

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

var (
	visionBlock = regexp.MustCompile(`^visual\.transformer\.resblocks\.(\d{1,3})\.`)
	textBlock   = regexp.MustCompile(`^transformer\.resblocks\.(\d{1,3})\.`)
	resNetBlock = regexp.MustCompile(`^visual\.layer([1-4])\.(\d{1,3})\.conv1\.weight$`)
)

// Detect reads a configuration from the names and shapes in src, whatever its
// dialect is, as OpenAI's build_model does (openai/CLIP clip/model.py). A tower
// that is not in src is not in the configuration.
//
// Names and shapes do not reveal three things. Heads are taken to be 64
// channels wide, except in the three published Vision Transformers that have
// others (ViT-H, g and bigG); so a tower narrower than that cannot be told. The
// activation is QuickGELU, as OpenAI has it and Hugging Face by default, unless
// the tower is one that OpenAI never published (those three and ConvNeXts), or
// the names stand in the order in which open_clip writes them: then it is GELU.
// The size of a ConvNeXt's images is taken to be 256, or that of the first
// preset of the same shapes.
//
// A model that is not built is an error that wraps ErrUnsupported; a source
// that is no CLIP one that wraps ErrConfig.
func Detect(src weights.Source) (Config, error) {
	src, d := Recognize(src)
	fail := func(format string, args ...any) (Config, error) {
		return Config{}, fmt.Errorf("clip: names taken for %s's: "+format, append([]any{d}, args...)...)
	}
	shapes := map[string][]int{}
	names := src.Names()
	for _, name := range names {
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
	blocks := func(p *regexp.Regexp) int {
		n := 0
		for _, name := range names {
			if m := p.FindStringSubmatch(name); m != nil {
				i, _ := strconv.Atoi(m[1])
				n = max(n, i+1)
			}
		}
		return n
	}
	if family := strangers(names); family != "" {
		return fail("these are of the kind %s: %w", family, ErrUnsupported)
	}

	var c Config
	switch {
	case has("visual.class_embedding"):
		v := vitOf(0, dim("visual.conv1.weight", 0), blocks(visionBlock), dim("visual.conv1.weight", 2))
		side := root(dim("visual.positional_embedding", 0) - 1)
		if side == 0 || v.Width == 0 {
			return fail("the image tower has patches %v and positions %v: %w", shapes["visual.conv1.weight"], shapes["visual.positional_embedding"], ErrConfig)
		}
		v.Size = side * v.Patch
		v.MLP = dim("visual.transformer.resblocks.0.mlp.c_fc.weight", 0)
		v.Heads = v.Width / 64
		for _, p := range presets {
			if q := p.vision; q.Heads != 0 && q.Width == v.Width && q.Layers == v.Layers {
				v.Heads = q.Heads
			}
		}
		c.Embed, c.Vision = dim("visual.proj", 1), &v
	case has("visual.attnpool.positional_embedding"):
		v := Vision{Kind: ResNet, Width: dim("visual.layer1.0.conv1.weight", 0), Depths: make([]int, 4)}
		for _, name := range names {
			if m := resNetBlock.FindStringSubmatch(name); m != nil {
				i, _ := strconv.Atoi(m[1])
				j, _ := strconv.Atoi(m[2])
				v.Depths[i-1] = max(v.Depths[i-1], j+1)
			}
		}
		v.Size = 32 * root(dim("visual.attnpool.positional_embedding", 0)-1)
		c.Embed, c.Vision = dim("visual.attnpool.c_proj.weight", 0), &v
	case has("visual.trunk.stem.0.weight"):
		trunk, err := convnext.Detect(weights.Under(src, "visual.trunk."))
		if err != nil {
			return fail("%w: %w", err, ErrUnsupported)
		}
		trunk.Classes = 1
		v := Vision{Kind: ConvNeXt, Size: 256, Trunk: &trunk}
		c.Embed = dim("visual.head.proj.weight", 0)
		if has("visual.head.mlp.fc2.weight") {
			v.Projection, c.Embed = MLP, dim("visual.head.mlp.fc2.weight", 0)
		}
		for _, p := range presets {
			if p.trunk == "" || p.embed != c.Embed || p.vision.Projection != v.Projection {
				continue
			}
			if t := p.config().Vision.Trunk; slices.Equal(t.Depths, trunk.Depths) && slices.Equal(t.Dims, trunk.Dims) {
				v.Size = p.vision.Size
				break
			}
		}
		c.Vision = &v
	}
	if has("token_embedding.weight") {
		t := Text{Vocabulary: dim("token_embedding.weight", 0), Context: dim("positional_embedding", 0), Width: dim("token_embedding.weight", 1),
			Layers: blocks(textBlock), MLP: dim("transformer.resblocks.0.mlp.c_fc.weight", 0)}
		t.Heads = t.Width / 64
		c.Embed, c.Text = dim("text_projection", 1), &t
	}
	if c.Vision == nil && c.Text == nil {
		return fail("there is no tower of a CLIP: %w", ErrConfig)
	}
	if v := c.Vision; v != nil && v.Kind == ViT && v.Heads == 0 || c.Text != nil && c.Text.Heads == 0 {
		return fail("a tower is narrower than 64 channels, so its heads cannot be told: give a configuration: %w", ErrConfig)
	}
	if quick(c, names) {
		c = c.WithActivation(nn.QuickGELU.String())
	}
	return c, c.check()
}

// quick tells whether a checkpoint's activation is taken to be QuickGELU.
func quick(c Config, names []string) bool {
	if v := c.Vision; v != nil {
		if v.Kind == ConvNeXt || v.Kind == ViT && v.Heads*64 != v.Width {
			return false
		}
	}
	// In open_clip's blocks the norm stands before the attention, in OpenAI's
	// after it, as it does in alphabetical order.
	for _, tower := range []string{"transformer.resblocks.0.", "visual.transformer.resblocks.0."} {
		ln, attn := slices.Index(names, tower+"ln_1.weight"), slices.Index(names, tower+"attn.in_proj_weight")
		if ln >= 0 && attn >= 0 {
			return attn < ln
		}
	}
	return true
}

// root is the whole square root of n, 0 if there is none.
func root(n int) int {
	if n < 1 {
		return 0
	}
	r := int(math.Sqrt(float64(n)))
	for _, s := range []int{r, r + 1} {
		if s*s == n {
			return s
		}
	}
	return 0
}

// strangers names a family that is not built, by names of parameters that only
// it has; "" if there are none.
func strangers(names []string) string {
	for _, f := range []struct{ pattern, name string }{
		{`^logit_bias$`, "SigLIP"},
		{`^vision_model\.head\.`, "SigLIP"},
		{`^visual\.trunk\.attn_pool\.`, "SigLIP"},
		{`^visual\.trunk\.(patch_embed|blocks)\.`, "CLIP with a Vision Transformer of timm's"},
		{`^visual\.trunk\.stages\.\d+\.blocks\.\d+\.(token_mixer|mlp\.conv)\.`, "MobileCLIP"},
		{`^image_encoder\.`, "MobileCLIP"},
		{`^text_decoder\.`, "CoCa"},
		{`^visual\.attn_pool\.`, "CoCa"},
		{`^visual\.(patch_embed|blocks)\.`, "EVA"},
		{`^transformer\.(embeddings|encoder)\.`, "CLIP with a text tower of Hugging Face's"},
	} {
		p := regexp.MustCompile(f.pattern)
		if slices.ContainsFunc(names, p.MatchString) {
			return f.name
		}
	}
	return ""
}
