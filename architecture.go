package winnow

import (
	"encoding/json"
	"fmt"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

// architecture says how to build a model: a family and its configuration, as
// they stand in a model file. This file is the one place that knows every
// family.
type architecture struct {
	family string
	config string // JSON
}

const (
	familyConvNeXt = "convnext"
	familyResNet   = "resnet"
)

// describe tells what m is.
func describe(m nn.Model) (architecture, error) {
	var a architecture
	var cfg any
	switch m := m.(type) {
	case *convnext.Model:
		a.family, cfg = familyConvNeXt, m.Config()
	case *resnet.Model:
		a.family, cfg = familyResNet, m.Config()
	default:
		return a, fmt.Errorf("winnow: a model of type %T: %w", m, ErrUnsupported)
	}
	text, err := json.Marshal(cfg)
	a.config = string(text)
	return a, err
}

// build makes the model, without weights.
func (a architecture) build() (nn.Model, error) {
	switch a.family {
	case familyConvNeXt:
		var cfg convnext.Config
		if err := decode(keyConfig, a.config, &cfg); err != nil {
			return nil, err
		}
		m, err := convnext.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("winnow: %w: %w", err, ErrModel)
		}
		return m, nil
	case familyResNet:
		var cfg resnet.Config
		if err := decode(keyConfig, a.config, &cfg); err != nil {
			return nil, err
		}
		m, err := resnet.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("winnow: %w: %w", err, ErrModel)
		}
		return m, nil
	}
	return nil, fmt.Errorf("winnow: architecture %q: %w", a.family, ErrUnsupported)
}
