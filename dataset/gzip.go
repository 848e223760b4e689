package dataset

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
)

// plainFile is a file that may be compressed, read as if it were not.
type plainFile struct {
	io.Reader
	file  fs.File
	plain bool  // not compressed
	hint  int64 // size of the file
}

func (f *plainFile) Close() error { return f.file.Close() }

// openPlain opens a regular file and looks for gzip's magic.
func openPlain(fsys fs.FS, name string) (*plainFile, error) {
	file, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("not a regular file")
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	b := bufio.NewReaderSize(file, 1<<16)
	f := &plainFile{b, file, true, info.Size()}
	if head, _ := b.Peek(2); len(head) == 2 && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("%w: gzip: %w", ErrCorrupt, err)
		}
		f.Reader, f.plain = z, false
	}
	return f, nil
}

// readAll reads to the end, at most most bytes; more is ErrTooLarge. hint is
// how much memory to begin with; a file's size, or 0.
func readAll(r io.Reader, hint, most int64) ([]byte, error) {
	buf := make([]byte, 0, min(max(hint, 0), most)+512)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > most {
			return nil, fmt.Errorf("%w: more than %d bytes", ErrTooLarge, most)
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
}
