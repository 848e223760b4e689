package clip

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pieceKind says what a piece of a text is.
type pieceKind uint8

const (
	wordPiece  pieceKind = iota // to be merged from bytes
	startPiece                  // the literal <|startoftext|>
	endPiece                    // the literal <|endoftext|>
)

// pieces cuts cleaned text as the regular expression of simple_tokenizer.py
// does, ignoring case:
//
//	<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// What it does not match is in no piece: spaces, and U+0345, a mark that is a
// letter but for its case and so is taken by none of the three classes.
func pieces(text string) iter.Seq2[string, pieceKind] {
	return func(yield func(string, pieceKind) bool) {
		for len(text) > 0 {
			n, kind := nextPiece(text)
			if n == 0 {
				_, size := utf8.DecodeRuneInString(text)
				text = text[size:]
				continue
			}
			if !yield(text[:n], kind) {
				return
			}
			text = text[n:]
		}
	}
}

// nextPiece is the length of the piece at the beginning of text, or 0.
func nextPiece(text string) (int, pieceKind) {
	switch text[0] {
	case '<':
		switch {
		case strings.HasPrefix(text, startText):
			return len(startText), startPiece
		case strings.HasPrefix(text, endText):
			return len(endText), endPiece
		}
		for _, literal := range [...]string{startText, endText} {
			if n := foldedPrefix(text, literal); n > 0 {
				return n, wordPiece
			}
		}
	case '\'':
		for _, suffix := range [...]string{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"} {
			if n := foldedPrefix(text, suffix); n > 0 {
				return n, wordPiece
			}
		}
	}
	r, n := utf8.DecodeRuneInString(text)
	kind := kindOf(r)
	switch kind {
	case spaceRune:
		return 0, wordPiece
	case numberRune:
		return n, wordPiece
	}
	for n < len(text) {
		r, size := utf8.DecodeRuneInString(text[n:])
		if kindOf(r) != kind {
			break
		}
		n += size
	}
	return n, wordPiece
}

// foldedPrefix is the length of lower at the beginning of text, which is in
// lower case itself, or 0. The one letter that is the same but for its case
// and survives lower-casing is the long s, U+017F.
func foldedPrefix(text, lower string) int {
	n := 0
	for i := range len(lower) {
		switch {
		case n < len(text) && text[n] == lower[i]:
			n++
		case lower[i] == 's' && strings.HasPrefix(text[n:], "ſ"):
			n += len("ſ")
		default:
			return 0
		}
	}
	return n
}

// runeKind is what the regular expression tells apart.
type runeKind uint8

const (
	otherRune runeKind = iota
	letterRune
	numberRune
	spaceRune
)

func kindOf(r rune) runeKind {
	if r < utf8.RuneSelf {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z':
			return letterRune
		case '0' <= r && r <= '9':
			return numberRune
		case r == ' ', '\t' <= r && r <= '\r':
			return spaceRune
		}
		return otherRune
	}
	switch {
	case unicode.IsLetter(r):
		return letterRune
	case unicode.IsNumber(r):
		return numberRune
	case r == '\u0345', unicode.IsSpace(r):
		return spaceRune
	}
	return otherRune
}
