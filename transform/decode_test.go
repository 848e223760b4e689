package transform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"

	"github.com/winnow-go/winnow/internal/golden"
)

// gradient is a picture without symmetry.
func gradient(w, h int) *RGB {
	p := NewRGB(w, h)
	for i := range w * h {
		x, y := i%w, i/w
		p.Pix[3*i], p.Pix[3*i+1], p.Pix[3*i+2] = uint8(x*7), uint8(y*11), uint8(x*y+40)
	}
	return p
}

func encoded(t testing.TB) map[Format][]byte {
	t.Helper()
	files := map[Format][]byte{}
	img := gradient(31, 23)
	for format, encode := range map[Format]func(io.Writer) error{
		JPEG: func(w io.Writer) error { return jpeg.Encode(w, img, nil) },
		PNG:  func(w io.Writer) error { return png.Encode(w, img) },
		GIF:  func(w io.Writer) error { return gif.Encode(w, img, nil) },
		BMP:  func(w io.Writer) error { return bmp.Encode(w, img) },
		TIFF: func(w io.Writer) error { return tiff.Encode(w, img, nil) },
	} {
		var b bytes.Buffer
		if err := encode(&b); err != nil {
			t.Fatal(err)
		}
		files[format] = b.Bytes()
	}
	w := golden.OpenTensors(t, "testdata/pictures.safetensors")
	files[WebP] = w.Uint8("webp_lossy.file")
	return files
}

func TestFormatFollowsFromContent(t *testing.T) {
	for format, data := range encoded(t) {
		if got := Sniff(data); got != format {
			t.Errorf("%v is taken for %v", format, got)
		}
		if got := Sniff(data[:SniffLen]); got != format {
			t.Errorf("the first bytes of %v are taken for %v", format, got)
		}
		f, c, err := DecodeConfig(data, Limits{})
		if err != nil || f != format || c.Width < 1 || c.Height < 1 {
			t.Errorf("%v: config %v %dx%d, %v", format, f, c.Width, c.Height, err)
		}
	}
	for _, text := range []string{"", "B", "BM", "BM is how this text begins, and on", "RIFF", "RIFF....WAVE", "GIF", "\xff\xd8", "II*", "%PDF-1.7"} {
		if got := Sniff([]byte(text)); got != Unknown {
			t.Errorf("%q is taken for %v", text, got)
		}
		if _, err := DecodeBytes([]byte(text), Limits{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: %v, want ErrFormat", text, err)
		}
	}
}

// A truncated file is an error, wherever it was cut. The last bytes of a file
// may be dispensable: a GIF's trailer, the resolution that ends a TIFF.
func TestTruncatedPicturesAreErrors(t *testing.T) {
	spare := map[Format]int{GIF: 2, TIFF: 16}
	for format, data := range encoded(t) {
		step := max(1, len(data)/150)
		for n := 0; n < len(data)-spare[format]; n += step {
			_, err := DecodeBytes(data[:n], Limits{})
			if err == nil {
				t.Errorf("%v: %d of %d bytes decode", format, n, len(data))
				break
			}
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v: %d of %d bytes: %v wraps neither ErrFormat nor ErrCorrupt", format, n, len(data), err)
				break
			}
		}
	}
}

func pngHeader(w, h uint32) []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, w)
	b = binary.BigEndian.AppendUint32(b, h)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestHugeHeadersAreRefusedInBoundedMemory(t *testing.T) {
	files := map[string][]byte{
		"png 60000":      pngHeader(60000, 60000),
		"png 2^31-1":     pngHeader(1<<31-1, 1<<31-1),
		"png wide":       pngHeader(1<<31-1, 1),
		"gif 65535":      append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), 0x2c, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 8),
		"jpeg 65535":     {0xff, 0xd8, 0xff, 0xc0, 0, 11, 8, 0xff, 0xff, 0xff, 0xff, 1, 1, 0x11, 0, 0xff, 0xda, 0, 2},
		"bmp 2^30":       append([]byte("BM\x00\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00\x28\x00\x00\x00\x00\x00\x00\x40\x00\x00\x00\x40\x01\x00\x18\x00"), make([]byte, 24)...),
		"webp vp8x 2^14": []byte("RIFF\x16\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00\xff\x3f\x00\xff\x3f\x00"),
	}
	for name, data := range files {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(bytes.NewReader(data), Limits{})
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", name, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

func TestLimitsHold(t *testing.T) {
	for format, data := range encoded(t) {
		_, c, err := DecodeConfig(data, Limits{})
		if err != nil {
			t.Fatal(err)
		}
		pixels := int64(c.Width) * int64(c.Height)
		if _, err := DecodeBytes(data, Limits{MaxPixels: pixels}); err != nil {
			t.Errorf("%v: exactly the limit: %v", format, err)
		}
		if _, err := DecodeBytes(data, Limits{MaxPixels: pixels - 1}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: one pixel more than the limit: %v", format, err)
		}
		n := int64(len(data))
		if _, err := Decode(bytes.NewReader(data), Limits{MaxBytes: n}); err != nil {
			t.Errorf("%v: as many bytes as the limit: %v", format, err)
		}
		if _, err := Decode(bytes.NewReader(data), Limits{MaxBytes: n - 1}); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%v: one byte more than the limit: %v", format, err)
		}
	}
}

func TestReadersErrorIsKept(t *testing.T) {
	r := io.MultiReader(bytes.NewReader(encoded(t)[PNG][:50]), failing{})
	if _, err := Decode(r, Limits{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Fatalf("%v", err)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestErrorsSayWhat(t *testing.T) {
	_, err := DecodeBytes(pngHeader(60000, 60000), Limits{})
	for _, want := range []string{"transform: ", "PNG", "60000x60000"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
}

func TestConversionsOfGoImages(t *testing.T) {
	r := image.Rect(3, 5, 7, 8) // nothing may depend on a corner of (0,0)
	c := color.NRGBA{200, 100, 50, 128}
	fill := func(m interface {
		image.Image
		Set(x, y int, c color.Color)
	}) image.Image {
		for y := r.Min.Y; y < r.Max.Y; y++ {
			for x := r.Min.X; x < r.Max.X; x++ {
				m.Set(x, y, c)
			}
		}
		return m
	}
	grey16 := image.NewGray16(r)
	for i := 0; i < len(grey16.Pix); i += 2 {
		grey16.Pix[i], grey16.Pix[i+1] = 0, 77
	}
	bright := image.NewGray16(r)
	for i := 0; i < len(bright.Pix); i += 2 {
		bright.Pix[i], bright.Pix[i+1] = 1, 2
	}
	cmyk := image.NewCMYK(r)
	for i := 0; i < len(cmyk.Pix); i += 4 {
		copy(cmyk.Pix[i:], []uint8{10, 100, 200, 55})
	}
	ycc := image.NewYCbCr(r, image.YCbCrSubsampleRatio444)
	for i := range ycc.Y {
		ycc.Y[i], ycc.Cb[i], ycc.Cr[i] = 100, 128, 228
	}
	opaque := image.NewRGBA(r)
	for i := 0; i < len(opaque.Pix); i += 4 {
		copy(opaque.Pix[i:], []uint8{9, 8, 7, 255})
	}
	for name, tc := range map[string]struct {
		img  image.Image
		want [3]uint8
	}{
		"NRGBA drops alpha":               {fill(image.NewNRGBA(r)), [3]uint8{200, 100, 50}},
		"NRGBA64 keeps the high byte":     {fill(image.NewNRGBA64(r)), [3]uint8{200, 100, 50}},
		"RGBA":                            {opaque, [3]uint8{9, 8, 7}},
		"RGBA is divided by alpha":        {fill(image.NewRGBA(r)), [3]uint8{199, 99, 49}},
		"RGBA64 is divided by alpha":      {fill(image.NewRGBA64(r)), [3]uint8{200, 100, 50}},
		"transparent RGBA is black":       {image.NewRGBA(r), [3]uint8{}},
		"Gray16 below 256":                {grey16, [3]uint8{77, 77, 77}},
		"Gray16 is cut off":               {bright, [3]uint8{255, 255, 255}},
		"CMYK":                            {cmyk, [3]uint8{192, 122, 43}},
		"YCbCr":                           {ycc, [3]uint8{240, 29, 100}},
		"palette":                         {fill(image.NewPaletted(r, color.Palette{color.Black, c})), [3]uint8{200, 100, 50}},
		"anything else through At":        {wrapped{fill(image.NewNRGBA(r))}, [3]uint8{200, 100, 50}},
		"an index outside of its palette": {&image.Paletted{Pix: bytes.Repeat([]uint8{9}, 12), Stride: 4, Rect: r, Palette: color.Palette{c}}, [3]uint8{}},
	} {
		p := ToRGB(tc.img)
		if p.W != 4 || p.H != 3 {
			t.Errorf("%s: %dx%d", name, p.W, p.H)
			continue
		}
		for i := 0; i < len(p.Pix); i += 3 {
			if got := [3]uint8(p.Pix[i : i+3]); got != tc.want {
				t.Errorf("%s: %v, want %v", name, got, tc.want)
				break
			}
		}
	}
}

type wrapped struct{ image.Image }

func TestPartOfASubsampledPictureConverts(t *testing.T) {
	for _, ratio := range []image.YCbCrSubsampleRatio{
		image.YCbCrSubsampleRatio444, image.YCbCrSubsampleRatio422, image.YCbCrSubsampleRatio420,
		image.YCbCrSubsampleRatio440, image.YCbCrSubsampleRatio411, image.YCbCrSubsampleRatio410,
	} {
		m := image.NewYCbCr(image.Rect(0, 0, 13, 11), ratio)
		for i := range m.Y {
			m.Y[i] = uint8(i)
		}
		for i := range m.Cb {
			m.Cb[i], m.Cr[i] = 90, 160 // one colour: smoothing changes nothing
		}
		whole := ToRGB(m)
		for _, r := range []image.Rectangle{image.Rect(1, 1, 2, 2), image.Rect(3, 2, 13, 11), image.Rect(4, 4, 9, 9), image.Rect(12, 10, 13, 11)} {
			part := ToRGB(m.SubImage(r))
			for y := range part.H {
				for x := range part.W {
					if part.At(x, y) != whole.At(r.Min.X+x, r.Min.Y+y) {
						t.Fatalf("%v %v: (%d,%d) is %v, want %v", ratio, r, x, y, part.At(x, y), whole.At(r.Min.X+x, r.Min.Y+y))
					}
				}
			}
		}
	}
}

func TestRGBIsAnImage(t *testing.T) {
	p := gradient(5, 4)
	var b bytes.Buffer
	if err := png.Encode(&b, p); err != nil {
		t.Fatal(err)
	}
	img, err := DecodeBytes(b.Bytes(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	samePicture(t, ToRGB(img), p, 0)
	if p.At(-1, 0) != (color.RGBA{}) || p.At(5, 0) != (color.RGBA{}) || p.At(0, 4) != (color.RGBA{}) {
		t.Error("outside is not transparent")
	}
	c := p.Clone()
	c.Pix[0]++
	if p.Pix[0] == c.Pix[0] {
		t.Error("a clone shares memory")
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range encoded(f) {
		f.Add(data)
	}
	f.Add(pngHeader(60000, 60000))
	limits := Limits{MaxBytes: 1 << 16, MaxPixels: 1 << 14}
	f.Fuzz(func(t *testing.T, data []byte) {
		img, err := DecodeBytes(data, limits)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("unknown kind of error: %v", err)
			}
			return
		}
		b := img.Bounds()
		if n := b.Dx() * b.Dy(); n < 1 || n > 1<<14 {
			t.Fatalf("%d pixels", n)
		}
		p := ToRGB(img)
		if p.W != b.Dx() || p.H != b.Dy() || len(p.Pix) != 3*p.W*p.H {
			t.Fatalf("%dx%d with %d values", p.W, p.H, len(p.Pix))
		}
	})
}
