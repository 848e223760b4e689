package metrics

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// widest is the largest number of classes whose matrix is written out.
const widest = 32

// WriteTo writes the matrix as text: a row for each true class with its
// recall and number of samples, a column for each predicted class (by index)
// with its precision, then the accuracies and the most frequent mistakes. A
// dot stands for 0 and a dash for what is undefined. With more than 32 classes
// the cells are left out and each class has a line of its own. It returns the
// number of bytes written.
func (c *Confusion) WriteTo(w io.Writer) (int64, error) {
	n, err := io.WriteString(w, c.String())
	return int64(n), err
}

// String is the text that [Confusion.WriteTo] writes.
func (c *Confusion) String() string {
	k := len(c.classes)
	names := len("precision %")
	for _, name := range c.classes {
		names = max(names, min(textWidth(name), 24))
	}
	index := len(strconv.Itoa(max(k-1, 0)))
	cell := max(5, index+2)
	for _, n := range c.counts {
		cell = max(cell, len(strconv.Itoa(n))+1)
	}
	matrix := k <= widest
	scores := c.PerClass()
	for _, s := range scores {
		cell = max(cell, len(percent(s.Precision))) // without its sign
	}

	var b strings.Builder
	line := func(s string) { b.WriteString(strings.TrimRight(s, " ") + "\n") }
	total := max(6, len(strconv.Itoa(c.n))+1)

	head := pad("", index) + " " + pad("true \\ got", names)
	if matrix {
		for j := range k {
			head += fmt.Sprintf("%*d", cell, j)
		}
	}
	head += fmt.Sprintf("  %7s%*s", "recall", total, "n")
	if !matrix {
		head += fmt.Sprintf("%10s", "precision")
	}
	line(head)
	for i, s := range scores {
		row := fmt.Sprintf("%*d ", index, i) + pad(clip(c.classes[i], names), names)
		if matrix {
			for j := range k {
				if n := c.counts[i*k+j]; n == 0 {
					row += fmt.Sprintf("%*s", cell, "·")
				} else {
					row += fmt.Sprintf("%*d", cell, n)
				}
			}
		}
		row += fmt.Sprintf("  %7s%*d", percent(s.Recall), total, s.Support)
		if !matrix {
			row += fmt.Sprintf("%10s", percent(s.Precision))
		}
		line(row)
	}
	if matrix {
		foot := pad("", index) + " " + pad("precision %", names)
		for _, s := range scores {
			foot += fmt.Sprintf("%*s", cell, strings.TrimSuffix(percent(s.Precision), "%"))
		}
		line(foot + fmt.Sprintf("  %7s%*d", "", total, c.n))
	}
	line("")
	macro := c.Macro()
	line(fmt.Sprintf("accuracy %s, mean class accuracy %s, macro F1 %s, %d samples",
		percent(c.Accuracy()), percent(macro.Recall), percent(macro.F1), c.n))
	for i, p := range c.MostConfused(3) {
		lead := "most confused: "
		if i > 0 {
			lead = strings.Repeat(" ", len(lead))
		}
		line(fmt.Sprintf("%s%s taken for %s: %d (%s)", lead, c.classes[p.Want], c.classes[p.Got], p.Count, percent(p.Share)))
	}
	return b.String()
}

// percent writes a share with one decimal, a dash for NaN. A share below 1 is
// never rounded up to 100.
func percent(v float64) string {
	if math.IsNaN(v) {
		return "-"
	}
	if v < 1 && v >= 0.9995 {
		return "99.9%"
	}
	return strconv.FormatFloat(100*v, 'f', 1, 64) + "%"
}

// pad fills s with spaces up to a number of terminal columns.
func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-textWidth(s)))
}

// clip shortens s to a number of terminal columns.
func clip(s string, width int) string {
	if textWidth(s) <= width {
		return s
	}
	used := 1 // the ellipsis
	for i, r := range s {
		if used += runeWidth(r); used > width {
			return s[:i] + "…"
		}
	}
	return s
}

func textWidth(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// runeWidth is the number of terminal columns of a rune: none for combining
// marks, two for Hangul, kana, Han and full-width forms.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0xff01 && r <= 0xff60, r >= 0x3000 && r <= 0x303e,
		unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana), r >= 0xac00 && r <= 0xd7a3,
		r >= 0x1f300 && r <= 0x1faff:
		return 2
	}
	return 1
}
