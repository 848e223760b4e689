package clip

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
)

// ReadOpenCLIP reads a configuration of open_clip: one of its model_configs, or
// open_clip_config.json as it lies beside weights, whose preprocess_cfg is read
// too. Preprocessing is OpenAI's where the file says nothing.
//
// A model that is not built, such as SigLIP, MobileCLIP, EVA or CoCa, and a key
// that asks for something else than what is built are errors that wrap
// ErrUnsupported; a file that is no configuration one that wraps ErrConfig.
func ReadOpenCLIP(data []byte) (Config, transform.Config, error) {
	fail := func(err error) (Config, transform.Config, error) {
		return Config{}, transform.Config{}, fmt.Errorf("clip: open_clip's configuration: %w", err)
	}
	top := parseObject("model", data)
	if top.err != nil {
		return fail(top.err)
	}
	var prep *object
	if top.has("model_cfg") {
		prep = top.sub("preprocess_cfg")
		top = top.sub("model_cfg")
	}
	if top == nil || !top.has("embed_dim") || !top.has("vision_cfg") {
		return fail(fmt.Errorf("there is no embed_dim or vision_cfg: %w", ErrConfig))
	}
	if family := familyOf(data); family != "" {
		return fail(fmt.Errorf("a model of the kind %s: %w", family, ErrUnsupported))
	}
	var c Config
	var quick bool
	top.get("embed_dim", &c.Embed)
	top.get("quick_gelu", &quick)
	top.ignore("custom_text", "init_logit_scale", "output_dict", "cast_dtype", "hf_hub", "name")
	top.fixed("init_logit_bias")
	top.fixed("nonscalar_logit_scale", "false")
	v, t := top.sub("vision_cfg"), top.sub("text_cfg")
	if err := top.done(); err != nil {
		return fail(err)
	}
	var err error
	if c.Vision, err = v.openCLIPVision(); err != nil {
		return fail(err)
	}
	if t != nil {
		if c.Text, err = t.openCLIPText(); err != nil {
			return fail(err)
		}
	}
	if quick && c.Vision.Kind != ConvNeXt { // with a trunk of timm's both towers have GELU
		c = c.WithActivation(nn.QuickGELU.String())
	}
	if err := c.check(); err != nil {
		return Config{}, transform.Config{}, err
	}
	p := Preprocessing(c.Vision.Size)
	if prep != nil {
		if err := prep.openCLIPPreprocessing(&p); err != nil {
			return fail(err)
		}
	}
	return c, p, nil
}

// familyOf names a family of models that is not built, by words in its
// configuration that only it has; "" if there are none.
func familyOf(data []byte) string {
	text := strings.ToLower(string(data))
	for _, f := range []struct{ word, name string }{
		{"siglip2", "SigLIP 2"}, {"siglip", "SigLIP"}, {"init_logit_bias", "SigLIP"}, {"mobileclip", "MobileCLIP"}, {"fastvit", "MobileCLIP"}, {"_mci", "MobileCLIP"},
		{"multimodal_cfg", "CoCa"}, {"eva_", "EVA"}, {"eva02", "EVA"}, {"vitamin", "ViTamin"}, {"nllb", "NLLB-CLIP"},
		{"hf_model_name", "CLIP with a text tower of Hugging Face's"}, {"naflex", "NaFlex"}, {"\"pe-", "Perception Encoder"},
	} {
		if strings.Contains(text, f.word) {
			return f.name
		}
	}
	return ""
}

func (o *object) openCLIPVision() (*Vision, error) {
	v := &Vision{Kind: ViT, Size: 224}
	o.side("image_size", &v.Size)
	// What training alone has, or what changes nothing without another key.
	o.ignore("patch_dropout", "output_tokens", "attn_pooler_queries", "attn_pooler_heads", "timm_model_pretrained", "timm_drop", "timm_drop_path")
	var name string
	o.get("timm_model_name", &name)
	if name != "" {
		return o.openCLIPTrunk(v, name)
	}
	o.ignore("timm_pool", "timm_proj", "timm_proj_bias")
	layers, ratio, head := json.RawMessage("12"), 4.0, 64
	v.Width, v.Patch = 768, 16
	o.get("layers", &layers)
	o.get("width", &v.Width)
	o.get("head_width", &head)
	o.get("mlp_ratio", &ratio)
	o.side("patch_size", &v.Patch)
	o.fixed("ls_init_value")
	o.fixed("attentional_pool", "false")
	o.fixed("no_ln_pre", "false")
	o.fixed("pos_embed_type", `"learnable"`)
	o.fixed("final_ln_after_pool", "false")
	o.fixed("pool_type", `"tok"`)
	o.fixed("act_kwargs", "{}")
	o.fixed("norm_kwargs", "{}")
	o.fixed("block_type", `"default"`)
	o.fixed("qk_norm", "false")
	o.fixed("scaled_cosine_attn", "false")
	o.fixed("scale_heads", "false")
	o.fixed("scale_attn_inner", "false")
	o.fixed("scale_attn", "false")
	o.fixed("scale_fc", "false")
	if err := o.done(); err != nil {
		return nil, err
	}
	if head < 1 || v.Width < 1 || v.Width > maxWidth || !(ratio > 0 && ratio < 64) {
		return nil, fmt.Errorf("%s: width %d, head_width %d, mlp_ratio %v: %w", o.where, v.Width, head, ratio, ErrConfig)
	}
	if json.Unmarshal(layers, &v.Layers) != nil {
		if err := json.Unmarshal(layers, &v.Depths); err != nil {
			return nil, fmt.Errorf("%s: layers: %w: %w", o.where, err, ErrConfig)
		}
		v.Kind, v.Patch = ResNet, 0
		v.Heads = v.Width * 32 / head
		return v, nil
	}
	v.Heads = v.Width / head
	v.MLP = int(float64(v.Width) * ratio)
	return v, nil
}

func (o *object) openCLIPTrunk(v *Vision, name string) (*Vision, error) {
	trunk, err := convnext.Preset(name, 1)
	if err != nil {
		return nil, fmt.Errorf("%s: timm's %s as image tower: %w", o.where, quoted(name), ErrUnsupported)
	}
	v.Kind = ConvNeXt
	o.ignore("layers", "width", "head_width", "mlp_ratio", "patch_size") // a trunk has its own
	proj := "linear"
	o.get("timm_proj", &proj)
	o.fixed("timm_pool", `""`, `"avg"`)
	o.fixed("timm_proj_bias", "false")
	if kw := o.sub("timm_model_kwargs"); kw != nil {
		kw.get("depths", &trunk.Depths)
		kw.get("dims", &trunk.Dims)
		kw.get("norm_eps", &trunk.Epsilon)
		kw.get("conv_mlp", &trunk.ConvMLP)
		kw.fixed("conv_bias", "true")
		kw.ignore("drop_path_rate", "ls_init_value")
		if err := kw.done(); err != nil {
			return nil, err
		}
	}
	if err := o.done(); err != nil {
		return nil, err
	}
	switch proj {
	case "linear":
	case "mlp":
		v.Projection = MLP
	default:
		return nil, fmt.Errorf("%s: timm_proj is %s: %w", o.where, quoted(proj), ErrUnsupported)
	}
	v.Trunk = &trunk
	return v, nil
}

func (o *object) openCLIPText() (*Text, error) {
	t := &Text{Vocabulary: 49408, Context: Context, Width: 512, Heads: 8, Layers: 12}
	ratio := 4.0
	o.get("context_length", &t.Context)
	o.get("vocab_size", &t.Vocabulary)
	o.get("width", &t.Width)
	o.get("heads", &t.Heads)
	o.get("layers", &t.Layers)
	o.get("mlp_ratio", &ratio)
	o.ignore("hf_tokenizer_name", "tokenizer_kwargs", "pad_id", "output_tokens", "tokenizer_mode")
	o.fixed("ls_init_value")
	o.fixed("embed_cls", "false")
	o.fixed("no_causal_mask", "false")
	o.fixed("proj_bias", "false")
	o.fixed("proj_type", `"linear"`)
	o.fixed("pool_type", `"argmax"`)
	o.fixed("final_ln_after_pool", "false")
	o.fixed("act_kwargs", "{}")
	o.fixed("norm_kwargs", "{}")
	o.fixed("block_type", `"default"`)
	o.fixed("qk_norm", "false")
	if err := o.done(); err != nil {
		return nil, err
	}
	if t.Width < 1 || t.Width > maxWidth || t.Heads < 1 || !(ratio > 0 && ratio < 64) {
		return nil, fmt.Errorf("%s: width %d, heads %d, mlp_ratio %v: %w", o.where, t.Width, t.Heads, ratio, ErrConfig)
	}
	t.MLP = int(float64(t.Width) * ratio)
	return t, nil
}

func (o *object) openCLIPPreprocessing(p *transform.Config) error {
	mean, std := p.Mean, p.Std
	how, mode, size := "bicubic", "shortest", p.Size
	o.get("mean", &mean)
	o.get("std", &std)
	o.get("interpolation", &how)
	o.get("resize_mode", &mode)
	o.side("size", &size)
	o.fixed("mode", `"RGB"`)
	o.ignore("fill_color") // of resize_mode "longest" alone
	if err := o.done(); err != nil {
		return err
	}
	p.Mean, p.Std, p.Size, p.Resize = mean, std, size, size
	switch how {
	case "bicubic":
	case "bilinear":
		p.Interpolation = transform.Bilinear
	default:
		return fmt.Errorf("%s: interpolation is %s: %w", o.where, quoted(how), ErrUnsupported)
	}
	switch mode {
	case "shortest":
	case "squash":
		p.Crop = transform.Squash
	default:
		return fmt.Errorf("%s: resize_mode is %s: %w", o.where, quoted(mode), ErrUnsupported)
	}
	return p.Validate()
}
