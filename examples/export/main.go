// Export writes a model file's weights for Python: a .safetensors file under
// timm's names (as the model file itself has them) or torchvision's.
//
//	go run ./examples/export -model model.safetensors -names torchvision -out weights.safetensors
//
// ResNets have the same names in both. The metadata keep the architecture and
// its configuration as JSON. load_torchvision.py beside this program builds the
// torchvision module of such a file, loads it and, given a file with inputs and
// logits, compares.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

func main() {
	model := flag.String("model", "", "model file")
	names := flag.String("names", "timm", "whose names: timm or torchvision")
	out := flag.String("out", "", "file to write")
	flag.Parse()
	if err := export(*model, *names, *out, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "export:", err)
		os.Exit(1)
	}
}

func export(model, names, out string, rest []string) error {
	if model == "" || out == "" || len(rest) > 0 {
		return errors.New("usage: export -model FILE [-names timm|torchvision] -out FILE")
	}
	c, err := winnow.Open(model)
	if err != nil {
		return err
	}
	f, err := weights.Open(model)
	if err != nil {
		return err
	}
	defer f.Close()
	src := nn.Source(c.Model())
	switch names {
	case "timm":
	case "torchvision":
		if _, ok := c.Model().(*convnext.Model); ok {
			src = convnext.ForTorchvision(src)
		}
	default:
		return fmt.Errorf("names %q, want timm or torchvision", names)
	}
	return weights.Write(out, src, f.Metadata())
}
