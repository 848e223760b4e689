package report

import (
	"fmt"
	"image/color"
	"io"
	"math"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// dpi is twice the number of points in an inch: two pixels to the point.
const dpi = 144

// Shades of everything that is not data.
var (
	ink   = color.RGBA{0x22, 0x22, 0x22, 0xff}
	grey  = color.RGBA{0x66, 0x66, 0x66, 0xff}
	faint = color.RGBA{0xe4, 0xe4, 0xe4, 0xff}
	white = color.RGBA{0xff, 0xff, 0xff, 0xff}
)

// page is a white sheet, its origin at the lower left, lengths in points.
type page struct {
	draw.Canvas
	img *vgimg.Canvas
}

func newPage(width, height vg.Length) page {
	img := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	return page{draw.New(img), img}
}

// write encodes the sheet as PNG.
func (p page) write(w io.Writer) error {
	if _, err := (vgimg.PngCanvas{Canvas: p.img}).WriteTo(w); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// part is the section of the page between two corners.
func (p page) part(x0, y0, x1, y1 vg.Length) draw.Canvas {
	return draw.Canvas{Canvas: p.img, Rectangle: vg.Rectangle{Min: vg.Point{X: x0, Y: y0}, Max: vg.Point{X: x1, Y: y1}}}
}

// heading writes the title at the top left; it takes headingHeight points.
func (p page) heading(title string, margin vg.Length) {
	s := letters(15, ink, draw.XLeft, draw.YCenter)
	s.Font.Weight = xfont.WeightBold
	width := p.Max.X - 2*margin
	p.FillText(s, vg.Point{X: margin, Y: p.Max.Y - headingHeight/2 - 4}, fit(s, title, width))
}

const headingHeight vg.Length = 32

// box fills a rectangle.
func (p page) box(c color.Color, x0, y0, x1, y1 vg.Length) {
	p.FillPolygon(c, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}})
}

// letters is a style of text.
func letters(size vg.Length, c color.Color, x draw.XAlignment, y draw.YAlignment) draw.TextStyle {
	return draw.TextStyle{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign:  x,
		YAlign:  y,
		Handler: plot.DefaultTextHandler,
	}
}

// fit shortens a text to a width by leaving out its middle, which keeps apart
// names that begin alike and names that end alike.
func fit(s text.Style, txt string, width vg.Length) string {
	if s.Width(txt) <= width {
		return txt
	}
	r := []rune(txt)
	// Nothing longer than this fits any page; it bounds the work below.
	if len(r) > 512 {
		r = append(r[:256:256], r[len(r)-256:]...)
	}
	for keep := len(r) - 1; keep > 1; keep-- {
		if short := string(r[:(keep+1)/2]) + "…" + string(r[len(r)-keep/2:]); s.Width(short) <= width {
			return short
		}
	}
	return "…"
}

// percentText writes a share as a percentage with the given decimals. A share
// below 1 is never rounded up to 100.
func percentText(v float64, decimals int) string {
	if math.IsNaN(v) {
		return "–"
	}
	scale := math.Pow(10, float64(decimals))
	if v < 1 && math.Round(100*v*scale) >= 100*scale {
		return fmt.Sprintf("%.*f%%", decimals, 100-1/scale)
	}
	return fmt.Sprintf("%.*f%%", decimals, 100*v)
}
