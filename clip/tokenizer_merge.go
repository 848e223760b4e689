package clip

import (
	"math"
	"slices"
)

// longWord is the length in bytes from which a word is merged with a heap,
// whose time grows as n log n rather than n².
const longWord = 48

// merge appends the tokens of one word: its bytes, the last marked as the end,
// in which the merge of the lowest rank is applied wherever it fits from left
// to right, over and over, until none does. An empty word has none.
func (v *Vocabulary) merge(dst []int32, word string) []int32 {
	if word == "" {
		return dst
	}
	if len(word) >= longWord {
		return v.mergeLong(dst, word)
	}
	first := len(dst)
	dst = v.split(dst, word)
	return dst[:first+v.mergeShort(dst[first:])]
}

// split appends a word's bytes.
func (v *Vocabulary) split(dst []int32, word string) []int32 {
	n := len(word) - 1
	dst = slices.Grow(dst, len(word))
	for i := range n {
		dst = append(dst, v.inside[word[i]])
	}
	return append(dst, v.last[word[n]])
}

// mergeShort merges in place, scanning the whole for each merge, and returns
// how many tokens are left. It is the definition of the order.
func (v *Vocabulary) mergeShort(ids []int32) int {
	for len(ids) > 1 {
		best, at := bpeRule{rank: math.MaxInt32}, -1
		for i := range len(ids) - 1 {
			if r, ok := v.pairs[pairKey(ids[i], ids[i+1])]; ok && r.rank < best.rank {
				best, at = r, i
			}
		}
		if at < 0 {
			break
		}
		left, right := ids[at], ids[at+1]
		n := at
		for i := at; i < len(ids); i++ {
			if i+1 < len(ids) && ids[i] == left && ids[i+1] == right {
				ids[n] = best.id
				i++
			} else {
				ids[n] = ids[i]
			}
			n++
		}
		ids = ids[:n]
	}
	return len(ids)
}

// mergeLong is mergeShort with a linked list and a heap of the merges that fit.
func (v *Vocabulary) mergeLong(dst []int32, word string) []int32 {
	first := len(dst)
	dst = v.split(dst, word)
	ids := dst[first:]
	// The token at i is followed by that at next[i]. One that was merged into
	// its left neighbour has id -1.
	next, previous := make([]int32, len(ids)), make([]int32, len(ids))
	for i := range ids {
		next[i], previous[i] = int32(i+1), int32(i-1)
	}
	end := int32(len(ids))
	rule := func(i int32) (bpeRule, bool) {
		if ids[i] < 0 || next[i] == end {
			return bpeRule{}, false
		}
		r, ok := v.pairs[pairKey(ids[i], ids[next[i]])]
		return r, ok
	}
	queue := make(placeQueue, 0, len(ids))
	for i := range end {
		if r, ok := rule(i); ok {
			queue.push(placeOf(r.rank, i))
		}
	}
	var found []place
	for len(queue) > 0 {
		// What a merge makes possible waits until that merge has been applied
		// everywhere: where there are two ways to a token, a lower rank can
		// turn up.
		rank := queue[0].rank()
		for len(queue) > 0 && queue[0].rank() == rank {
			i := queue.pop().at()
			r, ok := rule(i)
			if !ok || r.rank != rank {
				continue // it fitted when it was found
			}
			j := next[i]
			ids[i], ids[j] = r.id, -1
			next[i] = next[j]
			if next[i] != end {
				previous[next[i]] = i
			}
			if p := previous[i]; p >= 0 {
				if r, ok := rule(p); ok {
					found = append(found, placeOf(r.rank, p))
				}
			}
			if r, ok := rule(i); ok {
				found = append(found, placeOf(r.rank, i))
			}
		}
		for _, p := range found {
			queue.push(p)
		}
		found = found[:0]
	}
	n := 0
	for i := int32(0); i != end; i = next[i] {
		ids[n] = ids[i]
		n++
	}
	return dst[:first+n]
}

// place is where a merge of some rank fitted when it was found. Places order by
// rank, then from left to right.
type place uint64

func placeOf(rank, at int32) place { return place(pairKey(rank, at)) }
func (p place) rank() int32        { return int32(p >> 32) }
func (p place) at() int32          { return int32(uint32(p)) }

// placeQueue is a binary heap with the least first. Package container/heap
// would allocate for every place.
type placeQueue []place

func (q *placeQueue) push(p place) {
	*q = append(*q, p)
	h := *q
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if h[up] <= p {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = p
}

func (q *placeQueue) pop() place {
	h := *q
	least, p := h[0], h[len(h)-1]
	h = h[:len(h)-1]
	*q = h
	if len(h) == 0 {
		return least
	}
	i := 0
	for {
		down := 2*i + 1
		if down >= len(h) {
			break
		}
		if down+1 < len(h) && h[down+1] < h[down] {
			down++
		}
		if p <= h[down] {
			break
		}
		h[i] = h[down]
		i = down
	}
	h[i] = p
	return least
}
