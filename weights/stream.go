package weights

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

const (
	maxString = 1 << 16 // bytes; nothing that matters in a checkpoint is longer
	maxLine   = 1 << 12 // bytes of the name of a module or a class
)

// stream reads forward, and never more than it was told that there is.
type stream struct {
	r    *bufio.Reader
	used int64
	left int64
}

func newStream(r io.Reader, size int64) *stream {
	return &stream{r: bufio.NewReaderSize(r, int(min(1<<15, max(size, 16)))), left: size}
}

// lost is the error for bytes that are not there although the size of the
// file says so, and for others that the reader met.
func lost(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return malformed("truncated")
	}
	return inflating(err)
}

func (s *stream) one() (byte, error) {
	if s.left <= 0 {
		return 0, malformed("the pickle ends early: truncated?")
	}
	b, err := s.r.ReadByte()
	if err != nil {
		return 0, lost(err)
	}
	s.used, s.left = s.used+1, s.left-1
	return b, nil
}

// number reads a little-endian number of n bytes, at most 8.
func (s *stream) number(n int) (uint64, error) {
	var b [8]byte
	if err := s.full(b[:n]); err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b[:]), nil
}

func (s *stream) full(p []byte) error {
	if int64(len(p)) > s.left {
		return malformed("the pickle ends early: truncated?")
	}
	n, err := io.ReadFull(s.r, p)
	s.used, s.left = s.used+int64(n), s.left-int64(n)
	if err != nil {
		return lost(err)
	}
	return nil
}

// text reads n bytes. Those of a text that is too long to matter are passed
// over without being kept; then ok is false.
func (s *stream) text(n uint64) (text string, ok bool, err error) {
	if n > uint64(s.left) {
		return "", false, malformed("the pickle claims a text of %d bytes, %d are left: truncated?", n, s.left)
	}
	if n > maxString {
		return "", false, s.pass(int64(n))
	}
	b := make([]byte, n)
	err = s.full(b)
	return string(b), true, err
}

// pass goes n bytes forward.
func (s *stream) pass(n int64) error {
	if n < 0 || n > s.left {
		return malformed("%d bytes are claimed, %d are left: truncated?", n, s.left)
	}
	m, err := io.CopyN(io.Discard, s.r, n)
	s.used, s.left = s.used+m, s.left-m
	if err != nil {
		return lost(err)
	}
	return nil
}

// line reads up to a newline, which it leaves out.
func (s *stream) line() (string, error) {
	var b bytes.Buffer
	for b.Len() < maxLine {
		c, err := s.one()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return b.String(), nil
		}
		b.WriteByte(c)
	}
	return "", malformed("a name of more than %d bytes", maxLine)
}
