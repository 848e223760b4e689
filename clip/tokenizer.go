package clip

import (
	"errors"
	"fmt"
	"strings"
)

// Context is the number of tokens that CLIP's text towers take, start and end
// included.
const Context = 77

// ErrTooLong is wrapped by the error for a text that has more tokens than the
// context has room for.
var ErrTooLong = errors.New("text too long")

// TokenizerOptions say how a [Tokenizer] reads text. The zero value is what
// OpenAI's does, short of guessing.
type TokenizerOptions struct {
	// NoRepair leaves flaws of the text as they are. Otherwise, as OpenAI does
	// with the library ftfy, curly quotes become straight, full-width and
	// half-width forms ordinary ones, ligatures letters; terminal escapes and
	// control characters go; C1 controls are read as Windows-1252; entities of
	// HTML are decoded in a line without "<"; and the text is normalised to
	// NFC. What ftfy guesses, which encoding a text was broken by ("sch√∂n"),
	// is never attempted.
	NoRepair bool
	// Truncate cuts a text that is too long, as OpenAI's truncate=True: the end
	// token stays last. Otherwise such a text is an error.
	Truncate bool
	// Cache bounds the words whose tokens are remembered: 0 for 32,768 (about
	// 5 MB of ordinary words, at most 16 MB), negative for none. It changes
	// speed, never a result.
	Cache int
}

// Tokenizer turns text into the tokens of a vocabulary, as OpenAI's
// simple_tokenizer.py does: text is cleaned (see [Tokenizer.Clean]), cut into
// words, numbers of one digit and runs of other characters, and each is merged
// from bytes by the lowest rank first.
//
// The literals "<|startoftext|>" and "<|endoftext|>" in a text become the
// tokens of those names, as there: a caption from a stranger can so end the
// text early.
//
// Letters and digits are those of Go's edition of Unicode (unicode.Version). A
// Tokenizer is safe for concurrent use. Time grows as n log n with the text.
type Tokenizer struct {
	vocabulary *Vocabulary
	options    TokenizerOptions
	words      *wordCache
}

// NewTokenizer makes a tokenizer for a vocabulary.
func NewTokenizer(v *Vocabulary, o TokenizerOptions) *Tokenizer {
	return &Tokenizer{vocabulary: v, options: o, words: newWordCache(o.Cache)}
}

// Vocabulary is the one the tokenizer was made for.
func (t *Tokenizer) Vocabulary() *Vocabulary { return t.vocabulary }

// Encode gives the tokens of a text without the start and the end token.
// A text of nothing but spaces gives none. The slice is the caller's.
func (t *Tokenizer) Encode(text string) []int32 {
	return t.encode(nil, text, -1)
}

// encode appends at least the first n tokens of a text that has so many, or
// all for n < 0.
func (t *Tokenizer) encode(dst []int32, text string, n int) []int32 {
	text = t.Clean(text)
	first := len(dst)
	for piece, kind := range pieces(text) {
		switch kind {
		case startPiece:
			dst = append(dst, t.vocabulary.start)
		case endPiece:
			dst = append(dst, t.vocabulary.end)
		default:
			dst = t.word(dst, piece)
		}
		if n >= 0 && len(dst)-first >= n {
			break
		}
	}
	return dst
}

// word appends the tokens of one word.
func (t *Tokenizer) word(dst []int32, word string) []int32 {
	if ids, ok := t.words.get(word); ok {
		return append(dst, ids...)
	}
	first := len(dst)
	dst = t.vocabulary.merge(dst, word)
	t.words.put(word, dst[first:])
	return dst
}

// Tokens gives what a text tower takes, of length context: the start token, the
// text's, the end token, then zeros, as OpenAI pads. CLIP's context is
// [Context], 77.
//
// A text that does not fit is an error that wraps [ErrTooLong], or is cut to
// leave the end token last if the options say Truncate. A context below 2,
// which has no room for start and end, is an error.
func (t *Tokenizer) Tokens(text string, context int) ([]int32, error) {
	if context < 2 {
		return nil, fmt.Errorf("clip: tokens: a context of %d has no room for the start and the end token", context)
	}
	n := -1
	if t.options.Truncate {
		n = context - 1
	}
	ids := t.encode([]int32{t.vocabulary.start}, text, n)
	if len(ids) > context-1 {
		if !t.options.Truncate {
			return nil, fmt.Errorf("clip: tokens: %w: %d tokens with start and end, the context has %d: %s", ErrTooLong, len(ids)+1, context, quoteText(text))
		}
		ids = ids[:context-1]
	}
	out := make([]int32, context)
	out[copy(out, ids)] = t.vocabulary.end
	return out, nil
}

// Decode gives the text of tokens, as far as it can be told: in lower case,
// with a space after every word but the last, so also before a full stop. Start
// and end tokens are written out, padding reads as "!", the token 0. Bytes that
// are no UTF-8, as when the tokens start inside a character, and ids outside
// the vocabulary become U+FFFD, one each.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	space := false
	for _, id := range ids {
		if space {
			b.WriteByte(' ')
		}
		tok := bpeToken{bytes: "\uFFFD"}
		if id >= 0 && int(id) < len(t.vocabulary.tokens) {
			tok = t.vocabulary.tokens[id]
		}
		b.WriteString(tok.bytes)
		space = tok.ends
	}
	return validUTF8(b.String())
}
