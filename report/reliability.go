package report

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/winnow-go/winnow/metrics"
)

// Calibration is one panel of a reliability diagram.
type Calibration struct {
	Name string
	Bins []metrics.Bin // [metrics.Predictions.Reliability]
}

// MaxPanels is the largest number of panels that [Reliability] draws.
const MaxPanels = 8

// Reliability draws, as PNG, whether probabilities mean what they say: a panel
// for each calibration, usually before and after the temperature was fitted.
// A bar is the accuracy of the answers whose confidence lies in its bin; on
// the diagonal the two agree. Hatched in orange is what is missing (too sure)
// or too much (too modest); below is the share of answers in each bin. The
// heading of a panel states the expected calibration error. The title may be
// empty.
//
// No panel, more than [MaxPanels], or a panel without bins, are errors.
func Reliability(w io.Writer, title string, panels ...Calibration) error {
	if len(panels) == 0 || len(panels) > MaxPanels {
		return fmt.Errorf("report: reliability: %d panels: want 1 to %d", len(panels), MaxPanels)
	}
	const each, tall, low, margin vg.Length = 320, 300, 70, 14
	top := vg.Length(10)
	if title != "" {
		top = headingHeight
	}
	p := newPage(each*vg.Length(len(panels))+2*margin, top+26+tall+low+58)
	if title != "" {
		p.heading(title, margin+4)
	}
	for i, c := range panels {
		if len(c.Bins) == 0 {
			return fmt.Errorf("report: reliability: %s: no bins", c.Name)
		}
		x0 := margin + each*vg.Length(i) + 52
		p.reliability(c, x0, 46, each-62, low, tall)
	}
	return p.write(w)
}

// reliability draws a panel: the histogram from y, the diagram above it.
func (p page) reliability(c Calibration, x, y, width, low, tall vg.Length) {
	total, most := 0, 0
	for _, b := range c.Bins {
		total += b.Count
		most = max(most, b.Count)
	}
	base := y + low + 12
	high := tall - 12
	name := letters(12, ink, draw.XCenter, draw.YBottom)
	p.FillText(name, vg.Point{X: x + width/2, Y: base + high + 8},
		fit(name, fmt.Sprintf("%s: calibration error %s", c.Name, percentText(metrics.ECE(c.Bins), 1)), width+56))

	grid := draw.LineStyle{Color: faint, Width: 0.75}
	mark := letters(10, ink, draw.XRight, draw.YCenter)
	for v := 0.0; v <= 1; v += 0.25 {
		at := vg.Length(v)
		p.StrokeLine2(grid, x, base+high*at, x+width, base+high*at)
		p.StrokeLine2(grid, x+width*at, base, x+width*at, base+high)
		p.FillText(mark, vg.Point{X: x - 5, Y: base + high*at}, percentText(v, 0))
		under := mark
		under.XAlign, under.YAlign = draw.XCenter, draw.YTop
		p.FillText(under, vg.Point{X: x + width*at, Y: y - 5}, percentText(v, 0))
	}
	gap := series(1)
	for _, b := range c.Bins {
		if b.Count == 0 || !finite(b.Accuracy) || !finite(b.Confidence) {
			continue
		}
		x0, x1 := x+width*vg.Length(b.Lo)+0.75, x+width*vg.Length(b.Hi)-0.75
		hit, sure := base+high*vg.Length(b.Accuracy), base+high*vg.Length(b.Confidence)
		p.box(mix(series(0), white, 0.25), x0, base, x1, hit)
		lo, hi := min(hit, sure), max(hit, sure)
		p.hatch(gap, x0, lo, x1, hi)
		p.box(grey, x0, y, x1, y+low*vg.Length(float64(b.Count)/float64(most)))
	}
	p.StrokeLine2(draw.LineStyle{Color: ink, Width: 1, Dashes: []vg.Length{4, 3}}, x, base, x+width, base+high)
	frame := draw.LineStyle{Color: grey, Width: 0.75}
	for _, r := range [][2]vg.Length{{y, y + low}, {base, base + high}} {
		p.StrokeLines(frame, []vg.Point{{X: x, Y: r[0]}, {X: x + width, Y: r[0]}, {X: x + width, Y: r[1]}, {X: x, Y: r[1]}, {X: x, Y: r[0]}})
	}
	p.FillText(mark, vg.Point{X: x - 5, Y: y + 4}, "0%")
	if total > 0 {
		p.FillText(mark, vg.Point{X: x - 5, Y: y + low - 4}, percentText(float64(most)/float64(total), 0))
	}
	word := letters(11, ink, draw.XCenter, draw.YBottom)
	p.FillText(word, vg.Point{X: x + width/2, Y: y - 33}, "confidence")
	word.Rotation = math.Pi / 2
	p.FillText(word, vg.Point{X: x - 36, Y: base + high/2}, "accuracy")
	p.FillText(word, vg.Point{X: x - 36, Y: y + low/2}, "answers")
}

// hatch fills a rectangle with slanted lines and outlines it.
func (p page) hatch(c color.RGBA, x0, y0, x1, y1 vg.Length) {
	if y1-y0 < 0.25 {
		return
	}
	p.box(mix(c, white, 0.75), x0, y0, x1, y1)
	stroke := draw.LineStyle{Color: c, Width: 0.9}
	part := p.part(x0, y0, x1, y1)
	for at := y0 - (x1 - x0); at < y1; at += 5 {
		part.StrokeLines(stroke, part.ClipLinesXY([]vg.Point{{X: x0, Y: at}, {X: x1, Y: at + (x1 - x0)}})...)
	}
	p.StrokeLines(stroke, []vg.Point{{X: x0, Y: y0}, {X: x1, Y: y0}, {X: x1, Y: y1}, {X: x0, Y: y1}, {X: x0, Y: y0}})
}
