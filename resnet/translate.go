package resnet

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
	Timm        Dialect = "timm"        // also torchvision's, and ours
	HuggingFace Dialect = "huggingface" // transformers' ResNet
	Akamaster   Dialect = "akamaster"   // akamaster/pytorch_resnet_cifar10
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
// recognised.
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
		return fmt.Errorf("resnet: names taken for %s's: %w", d, err)
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
	to      string // $1 is the pattern's first part, <$1> the number after that one
}

func newTable(sign string, rules [][2]string) table {
	t := table{sign: regexp.MustCompile(sign)}
	for _, r := range rules {
		t.rules = append(t.rules, rule{regexp.MustCompile("^" + r[0] + "$"), r[1]})
	}
	return t
}

var next = regexp.MustCompile(`<\d+>`)

func (t table) rename(name string) string {
	for _, r := range t.rules {
		m := r.pattern.FindStringSubmatchIndex(name)
		if m == nil {
			continue
		}
		to := string(r.pattern.ExpandString(nil, r.to, name, m))
		return next.ReplaceAllStringFunc(to, func(s string) string {
			n, _ := strconv.Atoi(s[1 : len(s)-1]) // digits, and few of them
			return strconv.Itoa(n + 1)
		})
	}
	return name
}

// dialect finds whose names src has. akamaster's are timm's but for a few.
func dialect(src weights.Source) Dialect {
	names := src.Names()
	for _, d := range []Dialect{HuggingFace, Akamaster, Timm} {
		for _, name := range names {
			if dialects[d].sign.MatchString(name) {
				return d
			}
		}
	}
	return Unknown
}

var dialects = map[Dialect]table{
	Timm: newTable(`^(conv1\.|layer\d\.\d+\.conv\d\.)`, nil),

	// Shortcuts of option A have no parameters.
	Akamaster: newTable(`^(linear\.(weight|bias)|layer\d\.\d+\.shortcut\.[01]\..+)$`, [][2]string{
		{`linear\.(.+)`, "fc.$1"},
		{`(layer\d\.\d+)\.shortcut\.(.+)`, "$1.downsample.$2"},
	}),

	// The bare model, without a classifier, has no prefix.
	HuggingFace: newTable(`^(resnet\.)?embedder\.embedder\.`, [][2]string{
		{`(?:resnet\.)?embedder\.embedder\.convolution\.(.+)`, "conv1.$1"},
		{`(?:resnet\.)?embedder\.embedder\.normalization\.(.+)`, "bn1.$1"},
		{`(?:resnet\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.layer\.(\d{1,4})\.convolution\.(.+)`, "layer<$1>.$2.conv<$3>.$4"},
		{`(?:resnet\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.layer\.(\d{1,4})\.normalization\.(.+)`, "layer<$1>.$2.bn<$3>.$4"},
		{`(?:resnet\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.shortcut\.convolution\.(.+)`, "layer<$1>.$2.downsample.0.$3"},
		{`(?:resnet\.)?encoder\.stages\.(\d{1,4})\.layers\.(\d{1,4})\.shortcut\.normalization\.(.+)`, "layer<$1>.$2.downsample.1.$3"},
		{`classifier\.1\.(.+)`, "fc.$1"},
	}),
}
