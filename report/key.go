package report

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// entry is a line of the key: a sample of the stroke and what it stands for.
type entry struct {
	text   string
	color  color.Color
	width  vg.Length
	dashes []vg.Length
	mark   draw.GlyphDrawer
	hollow bool // the mark alone, no line
}

const (
	keyRow    vg.Length = 18
	keySample vg.Length = 26
	keyGap    vg.Length = 22
)

// layKey arranges entries in rows no wider than width.
func layKey(entries []entry, width vg.Length) [][]entry {
	s := letters(11, ink, draw.XLeft, draw.YCenter)
	var rows [][]entry
	used := vg.Length(0)
	for _, e := range entries {
		e.text = fit(s, e.text, width-keySample-6)
		w := keySample + 6 + s.Width(e.text) + keyGap
		if len(rows) == 0 || used+w-keyGap > width {
			rows, used = append(rows, nil), 0
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], e)
		used += w
	}
	return rows
}

// key draws the rows, the first at the top of height y.
func (p page) key(rows [][]entry, x, y vg.Length) {
	s := letters(11, ink, draw.XLeft, draw.YCenter)
	for i, row := range rows {
		at, mid := x, y-keyRow*(vg.Length(i)+0.5)
		for _, e := range row {
			if !e.hollow {
				p.StrokeLine2(draw.LineStyle{Color: e.color, Width: e.width, Dashes: e.dashes}, at, mid, at+keySample, mid)
			}
			if e.mark != nil {
				radius := max(2.6, 1.2*e.width)
				if e.hollow {
					radius = 4.5
				}
				p.DrawGlyph(draw.GlyphStyle{Color: e.color, Radius: radius, Shape: e.mark}, vg.Point{X: at + keySample/2, Y: mid})
			}
			p.FillText(s, vg.Point{X: at + keySample + 6, Y: mid}, e.text)
			at += keySample + 6 + s.Width(e.text) + keyGap
		}
	}
}
