package transform

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

var (
	// ErrFormat says that the bytes are in none of the formats of [Format].
	ErrFormat = errors.New("transform: not a picture in a known format")
	// ErrTooLarge says that a picture exceeds its [Limits].
	ErrTooLarge = errors.New("transform: picture too large")
	// ErrCorrupt says that a picture's format is known but its bytes are
	// damaged, truncated or of a kind that the decoder lacks; the cause is
	// wrapped beside it.
	ErrCorrupt = errors.New("transform: damaged picture")
)

// Limits says what Decode accepts. The zero value is meant for pictures from
// anywhere.
type Limits struct {
	// MaxBytes is the longest encoded picture, in bytes. 0 means 128 MiB.
	MaxBytes int64
	// MaxPixels is the largest width times height. 0 means 64 Mi pixels
	// (8192x8192), which decode to at most half a gigabyte.
	MaxPixels int64
	// IgnoreEXIF leaves the picture as it is stored, as torchvision and CLIP
	// do. By default it is turned upright.
	IgnoreEXIF bool
}

const (
	defaultMaxBytes  = 128 << 20
	defaultMaxPixels = 64 << 20
)

// WithDefaults returns l with every zero field replaced by what it means.
func (l Limits) WithDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultMaxBytes
	}
	if l.MaxPixels <= 0 {
		l.MaxPixels = defaultMaxPixels
	}
	return l
}

// Decode reads one picture from r and turns it upright.
//
// It reads r to its end, at most Limits.MaxBytes. The image has the type that
// its decoder gives it, but for these: one that had to be turned, or a WebP with
// loss and without alpha, is an [*RGB]; a PNG of one bit is an *image.Paletted of
// black and white; and a PNG's transparent colour (tRNS of a picture without
// palette) is an ordinary colour. Of an animated GIF it is the first frame on the canvas of the animation.
//
// Errors wrap [ErrFormat] (also for empty input), [ErrTooLarge], [ErrCorrupt],
// or are those of r.
func Decode(r io.Reader, limits Limits) (image.Image, error) {
	most := limits.WithDefaults().MaxBytes
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err != nil {
		return nil, fmt.Errorf("transform: read picture: %w", err)
	}
	return DecodeBytes(data, limits)
}

// DecodeBytes is Decode for bytes in memory. It keeps no reference to data.
func DecodeBytes(data []byte, limits Limits) (image.Image, error) {
	if most := limits.WithDefaults().MaxBytes; int64(len(data)) > most {
		return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: empty", ErrFormat)
	}
	format := Sniff(data)
	if format == Unknown {
		return nil, ErrFormat
	}
	if _, err := decodeConfig(format, data, limits); err != nil {
		return nil, err
	}
	img, err := decode(format, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %v: %w", ErrCorrupt, format, err)
	}
	if b := img.Bounds(); b.Empty() {
		return nil, fmt.Errorf("%w: %v: no pixels", ErrCorrupt, format)
	}
	if limits.IgnoreEXIF {
		return img, nil
	}
	if o := orientation(format, data); o > 1 {
		return turn(ToRGB(img), o), nil
	}
	return img, nil
}

// DecodeConfig reads format, width and height from the header, as stored (an
// EXIF orientation is not applied), and checks them against the limits. data
// is the whole file or as much of its beginning as holds the header.
func DecodeConfig(data []byte, limits Limits) (Format, image.Config, error) {
	format := Sniff(data)
	if format == Unknown {
		return Unknown, image.Config{}, ErrFormat
	}
	c, err := decodeConfig(format, data, limits)
	return format, c, err
}

func decodeConfig(format Format, data []byte, limits Limits) (c image.Config, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%w: %v: decoder failed: %v", ErrCorrupt, format, v)
		}
	}()
	most := limits.WithDefaults().MaxPixels
	r := bytes.NewReader(data)
	switch format {
	case JPEG:
		c, err = jpeg.DecodeConfig(r)
	case PNG:
		c, err = pngConfig(data)
	case GIF:
		c, err = gif.DecodeConfig(r)
	case BMP:
		c, err = bmp.DecodeConfig(r)
	case TIFF:
		c, err = tiff.DecodeConfig(r)
	case WebP:
		c, err = webp.DecodeConfig(r)
	}
	switch {
	case err != nil:
		return c, fmt.Errorf("%w: %v: %w", ErrCorrupt, format, err)
	case c.Width <= 0 || c.Height <= 0:
		return c, fmt.Errorf("%w: %v: size %dx%d", ErrCorrupt, format, c.Width, c.Height)
	case int64(c.Width) > most/int64(c.Height):
		return c, fmt.Errorf("%w: %v of %dx%d, more than %d pixels", ErrTooLarge, format, c.Width, c.Height, most)
	}
	return c, nil
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}

func decode(format Format, data []byte) (img image.Image, err error) {
	defer func() {
		if v := recover(); v != nil {
			img, err = nil, fmt.Errorf("decoder failed: %v", v)
		}
	}()
	r := bytes.NewReader(data)
	switch format {
	case JPEG:
		return jpeg.Decode(r)
	case PNG:
		return decodePNG(data)
	case GIF:
		return decodeGIF(data)
	case BMP:
		return bmp.Decode(r)
	case TIFF:
		return tiff.Decode(r)
	case WebP:
		return decodeWebP(data)
	}
	return nil, ErrFormat
}
