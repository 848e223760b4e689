package convnext

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// Dialect says whose names a checkpoint's parameters have.
type Dialect string

// Dialects.
const (
	Unknown     Dialect = "unknown"
	Timm        Dialect = "timm" // also ours
	Torchvision Dialect = "torchvision"
	Facebook    Dialect = "facebook"    // facebookresearch/ConvNeXt and ConvNeXt-V2
	HuggingFace Dialect = "huggingface" // transformers' ConvNext and ConvNextV2
)

// Translate returns src under timm's names, which are ours; see Recognize.
func Translate(src weights.Source) weights.Source {
	src, _ = Recognize(src)
	return src
}

// Recognize tells from the names in src whose they are and returns src under
// timm's names, which are ours. What checkpoints are wrapped in is removed
// first, as weights.StateDict does without a key; take averaged weights with it
// first where there are others as well. Names that are not of the dialect stay
// as they are, for nn.Load to report; so do all of them in a source that is not
// recognised. Shapes differ by axes of length 1 alone, which nn.Load does not
// mind.
func Recognize(src weights.Source) (weights.Source, Dialect) {
	if inner, err := weights.StateDict(src, ""); err == nil { // which it is without a key
		src = inner
	}
	d := dialect(src)
	return weights.Rename(src, dialects[d].rename), d
}

// Load loads src into m, whatever its dialect is. An error about names or
// shapes says which one was assumed; the rest is as nn.Load has it.
func Load(m *Model, src weights.Source, o nn.LoadOptions) error {
	src, d := Recognize(src)
	if err := nn.Load(m, src, o); err != nil {
		return fmt.Errorf("convnext: names taken for %s's: %w", d, err)
	}
	return nil
}

// table is a dialect: a sign that only names of its checkpoints bear, and rules
// that rename. The first rule whose pattern fits a name does.
type table struct {
	sign  *regexp.Regexp
	rules []rule
}

type rule struct {
	pattern *regexp.Regexp
	to      string // $1 is the pattern's first part, <$1> half of that number
}

func newTable(sign string, rules [][2]string) table {
	t := table{sign: regexp.MustCompile(sign)}
	for _, r := range rules {
		t.rules = append(t.rules, rule{regexp.MustCompile("^" + r[0] + "$"), r[1]})
	}
	return t
}

var halved = regexp.MustCompile(`<\d+>`)

func (t table) rename(name string) string {
	for _, r := range t.rules {
		m := r.pattern.FindStringSubmatchIndex(name)
		if m == nil {
			continue
		}
		to := string(r.pattern.ExpandString(nil, r.to, name, m))
		return halved.ReplaceAllStringFunc(to, func(s string) string {
			n, _ := strconv.Atoi(s[1 : len(s)-1]) // digits, and few of them
			return strconv.Itoa(n / 2)
		})
	}
	return name
}

// dialect finds whose names src has.
func dialect(src weights.Source) Dialect {
	for _, name := range src.Names() {
		for _, d := range []Dialect{Timm, Torchvision, Facebook, HuggingFace} {
			if dialects[d].sign.MatchString(name) {
				return d
			}
		}
	}
	return Unknown
}

var dialects = map[Dialect]table{
	Timm: newTable(`^(stem\.0\.|stages\.\d+\.blocks\.\d+\.conv_dw\.)`, nil),

	// One sequence holds the stem, 0, the blocks of stage i, 2i+1, and what
	// leads to stage i, 2i.
	Torchvision: newTable(`^features\.0\.`, [][2]string{
		{`features\.0\.(.+)`, "stem.$1"},
		{`features\.(\d{1,4})\.(\d{1,4})\.layer_scale`, "stages.<$1>.blocks.$2.gamma"},
		{`features\.(\d{1,4})\.(\d{1,4})\.block\.0\.(.+)`, "stages.<$1>.blocks.$2.conv_dw.$3"},
		{`features\.(\d{1,4})\.(\d{1,4})\.block\.2\.(.+)`, "stages.<$1>.blocks.$2.norm.$3"},
		{`features\.(\d{1,4})\.(\d{1,4})\.block\.3\.(.+)`, "stages.<$1>.blocks.$2.mlp.fc1.$3"},
		{`features\.(\d{1,4})\.(\d{1,4})\.block\.5\.(.+)`, "stages.<$1>.blocks.$2.mlp.fc2.$3"},
		{`features\.(\d{1,4})\.([01])\.(weight|bias)`, "stages.<$1>.downsample.$2.$3"},
		{`classifier\.0\.(.+)`, "head.norm.$1"},
		{`classifier\.2\.(.+)`, "head.fc.$1"},
	}),

	Facebook: newTable(`^downsample_layers\.0\.`, [][2]string{
		{`downsample_layers\.0\.(.+)`, "stem.$1"},
		{`downsample_layers\.(\d{1,4})\.(.+)`, "stages.$1.downsample.$2"},
		{`stages\.(\d{1,4})\.(\d{1,4})\.gamma`, "stages.$1.blocks.$2.gamma"},
		{`stages\.(\d{1,4})\.(\d{1,4})\.dwconv\.(.+)`, "stages.$1.blocks.$2.conv_dw.$3"},
		{`stages\.(\d{1,4})\.(\d{1,4})\.norm\.(.+)`, "stages.$1.blocks.$2.norm.$3"},
		{`stages\.(\d{1,4})\.(\d{1,4})\.pwconv([12])\.(.+)`, "stages.$1.blocks.$2.mlp.fc$3.$4"},
		{`stages\.(\d{1,4})\.(\d{1,4})\.grn\.gamma`, "stages.$1.blocks.$2.mlp.grn.weight"},
		{`stages\.(\d{1,4})\.(\d{1,4})\.grn\.beta`, "stages.$1.blocks.$2.mlp.grn.bias"},
		{`norm\.(.+)`, "head.norm.$1"},
		{`head\.(weight|bias)`, "head.fc.$1"},
	}),

	// The bare model, without a classifier, has no prefix.
	HuggingFace: newTable(`^(convnext\.|convnextv2\.)?embeddings\.patch_embeddings\.`, [][2]string{
		{`(?:convnext\.|convnextv2\.)?embeddings\.patch_embeddings\.(.+)`, "stem.0.$1"},
		{`(?:convnext\.|convnextv2\.)?embeddings\.layernorm\.(.+)`, "stem.1.$1"},
		{`(?:convnext\.|convnextv2\.)?encoder\.stages\.(\d{1,4})\.downsampling_layer\.(.+)`, "stages.$1.downsample.$2"},
		{`(?:convnext\.|convnextv2\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.layer_scale_parameter`, "stages.$1.blocks.$2.gamma"},
		{`(?:convnext\.|convnextv2\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.dwconv\.(.+)`, "stages.$1.blocks.$2.conv_dw.$3"},
		{`(?:convnext\.|convnextv2\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.layernorm\.(.+)`, "stages.$1.blocks.$2.norm.$3"},
		{`(?:convnext\.|convnextv2\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.pwconv([12])\.(.+)`, "stages.$1.blocks.$2.mlp.fc$3.$4"},
		{`(?:convnext\.|convnextv2\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.grn\.(.+)`, "stages.$1.blocks.$2.mlp.grn.$3"},
		{`(?:convnext\.|convnextv2\.)?layernorm\.(.+)`, "head.norm.$1"},
		{`classifier\.(weight|bias)`, "head.fc.$1"},
	}),
}
