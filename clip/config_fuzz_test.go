package clip_test

import (
	"errors"
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
)

// A configuration of a stranger's is an error or a model; it takes no memory for
// weights either way.
func FuzzConfigurations(f *testing.F) {
	for _, text := range []string{
		`{"model_type":"clip"}`, `{"model_type":"clip_vision_model","hidden_size":64,"num_attention_heads":1,"image_size":[8,8],"patch_size":9}`,
		`{"model_type":"clip","text_config":{"eos_token_id":-1,"vocab_size":1},"vision_config":{"layer_norm_eps":1e-400}}`,
		`{"embed_dim":8,"vision_cfg":{"layers":[1,1,1,1],"width":8,"image_size":32},"text_cfg":{"width":64,"heads":1}}`,
		`{"embed_dim":8,"quick_gelu":true,"vision_cfg":{"timm_model_name":"convnext_base","timm_proj":"mlp","timm_model_kwargs":{"depths":[1],"dims":[8]}}}`,
		`{"model_cfg":{"embed_dim":8,"vision_cfg":{"mlp_ratio":0.001}},"preprocess_cfg":{"resize_mode":"squash","size":[4,4]}}`,
		`{"embed_dim":8,"vision_cfg":{"timm_model_name":"convnext_base","timm_model_kwargs":{"depths":[],"dims":[]}}}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, prep, err := clip.ReadOpenCLIP(text)
		if err == nil {
			err = prep.Validate()
		}
		if h, herr := clip.ReadHuggingFace(text); herr == nil {
			c, err = h, nil
		} else if !errors.Is(herr, clip.ErrConfig) && !errors.Is(herr, clip.ErrUnsupported) {
			t.Error(herr)
		}
		if err != nil {
			return
		}
		m, err := clip.New(c)
		if err != nil {
			if !errors.Is(err, clip.ErrConfig) {
				t.Error(err)
			}
			return
		}
		layers := 0
		if v := c.Vision; v != nil {
			layers += v.Layers
			for _, d := range v.Depths {
				layers += d
			}
			tape := nn.NewTape(nn.Inference, nil)
			m.Image(tape, tape.Describe(1, v.Size, v.Size, 3)) // shapes only
		}
		if d, err := clip.Detect(nntest.ShapesOf(m)); err == nil && layers < 50 {
			if _, err := clip.New(d); err != nil {
				t.Errorf("found again, but not to be built: %v", err)
			}
		}
	})
}
