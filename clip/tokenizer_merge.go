package clip

import (
	"container/heap"
	"math"
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
	// A token at i is followed by that at next[i]; one that was merged into
	// its left neighbour has id -1.
	next, previous := make([]int32, len(ids)), make([]int32, len(ids))
	for i := range ids {
		next[i], previous[i] = int32(i+1), int32(i-1)
	}
	end := int32(len(ids))
	var queue mergeQueue
	find := func(i int32) (candidate, bool) {
		j := next[i]
		if j == end {
			return candidate{}, false
		}
		r, ok := v.pairs[pairKey(ids[i], ids[j])]
		return candidate{r.rank, i, ids[i], ids[j], r.id}, ok
	}
	for i := range end {
		if c, ok := find(i); ok {
			queue = append(queue, c)
		}
	}
	heap.Init(&queue)
	var found []candidate
	for len(queue) > 0 {
		// What a merge makes possible waits until that merge has been applied
		// everywhere: in a list whose later merges make tokens of earlier ones
		// anew, a lower rank can turn up.
		rank := queue[0].rank
		for len(queue) > 0 && queue[0].rank == rank {
			c := heap.Pop(&queue).(candidate)
			i := c.at
			if ids[i] != c.left || next[i] == end || ids[next[i]] != c.right {
				continue
			}
			j := next[i]
			ids[i], ids[j] = c.made, -1
			next[i] = next[j]
			if next[i] != end {
				previous[next[i]] = i
			}
			if p := previous[i]; p >= 0 {
				if c, ok := find(p); ok {
					found = append(found, c)
				}
			}
			if c, ok := find(i); ok {
				found = append(found, c)
			}
		}
		for _, c := range found {
			heap.Push(&queue, c)
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

// candidate is a merge that fitted at a place when it was found.
type candidate struct {
	rank              int32
	at                int32
	left, right, made int32
}

type mergeQueue []candidate

func (q mergeQueue) Len() int { return len(q) }
func (q mergeQueue) Less(i, j int) bool {
	return q[i].rank < q[j].rank || q[i].rank == q[j].rank && q[i].at < q[j].at
}
func (q mergeQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *mergeQueue) Push(c any)   { *q = append(*q, c.(candidate)) }
func (q *mergeQueue) Pop() any {
	n := len(*q) - 1
	c := (*q)[n]
	*q = (*q)[:n]
	return c
}
