package clip

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"
)

const (
	startText = "<|startoftext|>"
	endText   = "<|endoftext|>"
	wordEnd   = "</w>" // what files write behind the last symbol of a word

	baseSymbols   = 2 * 256         // every byte, inside a word and at its end
	minVocabulary = baseSymbols + 2 // and the start and the end token
	maxMerges     = 49152 - 256 - 2 // of OpenAI's list, which is longer
)

// Vocabulary is what a byte-pair encoding knows: tokens, which are strings of
// bytes inside a word or at its end, and the merges that build them from bytes,
// in the order in which they apply. OpenAI's has 49,408 tokens: 256 bytes, the
// same at the end of a word, 48,894 merges, the start token and the end token.
//
// Every byte has a token, so there is no text that a vocabulary cannot encode.
// A Vocabulary never changes and is safe for concurrent use.
//
// The encoding is that of Sennrich, Haddow, Birch, "Neural Machine Translation
// of Rare Words with Subword Units" (2016, arXiv:1508.07909), on bytes, as
// openai/CLIP's clip/simple_tokenizer.py has it.
type Vocabulary struct {
	tokens  []bpeToken         // by id
	inside  [256]int32         // id of a byte inside a word
	last    [256]int32         // id of a byte that ends a word
	pairs   map[uint64]bpeRule // by pair of ids
	start   int32
	end     int32
	merges  [][2]string // as files write them, in order
	numbers bool        // ids are those that the list of merges gives by itself
}

// bpeToken is a string of bytes, at the end of a word or inside it.
type bpeToken struct {
	bytes string
	ends  bool
}

// bpeRule is a merge of two tokens: lower ranks first.
type bpeRule struct {
	rank int32
	id   int32
}

func pairKey(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// Size is the number of tokens; ids go from 0 to Size()-1. It is the number of
// rows of a model's token embedding.
func (v *Vocabulary) Size() int { return len(v.tokens) }

// Start is the token in front of every text.
func (v *Vocabulary) Start() int32 { return v.start }

// End is the token after every text, at which a text tower pools.
func (v *Vocabulary) End() int32 { return v.end }

// Token is a token as OpenAI's vocabulary writes it, with "</w>" behind what
// ends a word, but with its bytes as they are: a token may be a part of a
// character. An id outside the vocabulary gives "" and false.
func (v *Vocabulary) Token(id int32) (string, bool) {
	if id < 0 || int(id) >= len(v.tokens) {
		return "", false
	}
	t := v.tokens[id]
	if t.ends {
		return t.bytes + wordEnd, true
	}
	return t.bytes, true
}

// WriteTo writes the merges in the format of merges.txt and of OpenAI's
// vocabulary: a line that is skipped, then a merge a line. [ReadVocabulary]
// reads it. A vocabulary whose ids were given by a file beside its merges
// (vocab.json), and are not those that the merges would get by themselves, is
// refused.
func (v *Vocabulary) WriteTo(w io.Writer) (int64, error) {
	if !v.numbers {
		return 0, fmt.Errorf("clip: write vocabulary: its ids do not follow from its merges")
	}
	var b bytes.Buffer
	b.WriteString("#version: 0.2\n")
	for _, m := range v.merges {
		b.WriteString(m[0] + " " + m[1] + "\n")
	}
	n, err := w.Write(b.Bytes())
	if err != nil {
		return int64(n), fmt.Errorf("clip: write vocabulary: %w", err)
	}
	return int64(n), nil
}

// newVocabulary numbers tokens as OpenAI does: bytes in the order of
// byteOrder, the same at the end of a word, merges, start, end. A token that
// two merges make has the later one's number, as there.
func newVocabulary(merges [][2]string) (*Vocabulary, error) {
	if len(merges) > maxMerges {
		return nil, badVocabulary("%d merges, more than %d", len(merges), maxMerges)
	}
	ids := make(map[string]int32, minVocabulary+len(merges))
	for i, b := range byteOrder {
		ids[string(letterOf[b])] = int32(i)
		ids[string(letterOf[b])+wordEnd] = int32(256 + i)
	}
	for i, m := range merges {
		for _, part := range m {
			if _, ok := ids[part]; !ok {
				return nil, badVocabulary("merge %d (%s %s): no earlier merge makes %s", i+1, quoteText(m[0]), quoteText(m[1]), quoteText(part))
			}
		}
		made := m[0] + m[1]
		if len(made) > maxToken {
			return nil, badVocabulary("merge %d makes a token of %d bytes, more than %d", i+1, len(made), maxToken)
		}
		ids[made] = int32(baseSymbols + i)
	}
	n := baseSymbols + len(merges)
	ids[startText], ids[endText] = int32(n), int32(n+1)
	v, err := assembleVocabulary(ids, merges, n+2)
	if err != nil {
		return nil, err
	}
	v.numbers = true
	// A number that a later merge took over still decodes.
	for i, m := range merges {
		t := &v.tokens[baseSymbols+i]
		if t.bytes == "" {
			*t, _ = parseToken(m[0] + m[1])
		}
	}
	return v, nil
}

// assembleVocabulary makes a vocabulary of tokens with given numbers, below size.
func assembleVocabulary(ids map[string]int32, merges [][2]string, size int) (*Vocabulary, error) {
	v := &Vocabulary{tokens: make([]bpeToken, size), pairs: make(map[uint64]bpeRule, len(merges)), merges: merges}
	for text, id := range ids {
		if text == startText || text == endText {
			v.tokens[id] = bpeToken{bytes: text}
			continue
		}
		t, ok := parseToken(text)
		if !ok {
			return nil, badVocabulary("token %s is not written in the 256 letters that stand for bytes", quoteText(text))
		}
		v.tokens[id] = t
	}
	for b := range 256 {
		letter := string(letterOf[b])
		var ok, okEnd bool
		v.inside[b], ok = ids[letter]
		v.last[b], okEnd = ids[letter+wordEnd]
		if !ok || !okEnd {
			return nil, badVocabulary("byte %#02x (%q or %q) has no token", b, letter, letter+wordEnd)
		}
	}
	var ok bool
	if v.start, ok = ids[startText]; !ok {
		return nil, badVocabulary("no token %s", startText)
	}
	if v.end, ok = ids[endText]; !ok {
		return nil, badVocabulary("no token %s", endText)
	}
	for i, m := range merges {
		left, ok := ids[m[0]]
		right, okRight := ids[m[1]]
		made, okMade := ids[m[0]+m[1]]
		switch {
		case !ok:
			return nil, badVocabulary("merge %d: no token %s", i+1, quoteText(m[0]))
		case !okRight:
			return nil, badVocabulary("merge %d: no token %s", i+1, quoteText(m[1]))
		case !okMade:
			return nil, badVocabulary("merge %d: no token %s", i+1, quoteText(m[0]+m[1]))
		}
		v.pairs[pairKey(left, right)] = bpeRule{int32(i), made}
	}
	return v, nil
}

// letterOf is how files write a byte: as itself where it can be seen, else as
// one of the letters from U+0100, so that a token never has a space in it.
// byteOrder has the bytes in the order of their numbers, and byteOf the byte of
// a letter, or -1.
var letterOf, byteOrder, byteOf = byteLetters()

func byteLetters() (letter [256]rune, order [256]byte, back [0x200]int16) {
	visible := func(b int) bool { return b >= 33 && b <= 126 || b >= 161 && b <= 172 || b >= 174 }
	n := 0
	for b := range 256 {
		if visible(b) {
			letter[b], order[n] = rune(b), byte(b)
			n++
		}
	}
	for b, hidden := 0, 0; b < 256; b++ {
		if !visible(b) {
			letter[b], order[n] = rune(256+hidden), byte(b)
			hidden++
			n++
		}
	}
	for i := range back {
		back[i] = -1
	}
	for b, r := range letter {
		back[r] = int16(b)
	}
	return letter, order, back
}

// parseToken takes a token from the letters of a file to bytes.
func parseToken(text string) (bpeToken, bool) {
	var t bpeToken
	if n := len(text) - len(wordEnd); n > 0 && text[n:] == wordEnd {
		text, t.ends = text[:n], true
	}
	b := make([]byte, 0, utf8.RuneCountInString(text))
	for _, r := range text {
		if r >= rune(len(byteOf)) || byteOf[r] < 0 {
			return bpeToken{}, false
		}
		b = append(b, byte(byteOf[r]))
	}
	t.bytes = string(b)
	return t, len(b) > 0
}
