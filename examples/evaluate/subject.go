package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/label"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
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
	s := &subject{model: c.Model(), transform: c.Info().Transform, classes: c.Classes(), upright: !c.Info().AsStored}
	if recipe != nil {
		s.transform = recipe.Config
	}
	return s, nil
}

// openCheckpoint opens a published checkpoint. What preprocessing an
// architecture without a tag gets is said on notes.
func openCheckpoint(path, name string, recipe *transform.Recipe, notes io.Writer) (*subject, error) {
	info := winnow.Info{}
	if recipe != nil {
		info.Transform = recipe.Config
	} else if p, err := transform.Published(name); err == nil && name == p.Architecture {
		fmt.Fprintf(notes, "evaluate: images are prepared as for %s; name a tag or give -config for other weights\n", p.Name)
	}
	c, err := winnow.Import(path, name, info)
	if errors.Is(err, winnow.ErrUnsupported) && recipe == nil {
		return nil, fmt.Errorf("%w (-arch names an architecture, -config its preprocessing)", err)
	}
	if err != nil {
		return nil, err
	}
	return &subject{model: c.Model(), transform: c.Info().Transform}, nil
}
