package clip

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// preset is a configuration of open_clip with the tags of its published
// weights: those that need QuickGELU, and those that need GELU.
type preset struct {
	name        string
	embed       int
	vision      Vision
	text        [3]int // width, heads, layers
	trunk       string // of a ConvNeXt, timm's name
	quick, gelu string // tags, with spaces between
}

func vitOf(size, width, layers, patch int) Vision {
	return Vision{Kind: ViT, Size: size, Width: width, Layers: layers, Patch: patch}
}

// wide has heads that are not 64 channels wide, and hidden layers of another
// width.
func wide(v Vision, heads, mlp int) Vision {
	v.Heads, v.MLP = heads, mlp
	return v
}

func resNetOf(size, width int, depths ...int) Vision {
	return Vision{Kind: ResNet, Size: size, Width: width, Depths: depths}
}

func convNeXtOf(size int, p Projection) Vision {
	return Vision{Kind: ConvNeXt, Size: size, Projection: p}
}

// presets lists configurations of mlfoundations/open_clip
// (src/open_clip/model_configs) and the tags of src/open_clip/pretrained.py, at
// commit 89fb801.
var presets = []preset{
	{"ViT-S-32", 384, vitOf(224, 384, 12, 32), [3]int{384, 6, 12}, "", "", ""},
	{"ViT-S-16", 384, vitOf(224, 384, 12, 16), [3]int{384, 6, 12}, "", "", ""},
	{"ViT-B-32", 512, vitOf(224, 768, 12, 32), [3]int{512, 8, 12}, "",
		"openai laion400m_e31 laion400m_e32 metaclip_400m metaclip_fullcc",
		"laion2b_e16 laion2b_s34b_b79k datacomp_xl_s13b_b90k datacomp_m_s128m_b4k commonpool_m_clip_s128m_b4k commonpool_m_laion_s128m_b4k " +
			"commonpool_m_image_s128m_b4k commonpool_m_text_s128m_b4k commonpool_m_basic_s128m_b4k commonpool_m_s128m_b4k datacomp_s_s13m_b4k " +
			"commonpool_s_clip_s13m_b4k commonpool_s_laion_s13m_b4k commonpool_s_image_s13m_b4k commonpool_s_text_s13m_b4k " +
			"commonpool_s_basic_s13m_b4k commonpool_s_s13m_b4k"},
	{"ViT-B-16", 512, vitOf(224, 768, 12, 16), [3]int{512, 8, 12}, "",
		"openai dfn2b metaclip_400m metaclip_fullcc",
		"laion400m_e31 laion400m_e32 laion2b_s34b_b88k datacomp_xl_s13b_b90k datacomp_l_s1b_b8k commonpool_l_clip_s1b_b8k " +
			"commonpool_l_laion_s1b_b8k commonpool_l_image_s1b_b8k commonpool_l_text_s1b_b8k commonpool_l_basic_s1b_b8k commonpool_l_s1b_b8k"},
	{"ViT-L-14", 768, vitOf(224, 1024, 24, 14), [3]int{768, 12, 12}, "",
		"openai metaclip_400m metaclip_fullcc dfn2b",
		"laion400m_e31 laion400m_e32 laion2b_s32b_b82k datacomp_xl_s13b_b90k commonpool_xl_clip_s13b_b90k commonpool_xl_laion_s13b_b90k " +
			"commonpool_xl_s13b_b90k dfn2b_s39b"},
	{"ViT-L-14-336", 768, vitOf(336, 1024, 24, 14), [3]int{768, 12, 12}, "", "openai", ""},
	{"ViT-H-14", 1024, wide(vitOf(224, 1280, 32, 14), 16, 0), [3]int{1024, 16, 24}, "",
		"metaclip_fullcc dfn5b", "laion2b_s32b_b79k metaclip_altogether"},
	{"ViT-g-14", 1024, wide(vitOf(224, 1408, 40, 14), 16, 6144), [3]int{1024, 16, 24}, "", "", "laion2b_s12b_b42k laion2b_s34b_b88k"},
	{"ViT-bigG-14", 1280, wide(vitOf(224, 1664, 48, 14), 16, 8192), [3]int{1280, 20, 32}, "", "metaclip_fullcc", "laion2b_s39b_b160k"},
	{"RN50", 1024, resNetOf(224, 64, 3, 4, 6, 3), [3]int{512, 8, 12}, "", "openai yfcc15m cc12m", ""},
	{"RN101", 512, resNetOf(224, 64, 3, 4, 23, 3), [3]int{512, 8, 12}, "", "openai yfcc15m", ""},
	{"RN50x4", 640, resNetOf(288, 80, 4, 6, 10, 6), [3]int{640, 10, 12}, "", "openai", ""},
	{"RN50x16", 768, resNetOf(384, 96, 6, 8, 18, 8), [3]int{768, 12, 12}, "", "openai", ""},
	{"RN50x64", 1024, resNetOf(448, 128, 3, 15, 36, 10), [3]int{1024, 16, 12}, "", "openai", ""},
	{"convnext_base", 512, convNeXtOf(224, Linear), [3]int{512, 8, 12}, "convnext_base", "", "laion400m_s13b_b51k"},
	{"convnext_base_w", 640, convNeXtOf(256, Linear), [3]int{640, 10, 12}, "convnext_base", "",
		"laion2b_s13b_b82k laion2b_s13b_b82k_augreg laion_aesthetic_s13b_b82k"},
	{"convnext_base_w_320", 640, convNeXtOf(320, Linear), [3]int{640, 10, 12}, "convnext_base", "",
		"laion_aesthetic_s13b_b82k laion_aesthetic_s13b_b82k_augreg"},
	{"convnext_large_d", 768, convNeXtOf(256, MLP), [3]int{768, 12, 16}, "convnext_large", "", "laion2b_s26b_b102k_augreg"},
	{"convnext_large_d_320", 768, convNeXtOf(320, MLP), [3]int{768, 12, 16}, "convnext_large", "",
		"laion2b_s29b_b131k_ft laion2b_s29b_b131k_ft_soup"},
	{"convnext_xxlarge", 1024, convNeXtOf(256, Linear), [3]int{1024, 16, 24}, "convnext_xxlarge", "",
		"laion2b_s34b_b82k_augreg laion2b_s34b_b82k_augreg_rewind laion2b_s34b_b82k_augreg_soup"},
}

// Presets lists the names that Preset knows.
func Presets() []string {
	var names []string
	for _, p := range presets {
		names = append(names, p.name)
	}
	return names
}

// Tags lists the tags that Preset knows for a name, nil for an unknown one.
func Tags(name string) []string {
	for _, p := range presets {
		if p.name == name {
			return append(strings.Fields(p.quick), strings.Fields(p.gelu)...)
		}
	}
	return nil
}

// Preset is a published configuration and how its images are prepared, by
// open_clip's names: of the model, such as "ViT-B-32", and of the weights, such
// as "openai" or "laion2b_s34b_b79k". The weights matter: some need QuickGELU
// where others of the same shapes need GELU, and some want their images
// otherwise. Tag "" is the model as the configuration alone has it, with GELU.
// An unknown name or tag is an error that wraps fs.ErrNotExist.
func Preset(name, tag string) (Config, transform.Config, error) {
	for _, p := range presets {
		if p.name != name {
			continue
		}
		quick := slices.Contains(strings.Fields(p.quick), tag)
		if tag != "" && !quick && !slices.Contains(strings.Fields(p.gelu), tag) {
			return Config{}, transform.Config{}, fmt.Errorf("clip: no published weights %q of %s are known: %w", tag, name, fs.ErrNotExist)
		}
		c := p.config()
		if quick {
			c = c.WithActivation(nn.QuickGELU.String())
		}
		prep := Preprocessing(c.Vision.Size)
		switch {
		case name == "ViT-L-14" && tag == "laion2b_s32b_b82k":
			prep.Mean, prep.Std = [3]float32{0.5, 0.5, 0.5}, [3]float32{0.5, 0.5, 0.5}
		case name == "ViT-H-14" && tag == "dfn5b":
			prep.Crop = transform.Squash
		}
		return c, prep, nil
	}
	return Config{}, transform.Config{}, fmt.Errorf("clip: no model %q is known: %w", name, fs.ErrNotExist)
}

func (p preset) config() Config {
	v := p.vision
	v.Depths = slices.Clone(v.Depths)
	if p.trunk != "" {
		c, err := convnext.Preset(p.trunk, 1)
		if err != nil {
			panic(err) // the table is wrong
		}
		v.Trunk = &c
	}
	return Config{Embed: p.embed, Vision: &v, Text: &Text{
		Vocabulary: 49408, Context: Context, Width: p.text[0], Heads: p.text[1], Layers: p.text[2],
	}}
}
