package clip

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

const (
	maxVocabularyFile = 32 << 20 // bytes, unpacked
	maxToken          = 4 << 10  // bytes of a token as files write it
	maxListed         = 1 << 20  // tokens of a vocab.json
)

var (
	// ErrVocabulary is wrapped by errors about a vocabulary's file that is
	// truncated, inconsistent, or no vocabulary at all.
	ErrVocabulary = errors.New("malformed vocabulary")
	// ErrVocabularyKind is wrapped by errors about a tokenizer's file that is
	// valid but of a kind that CLIP does not have, such as SentencePiece.
	ErrVocabularyKind = errors.New("vocabulary of an unsupported kind")
)

func badVocabulary(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrVocabulary, fmt.Sprintf(format, args...))
}

// quoteText shortens what a hostile file could make very long.
func quoteText(s string) string {
	const most = 60
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// OpenVocabulary reads a vocabulary from a path:
//
//   - OpenAI's bpe_simple_vocab_16e6.txt.gz, packed or not, or what
//     [Vocabulary.WriteTo] wrote;
//   - Hugging Face's tokenizer.json;
//   - Hugging Face's merges.txt or vocab.json, which need each other: the one
//     named is read together with the other beside it. merges.txt alone is
//     numbered as OpenAI's file is;
//   - a folder with one of these: vocab.json and merges.txt, tokenizer.json,
//     bpe_simple_vocab_16e6.txt.gz, bpe_simple_vocab_16e6.txt or merges.txt
//     alone, in this order.
//
// A file may have 32 MiB, unpacked. Errors name the file and wrap
// [ErrVocabulary], [ErrVocabularyKind] or the file system's error; a folder
// without a vocabulary gives fs.ErrNotExist.
func OpenVocabulary(path string) (*Vocabulary, error) {
	path = filepath.Clean(path)
	dir, name := filepath.Split(path)
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		dir, name = path, "."
	}
	if dir == "" {
		dir = "."
	}
	v, err := openVocabulary(os.DirFS(dir), name)
	return v, blameVocabulary(filepath.Clean(dir), err)
}

// OpenVocabularyFS is [OpenVocabulary] in a file system; "." is the folder
// itself.
func OpenVocabularyFS(fsys fs.FS, name string) (*Vocabulary, error) {
	v, err := openVocabulary(fsys, name)
	return v, blameVocabulary("", err)
}

// ReadVocabulary reads OpenAI's list of merges, packed with gzip or not, as
// [Vocabulary.WriteTo] writes it, or a tokenizer.json. Of a list longer than
// OpenAI's 48,894 merges the rest is not looked at, as there: the file they
// published holds 262,144.
func ReadVocabulary(r io.Reader) (*Vocabulary, error) {
	text, err := unpack(r)
	if err == nil {
		var v *Vocabulary
		if v, err = parseVocabulary(text); err == nil {
			return v, nil
		}
	}
	return nil, fmt.Errorf("clip: read vocabulary: %w", err)
}

// vocabularyFileError is an error about one file.
type vocabularyFileError struct {
	name string
	err  error
}

func (e *vocabularyFileError) Error() string { return e.name + ": " + e.err.Error() }
func (e *vocabularyFileError) Unwrap() error { return e.err }

func inVocabularyFile(name string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err // the name is already said
	}
	return &vocabularyFileError{name, err}
}

// blameVocabulary puts the folder in front of the file's name.
func blameVocabulary(dir string, err error) error {
	if err == nil {
		return nil
	}
	var f *vocabularyFileError
	if dir != "" && errors.As(err, &f) {
		f.name = filepath.Join(dir, filepath.FromSlash(f.name))
	}
	return fmt.Errorf("clip: vocabulary: %w", err)
}

func openVocabulary(fsys fs.FS, name string) (*Vocabulary, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, inVocabularyFile(name, err)
	}
	if info.IsDir() {
		there := func(file string) bool {
			i, err := fs.Stat(fsys, path.Join(name, file))
			return err == nil && !i.IsDir()
		}
		choices := []string{"tokenizer.json", "bpe_simple_vocab_16e6.txt.gz", "bpe_simple_vocab_16e6.txt", "merges.txt"}
		if there("vocab.json") && there("merges.txt") {
			return openPair(fsys, path.Join(name, "vocab.json"), path.Join(name, "merges.txt"))
		}
		for _, file := range choices {
			if there(file) {
				return openSingle(fsys, path.Join(name, file))
			}
		}
		return nil, inVocabularyFile(name, fmt.Errorf("no vocab.json with merges.txt, nor %s: %w", strings.Join(choices, ", "), fs.ErrNotExist))
	}
	dir, base := path.Split(name)
	switch base {
	case "vocab.json":
		return openPair(fsys, name, dir+"merges.txt")
	case "merges.txt":
		if _, err := fs.Stat(fsys, dir+"vocab.json"); err == nil {
			return openPair(fsys, dir+"vocab.json", name)
		}
	}
	return openSingle(fsys, name)
}

func openSingle(fsys fs.FS, name string) (*Vocabulary, error) {
	text, err := readVocabulary(fsys, name)
	if err != nil {
		return nil, inVocabularyFile(name, err)
	}
	v, err := parseVocabulary(text)
	if err != nil {
		return nil, inVocabularyFile(name, err)
	}
	return v, nil
}

// openPair reads Hugging Face's two files.
func openPair(fsys fs.FS, vocab, merges string) (*Vocabulary, error) {
	text, err := readVocabulary(fsys, vocab)
	if err != nil {
		return nil, inVocabularyFile(vocab, err)
	}
	var ids map[string]int32
	if err := json.Unmarshal(text, &ids); err != nil {
		return nil, inVocabularyFile(vocab, badVocabulary("%v", err))
	}
	if text, err = readVocabulary(fsys, merges); err != nil {
		return nil, inVocabularyFile(merges, err)
	}
	list, err := parseMerges(text)
	if err != nil {
		return nil, inVocabularyFile(merges, err)
	}
	v, err := numberedVocabulary(ids, list)
	if err != nil {
		return nil, inVocabularyFile(vocab, err)
	}
	return v, nil
}

func readVocabulary(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return unpack(f)
}

// unpack reads and, if it is packed, unpacks.
func unpack(r io.Reader) ([]byte, error) {
	text, err := readBounded(r)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(text, []byte{0x1f, 0x8b}) {
		return text, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, badVocabulary("%v", err)
	}
	text, err = readBounded(z)
	if err != nil && !errors.Is(err, ErrVocabulary) {
		err = badVocabulary("%v", err)
	}
	return text, err
}

func readBounded(r io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxVocabularyFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxVocabularyFile {
		return nil, badVocabulary("more than %d MiB", maxVocabularyFile>>20)
	}
	return text, nil
}

func parseVocabulary(text []byte) (*Vocabulary, error) {
	if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && t[0] == '{' {
		return parseTokenizer(text)
	}
	merges, err := parseMerges(text)
	if err != nil {
		return nil, err
	}
	return newVocabulary(merges)
}

// parseMerges reads a list of merges, whose first line is a remark.
func parseMerges(text []byte) ([][2]string, error) {
	_, rest, ok := strings.Cut(string(text), "\n")
	if !ok {
		return nil, badVocabulary("no list of merges: it has one line")
	}
	rest = strings.TrimRight(rest, "\r\n")
	var merges [][2]string
	number := 1
	for line := range strings.SplitSeq(rest, "\n") {
		number++
		if rest == "" || len(merges) == maxMerges {
			break
		}
		line = strings.TrimSuffix(line, "\r")
		m, err := parseMerge(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
		merges = append(merges, m)
	}
	return merges, nil
}

func parseMerge(line string) ([2]string, error) {
	left, right, ok := strings.Cut(line, " ")
	if !ok || left == "" || right == "" || strings.Contains(right, " ") {
		return [2]string{}, badVocabulary("%s is not two tokens with a space between", quoteText(line))
	}
	return [2]string{left, right}, nil
}

// numberedVocabulary makes a vocabulary whose ids a file gives.
func numberedVocabulary(ids map[string]int32, merges [][2]string) (*Vocabulary, error) {
	if len(ids) > maxListed {
		return nil, badVocabulary("%d tokens, more than %d", len(ids), maxListed)
	}
	holder := make([]string, len(ids))
	seen := make([]bool, len(ids))
	for text, id := range ids {
		switch {
		case id < 0 || int(id) >= len(ids):
			return nil, badVocabulary("token %s has id %d, of %d tokens", quoteText(text), id, len(ids))
		case seen[id]:
			a, b := min(text, holder[id]), max(text, holder[id])
			return nil, badVocabulary("tokens %s and %s have one id, %d", quoteText(a), quoteText(b), id)
		case len(text) > maxToken:
			return nil, badVocabulary("token %d has %d bytes, more than %d", id, len(text), maxToken)
		}
		seen[id], holder[id] = true, text
	}
	v, err := assembleVocabulary(ids, merges, len(ids))
	if err != nil {
		return nil, err
	}
	v.numbers = len(ids) == minVocabulary+len(merges) && ownNumbers(ids, merges)
	return v, nil
}

// ownNumbers reports whether ids are those that newVocabulary would give.
func ownNumbers(ids map[string]int32, merges [][2]string) bool {
	for i, b := range byteOrder {
		letter := string(letterOf[b])
		if ids[letter] != int32(i) || ids[letter+wordEnd] != int32(256+i) {
			return false
		}
	}
	for i, m := range merges {
		if ids[m[0]+m[1]] != int32(baseSymbols+i) {
			return false
		}
	}
	n := int32(baseSymbols + len(merges))
	return ids[startText] == n && ids[endText] == n+1
}

// parseTokenizer reads Hugging Face's tokenizer.json.
func parseTokenizer(text []byte) (*Vocabulary, error) {
	var file struct {
		Added []struct {
			ID      int32  `json:"id"`
			Content string `json:"content"`
		} `json:"added_tokens"`
		Model *struct {
			Type   string            `json:"type"`
			Suffix string            `json:"end_of_word_suffix"`
			Vocab  json.RawMessage   `json:"vocab"`
			Merges []json.RawMessage `json:"merges"`
		} `json:"model"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, badVocabulary("%v", err)
	}
	if file.Model == nil {
		return nil, badVocabulary("no model: not a tokenizer.json")
	}
	if file.Model.Type != "BPE" && file.Model.Type != "" {
		return nil, fmt.Errorf("%w: model.type is %s, CLIP's is \"BPE\"", ErrVocabularyKind, quoteText(file.Model.Type))
	}
	if file.Model.Suffix != wordEnd {
		return nil, fmt.Errorf("%w: model.end_of_word_suffix is %s, CLIP's is %q", ErrVocabularyKind, quoteText(file.Model.Suffix), wordEnd)
	}
	var ids map[string]int32
	if err := json.Unmarshal(file.Model.Vocab, &ids); err != nil {
		return nil, badVocabulary("model.vocab: %v", err)
	}
	if ids == nil {
		return nil, badVocabulary("no model.vocab")
	}
	for _, a := range file.Added {
		if a.Content != startText && a.Content != endText {
			return nil, fmt.Errorf("%w: it adds a token of its own, %s", ErrVocabularyKind, quoteText(a.Content))
		}
		if id, ok := ids[a.Content]; ok && id != a.ID {
			return nil, badVocabulary("token %s has ids %d and %d", a.Content, id, a.ID)
		}
		ids[a.Content] = a.ID
	}
	merges := make([][2]string, 0, min(len(file.Model.Merges), maxListed))
	for i, raw := range file.Model.Merges {
		var m [2]string
		if i == maxListed {
			return nil, badVocabulary("more than %d merges", maxListed)
		}
		var line string
		if err := json.Unmarshal(raw, &line); err == nil {
			if m, err = parseMerge(line); err != nil {
				return nil, fmt.Errorf("merge %d: %w", i+1, err)
			}
		} else {
			var parts []string
			if err := json.Unmarshal(raw, &parts); err != nil || len(parts) != 2 {
				return nil, badVocabulary("merge %d is not two tokens", i+1)
			}
			m = [2]string{parts[0], parts[1]}
		}
		merges = append(merges, m)
	}
	return numberedVocabulary(ids, merges)
}
