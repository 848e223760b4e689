package transform

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// maxRecipe is the longest file that ReadRecipe looks at; those with the names
// of 22,000 classes have 2 MB.
const maxRecipe = 16 << 20

// ReadRecipe reads preprocessing from a JSON file that authors put beside their
// weights, or from our own. Which one it is follows from its keys:
//
//   - timm's config.json, which has pretrained_cfg (or, written by old versions,
//     the keys of it at the top);
//   - Hugging Face's preprocessor_config.json of a ConvNeXt, ViT, DeiT, BiT or
//     CLIP image processor;
//   - a [Config] as JSON.
//
// A key that is absent or null means what the authors' program takes then. A key
// that asks for something that a Config cannot say, such as a picture that is
// not square, another number of channels or padding, is an error that wraps
// ErrConfig, as is a file of none of these kinds; a key that changes no pixel is
// passed over.
func ReadRecipe(data []byte) (Recipe, error) {
	if len(data) > maxRecipe {
		return Recipe{}, fmt.Errorf("%w: a file of %d bytes", ErrConfig, len(data))
	}
	var top object
	if err := json.Unmarshal(data, &top); err != nil {
		return Recipe{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	has := func(keys ...string) bool {
		for _, k := range keys {
			if top.has(k) {
				return true
			}
		}
		return false
	}
	switch {
	case has("pretrained_cfg"), has("architecture") && has("input_size", "mean", "crop_pct", "interpolation"):
		return readTimm(top)
	case has("image_processor_type", "feature_extractor_type", "do_resize", "do_normalize", "image_mean"):
		return readProcessor(top)
	case has("model_type", "architectures"):
		return Recipe{}, fmt.Errorf("%w: this describes a model of Hugging Face's, its preprocessing is in preprocessor_config.json", ErrConfig)
	case has("size") && has("resize", "crop", "mean", "interpolation"):
		var c Config
		if err := json.Unmarshal(data, &c); err != nil {
			return Recipe{}, err
		}
		return Recipe{Config: c, Test: c}, nil
	}
	return Recipe{}, fmt.Errorf("%w: neither timm's config.json nor Hugging Face's preprocessor_config.json", ErrConfig)
}

// object is a JSON object whose values are read one by one.
type object map[string]json.RawMessage

// has tells whether there is a value other than null.
func (o object) has(key string) bool {
	v, ok := o[key]
	return ok && string(v) != "null"
}

// get reads a value, leaving into as it is where there is none.
func (o object) get(key string, into any) error {
	if !o.has(key) {
		return nil
	}
	if err := json.Unmarshal(o[key], into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrConfig, key, err)
	}
	return nil
}

// three reads statistics: a value for each channel, or one for all.
func (o object) three(key string, into *[3]float64) error {
	if !o.has(key) {
		return nil
	}
	var one float64
	if json.Unmarshal(o[key], &one) == nil {
		*into = [3]float64{one, one, one}
		return nil
	}
	var list []float64
	if err := o.get(key, &list); err != nil {
		return err
	}
	switch len(list) {
	case 1:
		*into = [3]float64{list[0], list[0], list[0]}
	case 3:
		*into = [3]float64(list)
	default:
		return fmt.Errorf("%w: %s: %d channels, want 3", ErrConfig, key, len(list))
	}
	return nil
}

func to32(v [3]float64) [3]float32 { return [3]float32{float32(v[0]), float32(v[1]), float32(v[2])} }
func to64(v [3]float32) [3]float64 { return [3]float64{float64(v[0]), float64(v[1]), float64(v[2])} }

// readTimm reads config.json as timm does (timm/models/_hub.py and
// timm/data/config.py, resolve_data_config; timm/data/transforms_factory.py).
func readTimm(top object) (Recipe, error) {
	cfg := top
	if top.has("pretrained_cfg") {
		cfg = nil
		if err := top.get("pretrained_cfg", &cfg); err != nil {
			return Recipe{}, err
		}
	}
	var r Recipe
	var tag, how, mode string
	how, mode = "bicubic", "center"
	input, test := []int{3, 224, 224}, []int(nil)
	crop, testCrop := 0.875, 0.0
	mean, std := [3]float64{0.485, 0.456, 0.406}, [3]float64{0.229, 0.224, 0.225}
	for _, err := range []error{
		cfg.get("architecture", &r.Architecture), top.get("architecture", &r.Architecture),
		cfg.get("num_classes", &r.Classes), top.get("num_classes", &r.Classes),
		cfg.get("tag", &tag), cfg.get("license", &r.License),
		cfg.get("input_size", &input), cfg.get("test_input_size", &test),
		cfg.get("crop_pct", &crop), cfg.get("test_crop_pct", &testCrop),
		cfg.get("interpolation", &how), cfg.get("crop_mode", &mode),
		cfg.three("mean", &mean), cfg.three("std", &std),
	} {
		if err != nil {
			return Recipe{}, err
		}
	}
	if r.Classes < 0 {
		return Recipe{}, fmt.Errorf("%w: %d classes", ErrConfig, r.Classes)
	}
	if tag != "" && r.Architecture != "" {
		r.Name = r.Architecture + "." + tag
	}
	if cfg.has("crop_border_pixels") {
		return Recipe{}, fmt.Errorf("%w: crop_border_pixels is not built", ErrConfig)
	}
	c := Config{Mean: to32(mean), Std: to32(std)}
	for _, err := range []error{c.Interpolation.UnmarshalText([]byte(how)), c.Crop.UnmarshalText([]byte(mode))} {
		if err != nil {
			return Recipe{}, fmt.Errorf("%w: %w", ErrConfig, err)
		}
	}
	if test == nil {
		test = input
	}
	if crop == 0 { // timm tests for truth
		crop = 0.875
	}
	if testCrop == 0 {
		testCrop = crop
	}
	var err error
	if r.Config, err = c.timm(input, crop); err != nil {
		return Recipe{}, err
	}
	r.Test, err = c.timm(test, testCrop)
	return r, err
}

// timm is c for an input_size and a crop_pct.
func (c Config) timm(input []int, crop float64) (Config, error) {
	if len(input) != 3 || input[0] != 3 || input[1] != input[2] {
		return Config{}, fmt.Errorf("%w: input size %v, want 3 channels and a square", ErrConfig, input)
	}
	if input[1] < 1 || !(crop > 0) || math.Floor(float64(input[1])/crop) > maxSide {
		return Config{}, fmt.Errorf("%w: input size %v, crop share %v", ErrConfig, input, crop)
	}
	c.Size, c.Resize = input[1], int(math.Floor(float64(input[1])/crop))
	return c, c.full()
}

// full refuses what is not whole: a recipe is taken from a file as it stands,
// where zero has no other meaning.
func (c Config) full() error {
	if c.Size < 1 || c.Resize < 1 || c.Std == [3]float32{} {
		return fmt.Errorf("%w: size %d, resize %d, deviation %v", ErrConfig, c.Size, c.Resize, c.Std)
	}
	return c.Validate()
}

// processor is what one kind of Hugging Face's image processors takes where the
// file says nothing (transformers/models/*/image_processing_*.py).
type processor struct {
	how       Interpolation
	size      string // JSON
	mean, std [3]float32
	square    bool   // a single number as size is both sides, not the shorter one
	crop      string // JSON of crop_size, "" for no crop
}

func processorOf(kind string) (processor, bool) {
	half := [3]float32{0.5, 0.5, 0.5}
	switch kind {
	case "ConvNext":
		return processor{Bicubic, `384`, half, half, false, ""}, true
	case "ViT":
		return processor{Bilinear, `224`, half, half, true, ""}, true
	case "DeiT":
		return processor{Bicubic, `256`, half, half, true, `224`}, true
	case "BiT", "Bit", "CLIP":
		return processor{Bicubic, `224`, clipMean(), clipStd(), false, `224`}, true
	}
	return processor{}, false
}

// readProcessor reads preprocessor_config.json.
func readProcessor(top object) (Recipe, error) {
	fail := func(format string, args ...any) (Recipe, error) {
		return Recipe{}, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...)
	}
	var kind string
	if err := top.get("feature_extractor_type", &kind); err != nil {
		return Recipe{}, err
	}
	if err := top.get("image_processor_type", &kind); err != nil {
		return Recipe{}, err
	}
	if kind == "" && top.has("crop_pct") { // no other has it
		kind = "ConvNext"
	}
	name := kind
	for _, end := range []string{"Fast", "Pil", "ImageProcessor", "FeatureExtractor"} {
		name = strings.TrimSuffix(name, end)
	}
	def, ok := processorOf(name)
	if !ok {
		return fail("image processor %q is not known", kind)
	}
	// Steps are switched by keys that begin with do_; an unknown one that is on
	// would change pixels, its parameters change nothing without it.
	resize, crop, rescale, normalise := true, def.crop != "", true, true
	for key := range top {
		var into *bool
		switch key {
		case "do_resize":
			into = &resize
		case "do_center_crop":
			if def.crop != "" {
				into = &crop
			}
		case "do_rescale":
			into = &rescale
		case "do_normalize":
			into = &normalise
		case "do_convert_rgb": // what is not RGB is converted first in any case
			continue
		}
		var on bool
		switch {
		case !strings.HasPrefix(key, "do_"):
			continue
		case into != nil:
			if err := top.get(key, into); err != nil {
				return Recipe{}, err
			}
		case top.get(key, &on) != nil || on:
			return fail("%s is not built for image processor %q", key, kind)
		}
	}
	if !resize {
		return fail("do_resize is off: pictures of any size")
	}

	c := Config{Interpolation: def.how, Rounding: Down}
	if top.has("resample") {
		var code int
		if err := top.get("resample", &code); err != nil {
			return Recipe{}, err
		}
		// Pillow's numbers
		codes := [...]Interpolation{Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming}
		if code < 0 || code >= len(codes) {
			return fail("resample %d", code)
		}
		c.Interpolation = codes[code]
	}
	size := top["size"]
	if !top.has("size") {
		size = json.RawMessage(def.size)
	}
	side, both, err := edge(size, def.square)
	if err != nil {
		return Recipe{}, err
	}
	switch {
	case name == "ConvNext":
		share := 224.0 / 256
		if err := top.get("crop_pct", &share); err != nil {
			return Recipe{}, err
		}
		if both || side < 1 {
			return fail("size %s: want the shortest edge", size)
		}
		c.Size, c.Resize, c.Crop = side, side, Squash
		if side < 384 {
			if !(share > 0) || float64(side)/share > maxSide {
				return fail("crop share %v", share)
			}
			c.Resize, c.Crop = int(float64(side)/share), Centre
		}
	case crop:
		text := top["crop_size"]
		if !top.has("crop_size") {
			text = json.RawMessage(def.crop)
		}
		cut, square, err := edge(text, true)
		if err != nil {
			return Recipe{}, err
		}
		if !square {
			return fail("crop size %s", text)
		}
		c.Size, c.Resize = cut, side
		if both {
			c.Crop = Squash
		}
	case both:
		c.Size, c.Resize, c.Crop = side, side, Squash
	default:
		return fail("the shortest edge is scaled to %d and nothing is cropped: pictures that are not square", side)
	}

	mean, std := to64(def.mean), to64(def.std)
	factor := 1.0 / 255
	for _, err := range []error{
		top.get("rescale_factor", &factor),
		top.three("image_mean", &mean), top.three("image_std", &std),
	} {
		if err != nil {
			return Recipe{}, err
		}
	}
	if !rescale {
		factor = 1
	}
	if !normalise {
		mean, std = [3]float64{}, [3]float64{1, 1, 1}
	}
	// (factor v - mean) / std = (v/255 - mean/(255 factor)) / (std/(255 factor))
	scale := 255 * factor
	if math.Abs(scale-1) < 1e-6 { // 0.00392156862745098 and the like
		scale = 1
	}
	for i := range 3 {
		c.Mean[i], c.Std[i] = float32(mean[i]/scale), float32(std[i]/scale)
	}
	return Recipe{Config: c, Test: c}, c.full()
}

// edge reads a size of Hugging Face's: a number, {"shortest_edge"}, {"height",
// "width"} or [height, width]. both says that it is meant for both sides.
func edge(text json.RawMessage, square bool) (side int, both bool, err error) {
	bad := fmt.Errorf("%w: size %.100s", ErrConfig, text)
	if json.Unmarshal(text, &side) == nil {
		return side, square, nil
	}
	var pair []int
	if json.Unmarshal(text, &pair) == nil {
		if len(pair) != 2 || pair[0] != pair[1] {
			return 0, false, bad
		}
		return pair[0], true, nil
	}
	var o map[string]*int
	if json.Unmarshal(text, &o) != nil {
		return 0, false, bad
	}
	for key, v := range o {
		if v == nil {
			delete(o, key)
		}
	}
	if s := o["shortest_edge"]; s != nil && len(o) == 1 {
		return *s, false, nil
	}
	h, w := o["height"], o["width"]
	if h == nil || w == nil || len(o) != 2 || *h != *w {
		return 0, false, bad
	}
	return *h, true, nil
}
