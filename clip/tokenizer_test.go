package clip

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
)

// published is OpenAI's vocabulary.
func published(t testing.TB) *Vocabulary {
	t.Helper()
	path := golden.Data(t, "clip/bpe_simple_vocab_16e6.txt.gz")
	v, err := openPublished(path)
	if err != nil {
		t.Fatal(err)
	}
	return v
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
	repaired, broken := 0, 0
	for i, g := range goldenTexts(t) {
		ok := slices.Equal(tok.Encode(g.Text), g.IDs)
		if got := tok.Clean(g.Text); (got == g.Clean) != ok && g.N > 0 {
			t.Logf("text %d: cleaned %q, want %q", i, got, g.Clean)
		}
		if g.RawIDs == nil {
			if !ok {
				t.Errorf("text %d, which ftfy leaves alone, %q: cleaned %q, want %q", i, g.Text, tok.Clean(g.Text), g.Clean)
			}
			continue
		}
		broken++
		if ok {
			repaired++
		} else {
			t.Logf("text %d %+q: cleaned %+q, want %+q", i, g.Text, tok.Clean(g.Text), g.Clean)
		}
	}
	t.Logf("%d of %d repaired", repaired, broken)
}
