package report

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/winnow-go/winnow/ood"
)

// Sweep draws what refusing costs and buys, as PNG: over the share of known
// images that are kept, the accuracy on those and, where the table has
// strangers, the share of strangers refused. Each temperature is a line, each
// threshold a mark on it; lower thresholds are further right. Rows given as
// chosen, such as [ood.Decision.Measure] returns, are marked with a ring. The
// title may be empty.
//
// A table without rows is an error.
func Sweep(w io.Writer, title string, t *ood.Table, chosen ...ood.Row) error {
	if len(t.Rows) == 0 {
		return fmt.Errorf("report: sweep: a table without rows")
	}
	var temperatures []float64
	lines := map[float64][]ood.Row{}
	for _, r := range t.Rows {
		if lines[r.Temperature] == nil {
			temperatures = append(temperatures, r.Temperature)
		}
		lines[r.Temperature] = append(lines[r.Temperature], r)
	}
	marks := []draw.GlyphDrawer{draw.CircleGlyph{}, draw.SquareGlyph{}, draw.PyramidGlyph{}, draw.PlusGlyph{}, draw.CrossGlyph{}}
	var entries []entry
	for i, v := range temperatures {
		entries = append(entries, entry{
			text:  "temperature " + strconv.FormatFloat(v, 'g', 3, 64),
			color: ordered(i, len(temperatures)), width: 1.6, mark: marks[i%len(marks)],
		})
	}
	for _, r := range chosen {
		text := fmt.Sprintf("chosen: temperature %.2f, threshold %.3f keeps %s, accuracy %s",
			r.Temperature, r.Threshold, percentText(r.Coverage, 1), percentText(r.Accuracy, 1))
		if finite(r.Stopped) {
			text += ", refuses " + percentText(r.Stopped, 1) + " of strangers"
		}
		entries = append(entries, entry{text: text, color: series(1), width: 2, mark: ring{}, hollow: true})
	}

	panels := []struct {
		what string
		y    func(ood.Row) float64
	}{{"accuracy on the images kept", func(r ood.Row) float64 { return r.Accuracy }}}
	if t.Strangers > 0 {
		panels = append(panels, struct {
			what string
			y    func(ood.Row) float64
		}{"strangers refused", func(r ood.Row) float64 { return r.Stopped }})
	}
	const margin, plotHeight vg.Length = 18, 340
	width := vg.Length(900)
	if len(panels) == 1 {
		width = 620
	}
	rows := layKey(entries, width-2*margin)
	top := vg.Length(10)
	if title != "" {
		top = headingHeight
	}
	p := newPage(width, top+keyRow*vg.Length(len(rows))+8+plotHeight+10)
	if title != "" {
		p.heading(title, margin)
	}
	p.key(rows, margin, p.Max.Y-top)

	each := (width - margin) / vg.Length(len(panels))
	for i, panel := range panels {
		pl := axes("", "known images kept", panel.what)
		x0, x1 := math.Inf(1), 1.0
		y0, y1 := math.Inf(1), math.Inf(-1)
		for j, v := range temperatures {
			xy := make(plotter.XYs, len(lines[v]))
			for n, r := range lines[v] {
				xy[n] = plotter.XY{X: r.Coverage, Y: panel.y(r)}
			}
			e := entries[j]
			if err := (line{points: xy, color: e.color, width: e.width, mark: e.mark}).addTo(pl); err != nil {
				return err
			}
			x0, x1 = span(x0, x1, xy, getX)
			y0, y1 = span(y0, y1, xy, getY)
		}
		for _, r := range chosen {
			xy := plotter.XYs{{X: r.Coverage, Y: panel.y(r)}}
			if finitePoints(xy) == 0 {
				continue
			}
			if err := (line{points: xy, color: series(1), width: 6, mark: ring{}}).addTo(pl); err != nil {
				return err
			}
			x0, x1 = span(x0, x1, xy, getX)
			y0, y1 = span(y0, y1, xy, getY)
		}
		if y1 < y0 {
			x0, y0, y1 = 0, 0, 1
		}
		nice(x0-0.03*(x1-x0)-1e-3, x1+0.03*(x1-x0)+1e-3, 8, 0, percentLabel).set(&pl.X)
		nice(y0-0.05*(y1-y0)-1e-3, y1+0.05*(y1-y0)+1e-3, 7, 0, percentLabel).set(&pl.Y)
		pl.Draw(p.part(margin/2+each*vg.Length(i)+4, 8, margin/2+each*vg.Length(i+1)-8, plotHeight))
	}
	return p.write(w)
}

// ring is a thick open circle.
type ring struct{}

// DrawGlyph implements draw.GlyphDrawer.
func (ring) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	c.SetLineStyle(draw.LineStyle{Color: s.Color, Width: 2})
	var path vg.Path
	path.Move(vg.Point{X: at.X + s.Radius, Y: at.Y})
	path.Arc(at, s.Radius, 0, 2*math.Pi)
	path.Close()
	c.Stroke(path)
}
