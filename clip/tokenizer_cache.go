package clip

import (
	"strings"
	"sync"
)

const (
	cachedWords = 32768 // by default
	cachedBytes = 64    // the longest word that is remembered
)

// wordCache remembers the tokens of words, in two generations: when the young
// one is full it becomes the old one, whose words are forgotten unless they
// were asked for meanwhile.
type wordCache struct {
	room       int // of a generation; 0 for no cache
	mu         sync.RWMutex
	young, old map[string][]int32
}

func newWordCache(words int) *wordCache {
	switch {
	case words < 0:
		words = 0
	case words == 0:
		words = cachedWords
	}
	return &wordCache{room: (words + 1) / 2, young: map[string][]int32{}}
}

// get returns tokens that must not be changed.
func (c *wordCache) get(word string) ([]int32, bool) {
	if c.room == 0 || len(word) > cachedBytes {
		return nil, false
	}
	c.mu.RLock()
	ids, ok := c.young[word]
	old := false
	if !ok {
		ids, ok = c.old[word]
		old = ok
	}
	c.mu.RUnlock()
	if old {
		c.keep(strings.Clone(word), ids) // not a part of a text, which it would hold
	}
	return ids, ok
}

// put keeps a copy.
func (c *wordCache) put(word string, ids []int32) {
	if c.room == 0 || len(word) > cachedBytes {
		return
	}
	c.keep(strings.Clone(word), append([]int32(nil), ids...))
}

func (c *wordCache) keep(word string, ids []int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.young) >= c.room {
		c.old, c.young = c.young, make(map[string][]int32, c.room)
	}
	c.young[word] = ids
}
