package clip

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// trainedSlowly counts all pairs anew for every merge.
func trainedSlowly(t *testing.T, texts []string, size int) [][2]string {
	t.Helper()
	tok := bare(t, TokenizerOptions{})
	var words [][]string
	for _, text := range texts {
		for piece, kind := range pieces(tok.Clean(text)) {
			if kind != wordPiece || len(piece) > longestTrained {
				continue
			}
			var word []string
			for i := range len(piece) {
				word = append(word, string(letterOf[piece[i]]))
			}
			word[len(word)-1] += wordEnd
			words = append(words, word)
		}
	}
	ids := map[string]int{}
	for i, b := range byteOrder {
		ids[string(letterOf[b])], ids[string(letterOf[b])+wordEnd] = i, 256+i
	}
	var merges [][2]string
	refused := map[[2]string]bool{}
	for minVocabulary+len(merges) < size {
		counts := map[[2]string]int{}
		for _, w := range words {
			for i := range len(w) - 1 {
				counts[[2]string{w[i], w[i+1]}]++
			}
		}
		var best [2]string
		most := 1
		for p, n := range counts {
			if refused[p] || n < most || n < 2 {
				continue
			}
			if n > most || ids[p[0]] < ids[best[0]] || p[0] == best[0] && ids[p[1]] < ids[best[1]] {
				best, most = p, n
			}
		}
		if most == 1 {
			break
		}
		if _, ok := ids[best[0]+best[1]]; ok {
			refused[best] = true
			continue
		}
		ids[best[0]+best[1]] = baseSymbols + len(merges)
		merges = append(merges, best)
		for k, w := range words {
			var out []string
			for i := 0; i < len(w); i++ {
				if i+1 < len(w) && w[i] == best[0] && w[i+1] == best[1] {
					out = append(out, w[i]+w[i+1])
					i++
				} else {
					out = append(out, w[i])
				}
			}
			words[k] = out
		}
	}
	return merges
}

func TestTrainingIsThatOfTheDefinition(t *testing.T) {
	draw := rand.New(rand.NewPCG(3, 4))
	for round := range 20 {
		texts := slices.Clone(captions)
		for range 20 {
			word := make([]byte, 1+draw.IntN(12))
			for i := range word {
				word[i] = "aaabbc "[draw.IntN(7)]
			}
			texts = append(texts, string(word))
		}
		size := minVocabulary + draw.IntN(80)
		v, err := TrainVocabulary(slices.Values(texts), size)
		if err != nil {
			t.Fatal(err)
		}
		if want := trainedSlowly(t, texts, size); !slices.Equal(v.merges, want) {
			t.Fatalf("round %d: merges %q, want %q", round, v.merges, want)
		}
		if v.Size() > size {
			t.Errorf("size %d, asked for %d", v.Size(), size)
		}
	}
}

func TestTrainingDependsOnNoOrder(t *testing.T) {
	draw := rand.New(rand.NewPCG(5, 6))
	want := asMerges(t, small(t))
	for range 10 {
		texts := slices.Clone(captions)
		draw.Shuffle(len(texts), func(i, j int) { texts[i], texts[j] = texts[j], texts[i] })
		v, err := TrainVocabulary(slices.Values(texts), 700)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(asMerges(t, v), want) {
			t.Fatal("another order of the texts gives another vocabulary")
		}
	}
}

func TestTrainedVocabularyShortensItsTexts(t *testing.T) {
	plainBytes, learned := bare(t, TokenizerOptions{}), NewTokenizer(small(t), TokenizerOptions{})
	before, after := 0, 0
	for _, text := range captions {
		before += len(plainBytes.Encode(text))
		after += len(learned.Encode(text))
	}
	if after*2 > before {
		t.Errorf("%d tokens instead of %d, want less than half", after, before)
	}
}

func TestTrainingLimits(t *testing.T) {
	none := func(func(string) bool) {}
	for _, size := range []int{-1, 0, 513, 49409} {
		if _, err := TrainVocabulary(none, size); err == nil {
			t.Errorf("size %d: no error", size)
		}
	}
	for name, texts := range map[string]iter.Seq[string]{
		"no texts":          none,
		"nothing twice":     slices.Values([]string{"abc", ""}),
		"only long words":   slices.Values([]string{strings.Repeat("a", 300)}),
		"only the literals": slices.Values([]string{startText + endText, startText}),
	} {
		v, err := TrainVocabulary(texts, 600)
		if err != nil || v.Size() != minVocabulary {
			t.Errorf("%s: size %d, %v, want 514", name, v.Size(), err)
		}
	}
}
