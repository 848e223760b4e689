package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// subject is the model to be measured.
type subject struct {
	model     nn.Model
	transform transform.Config
	classes   label.Classes // nil for a checkpoint, which has no names
	upright   bool          // whether images are turned as EXIF says
}

// open opens the model. What had to be assumed is said on notes.
func open(o options, notes io.Writer) (*subject, error) {
	var recipe *transform.Recipe
	if o.config != "" {
		data, err := os.ReadFile(o.config)
		if err != nil {
			return nil, err
		}
		r, err := transform.ReadRecipe(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.config, err)
		}
		recipe = &r
	}
	if o.arch != "" {
		return openCheckpoint(o.model, o.arch, recipe, notes)
	}
	c, err := winnow.Options{Threads: o.threads}.Open(o.model)
	switch {
	case errors.Is(err, winnow.ErrModel) && recipe != nil && recipe.Architecture != "":
		return openCheckpoint(o.model, recipe.Architecture, recipe, notes)
	case errors.Is(err, winnow.ErrModel):
		return nil, fmt.Errorf("%w (a checkpoint needs -arch)", err)
	case err != nil:
		return nil, err
	}
	s := &subject{model: c.Model(), transform: c.Info().Transform, classes: c.Classes(), upright: true}
	if recipe != nil {
		s.transform = recipe.Config
	}
	return s, nil
}

// openCheckpoint loads a checkpoint into the architecture called name, which may
// have a tag.
func openCheckpoint(path, name string, recipe *transform.Recipe, notes io.Writer) (*subject, error) {
	arch, s := name, &subject{}
	published, err := transform.Published(name)
	switch {
	case err == nil:
		arch = published.Architecture
	case strings.Contains(name, "."):
		return nil, err
	}
	switch {
	case recipe != nil:
		s.transform = recipe.Config
	case err == nil:
		s.transform = published.Config
		if name == arch {
			fmt.Fprintf(notes, "evaluate: images are prepared as for %s; name a tag or give -config for other weights\n", published.Name)
		}
	case strings.HasSuffix(arch, "_cifar"):
		s.transform = transform.Native(32)
	default:
		return nil, fmt.Errorf("no preprocessing of %q is known: give -config", name)
	}
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if s.model, err = load(arch, f); err != nil {
		return nil, fmt.Errorf("%s as %s: %w", path, arch, err)
	}
	return s, nil
}

// load builds the architecture with as many classes as src has, and loads it.
func load(arch string, src weights.Source) (nn.Model, error) {
	switch {
	case slices.Contains(convnext.Presets(), arch):
		named, dialect := convnext.Recognize(src)
		if dialect == convnext.Unknown {
			return unwrapped(arch, src)
		}
		classes, err := headSize(named, "head.fc.weight")
		if err != nil {
			return nil, err
		}
		cfg, err := convnext.Preset(arch, classes)
		if err != nil {
			return nil, err
		}
		if dialect == convnext.HuggingFace {
			cfg.HeadEpsilon = 1e-12 // of transformers' last norm alone
		}
		m, err := convnext.New(cfg)
		if err != nil {
			return nil, err
		}
		return m, convnext.Load(m, src, nn.LoadOptions{})
	case slices.Contains(resnet.Presets(), arch):
		named, dialect := resnet.Recognize(src)
		if dialect == resnet.Unknown {
			return unwrapped(arch, src)
		}
		classes, err := headSize(named, "fc.weight")
		if err != nil {
			return nil, err
		}
		cfg, err := resnet.Preset(arch, classes)
		if err != nil {
			return nil, err
		}
		m, err := resnet.New(cfg)
		if err != nil {
			return nil, err
		}
		return m, resnet.Load(m, src, nn.LoadOptions{})
	}
	return nil, fmt.Errorf("no such architecture; there are %s, %s",
		strings.Join(convnext.Presets(), ", "), strings.Join(resnet.Presets(), ", "))
}

// unwrapped is load for checkpoints of programs that wrap the weights in more
// ways than the usual ones.
func unwrapped(arch string, src weights.Source) (nn.Model, error) {
	inner, err := weights.StateDict(src, "")
	if err != nil {
		return nil, err
	}
	if len(inner.Names()) == 0 || inner.Names()[0] == src.Names()[0] {
		return nil, fmt.Errorf("its parameters are not named like those of a %s: %.200s", arch, strings.Join(src.Names(), ", "))
	}
	return load(arch, inner)
}

// headSize is the number of classes that the last layer of src has.
func headSize(src weights.Source, name string) (int, error) {
	info, err := weights.Describe(src, name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("the file has no classifier (%s), or its names are not known", name)
	}
	if err != nil {
		return 0, err
	}
	if len(info.Shape) < 2 {
		return 0, fmt.Errorf("the classifier %s has shape %v", name, info.Shape)
	}
	return info.Shape[0], nil
}
