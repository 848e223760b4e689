package clip

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// bare is a tokenizer that knows no merges.
func bare(t testing.TB, o TokenizerOptions) *Tokenizer {
	t.Helper()
	v, err := newVocabulary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return NewTokenizer(v, o)
}

func TestGoldenCleaningAgreesWithPython(t *testing.T) {
	text, err := os.ReadFile("testdata/tokenizer_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Cases []struct {
			Kind, Text, Want string
			Pieces           []string
		}
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	tok := bare(t, TokenizerOptions{NoRepair: true})
	functions := map[string]func(string) string{"unescape": unescapeHTML, "lower": lower, "nfc": compose, "clean": tok.Clean}
	ran := map[string]int{}
	for _, c := range file.Cases {
		ran[c.Kind]++
		if got := functions[c.Kind](c.Text); got != c.Want {
			t.Errorf("%s(%+q) = %+q, want %+q", c.Kind, c.Text, got, c.Want)
		}
		switch c.Kind {
		case "nfc":
			if got := composeLong(c.Text); got != c.Want {
				t.Errorf("composeLong(%+q) = %+q, want %+q", c.Text, got, c.Want)
			}
		case "clean":
			var got []string
			for piece := range pieces(c.Want) {
				got = append(got, piece)
			}
			if !slices.Equal(got, c.Pieces) {
				t.Errorf("pieces(%+q) = %+q, want %+q", c.Want, got, c.Pieces)
			}
		}
	}
	for kind, least := range map[string]int{"unescape": 200, "lower": 200, "nfc": 150, "clean": 300} {
		if ran[kind] < least {
			t.Errorf("%d cases of %s, want at least %d", ran[kind], kind, least)
		}
	}
}

func TestRepairByRule(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"curly quotes", "“a” ‘b’ ‚c‛ „d‟ oʼclock", `"a" 'b' 'c' "d" o'clock`},
		{"full width", "ＡＢＣ　１２３！", "abc 123!"},
		{"half width", "ｶﾞｷﾞ", "カ\u3099キ\u3099"}, // composed below
		{"ligatures", "ﬁne Ǆ ĳ ŉ ﬅ", "fine dž ij 'n ſt"},
		{"line breaks", "a\r\nb\rc\u2028d\u2029e", "a b c d e"},
		{"C1 controls", "a\u0085b \u0093q\u0094 \u0081", "a…b \"q\" \u0081"},
		{"terminal escapes", "\x1b[1;31mred\x1b[0m \x1b[K \x1b[1", "red [1"},
		{"control characters", "a\x00b\x07c\x0bd\x0ce\x7f\ufefff\u206ag\ufff9h", "abcd efgh"},
		{"soft hyphen and joiners stay", "a\u00adb\u200dc\u200b", "a\u00adb\u200dc\u200b"},
		{"entities", "caf&eacute; &lt;b&gt;", "café <b>"},
		{"entities in upper case", "CAF&EACUTE; &SZLIG; &FILIG;", "café ss fi"},
		{"entities of entities", "a&amp;amp;amp;amp;amp;b", "a&b"},
		{"an entity in an entity", "&a&#109;p;", "&"},
		{"no repair of entities after <", "<b> &SZLIG;", "<b> &szlig;"},
		{"but html.unescape", "<b> &amp;amp;amp;", "<b> &amp;"},
		{"entities before the line with <", "&SZLIG;\n<b> &SZLIG;\n&SZLIG;", "ss <b> &szlig; &szlig;"},
		{"entity without semicolon", "fish &amp chips &notit;", "fish & chips ¬it;"},
		{"NFC", "e\u0301 \u1112\u1161\u11ab", "é 한"},
		{"broken encodings are not guessed", "schÃ¶n", "schã¶n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, want := bare(t, TokenizerOptions{}).Clean(c.text), compose(c.want); got != want {
				t.Errorf("%+q: cleaned %+q, want %+q", c.text, got, want)
			}
		})
	}
}

func TestInvalidBytesBecomeReplacementCharacters(t *testing.T) {
	for _, o := range []TokenizerOptions{{}, {NoRepair: true}} {
		if got, want := bare(t, o).Clean("a\xff\xfeb \xed\xa0\x80 \xc3"), "a\uFFFD\uFFFDb \uFFFD\uFFFD\uFFFD \uFFFD"; got != want {
			t.Errorf("%+v: %+q, want %+q", o, got, want)
		}
	}
}

func TestPlainTextIsWhatCleaningKeeps(t *testing.T) {
	tok := bare(t, TokenizerOptions{})
	for _, text := range []string{"", " ", "a", "a b", " a", "a ", "a  b", "A", "a\tb", "a&b", "é", "a\n", "<|endoftext|>", "~ !"} {
		full := lower(strings.TrimFunc(collapse(unescapeHTML(unescapeHTML(repair(text)))), stripped))
		if plain(text) && full != text {
			t.Errorf("%q is called plain but becomes %q", text, full)
		}
		if got := tok.Clean(text); got != full {
			t.Errorf("%q becomes %q, want %q", text, got, full)
		}
	}
}

func TestHostileTextIsCleanedInBoundedTime(t *testing.T) {
	const n = 1 << 18
	nested := func(n int) string { // every round of decoding makes one more entity
		return strings.Repeat("&#3", n) + strings.Repeat("8;", n)
	}
	for _, c := range []struct{ name, text string }{
		{"ampersands", strings.Repeat("&", n)},
		{"escaped over and over", "&" + strings.Repeat("amp;", n/4)},
		{"entities that make entities", nested(n / 5)},
		{"a long number", "&#" + strings.Repeat("9", n)},
		{"sigmas", strings.Repeat("Σ'", n/3)},
		{"sigmas before marks", "aΣ" + strings.Repeat("\u0301", n/2)},
		{"marks", "a" + strings.Repeat("\u0301\u0316", n/4)},
		{"escapes", strings.Repeat("\x1b[", n/2)},
		{"an escape that never ends", strings.Repeat("\x1b[1", 1000) + strings.Repeat("1", n)},
		{"spaces", strings.Repeat(" ", n)},
		{"lines", strings.Repeat("é\n", n/3)},
		{"what decomposes most", strings.Repeat("\u1f82", n/3)},
		{"invalid bytes", strings.Repeat("\xff", n/4)},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			got := bare(t, TokenizerOptions{}).Clean(c.text)
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%d bytes took %v", len(c.text), took)
			} else if testing.Verbose() {
				t.Logf("%d bytes, %v", len(c.text), took)
			}
			if len(got) > 4*len(c.text) || !utf8.ValidString(got) {
				t.Errorf("%d bytes became %d, valid: %v", len(c.text), len(got), utf8.ValidString(got))
			}
		})
	}
}
