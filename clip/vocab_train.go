package clip

import (
	"cmp"
	"container/heap"
	"fmt"
	"iter"
	"maps"
	"slices"
)

// longestTrained is the longest word, in bytes, that training learns from.
const longestTrained = 256

// TrainVocabulary learns a vocabulary of at most size tokens from texts, such
// as the captions a small CLIP is trained on: starting from the 512 byte tokens
// it merges, again and again, the pair of tokens that is most frequent in the
// words of the cleaned texts (see [Tokenizer.Clean], with repair). Of pairs
// that are equally frequent the one with the lower ids is taken, so the result
// depends on how often each word occurs and on nothing else, not even the order
// of the texts. It stops early when no pair occurs twice.
//
// Size counts the 512 bytes and the start and the end token: 514 to 49,408,
// CLIP's own size. Words of more than 256 bytes teach nothing. Memory grows
// with the number of different words, time with their length times the number
// of merges that touch them.
func TrainVocabulary(texts iter.Seq[string], size int) (*Vocabulary, error) {
	if size < minVocabulary || size > minVocabulary+maxMerges {
		return nil, fmt.Errorf("clip: train vocabulary: size %d, want %d to %d", size, minVocabulary, minVocabulary+maxMerges)
	}
	base, err := newVocabulary(nil)
	if err != nil {
		return nil, err
	}
	t := trainer{counts: map[uint64]int{}, where: map[uint64]map[int32]struct{}{}}
	cleaner := NewTokenizer(base, TokenizerOptions{Cache: -1})
	occurs := map[string]int{}
	for text := range texts {
		for word, kind := range pieces(cleaner.Clean(text)) {
			if kind == wordPiece && len(word) <= longestTrained {
				occurs[word]++
			}
		}
	}
	for _, word := range slices.Sorted(maps.Keys(occurs)) {
		t.add(base.split(nil, word), occurs[word])
	}
	text := make([]string, baseSymbols, size-2) // of the tokens, as files write them
	made := make(map[string]bool, size)
	for b := range 256 {
		text[base.inside[b]] = string(letterOf[b])
		text[base.last[b]] = string(letterOf[b]) + wordEnd
	}
	for _, s := range text {
		made[s] = true
	}
	var merges [][2]string
	for len(text) < size-2 {
		left, right, ok := t.best()
		if !ok {
			break
		}
		if s := text[left] + text[right]; made[s] {
			// The same string by another way would have two ids.
			t.forbid(left, right)
			continue
		} else {
			made[s] = true
			merges = append(merges, [2]string{text[left], text[right]})
			text = append(text, s)
		}
		t.join(left, right, int32(len(text)-1))
	}
	return newVocabulary(merges)
}

// trainer counts the pairs of tokens in words.
type trainer struct {
	words  [][]int32
	times  []int // a word occurs
	counts map[uint64]int
	where  map[uint64]map[int32]struct{} // words that a pair may be in
	queue  pairQueue                     // pairs with a count they had
}

func (t *trainer) add(ids []int32, times int) {
	w := int32(len(t.words))
	t.words, t.times = append(t.words, ids), append(t.times, times)
	for i := range len(ids) - 1 {
		t.count(pairKey(ids[i], ids[i+1]), w, times)
	}
}

// count notes that a pair occurs more or less often, here in word w.
func (t *trainer) count(p uint64, w int32, by int) {
	t.counts[p] += by
	if by < 0 {
		return
	}
	if t.where[p] == nil {
		t.where[p] = map[int32]struct{}{}
	}
	t.where[p][w] = struct{}{}
}

// best is the pair that occurs most often, if one occurs twice.
func (t *trainer) best() (left, right int32, ok bool) {
	if t.queue == nil {
		t.queue = make(pairQueue, 0, len(t.counts))
		for p, n := range t.counts {
			t.queue = append(t.queue, pairCount{p, n})
		}
		heap.Init(&t.queue)
	}
	for len(t.queue) > 0 {
		top := t.queue[0]
		switch n := t.counts[top.pair]; {
		case n != top.count && n >= 2: // it has become less since
			t.queue[0].count = n
			heap.Fix(&t.queue, 0)
		case n < 2:
			heap.Pop(&t.queue)
		default:
			return int32(top.pair >> 32), int32(uint32(top.pair)), true
		}
	}
	return 0, 0, false
}

// forbid keeps a pair from being the best.
func (t *trainer) forbid(left, right int32) {
	heap.Pop(&t.queue)
	delete(t.counts, pairKey(left, right))
}

// join replaces a pair by one token in every word.
func (t *trainer) join(left, right, made int32) {
	p := pairKey(left, right)
	touched := map[uint64]struct{}{}
	for _, w := range slices.Sorted(maps.Keys(t.where[p])) {
		ids, times := t.words[w], t.times[w]
		for i := range len(ids) - 1 {
			t.count(pairKey(ids[i], ids[i+1]), w, -times)
		}
		n := 0
		for i := 0; i < len(ids); i++ {
			if i+1 < len(ids) && ids[i] == left && ids[i+1] == right {
				ids[n] = made
				i++
			} else {
				ids[n] = ids[i]
			}
			n++
		}
		ids = ids[:n]
		t.words[w] = ids
		for i := range n - 1 {
			q := pairKey(ids[i], ids[i+1])
			t.count(q, w, times)
			touched[q] = struct{}{}
		}
	}
	delete(t.counts, p)
	delete(t.where, p)
	for q := range touched {
		if int32(q>>32) == made || int32(uint32(q)) == made {
			heap.Push(&t.queue, pairCount{q, t.counts[q]})
		}
	}
}

type pairCount struct {
	pair  uint64
	count int
}

// pairQueue has the most frequent pair first; ids decide a tie.
type pairQueue []pairCount

func (q pairQueue) Len() int { return len(q) }
func (q pairQueue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[j].count, q[i].count), cmp.Compare(q[i].pair, q[j].pair)) < 0
}
func (q pairQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *pairQueue) Push(c any)   { *q = append(*q, c.(pairCount)) }
func (q *pairQueue) Pop() any {
	n := len(*q) - 1
	c := (*q)[n]
	*q = (*q)[:n]
	return c
}
