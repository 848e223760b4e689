package clip

import (
	"cmp"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// compose normalises to NFC. Package norm does, except that it puts a joiner
// into a run of more than thirty combining marks, which Unicode's definition
// does not: such a text takes the long way.
func compose(text string) string {
	if piledUp(text) {
		return composeLong(text)
	}
	return norm.NFC.String(text)
}

// mostMarks is how many combining marks in a row norm leaves alone.
const mostMarks = 30

// piledUp reports whether there may be more marks in a row than that, counting
// the most that a character can have when it is decomposed.
func piledUp(text string) bool {
	run := 0
	for i, r := range text {
		if r < 0xc0 || 0x3400 <= r && r <= 0x9fff || 0xac00 <= r && r <= 0xd7a3 {
			run = 0 // no mark, and has none: Latin, Han, Hangul
			continue
		}
		p := norm.NFD.PropertiesString(text[i:])
		switch {
		case p.CCC() == 0 && p.TrailCCC() == 0:
			run = 0
		case p.CCC() == 0:
			run = 3
		case p.Decomposition() == nil:
			run++
		default:
			run += 4
		}
		if run > mostMarks {
			return true
		}
	}
	return false
}

// composeLong is the definition: decompose, order marks by their class, and
// join each to its starter where the two have a composite and no mark between
// stands in the way (Unicode Standard Annex 15).
func composeLong(text string) string {
	type mark struct {
		r     rune
		class uint8
	}
	var all []mark
	for _, r := range text {
		p := norm.NFD.PropertiesString(string(r))
		if d := p.Decomposition(); d != nil {
			for _, r := range string(d) {
				all = append(all, mark{r, norm.NFD.PropertiesString(string(r)).CCC()})
			}
		} else {
			all = append(all, mark{r, p.CCC()})
		}
	}
	for i := 0; i < len(all); {
		j := i + 1
		if all[i].class != 0 {
			for j < len(all) && all[j].class != 0 {
				j++
			}
			slices.SortStableFunc(all[i:j], func(a, b mark) int { return cmp.Compare(a.class, b.class) })
		}
		i = j
	}
	starter, n := -1, 0
	var between uint8 // class of the last mark kept after the starter
	for _, m := range all {
		if starter >= 0 && (n == starter+1 || between != 0 && between < m.class) {
			if r, ok := composite(all[starter].r, m.r); ok {
				all[starter].r = r
				continue
			}
		}
		if m.class == 0 {
			starter = n
		}
		between = m.class
		all[n] = m
		n++
	}
	var b strings.Builder
	b.Grow(len(text))
	for _, m := range all[:n] {
		b.WriteRune(m.r)
	}
	return b.String()
}

// composite is the one character that two make.
func composite(a, b rune) (rune, bool) {
	s := []rune(norm.NFC.String(string([]rune{a, b})))
	if len(s) == 1 {
		return s[0], true
	}
	return 0, false
}
