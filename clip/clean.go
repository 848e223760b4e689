package clip

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean is the text that [Tokenizer.Encode] cuts into words: repaired unless
// the options say otherwise, entities of HTML decoded twice as Python's
// html.unescape does, runs of white space made one space, none at either end,
// and in lower case with Unicode's full mapping (final sigma, dotted I).
// Bytes that are no UTF-8 become U+FFFD, one each.
func (t *Tokenizer) Clean(text string) string {
	if plain(text) {
		return text
	}
	text = validUTF8(text)
	if !t.options.NoRepair {
		text = repair(text)
	}
	text = unescapeHTML(unescapeHTML(text))
	// OpenAI strips before it makes runs of white space one space. Python's
	// strip takes the separators U+001C to U+001F for white space, the regular
	// expression that finds runs does not, and it strips once more after it.
	text = strings.TrimFunc(text, stripped)
	text = collapse(text)
	text = strings.TrimFunc(text, stripped)
	return lower(text)
}

// plain reports whether cleaning leaves a text as it is, which most captions
// are: printable ASCII in lower case with single spaces and no entity.
func plain(text string) bool {
	space := true // at the beginning a space is stripped
	for i := range len(text) {
		c := text[i]
		if c < ' ' || c > '~' || c == '&' || 'A' <= c && c <= 'Z' || c == ' ' && space {
			return false
		}
		space = c == ' '
	}
	return text == "" || !space
}

// validUTF8 replaces every byte that is not part of a character.
func validUTF8(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for _, r := range text {
		b.WriteRune(r)
	}
	return b.String()
}

// stripped is what Python's str.strip takes from the ends.
func stripped(r rune) bool {
	return 0x1c <= r && r <= 0x1f || unicode.IsSpace(r)
}

// collapse makes every run of white space one space.
func collapse(text string) string {
	var b strings.Builder
	b.Grow(len(text))
	space := false
	for _, r := range text {
		if unicode.IsSpace(r) {
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		}
		space = false
		b.WriteRune(r)
	}
	return b.String()
}
