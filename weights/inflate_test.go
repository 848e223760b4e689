package weights

import (
	"archive/zip"
	"bytes"
	"io"
	"testing"
)

func TestCursorReadsCompressedBytesAnywhere(t *testing.T) {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("a")
	if err != nil {
		t.Fatal(err)
	}
	want := make([]byte, 100_000)
	for i := range want {
		want[i] = byte(i * i >> 7)
	}
	f.Write(want)
	w.Close()
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil || z.File[0].Method != zip.Deflate {
		t.Fatal(err)
	}
	c := &cursor{file: z.File[0]}
	defer c.close()
	for _, off := range []int64{0, 90_000, 90_000, 5, 6, 99_000} {
		got := make([]byte, 1000)
		if _, err := c.ReadAt(got, off); err != nil || !bytes.Equal(got, want[off:off+1000]) {
			t.Errorf("at %d: %v", off, err)
		}
	}
	if err := readFull(c, make([]byte, 1001), 99_000); err == nil || err == io.ErrUnexpectedEOF {
		t.Errorf("beyond the end: %v, want an error that blames the file", err)
	}
}
