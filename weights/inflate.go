package weights

import (
	"archive/zip"
	"compress/flate"
	"errors"
	"io"
)

// deflated is a compressed file of an archive. It takes the place of an
// io.ReaderAt in a place, and a cursor reads it.
type deflated struct {
	io.ReaderAt // none
	file        *zip.File
}

// cursor reads a compressed file forward. Going back begins anew. It is for one
// goroutine.
type cursor struct {
	file *zip.File
	r    io.ReadCloser
	at   int64
}

func (c *cursor) ReadAt(p []byte, off int64) (int, error) {
	if c.r == nil || off < c.at {
		c.close()
		r, err := c.file.Open()
		if err != nil {
			return 0, inflating(err)
		}
		c.r, c.at = r, 0
	}
	n, err := io.CopyN(io.Discard, c.r, off-c.at)
	c.at += n
	if err != nil {
		return 0, lost(err)
	}
	m, err := io.ReadFull(c.r, p)
	c.at += int64(m)
	if err != nil {
		return m, lost(err)
	}
	return m, nil
}

func (c *cursor) close() error {
	if c.r == nil {
		return nil
	}
	err := c.r.Close()
	c.r = nil
	return err
}

// inflating makes what an archive's reader finds wrong with the file an error
// about the file.
func inflating(err error) error {
	var corrupt flate.CorruptInputError
	switch {
	case errors.Is(err, zip.ErrAlgorithm):
		return unsupported("a zip file compressed otherwise than by deflate")
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum), errors.As(err, &corrupt):
		return malformed("%v", err)
	}
	return err
}
