package clip

import (
	"html"
	"strings"
	"unicode/utf8"
)

// unescapeHTML decodes entities as Python's html.unescape does, which follows
// HTML 5: a name without its semicolon counts if it is an old one, the longest
// that fits, and a number that stands for no character becomes U+FFFD or
// nothing. Go's html.UnescapeString agrees on names and knows all but two, so
// it is asked for each.
func unescapeHTML(text string) string {
	i := strings.IndexByte(text, '&')
	if i < 0 {
		return text
	}
	var b strings.Builder
	b.Grow(len(text))
	for ; i >= 0; i = strings.IndexByte(text, '&') {
		b.WriteString(text[:i])
		text = text[i:]
		decoded, n := entity(text)
		b.WriteString(decoded)
		text = text[n:]
	}
	b.WriteString(text)
	return b.String()
}

// entity decodes what begins with the & of text: what it stands for and how
// long it was, or "&" and 1.
func entity(text string) (string, int) {
	if strings.HasPrefix(text, "&#") {
		return numericEntity(text)
	}
	n := 1
	for n < len(text) && n <= longestEntity && alphanumeric(text[n]) {
		n++
	}
	if n < len(text) && text[n] == ';' {
		n++
	}
	return nameEntity(text[:n]), n
}

// nameEntity decodes a name's entity, or the beginning of it that is one.
func nameEntity(text string) string {
	switch text {
	case "&nLt;": // html leaves out what is longer decoded
		return "\u226a\u20d2"
	case "&nGt;":
		return "\u226b\u20d2"
	}
	return html.UnescapeString(text)
}

// longestEntity is the length of CounterClockwiseContourIntegral.
const longestEntity = 31

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// numericEntity is entity for what begins with "&#".
func numericEntity(text string) (string, int) {
	n, base := 2, 10
	if n < len(text) && text[n]|0x20 == 'x' {
		n, base = 3, 16
	}
	first, number := n, 0
	for n < len(text) {
		d := digit(text[n], base)
		if d < 0 {
			break
		}
		number = min(number*base+d, utf8.MaxRune+1)
		n++
	}
	if n == first {
		return "&", 1
	}
	if n < len(text) && text[n] == ';' {
		n++
	}
	return characterOf(number), n
}

func digit(c byte, base int) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case base == 16 && 'a' <= c|0x20 && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// characterOf is what a numeric entity stands for.
func characterOf(number int) string {
	switch {
	case number == 0, 0xd800 <= number && number <= 0xdfff, number > utf8.MaxRune:
		return "\uFFFD"
	case 0x80 <= number && number <= 0x9f:
		return string(windows1252[number-0x80])
	case 1 <= number && number <= 8, number == 0xb, 0xe <= number && number <= 0x1f, number == 0x7f,
		0xfdd0 <= number && number <= 0xfdef, number&0xfffe == 0xfffe:
		return ""
	}
	return string(rune(number))
}

// windows1252 has the characters of the bytes 0x80 to 0x9f. Five bytes have
// none there and stay control characters, as browsers have it.
var windows1252 = [32]rune{
	'€', 0x81, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0x8d, 'Ž', 0x8f,
	0x90, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0x9d, 'ž', 'Ÿ',
}
