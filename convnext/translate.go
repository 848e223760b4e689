package convnext

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/winnow-go/winnow/weights"
)

// Translate returns src under timm's names, which are ours. It recognises
// torchvision's (features.*, classifier.*) and the prefix "module." that
// PyTorch's DataParallel adds; names that it does not know stay as they are
// and are reported by nn.Load.
func Translate(src weights.Source) weights.Source {
	return weights.Rename(src, func(name string) string {
		return torchvision(strings.TrimPrefix(name, "module."))
	})
}

var (
	tvFeature = regexp.MustCompile(`^features\.(\d+)\.(\d+)\.(.+)$`)
	tvBlock   = map[string]string{
		"block.0": "conv_dw",
		"block.2": "norm",
		"block.3": "mlp.fc1",
		"block.5": "mlp.fc2",
	}
)

// torchvision numbers the children of one sequence: the stem is 0, the blocks
// of stage i are 2i+1, what leads to stage i is 2i.
func torchvision(name string) string {
	if rest, ok := strings.CutPrefix(name, "classifier.0."); ok {
		return "head.norm." + rest
	}
	if rest, ok := strings.CutPrefix(name, "classifier.2."); ok {
		return "head.fc." + rest
	}
	m := tvFeature.FindStringSubmatch(name)
	if m == nil {
		return name
	}
	at, err := strconv.Atoi(m[1])
	if err != nil {
		return name
	}
	stage, child, rest := strconv.Itoa((at-1)/2), m[2], m[3]
	switch {
	case at == 0:
		return "stem." + child + "." + rest
	case at%2 == 0:
		return "stages." + strconv.Itoa(at/2) + ".downsample." + child + "." + rest
	}
	if rest == "layer_scale" {
		return "stages." + stage + ".blocks." + child + ".gamma"
	}
	cut := strings.LastIndexByte(rest, '.')
	if cut < 0 {
		return name
	}
	part, ok := tvBlock[rest[:cut]]
	if !ok {
		return name
	}
	return "stages." + stage + ".blocks." + child + "." + part + rest[cut:]
}
