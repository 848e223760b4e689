package transform

import (
	"bytes"

	"github.com/bep/imagemeta"
)

// orientation returns the EXIF orientation, 1 to 8; 1 where there is none or
// it cannot be read: metadata that is damaged does not make a picture bad.
func orientation(format Format, data []byte) (o int) {
	defer func() {
		if recover() != nil {
			o = 1
		}
	}()
	kind := imagemeta.ImageFormatAuto
	switch format {
	case JPEG:
		kind = imagemeta.JPEG
	case PNG:
		kind = imagemeta.PNG
	case TIFF:
		kind = imagemeta.TIFF
	case WebP:
		// imagemeta's own reader loses its way behind a chunk of odd length.
		kind = imagemeta.TIFF
		if data = webpEXIF(data); data == nil {
			return 1
		}
	default:
		return 1
	}
	o = 1
	_, err := imagemeta.Decode(imagemeta.Options{
		R:           bytes.NewReader(data),
		ImageFormat: kind,
		Sources:     imagemeta.EXIF,
		ShouldHandleTag: func(t imagemeta.TagInfo) bool {
			return t.Tag == "Orientation" && t.Namespace == "IFD0"
		},
		HandleTag: func(t imagemeta.TagInfo) error {
			if v, ok := t.Value.(uint16); ok && v >= 1 && v <= 8 {
				o = int(v)
			}
			return imagemeta.ErrStopWalking
		},
	})
	if err != nil {
		return 1
	}
	return o
}

// turn brings a picture with EXIF orientation o upright (EXIF 2.3, tag 0x0112:
// which side of the scene row 0 and column 0 of the stored picture are).
func turn(src *RGB, o int) *RGB {
	if o < 2 || o > 8 {
		return src
	}
	w, h := src.W, src.H
	dst := NewRGB(w, h)
	if o >= 5 { // rows become columns
		dst.W, dst.H = h, w
	}
	for y := range h {
		row := src.Pix[y*w*3 : (y+1)*w*3]
		for x := range w {
			var dx, dy int
			switch o {
			case 2: // mirrored
				dx, dy = w-1-x, y
			case 3: // upside down
				dx, dy = w-1-x, h-1-y
			case 4: // upside down, mirrored
				dx, dy = x, h-1-y
			case 5: // transposed
				dx, dy = y, x
			case 6: // needs a quarter turn clockwise
				dx, dy = h-1-y, x
			case 7: // transposed over the other diagonal
				dx, dy = h-1-y, w-1-x
			case 8: // needs a quarter turn anticlockwise
				dx, dy = y, w-1-x
			}
			d := (dy*dst.W + dx) * 3
			copy(dst.Pix[d:d+3], row[x*3:x*3+3])
		}
	}
	return dst
}
