package clip

import (
	"strings"
	"unicode"
)

// lower is Unicode's full lower-casing without a language: the simple mapping,
// but for a dotted capital I, which keeps its dot, and a capital sigma that
// ends a word (The Unicode Standard, section 3.13, and SpecialCasing.txt).
func lower(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		return strings.ToLower(text)
	}
	var b strings.Builder
	b.Grow(len(text))
	sigma := strings.ContainsRune(text, 'Σ')
	cased := false // the last character that has a say was a letter with case
	for i, r := range text {
		switch r {
		case 'İ':
			b.WriteString("i\u0307")
		case 'Σ':
			if cased && !casedFollows(text[i+len("Σ"):]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		if sigma && !caseIgnorable(r) {
			cased = isCased(r)
		}
	}
	return b.String()
}

// casedFollows reports whether the next character that has a say is a letter
// with case.
func casedFollows(text string) bool {
	for _, r := range text {
		if !caseIgnorable(r) {
			return isCased(r)
		}
	}
	return false
}

// isCased is Unicode's derived property Cased.
func isCased(r rune) bool {
	return unicode.In(r, unicode.Ll, unicode.Lu, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// caseIgnorable is Unicode's derived property Case_Ignorable: marks, format
// characters, modifiers, and the punctuation that may be inside a word.
func caseIgnorable(r rune) bool {
	switch r {
	case '\'', '.', ':', '·', '\u0387', '\u055f', '\u05f4', '\u2018', '\u2019', '\u2024', '\u2027',
		'\ufe13', '\ufe52', '\ufe55', '\uff07', '\uff0e', '\uff1a':
		return true
	}
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}
