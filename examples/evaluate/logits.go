package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
)

// logitsFile is a safetensors file that is written as the logits come: a header,
// labels [N] int64, logits [N,K] float32. It appears under its name when it is
// complete.
type logitsFile struct {
	path string
	f    *os.File
	w    *bufio.Writer
	left int // logits to come
}

func newLogitsFile(path string, n, classes int, label func(i int) (int, error)) (*logitsFile, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".logits-*")
	if err != nil {
		return nil, err
	}
	l := &logitsFile{path: path, f: f, w: bufio.NewWriterSize(f, 1<<16), left: n * classes}
	header := fmt.Appendf(nil, `{"labels":{"dtype":"I64","shape":[%d],"data_offsets":[0,%d]},"logits":{"dtype":"F32","shape":[%d,%d],"data_offsets":[%d,%d]}}`,
		n, 8*n, n, classes, 8*n, 8*n+4*n*classes)
	for len(header)%8 != 0 {
		header = append(header, ' ')
	}
	var word [8]byte
	binary.LittleEndian.PutUint64(word[:], uint64(len(header)))
	l.w.Write(word[:]) // bufio keeps the error for commit
	l.w.Write(header)
	for i := range n {
		k, err := label(i)
		if err != nil {
			l.discard()
			return nil, err
		}
		binary.LittleEndian.PutUint64(word[:], uint64(k))
		l.w.Write(word[:])
	}
	return l, nil
}

func (l *logitsFile) write(logits []float32) error {
	if l.left -= len(logits); l.left < 0 {
		return fmt.Errorf("%s: more logits than announced", l.path)
	}
	var word [4]byte
	for _, v := range logits {
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
		if _, err := l.w.Write(word[:]); err != nil {
			return err
		}
	}
	return nil
}

// commit finishes the file and gives it its name.
func (l *logitsFile) commit() error {
	if l.left != 0 {
		return fmt.Errorf("%s: %d logits are missing", l.path, l.left)
	}
	if err := l.w.Flush(); err != nil {
		return err
	}
	if err := l.f.Sync(); err != nil {
		return err
	}
	if err := l.f.Chmod(0o644); err != nil {
		return err
	}
	if err := l.f.Close(); err != nil {
		return err
	}
	if err := os.Rename(l.f.Name(), l.path); err != nil {
		return err
	}
	l.f = nil
	return nil
}

// discard removes what commit has not finished.
func (l *logitsFile) discard() {
	if l.f != nil {
		l.f.Close()
		os.Remove(l.f.Name())
		l.f = nil
	}
}
