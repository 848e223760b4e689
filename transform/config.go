package transform

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"math"
)

// ErrConfig says that a Config cannot be: a side out of range, a deviation of
// zero, a key of JSON that is not known.
var ErrConfig = errors.New("transform: bad preprocessing")

// Crop is how a picture that is not square becomes one.
type Crop int

const (
	// Centre scales the shorter side to Config.Resize and cuts the middle
	// square out. Where the picture is smaller than the square it gets a black
	// frame.
	Centre Crop = iota
	// Squash scales both sides to Config.Resize, whatever that does to the
	// proportions, then cuts the middle square out.
	Squash
	// Border scales the longer side to Config.Resize and fills up the square
	// around the picture with Config.Mean, in whole levels. Nothing is lost
	// unless Resize exceeds Size.
	Border
)

var crops = [...]string{"center", "squash", "border"} // timm's names

// String is timm's name of it, as it stands in a model file.
func (c Crop) String() string { return nameOf("crop mode", crops[:], int(c)) }

// MarshalText writes the name.
func (c Crop) MarshalText() ([]byte, error) { return marshalName("crop mode", crops[:], int(c)) }

// UnmarshalText reads the name.
func (c *Crop) UnmarshalText(text []byte) error {
	n, err := unmarshalName("crop mode", crops[:], text)
	if err == nil {
		*c = Crop(n)
	}
	return err
}

// Rounding is where the square begins when an odd number of pixels is left over
// around it.
type Rounding int

const (
	// HalfEven rounds to the even pixel: 5 halves are 2, 7 halves are 4. It is
	// torchvision's and timm's.
	HalfEven Rounding = iota
	// Down takes the smaller number, and where the picture is smaller than the
	// square puts the odd pixel of the frame left and above. It is that of
	// Hugging Face's image processors.
	Down
)

var roundings = [...]string{"half_even", "down"}

// String is its name, as it stands in a model file.
func (r Rounding) String() string { return nameOf("rounding", roundings[:], int(r)) }

// MarshalText writes the name.
func (r Rounding) MarshalText() ([]byte, error) { return marshalName("rounding", roundings[:], int(r)) }

// UnmarshalText reads the name.
func (r *Rounding) UnmarshalText(text []byte) error {
	n, err := unmarshalName("rounding", roundings[:], text)
	if err == nil {
		*r = Rounding(n)
	}
	return err
}

// Conversion is when a picture becomes RGB. It matters for pictures with
// palette, alpha, CMYK or 16-bit grey, and for no other.
type Conversion int

const (
	// BeforeResize converts first. So do torchvision's and timm's data sets,
	// and Hugging Face's processors.
	BeforeResize Conversion = iota
	// AfterCrop scales and crops the picture as it is and converts the result,
	// as OpenAI's CLIP does (clip/clip.py, _transform). Pillow then resizes
	// palettes and pictures of one bit by Nearest, colours with alpha
	// multiplied by it, CMYK in its own four channels, and 16-bit grey with all
	// its bits. It needs the picture as it was decoded; a picture that has been
	// converted, or turned upright, is treated like RGB. Left out: grey
	// palettes of GIF and BMP files and one-bit TIFF files, which Pillow takes
	// for something else than their decoders here do.
	AfterCrop
)

var conversions = [...]string{"before_resize", "after_crop"}

// String is its name, as it stands in a model file.
func (c Conversion) String() string { return nameOf("conversion", conversions[:], int(c)) }

// MarshalText writes the name.
func (c Conversion) MarshalText() ([]byte, error) {
	return marshalName("conversion", conversions[:], int(c))
}

// UnmarshalText reads the name.
func (c *Conversion) UnmarshalText(text []byte) error {
	n, err := unmarshalName("conversion", conversions[:], text)
	if err == nil {
		*c = Conversion(n)
	}
	return err
}

// maxSize is the largest Config.Size, a quarter of a gigabyte of float32.
const maxSize = 1 << 12

// Mean and standard deviation of published models, red, green, blue, of pixel
// values from 0 to 1. Arrays are values: changing a copy changes nothing here.
func imageNetMean() [3]float32 { return [3]float32{0.485, 0.456, 0.406} }
func imageNetStd() [3]float32  { return [3]float32{0.229, 0.224, 0.225} }

// Config is how one model wants its pictures: the evaluation transform of its
// authors. The zero value scales the shorter side to 224 pixels, bilinearly,
// cuts out the middle 224 x 224 and normalises with ImageNet's statistics.
//
// It is comparable and safe to copy. As JSON it has timm's words for modes and
// every default written out, Rounding and Convert excepted, so that a file means
// the same for ever. [Published] and [ReadRecipe] have the recipes of others.
type Config struct {
	// Size is the side of the square that the model takes, in pixels, up to
	// 4096; 0 means 224.
	Size int `json:"size"`
	// Resize is the length of the shorter side (with Squash: of both, with
	// Border: of the longer) before the crop. 0 means floor(Size / CropPct).
	Resize int `json:"resize"`
	// CropPct is the part of the scaled picture's shorter side that the crop
	// keeps, in (0, 1]; timm's crop_pct. It counts only where Resize is 0;
	// 0 means 1: nothing of the shorter side is cut off.
	CropPct float64 `json:"-"`
	// Interpolation is the resampling; zero is Bilinear.
	Interpolation Interpolation `json:"interpolation"`
	// Crop is the way to a square; zero is Centre.
	Crop Crop `json:"crop"`
	// Mean and Std, of pixel values in 0-1, per channel red, green, blue.
	// Std of zeros means ImageNet's mean and deviation, (0.485, 0.456, 0.406)
	// and (0.229, 0.224, 0.225).
	Mean [3]float32 `json:"mean"`
	Std  [3]float32 `json:"std"`
	// Rounding is where the crop begins; zero is HalfEven, torchvision's.
	Rounding Rounding `json:"rounding,omitempty"`
	// Convert is when a picture becomes RGB; zero is BeforeResize.
	Convert Conversion `json:"convert,omitempty"`
}

// ImageNet is torchvision's evaluation transform: shorter side 256, middle 224,
// bilinear (torchvision/transforms/_presets.py).
func ImageNet() Config { return Config{Size: 224, Resize: 256}.WithDefaults() }

// Native takes pictures of side size as they are; others are scaled, the
// shorter side to size, and cropped. This is for data sets of small pictures.
func Native(size int) Config { return Config{Size: size, Resize: size}.WithDefaults() }

// WithDefaults returns c with every zero field replaced by what it means.
func (c Config) WithDefaults() Config {
	if c.Size == 0 {
		c.Size = 224
	}
	if c.Resize == 0 {
		c.Resize = c.Size
		if c.CropPct > 0 {
			c.Resize = int(math.Floor(float64(c.Size) / c.CropPct))
		}
	}
	c.CropPct = 0
	if c.Std == [3]float32{} {
		c.Mean, c.Std = imageNetMean(), imageNetStd()
	}
	return c
}

// Validate says what is wrong with c; the error wraps ErrConfig.
func (c Config) Validate() error {
	if !(c.CropPct >= 0 && c.CropPct <= 1) {
		return fmt.Errorf("%w: crop share %v is not in (0, 1]", ErrConfig, c.CropPct)
	}
	if c.Size < 0 || c.Size > maxSize {
		return fmt.Errorf("%w: size %d is not in [1, %d]", ErrConfig, c.Size, maxSize)
	}
	if c.CropPct > 0 && float64(max(c.Size, 224))/c.CropPct > maxSide {
		return fmt.Errorf("%w: crop share %v is too small", ErrConfig, c.CropPct)
	}
	c = c.WithDefaults()
	switch {
	case c.Resize < 1 || c.Resize > maxSide:
		return fmt.Errorf("%w: resize %d is not in [1, %d]", ErrConfig, c.Resize, maxSide)
	case c.Interpolation < 0 || int(c.Interpolation) >= len(interpolations):
		return fmt.Errorf("%w: no such interpolation: %d", ErrConfig, int(c.Interpolation))
	case c.Crop < 0 || int(c.Crop) >= len(crops):
		return fmt.Errorf("%w: no such crop mode: %d", ErrConfig, int(c.Crop))
	case c.Rounding < 0 || int(c.Rounding) >= len(roundings):
		return fmt.Errorf("%w: no such rounding: %d", ErrConfig, int(c.Rounding))
	case c.Convert < 0 || int(c.Convert) >= len(conversions):
		return fmt.Errorf("%w: no such conversion: %d", ErrConfig, int(c.Convert))
	}
	for i := range 3 {
		m, s := float64(c.Mean[i]), float64(c.Std[i])
		if math.IsNaN(m) || math.IsInf(m, 0) || !(s > 0) || math.IsInf(s, 0) {
			return fmt.Errorf("%w: mean %v, deviation %v", ErrConfig, c.Mean, c.Std)
		}
	}
	return nil
}

// plain is Config without its methods.
type plain Config

// MarshalJSON writes c with its defaults filled in.
func (c Config) MarshalJSON() ([]byte, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(plain(c.WithDefaults()))
}

// UnmarshalJSON reads what MarshalJSON wrote. An unknown key is an error: it
// may stand for a step that this version would leave out.
func (c *Config) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	var p plain
	if err := d.Decode(&p); err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := Config(p).Validate(); err != nil {
		return err
	}
	*c = Config(p).WithDefaults()
	return nil
}

// Len is the length of what Apply writes, 3 Size².
func (c Config) Len() int {
	s := c.WithDefaults().Size
	return 3 * s * s
}

// Apply resizes, crops and normalises img into dst, [Size,Size,3] (NHWC without
// the N): (pixel/255 - mean) / std. dst must have [Config.Len] elements. img is
// only read; it may be shared.
func (c Config) Apply(dst []float32, img image.Image) error {
	p, err := c.Prepare(img)
	if err != nil {
		return err
	}
	n, err := c.Normalizer()
	if err != nil {
		return err
	}
	return n.Apply(dst, p)
}

// Prepare is the first half of Apply: the Size x Size picture before it is
// normalised. It may be img itself.
//
// Sides are rounded like torchvision's: the longer one is cut off to a whole
// number, the corner of the crop is rounded as Rounding says. With Border the
// shorter one is rounded half to even, like timm's, but never below 1.
func (c Config) Prepare(img image.Image) (*RGB, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	c = c.WithDefaults()
	b := img.Bounds()
	if b.Empty() {
		return nil, fmt.Errorf("transform: empty picture %dx%d", b.Dx(), b.Dy())
	}
	fill := [3]uint8{}
	if c.Crop == Border {
		for i, m := range c.Mean {
			fill[i] = uint8(min(max(math.RoundToEven(255*float64(m)), 0), 255))
		}
	}
	if c.Convert == AfterCrop {
		return c.ownMode(img, fill)
	}
	return c.square(ToRGB(img), c.Interpolation, fill)
}
