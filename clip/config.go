package clip

import (
	"errors"
	"fmt"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
)

var (
	// ErrConfig is wrapped by errors about a configuration that cannot be
	// built, and about a file that is no configuration.
	ErrConfig = errors.New("invalid configuration")
	// ErrUnsupported is wrapped by errors about a valid model of a kind that is
	// not built here, such as SigLIP or MobileCLIP; they name it.
	ErrUnsupported = errors.New("not supported yet")
	// ErrNoTower is wrapped by errors about a tower that the model does not
	// have, or was opened without.
	ErrNoTower = errors.New("the model has no such tower")
)

// Kind names what an image tower is made of.
type Kind string

// Kinds of image towers.
const (
	ViT      Kind = "vit"      // Vision Transformer
	ResNet   Kind = "resnet"   // CLIP's ModifiedResNet with attention pooling
	ConvNeXt Kind = "convnext" // a trunk of package convnext
)

// Projection names what leads from a ConvNeXt's features to the embedding.
type Projection string

// Projections.
const (
	Linear Projection = ""    // one linear layer without bias
	MLP    Projection = "mlp" // two, with GELU between and twice the embedding's channels
)

// Config describes a CLIP model. It is plain data that a model file carries as
// JSON. A tower that is nil is not there.
type Config struct {
	Embed  int     `json:"embed"` // elements of an embedding
	Vision *Vision `json:"vision,omitempty"`
	Text   *Text   `json:"text,omitempty"`
}

// Vision describes an image tower.
type Vision struct {
	Kind  Kind `json:"kind"`
	Size  int  `json:"size"`            // height and width of an image in pixels; of a ConvNeXt, the size it was trained for
	Width int  `json:"width,omitempty"` // channels: of a ViT's tokens, of a ResNet's first stage (64 for RN50); not of a ConvNeXt

	// Of a Vision Transformer.
	Patch  int `json:"patch,omitempty"`  // side of a patch in pixels
	Layers int `json:"layers,omitempty"` // blocks
	// Heads of the attention, also of a ResNet's pool; 0 means Width/64, of a
	// ResNet Width/2.
	Heads int     `json:"heads,omitempty"`
	MLP   int     `json:"mlp,omitempty"` // channels of the hidden layers; 0 means 4*Width
	Act   string  `json:"act,omitempty"` // of the MLPs, see nn.ParseActivation; "" means "gelu"
	Eps   float64 `json:"eps,omitempty"` // of the norms; 0 means 1e-5

	// Of a ResNet.
	Depths []int `json:"depths,omitempty"` // blocks per stage, four
	// FreezeNorm keeps batch norms at their running statistics in training too,
	// as it suits fine-tuning on small batches.
	FreezeNorm bool `json:"freeze_norm,omitempty"`

	// Of a ConvNeXt, whose Classes do not count.
	Trunk      *convnext.Config `json:"trunk,omitempty"`
	Projection Projection       `json:"projection,omitempty"`
}

// Text describes a text tower: a Transformer in which tokens see earlier tokens
// only, pooled at the token that ends the text.
type Text struct {
	Vocabulary int     `json:"vocabulary"` // tokens that there are
	Context    int     `json:"context"`    // tokens of a text, at most
	Width      int     `json:"width"`
	Layers     int     `json:"layers"`
	Heads      int     `json:"heads,omitempty"` // 0 means Width/64
	MLP        int     `json:"mlp,omitempty"`   // channels of the hidden layers; 0 means 4*Width
	Act        string  `json:"act,omitempty"`   // see Vision
	Eps        float64 `json:"eps,omitempty"`   // of the norms; 0 means 1e-5
	// End is the token at whose first occurrence the text is pooled; 0 means
	// the token with the largest number, at its first occurrence, as OpenAI
	// has it, whose end token is the last of the vocabulary.
	End int32 `json:"end,omitempty"`
}

// What bounds a configuration from a file: the largest published model has 48
// layers of 1,664 channels.
const (
	maxWidth   = 1 << 14
	maxLayers  = 256
	maxSide    = 1 << 12
	mostTokens = 1 << 22
	maxContext = 1 << 14
	maxHidden  = 1 << 17
)

func (c Config) check() error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("clip: "+format+": %w", append(args, ErrConfig)...)
	}
	between := func(v, lo, hi int) bool { return v >= lo && v <= hi }
	transformer := func(tower string, width, layers, heads, mlp int, act string, eps float64) error {
		switch _, err := nn.ParseActivation(act); {
		case !between(width, 1, maxWidth) || !between(layers, 0, maxLayers):
			return fail("%s of width %d with %d layers", tower, width, layers)
		case heads < 1 || width%heads != 0:
			return fail("%s of width %d with %d heads", tower, width, heads)
		case !between(mlp, 1, maxHidden):
			return fail("%s with hidden layers of %d channels", tower, mlp)
		case err != nil:
			return fail("%s with activation %q", tower, act)
		case !(eps > 0 && eps < 1):
			return fail("%s with epsilon %v", tower, eps)
		}
		return nil
	}
	if !between(c.Embed, 1, maxWidth) {
		return fail("embeddings of %d elements", c.Embed)
	}
	if c.Vision == nil && c.Text == nil {
		return fail("neither an image nor a text tower")
	}
	if t := c.Text; t != nil {
		d := t.withDefaults()
		if err := transformer("text tower", d.Width, d.Layers, d.Heads, d.MLP, d.Act, d.Eps); err != nil {
			return err
		}
		if !between(t.Vocabulary, 1, mostTokens) || !between(t.Context, 1, maxContext) {
			return fail("text tower of %d tokens with a vocabulary of %d", t.Context, t.Vocabulary)
		}
		if t.End < 0 || int(t.End) >= t.Vocabulary {
			return fail("end token %d of a vocabulary of %d", t.End, t.Vocabulary)
		}
	}
	if c.Vision == nil {
		return nil
	}
	v := c.Vision.withDefaults()
	if !between(v.Size, 1, maxSide) {
		return fail("images of %d pixels", v.Size)
	}
	switch v.Kind {
	case ViT:
		if !between(v.Patch, 1, v.Size) {
			return fail("patches of %d pixels in images of %d", v.Patch, v.Size)
		}
		return transformer("image tower", v.Width, v.Layers, v.Heads, v.MLP, v.Act, v.Eps)
	case ResNet:
		if len(v.Depths) != 4 {
			return fail("%d stages, want four", len(v.Depths))
		}
		for _, d := range v.Depths {
			if !between(d, 1, maxLayers) {
				return fail("depths %v", v.Depths)
			}
		}
		switch {
		case !between(v.Width, 2, maxWidth/32) || v.Width%2 != 0:
			return fail("ResNet of width %d, want an even number", v.Width)
		case v.Size%32 != 0:
			return fail("ResNet for images of %d pixels, want a multiple of 32", v.Size)
		case v.Heads < 1 || 32*v.Width%v.Heads != 0:
			return fail("attention pool of %d heads over %d channels", v.Heads, 32*v.Width)
		}
		return nil
	case ConvNeXt:
		if v.Trunk == nil {
			return fail("a ConvNeXt without a trunk")
		}
		if v.Projection != Linear && v.Projection != MLP {
			return fail("projection %q", v.Projection)
		}
		return nil // the rest is convnext's to check
	}
	return fail("image tower of kind %q", v.Kind)
}

func (v Vision) withDefaults() Vision {
	if v.Heads == 0 {
		v.Heads = v.Width / 64
		if v.Kind == ResNet {
			v.Heads = v.Width / 2
		}
	}
	v.MLP, v.Act, v.Eps = defaults(v.Width, v.MLP, v.Act, v.Eps)
	return v
}

func (t Text) withDefaults() Text {
	if t.Heads == 0 {
		t.Heads = t.Width / 64
	}
	t.MLP, t.Act, t.Eps = defaults(t.Width, t.MLP, t.Act, t.Eps)
	return t
}

func defaults(width, mlp int, act string, eps float64) (int, string, float64) {
	if mlp == 0 {
		mlp = 4 * width
	}
	if act == "" {
		act = nn.GELU.String()
	}
	if eps == 0 {
		eps = 1e-5
	}
	return mlp, act, eps
}

// WithActivation returns c with another activation in the MLPs of both towers,
// a name of nn.ParseActivation. A ResNet's rectifiers and a ConvNeXt's trunk
// stay as they are.
func (c Config) WithActivation(act string) Config {
	if c.Vision != nil && c.Vision.Kind == ViT {
		v := *c.Vision
		v.Act = act
		c.Vision = &v
	}
	if c.Text != nil {
		t := *c.Text
		t.Act = act
		c.Text = &t
	}
	return c
}
