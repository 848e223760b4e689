package clip

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// repairRounds bounds how often repair starts anew on a line that one round
// changed. Only text that was escaped over and over needs more than two.
const repairRounds = 16

// repair mends a text as ftfy 6.3.1's fix_text does by default, leaving out
// what it guesses: which encoding a text was broken by. It goes line by line,
// and from the first line with a "<", which may be HTML that is meant to stay
// so, decodes no entities.
func repair(text string) string {
	if printable(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	entities := true
	for line := range strings.Lines(text) {
		if strings.Contains(line, "<") {
			entities = false
		}
		b.WriteString(repairLine(line, entities))
	}
	return b.String()
}

// printable reports whether a text has nothing to repair by being ASCII
// without control characters and entities.
func printable(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\n' && c != '\t' || c > '~' || c == '&' {
			return false
		}
	}
	return true
}

func repairLine(line string, entities bool) string {
	for range repairRounds {
		was := line
		if entities {
			line = unescapeStrict(line)
		}
		line = replaceCharacters(line)
		line = removeEscapes(line)
		line = removeControls(line)
		line = compose(line)
		if line == was {
			break
		}
	}
	return line
}

// unescapeStrict decodes the entities that end in a semicolon, also named ones
// that were put in upper case (&EACUTE;).
func unescapeStrict(text string) string {
	i := strings.IndexByte(text, '&')
	if i < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for ; i >= 0; i = strings.IndexByte(text, '&') {
		b.WriteString(text[:i])
		text = text[i:]
		n := 1
		if n < len(text) && text[n] == '#' {
			n++
		}
		first := n
		for n < len(text) && n-first < 24 && alphanumeric(text[n]) {
			n++
		}
		if n == first || n == len(text) || text[n] != ';' {
			b.WriteByte('&')
			text = text[1:]
			continue
		}
		n++
		b.WriteString(strictEntity(text[:n]))
		text = text[n:]
	}
	b.WriteString(text)
	return b.String()
}

// strictEntity decodes one entity, or leaves it if a part would stay.
func strictEntity(text string) string {
	if text[1] == '#' {
		if s, n := numericEntity(text); n == len(text) && s != ";" {
			return s
		}
		return text
	}
	if s, ok := namedEntity(text); ok {
		return s
	}
	if text == strings.ToUpper(text) && nameEntity(text) == text {
		if s, ok := namedEntity(strings.ToLower(text)); ok {
			return upperEntity(s)
		}
	}
	return text
}

// namedEntity decodes "&name;" if that is the whole of an entity.
func namedEntity(text string) (string, bool) {
	if text == "&semi;" {
		return ";", true
	}
	s := nameEntity(text)
	return s, !strings.HasSuffix(s, ";")
}

// upperEntity is Unicode's full upper-casing of what an entity stands for.
func upperEntity(s string) string {
	switch s {
	case "ß":
		return "SS"
	case "ŉ":
		return "ʼN"
	}
	if r, _ := utf8.DecodeRuneInString(s); r >= 'ﬀ' && ligatures[r] != "" {
		s = ligatures[r]
	}
	return strings.ToUpper(s)
}

// replaceCharacters reads C1 controls as Windows-1252, and makes ligatures
// letters, full-width and half-width forms ordinary ones, curly quotes straight
// and every kind of line break "\n".
func replaceCharacters(text string) string {
	text = mapRunes(text, replacement)
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text
}

// replacement is what replaceCharacters makes of one character, if anything.
func replacement(r rune) (string, bool) {
	was := r
	if 0x80 <= r && r <= 0x9f {
		r = windows1252[r-0x80] // which may be a curly quote
	}
	switch {
	case r < 0x0132:
	case 0x0132 <= r && r <= 0x01f3, 0xfb00 <= r && r <= 0xfb06:
		if s, ok := ligatures[r]; ok {
			return s, true
		}
	case 0x2018 <= r && r <= 0x201b, r == 0x02bc:
		return "'", true
	case 0x201c <= r && r <= 0x201f:
		return `"`, true
	case r == 0x2028, r == 0x2029:
		return "\n", true
	case r == 0x3000:
		return " ", true
	case 0xff01 <= r && r <= 0xffef:
		s := norm.NFKC.String(string(r))
		return s, s != string(r)
	}
	if r == was {
		return "", false
	}
	return string(r), true
}

// ligatures are characters of Unicode that stand for several letters. Dutch and
// Croatian ones are typed as letters; the Afrikaans one begins with an apostrophe.
var ligatures = map[rune]string{
	'Ĳ': "IJ", 'ĳ': "ij", 'ŉ': "'n",
	'Ǆ': "DŽ", 'ǅ': "Dž", 'ǆ': "dž",
	'Ǉ': "LJ", 'ǈ': "Lj", 'ǉ': "lj",
	'Ǌ': "NJ", 'ǋ': "Nj", 'ǌ': "nj",
	'Ǳ': "DZ", 'ǲ': "Dz", 'ǳ': "dz",
	'ﬀ': "ff", 'ﬁ': "fi", 'ﬂ': "fl", 'ﬃ': "ffi", 'ﬄ': "ffl", 'ﬅ': "ſt", 'ﬆ': "st",
}

// mapRunes replaces the characters for which f has a replacement. It copies
// nothing if there is none.
func mapRunes(text string, f func(rune) (string, bool)) string {
	var b strings.Builder
	done := 0
	for i, r := range text {
		s, ok := f(r)
		if !ok {
			continue
		}
		if b.Cap() == 0 {
			b.Grow(len(text))
		}
		b.WriteString(text[done:i])
		b.WriteString(s)
		done = i + utf8.RuneLen(r)
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

// removeEscapes takes out what colours a terminal: ESC [ digits and semicolons,
// and a letter.
func removeEscapes(text string) string {
	if !strings.Contains(text, "\x1b[") {
		return text
	}
	var b strings.Builder
	for {
		i := strings.Index(text, "\x1b[")
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(text[:i])
		rest := strings.TrimLeftFunc(text[i+2:], func(r rune) bool { return r == ';' || unicode.Is(unicode.Nd, r) })
		if rest != "" && 'a' <= rest[0]|0x20 && rest[0]|0x20 <= 'z' {
			text = rest[1:]
			continue
		}
		b.WriteString(text[i : i+2])
		text = text[i+2:]
	}
}

// removeControls takes out control characters that no text needs: not tab, line
// feed, form feed and carriage return, but the byte order mark, the deprecated
// format characters U+206A to U+206F, and interlinear annotation.
func removeControls(text string) string {
	return mapRunes(text, func(r rune) (string, bool) {
		switch {
		case r < ' ':
			return "", r != '\t' && r != '\n' && r != '\f' && r != '\r'
		case r == 0x7f, 0x206a <= r && r <= 0x206f, r == 0xfeff, 0xfff9 <= r && r <= 0xfffc:
			return "", true
		}
		return "", false
	})
}
