package convnext

import (
	"slices"
	"strings"

	"github.com/winnow-go/winnow/weights"
)

// wrappers are what training programs put a model's parameters in, beside those
// of the optimizer; averaged ones first, as timm prefers them.
var wrappers = []string{"state_dict_ema.", "model_ema.", "state_dict.", "model."}

// unwrap removes wrappers, one inside the other, and "module.".
func unwrap(src weights.Source) weights.Source {
	for {
		names := src.Names()
		under := func(prefix string) bool {
			return slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(name, prefix) })
		}
		if i := slices.IndexFunc(wrappers, under); i >= 0 {
			src = weights.Under(src, wrappers[i])
			continue
		}
		if !under("module.") {
			return src
		}
		src = weights.Strip(src, "module.")
	}
}
