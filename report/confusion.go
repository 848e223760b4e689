package report

import (
	"fmt"
	"io"
	"math"
	"strconv"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/winnow-go/winnow/metrics"
)

// MaxClasses is the largest number of classes that [Confusion] draws.
const MaxClasses = 1000

// Confusion draws a confusion matrix as PNG: a row for each true class, a
// column for each predicted one, coloured by the share of the row, blue where
// the answer is right and orange where it is wrong. Each cell states its count
// and share as far as there is room: with up to 17 classes both, up to 38 the
// count. Long names are shortened, and carry the number of their class where
// that makes them alike. Names are left out where their lines would touch
// (above about 100 classes). The title may be empty.
//
// A matrix without classes, or of more than [MaxClasses], is an error. One
// without samples is drawn white.
func Confusion(w io.Writer, title string, c *metrics.Confusion) error {
	names := c.Classes()
	k := len(names)
	if k == 0 || k > MaxClasses {
		return fmt.Errorf("report: confusion: %d classes: want 1 to %d", k, MaxClasses)
	}
	scores := c.PerClass()

	side := min(max(640/vg.Length(k), 1), 50) // of a cell
	grid := side * vg.Length(k)
	size := min(11, side*0.8) // of names
	named := size >= 5
	label := letters(size, ink, draw.XRight, draw.YCenter)
	shown := make([]string, k)
	widest := vg.Length(0)
	if named {
		seen := map[string]bool{}
		for i, name := range names {
			shown[i] = fit(label, name, 150)
			seen[shown[i]] = true
		}
		for i, name := range names {
			if len(seen) < k { // what tells the names apart was cut out
				number := strconv.Itoa(i) + " "
				shown[i] = number + fit(label, name, 150-label.Width(number))
			}
			widest = max(widest, label.Width(shown[i]))
		}
	}

	const gap, axis, bar vg.Length = 6, 20, 130
	upright := true // column names fit without being turned
	for _, s := range shown {
		upright = upright && label.Width(s) <= side-4
	}
	under := size + 4
	slant := math.Pi / 4
	if side < 14 { // slanted lines would touch
		slant = math.Pi / 2
	}
	lean := vg.Length(math.Cos(slant))
	if !upright {
		under = widest*vg.Length(math.Sin(slant)) + size
	}
	if !named {
		under = 0
	}
	left := 10 + axis + widest + gap
	if !upright {
		// The first column's name leans out to the left.
		left = max(left, 10+axis+label.Width(shown[0])*lean+gap-side/2)
	}
	bottom := 10 + axis + under + gap
	top := vg.Length(24)
	if title != "" {
		top += headingHeight
	}
	width := max(left+grid+bar, 420)
	p := newPage(width, bottom+grid+top)
	if title != "" {
		p.heading(title, 12)
	}
	note := letters(11, grey, draw.XLeft, draw.YCenter)
	p.FillText(note, vg.Point{X: 12, Y: bottom + grid + 13}, fmt.Sprintf("accuracy %s, mean class accuracy %s, %d samples",
		percentText(c.Accuracy(), 1), percentText(c.MeanClassAccuracy(), 1), c.N()))

	// Cells.
	for i := range k {
		y := bottom + grid - side*vg.Length(i+1)
		for j := range k {
			n := c.Count(i, j)
			if n == 0 {
				continue
			}
			x := left + side*vg.Length(j)
			v := float64(n) / float64(scores[i].Support)
			shade := wrongShade(v)
			if i == j {
				shade = rightShade(v)
			}
			p.box(shade, x, y, x+side, y+side)
			ink := ink
			if dark(shade) {
				ink.R, ink.G, ink.B = 0xff, 0xff, 0xff
			}
			count := letters(min(12, side*0.36), ink, draw.XCenter, draw.YCenter)
			text := strconv.Itoa(n)
			for count.Width(text) > side-3 && count.Font.Size > 5 {
				count.Font.Size--
			}
			mid := vg.Point{X: x + side/2, Y: y + side/2}
			switch {
			case side >= 36:
				count.YAlign = draw.YBottom
				p.FillText(count, vg.Point{X: mid.X, Y: mid.Y - 1}, text)
				part := letters(min(9, side*0.24), ink, draw.XCenter, draw.YTop)
				p.FillText(part, vg.Point{X: mid.X, Y: mid.Y - 3}, percentText(v, 1))
			case count.Font.Size >= 6 && count.Width(text) <= side-2:
				p.FillText(count, mid, text)
			}
		}
	}

	// Lines between cells, a frame, names.
	rule := draw.LineStyle{Color: faint, Width: 0.5}
	for i := 1; i < k && side >= 5; i++ {
		at := side * vg.Length(i)
		p.StrokeLine2(rule, left, bottom+at, left+grid, bottom+at)
		p.StrokeLine2(rule, left+at, bottom, left+at, bottom+grid)
	}
	frame := draw.LineStyle{Color: grey, Width: 0.75}
	p.StrokeLines(frame, []vg.Point{{X: left, Y: bottom}, {X: left + grid, Y: bottom}, {X: left + grid, Y: bottom + grid}, {X: left, Y: bottom + grid}, {X: left, Y: bottom}})
	if named {
		for i, s := range shown {
			mid := side * (vg.Length(i) + 0.5)
			p.FillText(label, vg.Point{X: left - gap, Y: bottom + grid - mid}, s)
			column := label
			if upright {
				column.XAlign, column.YAlign = draw.XCenter, draw.YTop
			} else {
				column.Rotation = slant
			}
			p.FillText(column, vg.Point{X: left + mid, Y: bottom - gap}, s)
		}
	}
	word := letters(12, ink, draw.XCenter, draw.YBottom)
	p.FillText(word, vg.Point{X: left + grid/2, Y: 8}, "predicted class")
	word.Rotation, word.YAlign = math.Pi/2, draw.YTop
	p.FillText(word, vg.Point{X: 8, Y: bottom + grid/2}, "true class")

	p.shares(left+grid+22, bottom, min(grid, 260))
	return p.write(w)
}

// shares draws the two colour scales, their lower left corner at x, y.
func (p page) shares(x, y, height vg.Length) {
	const wide, steps = 14, 100
	for s := range steps {
		v := (float64(s) + 0.5) / steps
		y0 := y + height*vg.Length(s)/steps // up to the top, so that no seam shows
		p.box(rightShade(v), x, y0, x+wide, y+height)
		p.box(wrongShade(v), x+wide+4, y0, x+2*wide+4, y+height)
	}
	mark := letters(9, ink, draw.XLeft, draw.YCenter)
	marks := []float64{0, 0.25, 0.5, 0.75, 1}
	if height < 80 {
		marks = []float64{0, 1}
	}
	for _, v := range marks {
		p.FillText(mark, vg.Point{X: x + 2*wide + 9, Y: y + height*vg.Length(v)}, percentText(v, 0))
	}
	if height < 80 {
		return
	}
	for i, s := range []string{"right", "wrong"} {
		t := letters(9, ink, draw.XRight, draw.YCenter)
		t.Rotation = math.Pi / 2
		p.FillText(t, vg.Point{X: x + wide/2 + vg.Length(i)*(wide+4), Y: y - 5}, s)
	}
	side := letters(9, grey, draw.XCenter, draw.YTop)
	side.Rotation = math.Pi / 2
	p.FillText(side, vg.Point{X: x + 2*wide + 36, Y: y + height/2}, "share of the true class")
}
