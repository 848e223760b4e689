package clip

import (
	"fmt"
	"math"
	"sync"

	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// Model is a CLIP: an image tower and a text tower whose outputs can be
// compared, either of which may be missing. It implements nn.Model by its image
// tower, and Encoder by both.
//
// A model is read-only in inference: Image, Text, EncodeImages and EncodeTexts
// may be called from any number of goroutines, each with a tape of its own
// where they take one. EncodeImages and EncodeTexts pack the weights when first
// used: after the weights have changed, call Refresh.
type Model struct {
	cfg    Config
	params []*nn.Param
	scale  *nn.Param // logit_scale, []
	vision vision    // nil without
	text   *text     // nil without

	transform transform.Config
	tokenizer *Tokenizer // nil without a vocabulary
	lacks     error      // why there is none

	mu    sync.Mutex // of what follows
	dev   *nn.Device
	runs  [2]*nn.Runner // of images, of texts; nil before their first use
	taken bool          // the weights are the runners'
	id    string
}

// vision is an image tower.
type vision interface {
	forward(t *nn.Tape, x *nn.Tensor, see see) *nn.Tensor
}

// see is called with what the parts of a model return. Without one, nothing is
// computed that the embedding does not need.
type see func(name string, y *nn.Tensor)

func blind(string, *nn.Tensor) {}

// New builds a model without allocating its weights. An error wraps ErrConfig.
//
// Parameters have open_clip's names and order; see Translate for others.
// Initial values are those of Radford et al. 2021 as open_clip sets them.
func New(cfg Config) (*Model, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Model{cfg: cfg}
	s := nn.NewScope()
	if cfg.Text != nil {
		m.text = &text{Text: cfg.Text.withDefaults()}
		m.text.declareFirst(s, cfg.Embed)
	}
	m.scale = s.Param("logit_scale", nn.Constant(float32(math.Log(1/0.07))))
	if cfg.Vision != nil {
		v := cfg.Vision.withDefaults()
		var err error
		switch at := s.Sub("visual"); v.Kind {
		case ViT:
			m.vision = newViT(at, v, cfg.Embed)
		case ResNet:
			m.vision = newResNet(at, v, cfg.Embed)
		case ConvNeXt:
			m.vision, err = newConvNeXt(at, v, cfg.Embed)
		}
		if err != nil {
			return nil, err
		}
	}
	if m.text != nil {
		m.text.declareRest(s)
	}
	m.params = s.Params()
	size := 224
	if cfg.Vision != nil {
		size = cfg.Vision.Size
	}
	m.transform = Preprocessing(size)
	return m, nil
}

// Preprocessing is OpenAI's for images of size pixels: the shorter side scaled
// to size, bicubic, the middle cut out, and only then converted to RGB
// (openai/CLIP clip/clip.py, _transform).
func Preprocessing(size int) transform.Config {
	return transform.Config{
		Size: size, Resize: size, Interpolation: transform.Bicubic, Convert: transform.AfterCrop,
		Mean: [3]float32{0.48145466, 0.4578275, 0.40821073},
		Std:  [3]float32{0.26862954, 0.26130258, 0.27577711},
	}
}

// Config is what the model was built from.
func (m *Model) Config() Config { return m.cfg }

// Params lists the parameters in open_clip's order.
func (m *Model) Params() []*nn.Param { return m.params }

// Dim is the number of elements of an embedding.
func (m *Model) Dim() int { return m.cfg.Embed }

// Scale is the parameter "logit_scale": the logarithm of the factor between
// cosines and logits.
func (m *Model) Scale() *nn.Param { return m.scale }

// LogitScale is the factor between cosines and logits: about 100 for trained
// models, 1/0.07 for new ones, NaN for a model without values.
func (m *Model) LogitScale() float64 {
	if m.scale.Data() == nil {
		return math.NaN()
	}
	return math.Exp(float64(m.scale.Data()[0]))
}

// Forward is Image.
func (m *Model) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return m.Image(t, x) }

// Image embeds images [N,H,W,3], prepared as Transform says, as [N,Embed]. The
// result is not normalised. Images have the size of the configuration; a
// ConvNeXt takes others too.
//
// In the last block of a Vision Transformer only the class token's part is
// computed, for nothing else reaches the embedding.
func (m *Model) Image(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return m.walkImage(t, x, nil) }

// Text embeds texts as [N,Embed]. Each is given by its tokens: the start token
// first, the end token at the end, and anything after that. All have the same
// length, at most Config.Text.Context. The result is not normalised.
//
// What follows the end of the longest text is not computed, nor in the last
// block anything but the end token's part: causal attention lets nothing else
// through to where the text is pooled.
func (m *Model) Text(t *nn.Tape, tokens [][]int32) *nn.Tensor { return m.walkText(t, tokens, nil) }

// WalkImage is Image, nothing left out, and calls see with what each part returns on the way,
// under open_clip's names: "visual.ln_pre", "visual.transformer" and
// "visual.ln_post" [N,T,C] of a Vision Transformer, "visual.stem" and
// "visual.layer1" to "visual.layer4" [N,H,W,C] and "visual.attnpool" of a
// ResNet, "visual.trunk.stem", "visual.trunk.stages.i" and "visual.trunk" of a
// ConvNeXt. A value that is to be read after Eval must be kept there.
func (m *Model) WalkImage(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor {
	if see == nil {
		see = blind
	}
	return m.walkImage(t, x, see)
}

func (m *Model) walkImage(t *nn.Tape, x *nn.Tensor, see see) *nn.Tensor {
	if m.vision == nil {
		t.Fail(fmt.Errorf("clip: image: %w", ErrNoTower))
		return x
	}
	return m.vision.forward(t, x, see)
}

// WalkText is Text over whole texts, nothing left out, and calls see with
// "transformer", what comes out of the blocks, and "ln_final", both [N,T,C].
func (m *Model) WalkText(t *nn.Tape, tokens [][]int32, see func(name string, y *nn.Tensor)) *nn.Tensor {
	if see == nil {
		see = blind
	}
	return m.walkText(t, tokens, see)
}

func (m *Model) walkText(t *nn.Tape, tokens [][]int32, see see) *nn.Tensor {
	if m.text == nil {
		t.Fail(fmt.Errorf("clip: text: %w", ErrNoTower))
		return nil
	}
	return m.text.forward(t, tokens, see)
}

// Logits compares images [N,E] and texts [K,E] as Image and Text return them:
// [N,K], the cosines times the logit scale.
func (m *Model) Logits(t *nn.Tape, images, texts *nn.Tensor) *nn.Tensor {
	return t.TimesExp(t.MulTransposed(t.Normalize(images), t.Normalize(texts)), m.scale)
}
