package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/transform"
)

// Measures of a contact sheet, in pixels.
const (
	thumb   = 96 // side of a picture
	frame   = 4  // around it
	caption = 16 // below it
	columns = 8
)

// fast makes files a little larger than need be, in a third of the time.
var fast = png.Encoder{CompressionLevel: png.BestSpeed}

var colours = map[clip.Verdict]color.RGBA{
	clip.Keep:   {0x2e, 0x9e, 0x4f, 0xff},
	clip.Review: {0xe6, 0x9f, 0x00, 0xff},
	clip.Reject: {0xc8, 0x32, 0x32, 0xff},
}

// writeSheets draws sheets/CLASS.png: of what is kept the least sure images and
// some of the surest, the surest that are for review, and some that are
// rejected, with their probabilities.
func writeSheets(ctx context.Context, o options, set dataset.Set, rs *records) error {
	if o.sheet == 0 {
		return nil
	}
	dir := filepath.Join(o.out, "sheets")
	if err := removeOwn(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, mark), nil, 0o644); err != nil {
		return err
	}
	names := fileNames(rs.classes)
	groups := rs.grouped()
	for class := range rs.classes {
		images := choose(o.sheet, groups[clip.Keep][class], groups[clip.Review][class], groups[clip.Reject][class])
		if len(images) == 0 {
			continue
		}
		sheet, err := drawSheet(ctx, set, rs, images)
		if err != nil {
			return err
		}
		if err := write(filepath.Join(dir, names[class]+".png"), func(w io.Writer) error { return fast.Encode(w, sheet) }); err != nil {
			return err
		}
	}
	return nil
}

// choose takes at most n images: half of them kept ones, the least sure and,
// for comparison, a quarter of that half the surest; then those for review that
// came nearest to being kept; then rejected ones. What one kind does not need
// goes to the next.
func choose(n int, keep, review, reject []int) []int {
	var out []int
	half := min((n+1)/2, len(keep))
	sure := half / 4
	out = append(out, keep[:half-sure]...)
	out = append(out, keep[len(keep)-sure:]...)
	rest := n - len(out)
	bad := min(rest/4, len(reject))
	good := min(rest-bad, len(review))
	out = append(out, review[len(review)-good:]...)
	bad = min(rest-good, len(reject))
	return append(out, reject[len(reject)-bad:]...)
}

func drawSheet(ctx context.Context, set dataset.Set, rs *records, images []int) (*image.RGBA, error) {
	const w, h = thumb + 2*frame, thumb + 2*frame + caption
	sheet := image.NewRGBA(image.Rect(0, 0, min(columns, len(images))*w, (len(images)+columns-1)/columns*h))
	draw.Draw(sheet, sheet.Bounds(), image.White, image.Point{}, draw.Src)
	small := transform.Config{Size: thumb, Resize: thumb, Crop: transform.Border, Mean: [3]float32{1, 1, 1}, Std: [3]float32{1, 1, 1}}
	for n, i := range images {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, y := n%columns*w, n/columns*h
		rec := rs.all[i]
		draw.Draw(sheet, image.Rect(x+1, y+1, x+w-1, y+thumb+2*frame-1), image.NewUniform(colours[rec.verdict]), image.Point{}, draw.Src)
		text := fmt.Sprintf("%.3f", rec.prob)
		if img, err := thumbnail(set, i, small); err == nil {
			draw.Draw(sheet, image.Rect(x+frame, y+frame, x+frame+thumb, y+frame+thumb), img, image.Point{}, draw.Src)
		} else {
			text += " gone" // it could be read when it was labelled
		}
		d := font.Drawer{Dst: sheet, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(x+frame, y+thumb+2*frame+12)}
		d.DrawString(text)
	}
	return sheet, nil
}

func thumbnail(set dataset.Set, i int, small transform.Config) (img image.Image, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = errors.New("decoder failed")
		}
	}()
	if img, err = set.Image(i); err != nil {
		return nil, err
	}
	return small.Prepare(img)
}
