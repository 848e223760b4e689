package transform

import (
	"bytes"
	"encoding/binary"
	"image"

	"golang.org/x/image/webp"
)

// decodeWebP returns pictures of the lossy kind as *RGB, with alpha as
// *image.NRGBA. Their planes are not
// JFIF's, for which image.YCbCr stands: luma runs from 16 to 235 (RFC 6386,
// section 9.2), and the usual conversion would grey the picture out.
func decodeWebP(data []byte) (image.Image, error) {
	img, err := webp.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	switch m := img.(type) {
	case *image.YCbCr:
		return fromVP8(m), nil
	case *image.NYCbCrA:
		return withAlpha(fromVP8(&m.YCbCr), m), nil
	}
	return img, nil
}

func withAlpha(p *RGB, m *image.NYCbCrA) *image.NRGBA {
	dst := image.NewNRGBA(p.Bounds())
	for y := range p.H {
		alpha := m.A[y*m.AStride : y*m.AStride+p.W]
		for x, a := range alpha {
			i := y*p.W + x
			copy(dst.Pix[4*i:4*i+3], p.Pix[3*i:3*i+3])
			dst.Pix[4*i+3] = a
		}
	}
	return dst
}

// fromVP8 converts with libwebp's arithmetic: chroma smoothed between samples,
// then BT.601 for studio range with 14-bit factors.
func fromVP8(m *image.YCbCr) *RGB {
	w, h := m.Rect.Dx(), m.Rect.Dy()
	dst := NewRGB(w, h)
	cw, ch := (w+1)/2, (h+1)/2
	u, v := make([]uint8, 2*cw), make([]uint8, 2*cw)
	for y := range h {
		near := y / 2
		far := min(max(near-1+y%2*2, 0), ch-1)
		n, f := near*m.CStride, far*m.CStride
		smooth(u, m.Cb[n:n+cw], m.Cb[f:f+cw])
		smooth(v, m.Cr[n:n+cw], m.Cr[f:f+cw])
		row := dst.Pix[y*w*3 : (y+1)*w*3]
		for x, l := range m.Y[y*m.YStride : y*m.YStride+w] {
			yy, cb, cr := int32(l)*19077>>8, int32(u[x]), int32(v[x])
			row[3*x] = clip((yy + cr*26149>>8 - 14234) >> 6)
			row[3*x+1] = clip((yy - cb*6419>>8 - cr*13320>>8 + 8708) >> 6)
			row[3*x+2] = clip((yy + cb*33050>>8 - 17685) >> 6)
		}
	}
	return dst
}

// smooth doubles a row of chroma: 9/16 of the nearest sample, 3/16 of its two
// neighbours, 1/16 of the one across, with libwebp's two roundings.
func smooth(dst, near, far []uint8) {
	n0, f0 := uint32(near[0]), uint32(far[0])
	dst[0] = uint8((3*n0 + f0 + 2) >> 2)
	for i := 1; i < len(near); i++ {
		n1, f1 := uint32(near[i]), uint32(far[i])
		sum := n0 + n1 + f0 + f1 + 8
		dst[2*i-1] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		dst[2*i] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
		n0, f0 = n1, f1
	}
	dst[2*len(near)-1] = uint8((3*n0 + f0 + 2) >> 2)
}

// webpEXIF finds the chunk of metadata, which is a TIFF; nil if there is none.
func webpEXIF(data []byte) []byte {
	for at := 12; at+8 <= len(data); {
		kind, size := string(data[at:at+4]), int64(binary.LittleEndian.Uint32(data[at+4:]))
		at += 8
		if size > int64(len(data)-at) {
			return nil
		}
		if kind == "EXIF" {
			return bytes.TrimPrefix(data[at:at+int(size)], []byte("Exif\x00\x00"))
		}
		at += int(size + size&1)
	}
	return nil
}
