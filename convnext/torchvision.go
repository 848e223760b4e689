package convnext

import (
	"regexp"
	"slices"
	"strconv"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

// ForTorchvision returns src, which has timm's names, under torchvision's and
// with its shapes (layer scale [C,1,1], linear weights [O,I]), for writing a
// file that torchvision.models.ConvNeXt loads with strict=True. It is the
// inverse of Translate for what torchvision has: V1 with the published stem and
// head. Other names stay as they are, for torchvision to report.
func ForTorchvision(src weights.Source) weights.Source {
	t := &torchvision{of: src, ours: map[string]string{}}
	for _, name := range src.Names() {
		theirs := torchvisionName(name)
		t.names = append(t.names, theirs)
		t.ours[theirs] = name
	}
	return t
}

type torchvision struct {
	of    weights.Source
	names []string
	ours  map[string]string
}

func (t *torchvision) Names() []string { return slices.Clone(t.names) }

func (t *torchvision) Tensor(name string) (*tensor.Dense, error) {
	d, err := t.of.Tensor(t.old(name))
	if err != nil {
		return nil, err
	}
	return d, d.Reshape(t.shape(name, d.Shape())...)
}

// Info describes a tensor without reading it, where src can.
func (t *torchvision) Info(name string) (weights.Info, error) {
	info, err := weights.Describe(t.of, t.old(name))
	if err == nil {
		info.Shape = t.shape(name, info.Shape)
	}
	return info, err
}

func (t *torchvision) old(name string) string {
	if ours, ok := t.ours[name]; ok {
		return ours
	}
	return name
}

var (
	scaleName  = regexp.MustCompile(`\.layer_scale$`)
	linearName = regexp.MustCompile(`\.block\.[35]\.weight$`)
)

func (t *torchvision) shape(name string, s []int) []int {
	switch {
	case scaleName.MatchString(name) && len(s) == 1:
		return []int{s[0], 1, 1}
	case linearName.MatchString(name) && len(s) == 4:
		return slices.Clone(s[:2])
	}
	return slices.Clone(s)
}

var toTorchvision = []struct {
	pattern *regexp.Regexp
	to      func(m []string) string
}{
	{regexp.MustCompile(`^stem\.(\d)\.(.+)$`), func(m []string) string { return "features.0." + m[1] + "." + m[2] }},
	{regexp.MustCompile(`^stages\.(\d{1,4})\.downsample\.([01])\.(.+)$`), func(m []string) string {
		return "features." + twice(m[1], 0) + "." + m[2] + "." + m[3]
	}},
	{regexp.MustCompile(`^stages\.(\d{1,4})\.blocks\.(\d{1,4})\.(gamma|conv_dw|norm|mlp\.fc1|mlp\.fc2)\b(.*)$`), func(m []string) string {
		part := map[string]string{"gamma": "layer_scale", "conv_dw": "block.0", "norm": "block.2", "mlp.fc1": "block.3", "mlp.fc2": "block.5"}[m[3]]
		return "features." + twice(m[1], 1) + "." + m[2] + "." + part + m[4]
	}},
	{regexp.MustCompile(`^head\.norm\.(.+)$`), func(m []string) string { return "classifier.0." + m[1] }},
	{regexp.MustCompile(`^head\.fc\.(.+)$`), func(m []string) string { return "classifier.2." + m[1] }},
}

func torchvisionName(name string) string {
	for _, r := range toTorchvision {
		if m := r.pattern.FindStringSubmatch(name); m != nil {
			return r.to(m)
		}
	}
	return name
}

// twice is 2n+more, n being a few digits.
func twice(n string, more int) string {
	v, err := strconv.Atoi(n)
	if err != nil {
		return n
	}
	return strconv.Itoa(2*v + more)
}
