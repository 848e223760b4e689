package nn

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/kernel"
)

// ParseActivation returns the activation that a name stands for: "relu",
// "gelu", "gelu_tanh", "quick_gelu", "silu", "sigmoid" or "identity", as
// Activation.String writes them.
func ParseActivation(name string) (Activation, error) {
	if name == Identity.String() {
		return Identity, nil
	}
	for _, a := range kernel.Activations() {
		if a.String() == name {
			return a, nil
		}
	}
	return Identity, fmt.Errorf("nn: unknown activation %q", name)
}
