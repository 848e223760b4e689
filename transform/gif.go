package transform

import (
	"bytes"
	"image"
	"image/color"
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
	if !ok {
		return img, nil
	}
	bare := uncover(frame, data)
	canvas := image.Rect(0, 0, screen.Width, screen.Height)
	if frame.Rect == canvas {
		return img, nil
	}
	full := image.NewPaletted(canvas, frame.Palette)
	for i := range full.Pix {
		full.Pix[i] = bare
	}
	for y := frame.Rect.Min.Y; y < frame.Rect.Max.Y; y++ {
		from := frame.PixOffset(frame.Rect.Min.X, y)
		copy(full.Pix[full.PixOffset(frame.Rect.Min.X, y):], frame.Pix[from:from+frame.Rect.Dx()])
	}
	return full, nil
}

// uncover gives the transparent colour of a frame its colour back, with alpha
// 0; image/gif makes it black. It returns its index, 0 without one.
func uncover(frame *image.Paletted, data []byte) uint8 {
	index := -1
	for i, c := range frame.Palette {
		if _, _, _, a := c.RGBA(); a == 0 {
			index = i
			break
		}
	}
	if index < 0 {
		return 0
	}
	if table := firstTable(data); 3*index+3 <= len(table) {
		frame.Palette[index] = color.NRGBA{table[3*index], table[3*index+1], table[3*index+2], 0}
	}
	return uint8(index)
}

// firstTable finds the colours of the first frame in a GIF that has been
// decoded: its own table or the global one (GIF89a, sections 18 to 25).
func firstTable(data []byte) []byte {
	table := func(at int, flags byte) []byte {
		if n := 3 << (flags&7 + 1); flags&0x80 != 0 && at+n <= len(data) {
			return data[at : at+n]
		}
		return nil
	}
	if len(data) < 13 {
		return nil
	}
	global := table(13, data[10])
	for at := 13 + len(global); at < len(data); {
		switch data[at] {
		case 0x21: // extension: a label, then blocks up to an empty one
			at += 2
			for at < len(data) && data[at] != 0 {
				at += 1 + int(data[at])
			}
			at++
		case 0x2c: // the frame
			if at+10 <= len(data) {
				if own := table(at+10, data[at+9]); own != nil {
					return own
				}
			}
			return global
		default:
			return global
		}
	}
	return global
}
