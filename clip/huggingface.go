package clip

import (
	"fmt"

	"github.com/winnow-go/winnow/nn"
)

// ReadHuggingFace reads config.json of a CLIP of Hugging Face's transformers:
// a CLIPModel, or the vision or the text model alone (with projection). What
// the file leaves out has the default of that library (models/clip/
// configuration_clip.py).
//
// Another model_type is an error that wraps ErrUnsupported and names it; a file
// that is no such configuration one that wraps ErrConfig.
func ReadHuggingFace(data []byte) (Config, error) {
	fail := func(err error) (Config, error) {
		return Config{}, fmt.Errorf("clip: Hugging Face's configuration: %w", err)
	}
	top := parseObject("model", data)
	kind := ""
	top.get("model_type", &kind)
	if top.err != nil {
		return fail(top.err)
	}
	c := Config{Embed: 512}
	top.get("projection_dim", &c.Embed)
	var err error
	switch kind {
	case "clip":
		v, t := top.sub("vision_config"), top.sub("text_config")
		if top.err != nil {
			return fail(top.err)
		}
		// Old files have what differs from the defaults in a second dictionary.
		if v == nil {
			v = top.sub("vision_config_dict")
		}
		if t == nil {
			t = top.sub("text_config_dict")
		}
		if c.Vision, err = v.orEmpty("vision_config").huggingFaceVision(); err == nil {
			c.Text, err = t.orEmpty("text_config").huggingFaceText()
		}
	case "clip_vision_model":
		c.Vision, err = top.huggingFaceVision()
	case "clip_text_model":
		c.Text, err = top.huggingFaceText()
	case "":
		return fail(fmt.Errorf("there is no model_type: %w", ErrConfig))
	default:
		return fail(fmt.Errorf("a model of the kind %s: %w", quoted(kind), ErrUnsupported))
	}
	if err == nil {
		err = top.err
	}
	if err != nil {
		return fail(err)
	}
	return c, c.check()
}

func (o *object) orEmpty(where string) *object {
	if o == nil {
		return parseObject(where, []byte("{}"))
	}
	return o
}

// A key of Hugging Face's that is not read is none that changes the forward
// pass of a CLIP: their files hold dozens of such.

func (o *object) huggingFaceVision() (*Vision, error) {
	v := &Vision{Kind: ViT, Size: 224, Width: 768, Patch: 32, Layers: 12, Heads: 12, MLP: 3072, Eps: 1e-5}
	act, channels := "quick_gelu", 3
	o.side("image_size", &v.Size)
	o.side("patch_size", &v.Patch)
	o.get("hidden_size", &v.Width)
	o.get("num_hidden_layers", &v.Layers)
	o.get("num_attention_heads", &v.Heads)
	o.get("intermediate_size", &v.MLP)
	o.get("layer_norm_eps", &v.Eps)
	o.get("hidden_act", &act)
	o.get("num_channels", &channels)
	if o.err == nil && channels != 3 {
		o.err = fmt.Errorf("%s: images of %d channels: %w", o.where, channels, ErrUnsupported)
	}
	v.Act = o.activation(act)
	return v, o.err
}

func (o *object) huggingFaceText() (*Text, error) {
	t := &Text{Vocabulary: 49408, Context: Context, Width: 512, Layers: 12, Heads: 8, MLP: 2048, Eps: 1e-5}
	act, end := "quick_gelu", 49407
	o.get("vocab_size", &t.Vocabulary)
	o.get("max_position_embeddings", &t.Context)
	o.get("hidden_size", &t.Width)
	o.get("num_hidden_layers", &t.Layers)
	o.get("num_attention_heads", &t.Heads)
	o.get("intermediate_size", &t.MLP)
	o.get("layer_norm_eps", &t.Eps)
	o.get("hidden_act", &act)
	o.get("eos_token_id", &end)
	// Files from before 2023 say 2, which the library takes for OpenAI's rule:
	// the largest number.
	if end != 2 && end > 0 && end < t.Vocabulary && end != t.Vocabulary-1 {
		t.End = int32(end)
	}
	t.Act = o.activation(act)
	return t, o.err
}

// activation is our name for one of theirs.
func (o *object) activation(name string) string {
	switch name {
	case "quick_gelu", "gelu", "relu", "silu":
		return name
	case "gelu_new", "gelu_pytorch_tanh", "gelu_fast":
		return nn.GELUTanh.String()
	case "swish":
		return nn.SiLU.String()
	}
	if o.err == nil {
		o.err = fmt.Errorf("%s: hidden_act is %s: %w", o.where, quoted(name), ErrUnsupported)
	}
	return ""
}
