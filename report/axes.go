package report

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// axes is an empty plot in the style of all figures.
func axes(title, x, y string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = nil
	p.Title.Text = title
	p.Title.Padding = 6
	p.Title.TextStyle = letters(12, ink, draw.XCenter, draw.YTop)
	p.X.Label.Text, p.Y.Label.Text = x, y
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = letters(11, ink, draw.XCenter, draw.YBottom)
		a.Label.Padding = 4
		a.LineStyle = draw.LineStyle{Color: grey, Width: 0.75}
		a.Tick.LineStyle = draw.LineStyle{Color: grey, Width: 0.75}
		a.Tick.Length = 4
		a.Padding = 0
	}
	p.X.Label.TextStyle.YAlign = draw.YTop
	p.X.Label.TextStyle.YAlign = draw.YBottom
	p.X.Tick.Label = letters(10, ink, draw.XCenter, draw.YTop)
	p.Y.Tick.Label = letters(10, ink, draw.XRight, draw.YCenter)
	g := plotter.NewGrid()
	g.Vertical = draw.LineStyle{Color: faint, Width: 0.75}
	g.Horizontal = g.Vertical
	p.Add(g)
	return p
}

// scale is a range of an axis with marks at multiples of step.
type scale struct {
	min, max, step float64
	label          func(v, step float64) string
}

// set gives an axis the range and its marks.
func (s scale) set(a *plot.Axis) {
	a.Min, a.Max = s.min, s.max
	a.Tick.Marker = s
}

// Ticks implements plot.Ticker.
func (s scale) Ticks(_, _ float64) []plot.Tick {
	var ticks []plot.Tick
	first := math.Ceil(s.min/s.step - 1e-9)
	for i := range 64 { // never more than a dozen
		v := (first + float64(i)) * s.step
		if v > s.max+1e-9*s.step {
			break
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: s.label(v, s.step)})
	}
	return ticks
}

// nice is a scale over lo..hi with about n marks at 1, 2 or 5 times a power of
// ten, at least apart each. The range is not widened.
func nice(lo, hi float64, n int, least float64, label func(v, step float64) string) scale {
	if !(hi > lo) {
		pad := max(math.Abs(lo)*0.05, least/2, 1e-6)
		lo, hi = lo-pad, hi+pad
	}
	raw := (hi - lo) / float64(n)
	mag := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * mag
	for _, m := range []float64{1, 2, 5} {
		if m*mag >= raw*0.999 {
			step = m * mag
			break
		}
	}
	return scale{lo, hi, max(step, least), label}
}

func numberLabel(v, step float64) string {
	digits := 0
	if step < 1 {
		digits = min(6, int(math.Ceil(-math.Log10(step)-1e-9)))
	}
	if math.Abs(v) >= 1e6 || step < 1e-6 {
		return strconv.FormatFloat(v, 'g', 4, 64)
	}
	return strconv.FormatFloat(v+0, 'f', digits, 64) // +0 turns -0 into 0
}

func percentLabel(v, step float64) string { return numberLabel(100*v, 100*step) + "%" }

// line is one curve and how it is drawn.
type line struct {
	points plotter.XYs // may hold NaN, where the curve breaks
	color  color.Color
	width  vg.Length
	dashes []vg.Length
	mark   draw.GlyphDrawer // nil for none
}

// addTo puts the curve into a plot. A point without neighbours gets a mark in
// any case, else it would not be seen.
func (l line) addTo(p *plot.Plot) error {
	var run plotter.XYs
	flush := func() error {
		if len(run) == 0 {
			return nil
		}
		if len(run) > 1 {
			c, err := plotter.NewLine(run)
			if err != nil {
				return fmt.Errorf("report: %w", err)
			}
			c.LineStyle = draw.LineStyle{Color: l.color, Width: l.width, Dashes: l.dashes}
			p.Add(c)
		}
		if mark := l.mark; mark != nil || len(run) == 1 {
			if mark == nil {
				mark = draw.CircleGlyph{}
			}
			s, err := plotter.NewScatter(run)
			if err != nil {
				return fmt.Errorf("report: %w", err)
			}
			s.GlyphStyle = draw.GlyphStyle{Color: l.color, Radius: max(2.2, 1.2*l.width), Shape: mark}
			p.Add(s)
		}
		run = nil
		return nil
	}
	for _, xy := range l.points {
		if finite(xy.X) && finite(xy.Y) {
			run = append(run, xy)
		} else if err := flush(); err != nil {
			return err
		}
	}
	return flush()
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// span widens lo, hi to the finite coordinates that pick chooses.
func span(lo, hi float64, points plotter.XYs, pick func(plotter.XY) float64) (float64, float64) {
	for _, xy := range points {
		if finite(xy.X) && finite(xy.Y) {
			lo, hi = min(lo, pick(xy)), max(hi, pick(xy))
		}
	}
	return lo, hi
}

func getX(p plotter.XY) float64 { return p.X }
func getY(p plotter.XY) float64 { return p.Y }
