package transform

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
)

// Bytes of a PNG: signature, length and name of the first chunk, then its
// contents (PNG 1.2, section 11.2.2).
const (
	pngIHDR   = 16
	pngDepth  = pngIHDR + 8
	pngColour = pngIHDR + 9
)

// decodePNG keeps what image/png drops: a picture of one bit is a palette of two
// colours, which Pillow resizes like one. It drops what image/png makes of a
// transparent colour: Pillow leaves it in the picture, as any other.
func decodePNG(data []byte) (image.Image, error) {
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || len(data) <= pngColour {
		return img, err
	}
	const grey, rgb = 0, 2
	depth, colour := data[pngDepth], data[pngColour]
	switch {
	case colour == grey && depth == 1:
		return oneBit(img), nil
	case colour == grey && depth == 16:
		if m, ok := img.(*image.NRGBA64); ok {
			dst := image.NewGray16(m.Rect)
			for i := range len(dst.Pix) / 2 {
				copy(dst.Pix[2*i:2*i+2], m.Pix[8*i:8*i+2])
			}
			return dst, nil
		}
	case colour == grey || colour == rgb:
		switch img.(type) {
		case *image.NRGBA, *image.NRGBA64:
			return ToRGB(img), nil
		}
	}
	return img, nil
}

func oneBit(img image.Image) *image.Paletted {
	p := ToRGB(img)
	dst := image.NewPaletted(p.Bounds(), color.Palette{color.Gray{Y: 0}, color.Gray{Y: 255}})
	for i := range dst.Pix {
		dst.Pix[i] = p.Pix[3*i] & 1
	}
	return dst
}

// pngConfig reads the size before anything else: image/png reports a size of
// its own limits as a damaged file.
func pngConfig(data []byte) (image.Config, error) {
	if len(data) >= pngIHDR+8 && string(data[12:16]) == "IHDR" {
		w := int64(be32(data[pngIHDR:]))
		h := int64(be32(data[pngIHDR+4:]))
		if w > 0 && h > 0 && w <= 1<<31-1 && h <= 1<<31-1 && w > (1<<31-1)/8/h {
			return image.Config{Width: int(w), Height: int(h)}, nil
		}
	}
	return png.DecodeConfig(bytes.NewReader(data))
}
