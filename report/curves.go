package report

import (
	"fmt"
	"image/color"
	"io"
	"math"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Series is a curve: Y over X. Without X the points are 1, 2, 3, …, one an
// epoch. Points that are NaN or infinite are left out and break the line.
type Series struct{ X, Y []float64 }

// Run is the training of one model. Empty series are not drawn. X counts
// epochs; a loss of every step is drawn at fractions of an epoch.
type Run struct {
	Name string

	Loss    Series // of the model
	EMALoss Series // of its averaged weights

	Accuracy    Series // of the model, shares 0..1
	EMAAccuracy Series // of its averaged weights
}

// Curves draws the losses and accuracies of several runs side by side as PNG,
// each run in a colour of its own: the model dashed, its averaged weights (or
// the model, where there are none) solid. A series of more than 100 points is
// drawn faint with its moving average on top. The key states the last accuracy
// of each. The title may be empty.
//
// No run with a point to draw, or X and Y of different lengths, are errors.
func Curves(w io.Writer, title string, runs ...Run) error {
	type half struct {
		what  string
		label func(v, step float64) string
		lines []line
	}
	loss := half{what: "loss", label: numberLabel}
	accuracy := half{what: "accuracy", label: percentLabel}
	var entries []entry
	for i, r := range runs {
		averaged := len(r.EMALoss.Y)+len(r.EMAAccuracy.Y) > 0
		for _, part := range []struct {
			name       string
			loss, hits Series
			ema        bool
		}{{r.Name, r.Loss, r.Accuracy, false}, {r.Name + ", averaged (EMA)", r.EMALoss, r.EMAAccuracy, true}} {
			e := entry{text: part.name, color: series(i), width: 2.2}
			if !part.ema && averaged {
				e.width, e.dashes = 1.7, []vg.Length{5, 3}
			}
			drawn := 0
			for _, to := range []struct {
				half   *half
				series Series
			}{{&loss, part.loss}, {&accuracy, part.hits}} {
				xy, err := to.series.points()
				if err != nil {
					return fmt.Errorf("report: curves: %s, %s: %w", part.name, to.half.what, err)
				}
				drawn += finitePoints(xy)
				to.half.lines = append(to.half.lines, strokes(xy, e)...)
			}
			if drawn == 0 {
				continue
			}
			if v, ok := last(part.hits.Y); ok {
				e.text += ": " + percentText(v, 1)
			}
			entries = append(entries, e)
		}
	}
	if len(entries) == 0 {
		return fmt.Errorf("report: curves: nothing to draw")
	}

	const width, margin, plotHeight vg.Length = 900, 18, 330
	rows := layKey(entries, width-2*margin)
	top := vg.Length(10)
	if title != "" {
		top = headingHeight
	}
	under := top + keyRow*vg.Length(len(rows)) + 8
	p := newPage(width, under+plotHeight+10)
	if title != "" {
		p.heading(title, margin)
	}
	p.key(rows, margin, p.Max.Y-top)

	var halves []half
	for _, h := range []half{loss, accuracy} {
		for _, l := range h.lines {
			if finitePoints(l.points) > 0 {
				halves = append(halves, h)
				break
			}
		}
	}
	each := (width - margin) / vg.Length(len(halves))
	for i, h := range halves {
		pl := axes("", "epoch", h.what)
		x0, x1 := math.Inf(1), math.Inf(-1)
		y0, y1 := math.Inf(1), math.Inf(-1)
		for _, l := range h.lines {
			if err := l.addTo(pl); err != nil {
				return err
			}
			x0, x1 = span(x0, x1, l.points, getX)
			y0, y1 = span(y0, y1, l.points, getY)
		}
		pad := max((y1-y0)*0.05, 1e-3)
		lo, hi := y0-pad, y1+pad
		if y0 >= 0 && (h.what == "accuracy" || y0 < 0.3*y1) {
			lo = max(lo, 0)
		}
		if h.what == "accuracy" && y1 <= 1 {
			hi = min(hi, 1)
		}
		nice(lo, hi, 6, 0, h.label).set(&pl.Y)
		side := max((x1-x0)*0.02, 1e-3)
		nice(x0-side, x1+side, 10, 1, numberLabel).set(&pl.X)
		pl.Draw(p.part(margin/2+each*vg.Length(i)+4, 8, margin/2+each*vg.Length(i+1)-8, plotHeight))
	}
	return p.write(w)
}

// points pairs X and Y.
func (s Series) points() (plotter.XYs, error) {
	if s.X != nil && len(s.X) != len(s.Y) {
		return nil, fmt.Errorf("%d values of X for %d of Y", len(s.X), len(s.Y))
	}
	xy := make(plotter.XYs, len(s.Y))
	for i, y := range s.Y {
		xy[i] = plotter.XY{X: float64(i + 1), Y: y}
		if s.X != nil {
			xy[i].X = s.X[i]
		}
	}
	return xy, nil
}

// strokes turns points into what is drawn of them.
func strokes(xy plotter.XYs, e entry) []line {
	if len(xy) == 0 {
		return nil
	}
	l := line{points: xy, color: e.color, width: e.width, dashes: e.dashes}
	if len(xy) <= 40 {
		l.mark = draw.CircleGlyph{}
	}
	if len(xy) <= 100 {
		return []line{l}
	}
	noise := l
	noise.color = mix(l.color.(color.RGBA), white, 0.75)
	noise.width, noise.dashes = 0.8, nil
	l.points = smooth(xy, len(xy)/40)
	return []line{noise, l}
}

// smooth is the mean over a window of r points to either side, as far as there
// are any; a window with a point that is not finite has none.
func smooth(xy plotter.XYs, r int) plotter.XYs {
	out := make(plotter.XYs, len(xy))
	for i := range xy {
		window := xy[max(i-r, 0):min(i+r+1, len(xy))]
		sum := 0.0
		for _, p := range window {
			sum += p.Y
		}
		out[i] = plotter.XY{X: xy[i].X, Y: sum / float64(len(window))}
	}
	return out
}

func finitePoints(xy plotter.XYs) int {
	n := 0
	for _, p := range xy {
		if finite(p.X) && finite(p.Y) {
			n++
		}
	}
	return n
}

// last is the last value, if it is a number.
func last(y []float64) (float64, bool) {
	if len(y) == 0 || !finite(y[len(y)-1]) {
		return 0, false
	}
	return y[len(y)-1], true
}
