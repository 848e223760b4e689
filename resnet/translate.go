package resnet

import (
	"strings"

	"github.com/winnow-go/winnow/weights"
)

// Translate returns src under timm's names, which are ours and, for the
// ImageNet family, torchvision's. It removes the prefix "module." that
// PyTorch's DataParallel adds and renames the head "linear" of
// akamaster/pytorch_resnet_cifar10; names that it does not know stay as they
// are and are reported by nn.Load.
func Translate(src weights.Source) weights.Source {
	return weights.Rename(src, func(name string) string {
		name = strings.TrimPrefix(name, "module.")
		if rest, ok := strings.CutPrefix(name, "linear."); ok {
			return "fc." + rest
		}
		return name
	})
}
