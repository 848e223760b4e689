package transform

import (
	"bytes"
	"image"
	"image/gif"
)

// decodeGIF returns the first frame on the canvas of the animation. Where the
// frame leaves the canvas bare it shows the transparent colour, or colour 0
// without one, as Pillow has it.
func decodeGIF(data []byte) (image.Image, error) {
	screen, err := gif.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	img, err := gif.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	frame, ok := img.(*image.Paletted)
	canvas := image.Rect(0, 0, screen.Width, screen.Height)
	if !ok || frame.Rect == canvas {
		return img, nil
	}
	full := image.NewPaletted(canvas, frame.Palette)
	for i, c := range frame.Palette {
		if _, _, _, a := c.RGBA(); a == 0 {
			for j := range full.Pix {
				full.Pix[j] = uint8(i)
			}
			break
		}
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		from := frame.PixOffset(frame.Rect.Min.X, y)
		copy(full.Pix[full.PixOffset(frame.Rect.Min.X, y):], frame.Pix[from:from+frame.Rect.Dx()])
	}
	return full, nil
}
