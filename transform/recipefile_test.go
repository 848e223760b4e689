package transform

import (
	"errors"
	"math"
	"strings"
	"testing"
)

func TestPreprocessorFilesOfHuggingFace(t *testing.T) {
	half := [3]float32{0.5, 0.5, 0.5}
	base := Config{Rounding: Down, Mean: half, Std: half}
	with := func(size, resize int, how Interpolation, crop Crop, change func(*Config)) Config {
		c := base
		c.Size, c.Resize, c.Interpolation, c.Crop = size, resize, how, crop
		if change != nil {
			change(&c)
		}
		return c
	}
	imagenet := func(c *Config) { c.Mean, c.Std = imageNetMean(), imageNetStd() }
	clip := func(c *Config) { c.Mean, c.Std = clipMean(), clipStd() }
	for name, tc := range map[string]struct {
		text string
		want Config
	}{
		"convnext-tiny-224": {`{"crop_pct":0.875,"do_normalize":true,"do_resize":true,"feature_extractor_type":"ConvNextFeatureExtractor",
			"image_mean":[0.485,0.456,0.406],"image_std":[0.229,0.224,0.225],"resample":3,"size":224}`, with(224, 256, Bicubic, Centre, imagenet)},
		"convnext at 384": {`{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":384},"crop_pct":0.875,"do_rescale":true,"rescale_factor":0.00392156862745098}`,
			with(384, 384, Bicubic, Squash, nil)},
		"convnext, nothing said":               {`{"image_processor_type":"ConvNextImageProcessorFast"}`, with(384, 384, Bicubic, Squash, nil)},
		"convnext, nulls":                      {`{"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":224,"height":null},"crop_pct":null,"resample":null,"image_mean":null,"do_pad":null}`, with(224, 256, Bicubic, Centre, nil)},
		"int, not floor of a rounded quotient": {`{"image_processor_type":"ConvNextImageProcessor","size":256,"crop_pct":0.9}`, with(256, 284, Bicubic, Centre, nil)},
		"no type but crop_pct":                 {`{"do_resize":true,"crop_pct":1,"size":288,"resample":1}`, with(288, 288, Lanczos, Centre, nil)},
		"vit":                                  {`{"image_processor_type":"ViTImageProcessor","size":{"height":224,"width":224},"do_convert_rgb":null}`, with(224, 224, Bilinear, Squash, nil)},
		"vit, a number":                        {`{"feature_extractor_type":"ViTFeatureExtractor","size":384,"resample":2,"image_mean":0.5}`, with(384, 384, Bilinear, Squash, nil)},
		"deit":                                 {`{"image_processor_type":"DeiTImageProcessor"}`, with(224, 256, Bicubic, Squash, nil)},
		"clip":                                 {`{"feature_extractor_type":"CLIPFeatureExtractor","size":224,"crop_size":224,"do_center_crop":true,"resample":3}`, with(224, 224, Bicubic, Centre, clip)},
		"clip, a margin":                       {`{"image_processor_type":"CLIPImageProcessor","size":{"shortest_edge":256},"crop_size":{"height":224,"width":224}}`, with(224, 256, Bicubic, Centre, clip)},
		"bit without crop":                     {`{"image_processor_type":"BitImageProcessor","do_center_crop":false,"size":{"height":448,"width":448}}`, with(448, 448, Bicubic, Squash, clip)},
		"not normalised":                       {`{"image_processor_type":"ViTImageProcessor","do_normalize":false}`, with(224, 224, Bilinear, Squash, func(c *Config) { c.Mean, c.Std = [3]float32{}, [3]float32{1, 1, 1} })},
		"not rescaled": {`{"image_processor_type":"ViTImageProcessor","do_rescale":false,"image_mean":[127.5,127.5,127.5],"image_std":[127.5,127.5,127.5]}`,
			with(224, 224, Bilinear, Squash, nil)},
		"rescaled to 0-2": {`{"image_processor_type":"ViTImageProcessor","rescale_factor":0.00784313725490196,"image_mean":[1,1,1],"image_std":[1,1,1]}`,
			with(224, 224, Bilinear, Squash, nil)},
		"steps that are off": {`{"image_processor_type":"ViTImageProcessor","do_pad":false,"do_flip_channel_order":false,"pad_size":7,"_processor_class":null}`,
			with(224, 224, Bilinear, Squash, nil)},
	} {
		got, err := ReadRecipe([]byte(tc.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		close := got.Config
		for i := range 3 {
			if math.Abs(float64(close.Mean[i]-tc.want.Mean[i])) < 1e-7 && math.Abs(float64(close.Std[i]-tc.want.Std[i])) < 1e-7 {
				close.Mean[i], close.Std[i] = tc.want.Mean[i], tc.want.Std[i]
			}
		}
		if close != tc.want || got.Test != got.Config {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, tc.want)
		}
	}
}

func TestConfigFilesOfTimm(t *testing.T) {
	imagenet := Config{Mean: imageNetMean(), Std: imageNetStd(), Interpolation: Bicubic}
	with := func(size, resize int, change func(*Config)) Config {
		c := imagenet
		c.Size, c.Resize = size, resize
		if change != nil {
			change(&c)
		}
		return c
	}
	for name, tc := range map[string]struct {
		text string
		want Recipe
	}{
		"usual": {`{"architecture":"convnext_tiny","num_classes":1000,"num_features":768,"global_pool":"avg","pretrained_cfg":{"tag":"fb_in1k","custom_load":false,
			"input_size":[3,224,224],"test_input_size":[3,288,288],"fixed_input_size":false,"interpolation":"bicubic","crop_pct":0.875,"test_crop_pct":1.0,
			"crop_mode":"center","mean":[0.485,0.456,0.406],"std":[0.229,0.224,0.225],"num_classes":1000,"pool_size":[7,7],"first_conv":"stem.0","classifier":"head.fc","license":"apache-2.0"}}`,
			Recipe{"convnext_tiny.fb_in1k", "convnext_tiny", with(224, 256, nil), with(288, 288, nil), 1000, "apache-2.0"}},
		"nothing said": {`{"architecture":"resnet50","pretrained_cfg":{}}`, Recipe{"", "resnet50", with(224, 256, nil), with(224, 256, nil), 0, ""}},
		"nulls": {`{"architecture":"resnet50","pretrained_cfg":{"input_size":null,"crop_pct":null,"test_crop_pct":0.95,"mean":null,"interpolation":null,"test_input_size":null}}`,
			Recipe{"", "resnet50", with(224, 256, nil), with(224, 235, nil), 0, ""}},
		"old": {`{"architecture":"resnet26t","num_classes":12,"input_size":[3,256,256],"crop_pct":0.94,"interpolation":"bilinear","mean":[0.5],"std":0.5}`,
			Recipe{"", "resnet26t", with(256, 272, func(c *Config) {
				c.Interpolation, c.Mean, c.Std = Bilinear, [3]float32{.5, .5, .5}, [3]float32{.5, .5, .5}
			}), with(256, 272, func(c *Config) {
				c.Interpolation, c.Mean, c.Std = Bilinear, [3]float32{.5, .5, .5}, [3]float32{.5, .5, .5}
			}), 12, ""}},
		"border": {`{"architecture":"x","num_classes":3,"pretrained_cfg":{"num_classes":1000,"crop_mode":"border","crop_pct":1,"interpolation":"lanczos"}}`,
			Recipe{"", "x", with(224, 224, func(c *Config) { c.Crop, c.Interpolation = Border, Lanczos }), with(224, 224, func(c *Config) { c.Crop, c.Interpolation = Border, Lanczos }), 3, ""}},
	} {
		got, err := ReadRecipe([]byte(tc.text))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got != tc.want {
			t.Errorf("%s:\n%+v, want\n%+v", name, got, tc.want)
		}
	}
}

func TestOwnConfigIsARecipe(t *testing.T) {
	want := Config{Size: 32, Resize: 36, Interpolation: Bicubic, Convert: AfterCrop}.WithDefaults()
	text, err := want.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadRecipe(text)
	if err != nil || got.Config != want || got.Test != want {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRecipesThatCannotBeFollowedAreErrors(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                 ``,
		"no object":             `[1]`,
		"null":                  `null`,
		"something else":        `{"hidden_size":768}`,
		"transformers' config":  `{"architectures":["ConvNextForImageClassification"],"model_type":"convnext"}`,
		"grey":                  `{"pretrained_cfg":{"input_size":[1,224,224]}}`,
		"not square":            `{"pretrained_cfg":{"input_size":[3,224,256]}}`,
		"no size":               `{"pretrained_cfg":{"input_size":[3,0,0]}}`,
		"negative size":         `{"pretrained_cfg":{"input_size":[3,-5,-5]}}`,
		"huge size":             `{"pretrained_cfg":{"input_size":[3,1000000,1000000]}}`,
		"size in words":         `{"pretrained_cfg":{"input_size":"224"}}`,
		"crop share below 0":    `{"pretrained_cfg":{"crop_pct":-1}}`,
		"crop share tiny":       `{"pretrained_cfg":{"crop_pct":1e-300}}`,
		"crop mode":             `{"pretrained_cfg":{"crop_mode":"random"}}`,
		"interpolation":         `{"pretrained_cfg":{"interpolation":"random"}}`,
		"two channels":          `{"pretrained_cfg":{"mean":[1,2]}}`,
		"deviation 0":           `{"pretrained_cfg":{"std":[0,0,0]}}`,
		"border pixels":         `{"pretrained_cfg":{"crop_border_pixels":8}}`,
		"classes below 0":       `{"num_classes":-1,"pretrained_cfg":{}}`,
		"cfg no object":         `{"pretrained_cfg":7}`,
		"unknown processor":     `{"image_processor_type":"DetrImageProcessor"}`,
		"no processor":          `{"do_resize":true,"size":224}`,
		"padding":               `{"image_processor_type":"ViTImageProcessor","do_pad":true}`,
		"channel order":         `{"image_processor_type":"ViTImageProcessor","do_flip_channel_order":true}`,
		"an unknown step":       `{"image_processor_type":"ViTImageProcessor","do_sharpen":"yes"}`,
		"a crop ViT lacks":      `{"image_processor_type":"ViTImageProcessor","do_center_crop":true}`,
		"any size":              `{"image_processor_type":"ViTImageProcessor","do_resize":false}`,
		"resample code":         `{"image_processor_type":"ViTImageProcessor","resample":9}`,
		"resample below 0":      `{"image_processor_type":"ViTImageProcessor","resample":-1}`,
		"sides differ":          `{"image_processor_type":"ViTImageProcessor","size":{"height":224,"width":256}}`,
		"one side":              `{"image_processor_type":"ViTImageProcessor","size":{"height":224}}`,
		"shortest edge alone":   `{"image_processor_type":"ViTImageProcessor","size":{"shortest_edge":224}}`,
		"longest edge":          `{"image_processor_type":"CLIPImageProcessor","size":{"shortest_edge":224,"longest_edge":300}}`,
		"ConvNeXt of two sides": `{"image_processor_type":"ConvNextImageProcessor","size":{"height":224,"width":224}}`,
		"ConvNeXt crop share":   `{"image_processor_type":"ConvNextImageProcessor","size":224,"crop_pct":0}`,
		"crop not square":       `{"image_processor_type":"CLIPImageProcessor","crop_size":{"height":224,"width":200}}`,
		"crop of an edge":       `{"image_processor_type":"CLIPImageProcessor","crop_size":{"shortest_edge":224}}`,
		"rescale 0":             `{"image_processor_type":"ViTImageProcessor","rescale_factor":0}`,
		"size 0":                `{"image_processor_type":"ViTImageProcessor","size":0}`,
		"size below 0":          `{"image_processor_type":"ConvNextImageProcessor","size":-4}`,
		"own, unknown key":      `{"size":224,"resize":256,"flip":true}`,
	} {
		got, err := ReadRecipe([]byte(text))
		if !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %+v, %v, want ErrConfig", name, got, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
	}
	if _, err := ReadRecipe([]byte(strings.Repeat(" ", maxRecipe+1))); !errors.Is(err, ErrConfig) {
		t.Errorf("a huge file: %v", err)
	}
}

func FuzzReadRecipe(f *testing.F) {
	f.Add([]byte(`{"pretrained_cfg":{"input_size":[3,224,224],"crop_pct":0.9,"mean":0.5}}`))
	f.Add([]byte(`{"image_processor_type":"CLIPImageProcessor","size":{"shortest_edge":224},"crop_size":7,"rescale_factor":1e-3}`))
	f.Add([]byte(`{"do_resize":true,"crop_pct":1,"size":288}`))
	f.Add([]byte(`{"size":32,"resize":36,"crop":"border"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := ReadRecipe(data)
		if err != nil {
			return
		}
		for _, c := range []Config{r.Config, r.Test} {
			if err := c.Validate(); err != nil {
				t.Fatalf("%s gives %+v: %v", data, c, err)
			}
		}
	})
}
