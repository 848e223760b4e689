package transform

import (
	_ "embed"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Recipe is what authors say about weights that they published, as far as it
// is needed to use them.
type Recipe struct {
	// Name is the weights' name: timm's architecture and tag with a point
	// between them, or torchvision's. It is empty where a file does not say.
	Name string
	// Architecture is timm's name of the architecture, "" where a file does not
	// say.
	Architecture string
	// Config is the evaluation at the size that the weights were trained for.
	Config Config
	// Test is the evaluation that gives the published accuracy, often at a
	// larger size (timm's test_input_size and test_crop_pct). It is Config where
	// the authors name no other.
	Test Config
	// Classes is the number of logits; 0 for weights without a head, and where a
	// file does not say.
	Classes int
	// License is the licence of the weights, in lower case as timm has it; ""
	// where a file does not say. Some forbid commercial use.
	License string
}

//go:embed published.txt
var published string

// Published is the recipe of weights known by name:
//
//	convnext_tiny.fb_in22k_ft_in1k      architecture and tag of timm, with or without "timm/" before it
//	convnext_tiny                       the tag that timm takes then
//	ResNet50_Weights.IMAGENET1K_V2      torchvision, also with DEFAULT
//
// Those of timm are all of its ConvNeXt and ResNet weights, and the ResNetV2 and
// ByobNet ones that are named like them (timm 1.0.29.dev0, commit aa4b585);
// those of torchvision its ResNets, ResNeXts, Wide ResNets and ConvNeXts
// (torchvision 0.14, models/resnet.py and models/convnext.py). Any other name is
// an error that wraps fs.ErrNotExist.
func Published(name string) (Recipe, error) {
	want := strings.TrimPrefix(name, "timm/")
	for line := range strings.Lines(published) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] == "#" || !answers(f[0], want) {
			continue
		}
		r, err := parseRecipe(f)
		if err != nil {
			return Recipe{}, fmt.Errorf("transform: published weights %s: %w", f[0], err)
		}
		return r, nil
	}
	return Recipe{}, fmt.Errorf("transform: no published weights %q are known: %w", name, fs.ErrNotExist)
}

// answers tells whether the line of name has (of an architecture or a DEFAULT,
// it is the first line of several) what is asked for.
func answers(name, want string) bool {
	if name == want {
		return true
	}
	of, _, _ := strings.Cut(name, ".")
	if strings.HasSuffix(of, "_Weights") {
		return want == of+".DEFAULT"
	}
	return want == of
}

// parseRecipe reads a line of published.txt: name, size/resize, the same for the
// test, interpolation, crop, statistics, classes, licence.
func parseRecipe(f []string) (Recipe, error) {
	if len(f) != 8 {
		return Recipe{}, fmt.Errorf("%d fields", len(f))
	}
	r := Recipe{Name: f[0], License: f[7]}
	of, _, _ := strings.Cut(f[0], ".")
	r.Architecture = strings.ToLower(strings.TrimSuffix(of, "_Weights"))
	var err error
	if r.Classes, err = strconv.Atoi(f[6]); err != nil {
		return Recipe{}, err
	}
	if err := r.Config.Interpolation.UnmarshalText([]byte(f[3])); err != nil {
		return Recipe{}, err
	}
	if err := r.Config.Crop.UnmarshalText([]byte(f[4])); err != nil {
		return Recipe{}, err
	}
	var ok bool
	if r.Config.Mean, r.Config.Std, ok = statistics(f[5]); !ok {
		return Recipe{}, fmt.Errorf("no statistics called %q", f[5])
	}
	r.Test = r.Config
	for i, c := range []*Config{&r.Config, &r.Test} {
		if _, err := fmt.Sscanf(f[1+i], "%d/%d", &c.Size, &c.Resize); err != nil {
			return Recipe{}, err
		}
		if err := c.Validate(); err != nil {
			return Recipe{}, err
		}
	}
	return r, nil
}

// statistics are mean and deviation by the names in published.txt.
func statistics(name string) (mean, std [3]float32, ok bool) {
	switch name {
	case "imagenet":
		return imageNetMean(), imageNetStd(), true
	case "half": // timm calls them Inception's, Hugging Face standard
		return [3]float32{0.5, 0.5, 0.5}, [3]float32{0.5, 0.5, 0.5}, true
	case "clip":
		return clipMean(), clipStd(), true
	}
	return mean, std, false
}

func clipMean() [3]float32 { return [3]float32{0.48145466, 0.4578275, 0.40821073} }
func clipStd() [3]float32  { return [3]float32{0.26862954, 0.26130258, 0.27577711} }
