package dataset

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/transform"
)

// TestBatchesConvertWhenTheConfigSays compares batches with Config.Apply for a
// palette picture, which CLIP's order (resize, then RGB) treats its own way.
func TestBatchesConvertWhenTheConfigSays(t *testing.T) {
	palette := color.Palette{color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}}
	img := image.NewPaletted(image.Rect(0, 0, 31, 23), palette)
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i%7) % 3
	}
	var file bytes.Buffer
	if err := png.Encode(&file, img); err != nil {
		t.Fatal(err)
	}
	set, err := NewMemory([]string{"a", "b"}, []Item{{Data: file.Bytes()}}, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := transform.DecodeBytes(file.Bytes(), transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[transform.Conversion][]float32{}
	for _, convert := range []transform.Conversion{transform.BeforeResize, transform.AfterCrop} {
		config := transform.Native(16)
		config.Interpolation, config.Convert = transform.Bicubic, convert
		want := make([]float32, config.Len())
		if err := config.Apply(want, decoded); err != nil {
			t.Fatal(err)
		}
		prepared, err := Prepare(set, config, 0)
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range map[string]Set{"plain": set, "prepared": prepared} {
			for b, err := range Batches(context.Background(), s, LoadOptions{Transform: config}) {
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(b.X.Data().([]float32), want) {
					t.Errorf("%v, %s: the batch is not what Apply makes", convert, name)
				}
			}
		}
		seen[convert] = want
	}
	if slices.Equal(seen[transform.BeforeResize], seen[transform.AfterCrop]) {
		t.Error("the picture does not tell the two orders apart")
	}
}
