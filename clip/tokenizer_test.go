package clip

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/winnow-go/winnow/internal/golden"
)

// published is OpenAI's vocabulary.
func published(t testing.TB) *Vocabulary {
	t.Helper()
	v, err := openPublished(publishedPath(t))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func publishedPath(t testing.TB) string {
	t.Helper()
	return golden.Data(t, "clip/bpe_simple_vocab_16e6.txt.gz")
}

var (
	publishedOnce       sync.Once
	publishedVocabulary *Vocabulary
	publishedError      error
)

func openPublished(path string) (*Vocabulary, error) {
	publishedOnce.Do(func() { publishedVocabulary, publishedError = OpenVocabulary(path) })
	return publishedVocabulary, publishedError
}

// goldenText is one string of tokenizer/clip_tokens.json.
type goldenText struct {
	Kind    string  `json:"kind"`
	Text    string  `json:"text"`
	Clean   string  `json:"clean"`
	IDs     []int32 `json:"ids"`
	N       int     `json:"n"`
	Long    bool    `json:"truncated_at_77"`
	Changed bool    `json:"ftfy_changed"`
	// Without ftfy, where that differs.
	RawIDs   []int32 `json:"ids_no_ftfy"`
	RawClean *string `json:"clean_no_ftfy"`
	// The context, after ftfy, of some.
	Context []int32 `json:"context77"`
}

func goldenTexts(t testing.TB) []goldenText {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(golden.Dir(t), "tokenizer", "clip_tokens.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []goldenText
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 399 {
		t.Fatalf("%d strings, want 399", len(all))
	}
	return all
}

func TestGoldenWithoutRepairAllTextsAgree(t *testing.T) {
	tok := NewTokenizer(published(t), TokenizerOptions{NoRepair: true})
	for i, g := range goldenTexts(t) {
		clean, ids := g.Clean, g.IDs
		if g.RawIDs != nil {
			ids = g.RawIDs
		}
		if g.RawClean != nil {
			clean = *g.RawClean
		}
		if got := tok.Clean(g.Text); got != clean {
			t.Errorf("text %d %q: cleaned %q, want %q", i, g.Text, got, clean)
		}
		if got := tok.Encode(g.Text); !slices.Equal(got, ids) {
			t.Errorf("text %d %q: tokens %v, want %v", i, g.Text, got, ids)
		}
	}
}

func TestGoldenWithRepair(t *testing.T) {
	tok := NewTokenizer(published(t), TokenizerOptions{})
	repaired, broken, guessed := 0, 0, 0
	for i, g := range goldenTexts(t) {
		clean, ids := tok.Clean(g.Text), tok.Encode(g.Text)
		agrees := slices.Equal(ids, g.IDs) && clean == g.Clean
		switch {
		case g.RawIDs == nil && !agrees:
			t.Errorf("text %d, which ftfy leaves alone, %+q: cleaned %+q, want %+q", i, g.Text, clean, g.Clean)
		case g.RawIDs == nil:
		case agrees:
			repaired++
			broken++
		default:
			broken++
			if brokenEncoding(g.Text) {
				guessed++
			} else {
				t.Errorf("text %d %+q: cleaned %+q, want %+q", i, g.Text, clean, g.Clean)
			}
		}
	}
	// The rest are UTF-8 that was read as Latin-1 or Windows-1252.
	if repaired < 51 || broken != 79 || repaired+guessed != broken {
		t.Errorf("%d of %d texts repaired, %d in a broken encoding; want at least 51 of 79", repaired, broken, guessed)
	}
	t.Logf("%d of %d texts repaired, %d are in a broken encoding", repaired, broken, guessed)
}

// brokenEncoding reports whether a text has a character of two or more bytes
// in UTF-8 that was taken for as many in a single-byte encoding.
func brokenEncoding(text string) bool {
	var b []byte
	for _, r := range text {
		if i := slices.Index(windows1252[:], r); i >= 0 {
			b = append(b, byte(0x80+i))
		} else if r <= 0xff {
			b = append(b, byte(r))
		} else {
			b = append(b, '|')
		}
	}
	// A space was once a no-break space.
	b = bytes.ReplaceAll(b, []byte("\xc3 "), []byte("\xc3\xa0"))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r != utf8.RuneError && n > 1 {
			return true
		}
		b = b[n:]
	}
	return false
}

func TestGoldenContext(t *testing.T) {
	cut := NewTokenizer(published(t), TokenizerOptions{Truncate: true})
	strict := NewTokenizer(published(t), TokenizerOptions{})
	contexts := 0
	for i, g := range goldenTexts(t) {
		long := len(g.IDs) > Context-2
		if long != g.Long || len(g.IDs) != g.N {
			t.Errorf("text %d: the golden contradicts itself", i)
		}
		if g.Context == nil {
			continue
		}
		contexts++
		got, err := cut.Tokens(g.Text, Context)
		if err != nil || !slices.Equal(got, g.Context) {
			t.Errorf("text %d: context %v, %v, want %v", i, got, err, g.Context)
		}
		got, err = strict.Tokens(g.Text, Context)
		switch {
		case long && !errors.Is(err, ErrTooLong):
			t.Errorf("text %d has %d tokens: error %v, want ErrTooLong", i, len(g.IDs), err)
		case !long && (err != nil || !slices.Equal(got, g.Context)):
			t.Errorf("text %d: context %v, %v, want %v", i, got, err, g.Context)
		}
	}
	if contexts != 17 {
		t.Errorf("%d contexts, want 17", contexts)
	}
}

func TestPublishedVocabulary(t *testing.T) {
	v := published(t)
	if v.Size() != 49408 || v.Start() != 49406 || v.End() != 49407 {
		t.Fatalf("size %d, start %d, end %d; want 49408, 49406, 49407", v.Size(), v.Start(), v.End())
	}
	for id, want := range map[int32]string{0: "!", 256: "!</w>", 320: "a</w>", 2368: "cat</w>", 49406: "<|startoftext|>", 49407: "<|endoftext|>"} {
		if got, ok := v.Token(id); got != want || !ok {
			t.Errorf("token %d is %q, want %q", id, got, want)
		}
	}
	for _, id := range []int32{-1, 49408} {
		if got, ok := v.Token(id); got != "" || ok {
			t.Errorf("token %d is %q", id, got)
		}
	}
	for id, tok := range v.tokens {
		if tok.bytes == "" {
			t.Fatalf("token %d is empty", id)
		}
	}
	got, err := NewTokenizer(v, TokenizerOptions{}).Tokens("a photo of a cat.", 8)
	if want := []int32{49406, 320, 1125, 539, 320, 2368, 269, 49407}; err != nil || !slices.Equal(got, want) {
		t.Errorf("tokens %v, %v, want %v", got, err, want)
	}
}

// small is a vocabulary learned from a few captions.
func small(t testing.TB) *Vocabulary {
	t.Helper()
	v, err := TrainVocabulary(slices.Values(captions), 700)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

var captions = []string{
	"a photo of a red circle", "a photo of a blue circle", "two red squares on a blue ground", "A drawing of a triangle.",
	"the triangle is green, isn't it", "three circles and a square", "a striped square", "photos of triangles",
	"빨간 원 하나", "파란 원 두 개와 빨간 사각형", "aaaaaaaaaaaaaaaa", "abababababababab", "banana bandana",
}

func TestTokensPadsRefusesAndCuts(t *testing.T) {
	v := small(t)
	strict, cut := NewTokenizer(v, TokenizerOptions{}), NewTokenizer(v, TokenizerOptions{Truncate: true})
	ids := strict.Encode("a photo of a cat")
	n := len(ids)
	if n < 5 {
		t.Fatalf("%d tokens", n)
	}
	want := append(append([]int32{v.Start()}, ids...), v.End(), 0, 0)
	for _, tok := range []*Tokenizer{strict, cut} {
		for extra := range 3 {
			got, err := tok.Tokens("a photo of a cat", n+2+extra)
			if err != nil || !slices.Equal(got, want[:n+2+extra]) {
				t.Errorf("context %d: %v, %v, want %v", n+2+extra, got, err, want[:n+2+extra])
			}
		}
		for _, context := range []int{1, 0, -1} {
			if _, err := tok.Tokens("a", context); err == nil || errors.Is(err, ErrTooLong) {
				t.Errorf("context %d: error %v", context, err)
			}
		}
		if got, err := tok.Tokens(" \n", 3); err != nil || !slices.Equal(got, []int32{v.Start(), v.End(), 0}) {
			t.Errorf("no text: %v, %v", got, err)
		}
	}
	if _, err := strict.Tokens("a photo of a cat", n+1); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "a photo of a cat") {
		t.Errorf("error %v, want ErrTooLong with the text", err)
	}
	for context := 2; context < n+2; context++ {
		got, err := cut.Tokens("a photo of a cat", context)
		want := append(slices.Clone(want[:context-1]), v.End())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("cut to %d: %v, %v, want %v", context, got, err, want)
		}
	}
	if _, err := strict.Tokens(strings.Repeat("word ", 100000), Context); err == nil || len(err.Error()) > 300 {
		t.Errorf("the error of a long text has %d bytes", len(err.Error()))
	}
}

func TestSpecialTokensOfTheText(t *testing.T) {
	v := small(t)
	tok := NewTokenizer(v, TokenizerOptions{})
	got := tok.Encode("<|startoftext|><|EndOfText|>")
	if want := []int32{v.Start(), v.End()}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	for _, text := range []string{"!<|endoftext|>", "<| endoftext |>", "<|ſtartoftext|>"} {
		if got := tok.Encode(text); slices.Contains(got, v.Start()) || slices.Contains(got, v.End()) {
			t.Errorf("%q gives %v, with a special token", text, got)
		}
	}
}

func TestDecode(t *testing.T) {
	v := small(t)
	tok := NewTokenizer(v, TokenizerOptions{})
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"A photo  of a cat.", "a photo of a cat ."},
		{"isn't it 42", "isn 't it 4 2"},
		{"빨간 원 😀!?", "빨간 원 😀!?"},
		{"a</w>b </w>", "a </ w > b </ w >"},
	} {
		if got := tok.Decode(tok.Encode(c.text)); got != c.want {
			t.Errorf("%q decodes as %q, want %q", c.text, got, c.want)
		}
	}
	broken := []int32{v.inside[0xc3], -5, 1 << 30, v.last[0xa9]}
	if got, want := tok.Decode(broken), strings.Repeat("\uFFFD", 4); got != want {
		t.Errorf("half a character, no tokens, the other half decode as %+q, want %+q", got, want)
	}
	padded, err := tok.Tokens("a", 4)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := tok.Decode(padded), "<|startoftext|>a <|endoftext|>!"; got != want {
		t.Errorf("decoded %q, want %q", got, want)
	}
}

// TestLongWordsMergeAsShortOnes compares the heap with the definition, also
// for vocabularies whose merges are out of the order that training gives.
func TestLongWordsMergeAsShortOnes(t *testing.T) {
	draw := rand.New(rand.NewPCG(1, 2))
	vocabularies := []*Vocabulary{small(t)}
	for range 40 {
		vocabularies = append(vocabularies, shuffled(t, draw))
	}
	for k, v := range vocabularies {
		for range 60 {
			word := make([]byte, 1+draw.IntN(60))
			for i := range word {
				word[i] = "aabbcn "[draw.IntN(7)]
			}
			short := v.split(nil, string(word))
			short = short[:v.mergeShort(short)]
			if long := v.mergeLong(nil, string(word)); !slices.Equal(long, short) {
				t.Fatalf("vocabulary %d, %q: %v with the heap, want %v", k, word, long, short)
			}
		}
	}
}

// shuffled is a vocabulary with merges of few letters, with more than one way
// to a token and ranks in no order.
func shuffled(t *testing.T, draw *rand.Rand) *Vocabulary {
	t.Helper()
	base, err := newVocabulary(nil)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int32{startText: base.start, endText: base.end}
	for b := range 256 {
		ids[string(letterOf[b])], ids[string(letterOf[b])+wordEnd] = base.inside[b], base.last[b]
	}
	parts := []string{"a", "b", "c", "a" + wordEnd, "b" + wordEnd}
	var merges [][2]string
	for range 30 {
		left, right := parts[draw.IntN(len(parts))], parts[draw.IntN(len(parts))]
		if strings.HasSuffix(left, wordEnd) || len(left)+len(right) > 12 {
			continue
		}
		if _, ok := ids[left+right]; !ok {
			ids[left+right] = int32(len(ids))
			parts = append(parts, left+right)
		}
		merges = append(merges, [2]string{left, right})
	}
	draw.Shuffle(len(merges), func(i, j int) { merges[i], merges[j] = merges[j], merges[i] })
	v, err := numberedVocabulary(ids, merges)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLongTextTakesTimeInProportion(t *testing.T) {
	tok := NewTokenizer(small(t), TokenizerOptions{})
	for _, part := range []string{"a", "ab", "banana", "é", "원", "!", "😀", "'s", "1"} {
		text := strings.Repeat(part, (1<<18)/len(part))
		begun := time.Now()
		ids := tok.Encode(text)
		if took := time.Since(begun); took > 20*time.Second {
			t.Errorf("256 KiB of %q took %v", part, took)
		} else if testing.Verbose() {
			t.Logf("256 KiB of %q: %d tokens in %v", part, len(ids), took)
		}
		if len(ids) == 0 || len(ids) > len(text) {
			t.Errorf("256 KiB of %q gives %d tokens", part, len(ids))
		}
	}
}

func TestCacheChangesNothingAndIsBounded(t *testing.T) {
	v := small(t)
	none := NewTokenizer(v, TokenizerOptions{Cache: -1})
	few := NewTokenizer(v, TokenizerOptions{Cache: 4})
	var group sync.WaitGroup
	for worker := range 4 {
		group.Go(func() {
			draw := rand.New(rand.NewPCG(7, uint64(worker)))
			for range 2000 {
				text := captions[draw.IntN(len(captions))]
				if got, want := few.Encode(text), none.Encode(text); !slices.Equal(got, want) {
					t.Errorf("%q: %v with a cache, want %v", text, got, want)
					return
				}
			}
		})
	}
	group.Wait()
	if n := len(few.words.young) + len(few.words.old); n == 0 || n > 4 {
		t.Errorf("a cache for 4 words has %d", n)
	}
	if n := len(none.words.young) + len(none.words.old); n != 0 {
		t.Errorf("no cache has %d words", n)
	}
	long := NewTokenizer(v, TokenizerOptions{})
	long.Encode(strings.Repeat("x", 1000))
	if n := len(long.words.young); n != 0 {
		t.Errorf("a word of 1000 bytes is remembered")
	}
}

func TestEncodedSliceIsTheCallers(t *testing.T) {
	tok := NewTokenizer(small(t), TokenizerOptions{})
	first := tok.Encode("circle")
	want := slices.Clone(first)
	clear(first)
	if got := tok.Encode("circle"); !slices.Equal(got, want) {
		t.Errorf("%v after the first result was changed, want %v", got, want)
	}
}

// FuzzEncode wants that tokens keep every byte of the cleaned text but spaces.
func FuzzEncode(f *testing.F) {
	for _, text := range captions {
		f.Add(text)
	}
	f.Add("caf&eacute; <|endoftext|> \xff 'ſ \u0345 İΣ \x1b[0m e\u0301")
	v := small(f)
	tokenizers := []*Tokenizer{NewTokenizer(v, TokenizerOptions{}), NewTokenizer(v, TokenizerOptions{NoRepair: true, Cache: -1})}
	f.Fuzz(func(t *testing.T, text string) {
		for _, tok := range tokenizers {
			clean := tok.Clean(text)
			if !utf8.ValidString(clean) {
				t.Fatalf("cleaned %q is no UTF-8", clean)
			}
			ids := tok.Encode(text)
			for _, id := range ids {
				if id < 0 || int(id) >= v.Size() {
					t.Fatalf("token %d of %d", id, v.Size())
				}
			}
			bytes := strings.NewReplacer(" ", "", "\u0345", "")
			if got, want := bytes.Replace(tok.Decode(ids)), bytes.Replace(clean); got != want {
				t.Fatalf("%q: decoded %q, want %q", text, got, want)
			}
			out, err := tok.Tokens(text, 16)
			if (err != nil) != (len(ids) > 14) || err == nil && len(out) != 16 {
				t.Fatalf("%d tokens in a context of 16: %v, %v", len(ids), out, err)
			}
		}
	})
}

func ExampleTokenizer() {
	v, err := TrainVocabulary(slices.Values([]string{"a red circle", "a red square", "a blue square"}), 520)
	if err != nil {
		panic(err)
	}
	tok := NewTokenizer(v, TokenizerOptions{})
	ids := tok.Encode("A “red” square")
	fmt.Println(ids)
	fmt.Println(tok.Decode(ids))
	// Output:
	// [320 257 515 257 516 517]
	// a " red " square
}
