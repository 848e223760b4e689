package clip

import (
	"strings"
	"testing"
)

// BenchmarkEncode is on one goroutine, in bytes of text.
func BenchmarkEncode(b *testing.B) {
	v := published(b)
	english, korean := strings.Builder{}, strings.Builder{}
	for _, g := range goldenTexts(b) {
		if g.Kind == "template" || strings.HasPrefix(g.Text, "a photo") {
			english.WriteString(g.Text + "\n")
		}
		if strings.Contains(g.Text, "한국어") && len(g.Text) < 200 {
			korean.WriteString(g.Text + "\n")
		}
	}
	for _, c := range []struct{ name, text string }{
		{"captions", english.String()},
		{"korean", strings.Repeat(korean.String(), 20)},
		{"no_spaces_1MiB", strings.Repeat("abcdefghijklmnopqrstuvwxyz", 1<<20/26)},
	} {
		for _, cache := range []struct {
			name  string
			words int
		}{{"default", 0}, {"none", -1}} {
			b.Run("text="+c.name+"/cache="+cache.name, func(b *testing.B) {
				tok := NewTokenizer(v, TokenizerOptions{Cache: cache.words})
				lines := strings.Split(strings.TrimSpace(c.text), "\n")
				b.SetBytes(int64(len(c.text)))
				b.ReportAllocs()
				for b.Loop() {
					for _, line := range lines {
						tok.Encode(line)
					}
				}
			})
		}
	}
}

func BenchmarkOpenVocabulary(b *testing.B) {
	published(b)
	path := publishedPath(b)
	for b.Loop() {
		if _, err := OpenVocabulary(path); err != nil {
			b.Fatal(err)
		}
	}
}
