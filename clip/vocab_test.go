package clip

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// listed has a vocabulary's tokens as vocab.json does.
func listed(v *Vocabulary) map[string]int32 {
	ids := map[string]int32{startText: v.start, endText: v.end}
	for b := range 256 {
		ids[string(letterOf[b])], ids[string(letterOf[b])+wordEnd] = v.inside[b], v.last[b]
	}
	for _, m := range v.merges {
		find := func(part string) int32 { return ids[part] }
		ids[m[0]+m[1]] = v.pairs[pairKey(find(m[0]), find(m[1]))].id
	}
	return ids
}

func asJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func asMerges(t testing.TB, v *Vocabulary) []byte {
	t.Helper()
	var b bytes.Buffer
	if n, err := v.WriteTo(&b); err != nil || n != int64(b.Len()) {
		t.Fatalf("%d of %d bytes, %v", n, b.Len(), err)
	}
	return b.Bytes()
}

func packed(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// asTokenizer is a tokenizer.json with merges as strings or as pairs.
func asTokenizer(t testing.TB, v *Vocabulary, pairs bool) []byte {
	t.Helper()
	var merges []any
	for _, m := range v.merges {
		if pairs {
			merges = append(merges, m)
		} else {
			merges = append(merges, m[0]+" "+m[1])
		}
	}
	return asJSON(t, map[string]any{
		"version":      "1.0",
		"added_tokens": []any{map[string]any{"id": v.start, "content": startText, "special": true}, map[string]any{"id": v.end, "content": endText}},
		"model":        map[string]any{"type": "BPE", "end_of_word_suffix": wordEnd, "vocab": listed(v), "merges": merges},
	})
}

func sameVocabulary(t *testing.T, got, want *Vocabulary) {
	t.Helper()
	switch {
	case got.start != want.start || got.end != want.end || got.inside != want.inside || got.last != want.last:
		t.Error("bytes, start or end differ")
	case !slices.Equal(got.tokens, want.tokens):
		t.Error("tokens differ")
	case !maps.Equal(got.pairs, want.pairs):
		t.Error("merges differ")
	}
}

func TestEveryFormatGivesOneVocabulary(t *testing.T) {
	v := small(t)
	merges := asMerges(t, v)
	files := fstest.MapFS{
		"openai/bpe_simple_vocab_16e6.txt.gz": {Data: packed(t, merges)},
		"plain/bpe_simple_vocab_16e6.txt":     {Data: merges},
		"merges/merges.txt":                   {Data: merges},
		"windows/merges.txt":                  {Data: bytes.ReplaceAll(merges, []byte("\n"), []byte("\r\n"))},
		"hf/vocab.json":                       {Data: asJSON(t, listed(v))},
		"hf/merges.txt":                       {Data: merges},
		"fast/tokenizer.json":                 {Data: asTokenizer(t, v, false)},
		"newer/tokenizer.json":                {Data: asTokenizer(t, v, true)},
	}
	for _, name := range []string{
		"openai", "openai/bpe_simple_vocab_16e6.txt.gz", "plain", "plain/bpe_simple_vocab_16e6.txt", "merges", "merges/merges.txt",
		"windows", "hf", "hf/vocab.json", "hf/merges.txt", "fast", "fast/tokenizer.json", "newer",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := OpenVocabularyFS(files, name)
			if err != nil {
				t.Fatal(err)
			}
			sameVocabulary(t, got, v)
			if !bytes.Equal(asMerges(t, got), merges) {
				t.Error("written again it differs")
			}
		})
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, files); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"openai", "hf/vocab.json", "fast/tokenizer.json"} {
		got, err := OpenVocabulary(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		sameVocabulary(t, got, v)
	}
	got, err := ReadVocabulary(bytes.NewReader(packed(t, merges)))
	if err != nil {
		t.Fatal(err)
	}
	sameVocabulary(t, got, v)
}

func TestGoldenPublishedVocabularyInEveryFormat(t *testing.T) {
	v := published(t)
	merges := asMerges(t, v)
	files := fstest.MapFS{
		"hf/vocab.json":       {Data: asJSON(t, listed(v))},
		"hf/merges.txt":       {Data: merges},
		"fast/tokenizer.json": {Data: asTokenizer(t, v, false)},
		"openai.gz":           {Data: packed(t, append(slices.Clone(merges), "one more\nand more\n"...))},
	}
	for _, name := range []string{"hf", "fast", "openai.gz"} {
		got, err := OpenVocabularyFS(files, name)
		if err != nil {
			t.Fatal(err)
		}
		sameVocabulary(t, got, v)
	}
}

func TestOwnNumbersAreKept(t *testing.T) {
	v := small(t)
	ids := listed(v)
	for text, id := range ids {
		ids[text] = int32(len(ids)) - 1 - id
	}
	files := fstest.MapFS{"vocab.json": {Data: asJSON(t, ids)}, "merges.txt": {Data: asMerges(t, v)}}
	got, err := OpenVocabularyFS(files, ".")
	if err != nil {
		t.Fatal(err)
	}
	a, b := NewTokenizer(v, TokenizerOptions{}), NewTokenizer(got, TokenizerOptions{})
	for _, text := range captions {
		want := a.Encode(text)
		for i := range want {
			want[i] = int32(len(ids)) - 1 - want[i]
		}
		if got := b.Encode(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
		if got, want := b.Decode(b.Encode(text)), a.Decode(a.Encode(text)); got != want {
			t.Errorf("decoded %q, want %q", got, want)
		}
	}
	if _, err := got.WriteTo(&bytes.Buffer{}); err == nil {
		t.Error("merges were written that do not give these numbers")
	}
}

func TestMalformedVocabulariesAreRefused(t *testing.T) {
	v := small(t)
	merges := string(asMerges(t, v))
	change := func(f func(map[string]int32)) []byte {
		ids := listed(v)
		f(ids)
		return asJSON(t, ids)
	}
	hf := func(vocab []byte) fstest.MapFS {
		return fstest.MapFS{"vocab.json": {Data: vocab}, "merges.txt": {Data: []byte(merges)}}
	}
	one := func(name, text string) fstest.MapFS { return fstest.MapFS{name: {Data: []byte(text)}} }
	zip := string(packed(t, []byte(merges)))
	bomb := string(packed(t, make([]byte, maxVocabularyFile+1)))
	for _, c := range []struct {
		name  string
		files fstest.MapFS
		open  string
		is    error
		says  string
	}{
		{"no such file", fstest.MapFS{}, "x/merges.txt", fs.ErrNotExist, "x/merges.txt: file does not exist"},
		{"an empty folder", one("x/readme", ""), "x", fs.ErrNotExist, "x: no vocab.json with merges.txt"},
		{"vocab.json alone", one("x/vocab.json", "{}"), "x/vocab.json", fs.ErrNotExist, "x/merges.txt"},
		{"an empty file", one("merges.txt", ""), "merges.txt", ErrVocabulary, "merges.txt: malformed vocabulary: no list of merges"},
		{"one token a line", one("merges.txt", "#\na b\nabc\n"), ".", ErrVocabulary, `merges.txt: line 3: malformed vocabulary: "abc" is not two tokens`},
		{"three tokens a line", one("merges.txt", "#\na b c\n"), ".", ErrVocabulary, "line 2"},
		{"an empty line", one("merges.txt", "#\na b\n\nb c\n"), ".", ErrVocabulary, "line 3"},
		{"a part that is not there", one("merges.txt", "#\na b\nabc d\n"), ".", ErrVocabulary, `no earlier merge makes "abc"`},
		{"truncated gzip", one("x.gz", zip[:len(zip)-20]), "x.gz", ErrVocabulary, "x.gz"},
		{"gzip that unpacks to too much", one("x.gz", bomb), "x.gz", ErrVocabulary, "more than 32 MiB"},
		{"tokens that double", one("merges.txt", "#\n"+doubling()), ".", ErrVocabulary, "makes a token of"},
		{"broken JSON", hf([]byte("{")), ".", ErrVocabulary, "vocab.json: malformed"},
		{"null", hf([]byte("null")), ".", ErrVocabulary, "vocab.json"},
		{"not numbers", hf([]byte(`{"a":"b"}`)), ".", ErrVocabulary, "vocab.json"},
		{"a negative id", hf(change(func(m map[string]int32) { m["a"] = -1 })), ".", ErrVocabulary, `"a" has id -1`},
		{"an id too high", hf(change(func(m map[string]int32) { m["a"] = 1 << 30 })), ".", ErrVocabulary, `"a" has id`},
		{"one id twice", hf(change(func(m map[string]int32) { m["a"] = m["b"] })), ".", ErrVocabulary, `"a" and "b" have one id`},
		{"no start", hf(change(func(m map[string]int32) { m["aaaaaaaab"] = m[startText]; delete(m, startText) })), ".", ErrVocabulary, "no token <|startoftext|>"},
		{"no end", hf(change(func(m map[string]int32) { m["aaaaaaaab"] = m[endText]; delete(m, endText) })), ".", ErrVocabulary, "no token <|endoftext|>"},
		{"a byte is missing", hf(change(func(m map[string]int32) { m["aaaaaaaab"] = m["!"]; delete(m, "!") })), ".", ErrVocabulary, `byte 0x21 ("!"`},
		{"not byte letters", hf(change(func(m map[string]int32) { m["日本"] = int32(len(m)) })), ".", ErrVocabulary, "256 letters"},
		{"an empty token", hf(change(func(m map[string]int32) { m[""] = int32(len(m)) })), ".", ErrVocabulary, `token "" is not`},
		{"no model", one("tokenizer.json", "{}"), ".", ErrVocabulary, "tokenizer.json: malformed vocabulary: no model"},
		{"no vocabulary", one("tokenizer.json", `{"model":{"type":"BPE","end_of_word_suffix":"</w>"}}`), ".", ErrVocabulary, "model.vocab"},
		{"SentencePiece", one("tokenizer.json", `{"model":{"type":"Unigram"}}`), ".", ErrVocabularyKind, `model.type is "Unigram"`},
		{"GPT-2", one("tokenizer.json", `{"model":{"type":"BPE"}}`), ".", ErrVocabularyKind, "end_of_word_suffix"},
		{"a merge of one", one("tokenizer.json", `{"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{},"merges":[["a"]]}}`), ".", ErrVocabulary, "merge 1"},
		{"another token", one("tokenizer.json", `{"added_tokens":[{"content":"<mask>"}],"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{}}}`), ".", ErrVocabularyKind, "<mask>"},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := OpenVocabularyFS(c.files, c.open)
			if v != nil || !errors.Is(err, c.is) || !strings.Contains(fmt.Sprint(err), c.says) || !strings.HasPrefix(err.Error(), "clip: vocabulary: ") {
				t.Errorf("error %v, want one that wraps %q and says %q", err, c.is, c.says)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "nowhere", "merges.txt")
	if _, err := OpenVocabulary(path); !errors.Is(err, fs.ErrNotExist) || strings.Count(err.Error(), path) != 1 {
		t.Errorf("error %v, want one that says %s once", err, path)
	}
	if _, err := ReadVocabulary(strings.NewReader("")); !errors.Is(err, ErrVocabulary) {
		t.Errorf("error %v", err)
	}
}

// doubling is a list of merges whose tokens grow as powers of two.
func doubling() string {
	var b strings.Builder
	for part := "a"; len(part) < 1<<14; part += part {
		fmt.Fprintln(&b, part, part)
	}
	return b.String()
}

// FuzzVocabulary wants an error or a vocabulary that encodes every byte.
func FuzzVocabulary(f *testing.F) {
	v := small(f)
	merges := asMerges(f, v)
	f.Add(merges)
	f.Add(packed(f, merges))
	f.Add(asTokenizer(f, v, false))
	f.Add(asTokenizer(f, v, true))
	f.Add([]byte("#\na a\na a\naa a\na aa\n"))
	f.Add([]byte(`{"model":{"type":"BPE"}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := ReadVocabulary(bytes.NewReader(text))
		if err != nil {
			if v != nil {
				t.Fatal("a vocabulary and an error")
			}
			return
		}
		tok := NewTokenizer(v, TokenizerOptions{})
		for _, text := range []string{"aaaaaaaa aaaa bab", strings.Repeat("ab", 40), "\x00é<|endoftext|>"} {
			ids := tok.Encode(text)
			want := strings.ReplaceAll(tok.Clean(text), " ", "")
			if got := strings.ReplaceAll(tok.Decode(ids), " ", ""); got != want {
				t.Fatalf("%q decoded as %q", want, got)
			}
		}
		if !v.numbers {
			return
		}
		var b bytes.Buffer
		if _, err := v.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		again, err := ReadVocabulary(&b)
		if err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		sameVocabulary(t, again, v)
	})
}
