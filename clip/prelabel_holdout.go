package clip

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"unicode/utf8"
)

// Manifest lists pictures that are held out, by hash or by path. It is safe for
// concurrent use.
type Manifest struct {
	sums  map[[sha256.Size]byte]int // line numbers
	paths map[string]int

	mu   sync.Mutex
	used map[int]bool // by line
	n    int
}

// maxManifestLine is the longest line of a manifest, in bytes.
const maxManifestLine = 1 << 16

// ReadManifest reads a list of pictures, a line each: the SHA-256 of the file
// (64 hexadecimal digits), a path, or both as sha256sum writes them, in which
// case either is enough. Empty lines and lines that begin with # are passed
// over. Paths are as the set names its pictures; slashes and dots are put in
// order ("./a//b.jpg" is "a/b.jpg").
//
// A hash holds out the copies of a picture under other names too, a path does
// not.
func ReadManifest(r io.Reader) (*Manifest, error) {
	m := &Manifest{sums: map[[sha256.Size]byte]int{}, paths: map[string]int{}, used: map[int]bool{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxManifestLine)
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\uFEFF"))
		if line == "" || line[0] == '#' {
			continue
		}
		if !utf8.ValidString(line) {
			return nil, fmt.Errorf("clip: reading the hold-out list: line %d is not valid UTF-8", n)
		}
		m.n++
		word, rest, _ := strings.Cut(line, " ")
		if sum, err := hex.DecodeString(word); err == nil && len(sum) == sha256.Size {
			m.sums[[sha256.Size]byte(sum)] = n
			// sha256sum puts a space or a star before the name.
			if line = strings.TrimPrefix(strings.TrimSpace(rest), "*"); line == "" {
				continue
			}
		}
		m.paths[cleanPath(line)] = n
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("clip: reading the hold-out list: line %d: %w", n+1, err)
	}
	return m, nil
}

func cleanPath(name string) string { return path.Clean(filepath.ToSlash(name)) }

// Has reports whether a picture is on the list.
func (m *Manifest) Has(name string, sum [sha256.Size]byte) bool {
	line, ok := m.sums[sum]
	if !ok {
		line, ok = m.paths[cleanPath(name)]
	}
	if ok {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.used[line] = true
	}
	return ok
}

// Len is the number of pictures on the list.
func (m *Manifest) Len() int { return m.n }

// Unmatched is how many of them Has has not been asked about: pictures that are
// not in the set, or paths that are written otherwise there.
func (m *Manifest) Unmatched() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.n - len(m.used)
}
