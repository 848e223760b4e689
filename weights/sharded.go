package weights

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// errIndex says that a file is an index, which is of no use without its path.
var errIndex = fmt.Errorf("%w: an index of several files, which only Open can find", ErrUnsupported)

// inFolder are the names under which a folder holds the weights of one model,
// the preferred ones first.
var inFolder = []string{
	"model.safetensors", "model.safetensors.index.json",
	"pytorch_model.bin", "pytorch_model.bin.index.json",
}

func openFolder(dir string) (*File, error) {
	for _, name := range inFolder {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return Open(path)
		}
	}
	return nil, &Error{File: dir, Err: unsupported("a folder without %s", strings.Join(inFolder, ", "))}
}

// shard is one file of several that an index names. It is opened when it is
// first needed.
type shard struct {
	path, name string
	mu         sync.Mutex
	file       *File
	err        error
	closed     bool
}

// open opens the file, once.
func (s *shard) open() (*File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, &Error{File: s.path, Err: fs.ErrClosed}
	}
	if s.file != nil || s.err != nil {
		return s.file, s.err
	}
	f, err := os.Open(s.path)
	if err != nil {
		return nil, &Error{File: s.path, Err: cause(err)} // it may be there the next time
	}
	info, err := f.Stat()
	if err == nil {
		s.file, err = open(s.path, f, info.Size()) // not Open: an index names no index
	}
	if err != nil {
		f.Close()
		s.err = blame(s.path, err)
		return nil, s.err
	}
	s.file.closer = f
	return s.file, nil
}

func (s *shard) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// readIndex reads the index of a model in several files, as Hugging Face's
// libraries write it: {"metadata": {...}, "weight_map": {tensor: file, ...}}.
func readIndex(path string, r io.ReaderAt, size int64) (*contents, error) {
	if size > maxHeader {
		return nil, unsupported("an index of %d bytes, the limit is %d", size, maxHeader)
	}
	text := make([]byte, size)
	if err := readFull(r, text, 0); err != nil {
		return nil, fmt.Errorf("reading the index: %w", err)
	}
	c, err := parseIndex(text, filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var absent []string
	for _, s := range c.shards {
		switch info, err := os.Stat(s.path); {
		case err != nil:
			absent = append(absent, s.name)
		case !info.Mode().IsRegular():
			return nil, unsupported("%s, which the index names, is not a regular file", quote(s.name))
		}
	}
	if n := len(absent); n > 0 {
		slices.Sort(absent)
		return nil, fmt.Errorf("%d of %d files that the index names: %s: %w", n, len(c.shards), some(absent), fs.ErrNotExist)
	}
	return c, nil
}

// some quotes names, not all if they are many.
func some(names []string) string {
	const most = 10
	var b strings.Builder
	for i, name := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(name))
	}
	return b.String()
}

func parseIndex(text []byte, dir string) (*contents, error) {
	switch {
	case !utf8.Valid(text):
		return nil, malformed("the index is not valid UTF-8")
	case !json.Valid(text):
		return nil, malformed("the index is not valid JSON: %v", syntax(text))
	}
	c := &contents{format: Sharded, byName: map[string]place{}, shards: []*shard{}}
	byFile := map[string]*shard{}
	s := &scanner{text: text}
	seen := map[string]bool{}
	err := s.object(func(key string) error {
		if seen[key] {
			return malformed("the index has the key %s twice", quote(key))
		}
		switch key {
		case "metadata":
			seen[key] = true
			return c.indexMeta(s)
		case "weight_map":
			seen[key] = true
		default:
			s.skip()
			return nil
		}
		return s.object(func(name string) error {
			file, ok := s.str()
			if !ok {
				return &Error{Tensor: name, Err: malformed("the index gives no file name")}
			}
			if _, twice := c.byName[name]; twice {
				return &Error{Tensor: name, Err: malformed("the name occurs twice")}
			}
			if !plain(file) {
				return &Error{Tensor: name, Err: malformed("%s is not the name of a file in the same folder", quote(file))}
			}
			at := byFile[file]
			if at == nil {
				at = &shard{path: filepath.Join(dir, file), name: file}
				byFile[file] = at
				c.shards = append(c.shards, at)
			}
			c.names = append(c.names, name)
			c.byName[name] = place{shard: at}
			return nil
		})
	})
	switch {
	case err != nil:
		return nil, err
	case !seen["weight_map"]:
		return nil, malformed("JSON without a weight_map: no index of weights")
	}
	return c, nil
}

// plain reports whether name is that of a file, without any folder.
func plain(name string) bool {
	return name != "" && name != "." && !strings.ContainsAny(name, "/\\:\x00") && filepath.IsLocal(name)
}

func (c *contents) indexMeta(s *scanner) error {
	c.meta = map[string]string{}
	return s.object(func(key string) error {
		if _, twice := c.meta[key]; twice {
			return malformed("metadata: the key %s occurs twice", quote(key))
		}
		if value, ok := s.str(); ok {
			c.meta[key] = value
			return nil
		}
		if value := s.skip(); value[0] != '{' && value[0] != '[' && value != "null" {
			c.meta[key] = value
		}
		return nil
	})
}
