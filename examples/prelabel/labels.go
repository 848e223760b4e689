package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/winnow-go/winnow/clip"
)

// line is an image in labels.jsonl. Numbers are absent where there is no
// prediction.
type line struct {
	Path string `json:"path"`
	// Bytes is the path where it is not valid UTF-8 and JSON could not hold it.
	Bytes      []byte       `json:"path_bytes,omitempty"`
	SHA256     string       `json:"sha256,omitempty"`
	Class      string       `json:"class,omitempty"`
	Prob       *float64     `json:"prob,omitempty"`
	Cosine     *float64     `json:"cosine,omitempty"`
	Margin     *float64     `json:"margin,omitempty"`
	Entropy    *float64     `json:"entropy,omitempty"`
	Background *float64     `json:"background,omitempty"`
	Verdict    clip.Verdict `json:"verdict"`
	Error      string       `json:"error,omitempty"`
	Model      string       `json:"model"`
	Prompts    string       `json:"prompts"`
}

func newLine(p clip.Proposal, model, prompts string) line {
	l := line{Path: p.Name, Verdict: p.Verdict, Model: model, Prompts: prompts}
	if !utf8.ValidString(p.Name) {
		l.Path, l.Bytes = strings.ToValidUTF8(p.Name, "\uFFFD"), []byte(p.Name)
	}
	if p.SHA256 != [32]byte{} {
		l.SHA256 = hex.EncodeToString(p.SHA256[:])
	}
	switch p.Verdict {
	case clip.Unreadable:
		l.Error = strings.ToValidUTF8(p.Err.Error(), "\uFFFD")
	case clip.HeldOut:
	default:
		l.Class, l.Prob, l.Cosine, l.Margin, l.Entropy, l.Background = p.Class, &p.Prob, &p.Cosine, &p.Margin, &p.Entropy, &p.Background
	}
	return l
}

func (l line) name() string {
	if len(l.Bytes) > 0 {
		return string(l.Bytes)
	}
	return l.Path
}

// check refuses a line that this program did not write.
func (l line) check() error {
	switch l.Verdict {
	case clip.Keep, clip.Review, clip.Reject:
		if l.Class == "" || l.Prob == nil || l.Cosine == nil || l.Margin == nil || l.Entropy == nil || l.Background == nil {
			return errors.New("a prediction is incomplete")
		}
	case clip.HeldOut, clip.Unreadable:
	default:
		return fmt.Errorf("verdict %q", l.Verdict)
	}
	if l.Path == "" {
		return errors.New("no path")
	}
	return nil
}

// maxLine bounds a line: a path and a message have some thousand bytes.
const maxLine = 1 << 20

// readLabels calls each for every line, in order. The last line may be torn: end
// is where the whole ones end, in bytes. Anything else that is no label is an
// error that names the line.
func readLabels(r io.Reader, each func(line) error) (end int64, err error) {
	b := bufio.NewReaderSize(r, 1<<16)
	var buf []byte
	for n := 1; ; n++ {
		buf = buf[:0]
		var part []byte
		for {
			part, err = b.ReadSlice('\n')
			buf = append(buf, part...)
			if !errors.Is(err, bufio.ErrBufferFull) || len(buf) > maxLine {
				break
			}
		}
		switch {
		case errors.Is(err, io.EOF): // without a line end: torn
			return end, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return end, err
		case len(buf) > maxLine:
			return end, fmt.Errorf("line %d has more than %d bytes", n, maxLine)
		}
		var l line
		d := json.NewDecoder(bytes.NewReader(buf))
		d.DisallowUnknownFields()
		err := d.Decode(&l)
		if err == nil {
			err = l.check()
		}
		if err == nil {
			err = each(l)
		}
		if err != nil {
			return end, fmt.Errorf("line %d: %w", n, err)
		}
		end += int64(len(buf))
	}
}

// journal appends to labels.jsonl.
type journal struct {
	f      *os.File
	buf    bytes.Buffer
	lines  int // in buf
	every  int
	synced time.Time
}

// syncEvery is how long lines may be with the system only: a crash of the
// machine, not of the program, loses that much work.
const syncEvery = 2 * time.Second

// openJournal opens labels.jsonl for appending and tells which images it has. A
// torn last line is cut off. Without resume there must be no such file.
func openJournal(path string, every int, resume bool, done func(line) error) (*journal, error) {
	flags := os.O_RDWR | os.O_CREATE
	if !resume {
		flags |= os.O_EXCL
	}
	f, err := os.OpenFile(path, flags, 0o644)
	if err != nil {
		return nil, err
	}
	j := &journal{f: f, every: every, synced: time.Now()}
	seen := map[string]bool{}
	end, err := readLabels(f, func(l line) error {
		if seen[l.name()] {
			return fmt.Errorf("%s is there twice", l.Path)
		}
		seen[l.name()] = true
		return done(l)
	})
	if err == nil {
		err = f.Truncate(end)
	}
	if err == nil {
		_, err = f.Seek(end, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// add appends a line; a full batch of them is written at once.
func (j *journal) add(l line) error {
	enc := json.NewEncoder(&j.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(l); err != nil {
		return err
	}
	if j.lines++; j.lines < j.every {
		return nil
	}
	return j.flush(false)
}

// flush hands lines to the system, and with sync, or if that is due, to the disk.
func (j *journal) flush(sync bool) error {
	if j.buf.Len() > 0 {
		if _, err := j.f.Write(j.buf.Bytes()); err != nil {
			return err
		}
		j.buf.Reset()
		j.lines = 0
	}
	if !sync && time.Since(j.synced) < syncEvery {
		return nil
	}
	j.synced = time.Now()
	return j.f.Sync()
}

func (j *journal) close() error { return errors.Join(j.flush(true), j.f.Close()) }
