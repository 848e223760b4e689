package clip

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Cache keeps embeddings in a folder, so that a picture or a text goes through
// a model once: a file for each, found by the SHA-256 of the content and by the
// model (and for pictures by how they are prepared). Any number of goroutines
// and processes may use one folder at once.
//
// Files are written under another name and then renamed, and carry a checksum:
// one that is torn or damaged counts as absent and is written anew. Nothing is
// synced to disk, since all of it can be made again.
type Cache struct {
	dir string
	max int64

	mu    sync.Mutex
	size  int64 // as of the last look, and what was written since
	since int64 // bytes written since the last look
	stats CacheStats
}

// CacheStats count what a Cache did since it was opened.
type CacheStats struct {
	Hits, Misses int
	// Failed is how many embeddings could not be kept; Err is why the last
	// could not. The work goes on without.
	Failed int
	Err    error
}

// DefaultCacheBytes is the bound of a cache that was given none.
const DefaultCacheBytes = 1 << 30

// OpenCache opens or makes a cache in dir, which must hold nothing else.
// maxBytes bounds the files' length together, 0 meaning DefaultCacheBytes
// (half a million embeddings of 512 values): beyond it, those that were not
// used for longest are removed until a tenth is free. Each process may exceed
// the bound by a sixteenth.
func OpenCache(dir string, maxBytes int64) (*Cache, error) {
	if maxBytes == 0 {
		maxBytes = DefaultCacheBytes
	}
	if maxBytes < 0 {
		return nil, fmt.Errorf("clip: a cache of %d bytes", maxBytes)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("clip: cache: %w", err)
	}
	c := &Cache{dir: dir, max: maxBytes}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.trim(); err != nil {
		return nil, fmt.Errorf("clip: cache: %w", err)
	}
	return c, nil
}

// Stats returns the counts so far.
func (c *Cache) Stats() CacheStats {
	if c == nil {
		return CacheStats{}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// key is the SHA-256 of a text or a picture.
type key = [sha256.Size]byte

// space is the folder of embeddings of one kind and model.
type space string

func newSpace(parts ...string) space {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return space(hex.EncodeToString(h.Sum(nil)[:16]))
}

func (c *Cache) path(s space, k key) string {
	name := hex.EncodeToString(k[:])
	return filepath.Join(c.dir, string(s), name[:2], name[2:])
}

// A file is a mark, the number of values, the CRC-32 (IEEE) of the values, and
// the values as float32, all little-endian.
const (
	entryMark   = "wclip\x00\x00\x01"
	entryHead   = len(entryMark) + 8
	entryValues = 1 << 16
)

const tempPrefix = ".tmp-"

// get returns an embedding of dim values (any number if dim is 0).
func (c *Cache) get(s space, k key, dim int) ([]float32, bool) {
	if c == nil {
		return nil, false
	}
	v, ok := readEntry(c.path(s, k), dim)
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok {
		c.stats.Hits++
	} else {
		c.stats.Misses++
	}
	return v, ok
}

func readEntry(path string, dim int) ([]float32, bool) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, int64(entryHead+4*entryValues)+1))
	if err != nil || len(data) < entryHead || string(data[:len(entryMark)]) != entryMark {
		return nil, false
	}
	n := int64(binary.LittleEndian.Uint32(data[len(entryMark):]))
	sum := binary.LittleEndian.Uint32(data[len(entryMark)+4:])
	body := data[entryHead:]
	if n == 0 || n > entryValues || int64(len(body)) != 4*n || (dim != 0 && n != int64(dim)) || crc32.ChecksumIEEE(body) != sum {
		return nil, false
	}
	v := make([]float32, n)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	if info, err := f.Stat(); err == nil {
		if now := time.Now(); now.Sub(info.ModTime()) > time.Hour {
			_ = os.Chtimes(path, now, now) // it was used; if this fails it is merely removed earlier
		}
	}
	return v, true
}

// put keeps an embedding. That it could not is seen in Stats.
func (c *Cache) put(s space, k key, v []float32) {
	if c == nil || len(v) == 0 || len(v) > entryValues {
		return
	}
	data := make([]byte, entryHead, entryHead+4*len(v))
	for _, x := range v {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	copy(data, entryMark)
	binary.LittleEndian.PutUint32(data[len(entryMark):], uint32(len(v)))
	binary.LittleEndian.PutUint32(data[len(entryMark)+4:], crc32.ChecksumIEEE(data[entryHead:]))
	err := writeEntry(c.path(s, k), data)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.size += int64(len(data))
		c.since += int64(len(data))
		if c.size > c.max || c.since > c.max/16 {
			err = c.trim()
		}
	}
	if err != nil {
		c.stats.Failed++
		c.stats.Err = fmt.Errorf("clip: cache: %w", err)
	}
}

func writeEntry(path string, data []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, tempPrefix+"*")
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		f, err = os.CreateTemp(dir, tempPrefix+"*")
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = cmp.Or(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}

// trim looks what is there and removes what has not been used for longest while
// there is too much of it, and what interrupted processes left behind. Files
// that vanish meanwhile were removed by another process. c.mu is held.
func (c *Cache) trim() error {
	type entry struct {
		path string
		size int64
		used time.Time
	}
	var entries []entry
	total := int64(0)
	now := time.Now()
	err := filepath.WalkDir(c.dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case e.IsDir():
			return nil
		}
		info, err := e.Info()
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !info.Mode().IsRegular():
			return nil
		case strings.HasPrefix(e.Name(), tempPrefix):
			if now.Sub(info.ModTime()) > time.Hour {
				_ = os.Remove(path) // if it cannot be, the next look tries again
			}
			return nil
		case len(e.Name()) != 2*sha256.Size-2:
			return nil // not ours
		}
		entries = append(entries, entry{path, info.Size(), info.ModTime()})
		total += info.Size()
		return nil
	})
	if err != nil {
		return err
	}
	if total > c.max {
		slices.SortFunc(entries, func(a, b entry) int {
			return cmp.Or(a.used.Compare(b.used), strings.Compare(a.path, b.path))
		})
		for _, e := range entries {
			if total <= c.max-c.max/10 {
				break
			}
			if err := os.Remove(e.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			total -= e.size
		}
	}
	c.size, c.since = total, 0
	return nil
}
