package winnow

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// Architectures lists the names that NewModel knows, timm's for timm's models.
func Architectures() []string { return append(convnext.Presets(), resnet.Presets()...) }

// NewModel builds an architecture by its name, without weights: what a command
// line or a configuration file can say. A name that is not in Architectures is
// an error that wraps ErrUnsupported.
func NewModel(name string, classes int) (nn.Model, error) {
	switch {
	case slices.Contains(convnext.Presets(), name):
		cfg, err := convnext.Preset(name, classes)
		if err != nil {
			return nil, err
		}
		m, err := convnext.New(cfg)
		if err != nil {
			return nil, err
		}
		return m, nil
	case slices.Contains(resnet.Presets(), name):
		cfg, err := resnet.Preset(name, classes)
		if err != nil {
			return nil, err
		}
		m, err := resnet.New(cfg)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	return nil, fmt.Errorf("winnow: no architecture %q: %w", name, ErrUnsupported)
}

// LoadModel builds an architecture by its name, with as many classes as a
// checkpoint has, and loads it. The checkpoint may have the names of timm,
// torchvision, Facebook, Hugging Face or akamaster, in the usual wrappings.
// Errors wrap ErrUnsupported for an unknown name and ErrModel for weights that
// do not fit, and say which dialect was assumed.
func LoadModel(name string, src weights.Source) (nn.Model, error) {
	var m nn.Model
	var err error
	switch {
	case slices.Contains(convnext.Presets(), name):
		m, err = loadConvNeXt(name, src)
	case slices.Contains(resnet.Presets(), name):
		m, err = loadResNet(name, src)
	default:
		return nil, fmt.Errorf("winnow: no architecture %q: %w", name, ErrUnsupported)
	}
	if err != nil {
		return nil, fmt.Errorf("winnow: as %s: %w: %w", name, err, ErrModel)
	}
	return m, nil
}

func loadConvNeXt(name string, src weights.Source) (nn.Model, error) {
	named, dialect := convnext.Recognize(src)
	if dialect == convnext.Unknown {
		inner, err := unwrap(name, src)
		if err != nil {
			return nil, err
		}
		return loadConvNeXt(name, inner)
	}
	classes, err := headSize(named, "head.fc.weight")
	if err != nil {
		return nil, err
	}
	cfg, err := convnext.Preset(name, classes)
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
}

func loadResNet(name string, src weights.Source) (nn.Model, error) {
	named, dialect := resnet.Recognize(src)
	if dialect == resnet.Unknown {
		inner, err := unwrap(name, src)
		if err != nil {
			return nil, err
		}
		return loadResNet(name, inner)
	}
	classes, err := headSize(named, "fc.weight")
	if err != nil {
		return nil, err
	}
	cfg, err := resnet.Preset(name, classes)
	if err != nil {
		return nil, err
	}
	m, err := resnet.New(cfg)
	if err != nil {
		return nil, err
	}
	return m, resnet.Load(m, src, nn.LoadOptions{})
}

// unwrap removes a wrapping that is not one of the usual ones.
func unwrap(name string, src weights.Source) (weights.Source, error) {
	inner, err := weights.StateDict(src, "")
	if err != nil {
		return nil, err
	}
	names := src.Names()
	if len(inner.Names()) == 0 || slices.Equal(inner.Names(), names) {
		return nil, fmt.Errorf("the parameters are not named like those of a %s: %.200s", name, strings.Join(names, ", "))
	}
	return inner, nil
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

// Import makes a Classifier of a published checkpoint with default options:
//
//	c, err := winnow.Import("resnet50.a1_in1k.safetensors", "resnet50.a1_in1k", winnow.Info{Classes: names})
//	err = c.Save("resnet50.winnow.safetensors")
func Import(path, name string, info Info) (*Classifier, error) {
	return Options{}.Import(path, name, info)
}

// Import makes a Classifier of a checkpoint in any format and dialect that
// packages weights, convnext and resnet read. name is a published weight, timm's
// ("resnet50.a1_in1k") or torchvision's ("ResNet50_Weights.IMAGENET1K_V2"), or
// an architecture alone ("resnet50", "resnet20_cifar"). What info leaves open
// is filled in: the preprocessing that the weights were published with (for an
// architecture alone that of timm's default weights; for the CIFAR family 32
// pixels and ImageNet's mean and deviation), whether images are turned as EXIF
// says (published models were fed them as stored), and numbers as class names.
// An architecture whose preprocessing is not known needs info.Transform.
func (o Options) Import(path, name string, info Info) (*Classifier, error) {
	arch := name
	published, err := transform.Published(name)
	switch {
	case err == nil:
		arch = published.Architecture
		info.License = cmp.Or(info.License, published.License)
	case strings.Contains(name, "."):
		return nil, fmt.Errorf("winnow: %w: %w", err, ErrUnsupported)
	}
	if info.Transform == (transform.Config{}) {
		switch {
		case err == nil:
			info.Transform = published.Config
		case strings.HasSuffix(arch, "_cifar"):
			info.Transform = transform.Native(32)
		default:
			if !slices.Contains(Architectures(), arch) {
				return nil, fmt.Errorf("winnow: no architecture %q: %w", name, ErrUnsupported)
			}
			return nil, fmt.Errorf("winnow: no preprocessing of %q is known, it has to be given: %w", name, ErrUnsupported)
		}
	}
	info.AsStored = true
	f, err := weights.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	m, err := LoadModel(arch, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if info.Classes == nil {
		classes, err := classesOf(m)
		if err != nil {
			return nil, err
		}
		for i := range classes {
			info.Classes = append(info.Classes, strconv.Itoa(i))
		}
	}
	from, err := newOrigin(path, func() (weights.Source, error) {
		f, err := weights.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		m, err := LoadModel(arch, f)
		if err != nil {
			return nil, err
		}
		return nn.Source(m), nil
	})
	if err != nil {
		return nil, err
	}
	return o.wrap(m, info, from)
}

// classesOf is how many classes a model tells apart.
func classesOf(m nn.Model) (int, error) {
	switch m := m.(type) {
	case *convnext.Model:
		return m.Config().Classes, nil
	case *resnet.Model:
		return m.Config().Classes, nil
	}
	return 0, fmt.Errorf("winnow: a model of type %T: %w", m, ErrUnsupported)
}
