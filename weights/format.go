package weights

import (
	"bytes"
	"encoding/binary"
	"io"
)

// Format is how a file stores its tensors.
type Format string

const (
	Safetensors Format = "safetensors"
	TorchZip    Format = "PyTorch zip"    // torch.save since torch 1.6
	TorchLegacy Format = "PyTorch legacy" // torch.save from 0.1.10 to 1.5, a stream of pickles
	Sharded     Format = "sharded"        // an index and the files that it names
)

// load recognises the format by the first bytes, not by a name, and reads
// everything but the tensors.
//
// What begins with the length of a header and "{" is a safetensors file even if
// the length happens to look like the beginning of something else.
func load(r io.ReaderAt, size int64) (*contents, error) {
	var first [512]byte
	start := first[:max(0, min(size, 9))]
	if err := readFull(r, start, 0); err != nil {
		return nil, err
	}
	if len(start) == 9 && start[8] == '{' && binary.LittleEndian.Uint64(start) <= maxHeader {
		return loadSafetensors(r, size)
	}
	head := first[:max(0, min(size, int64(len(first))))]
	if err := readFull(r, head[len(start):], int64(len(start))); err != nil {
		return nil, err
	}
	begins := func(s string) bool { return bytes.HasPrefix(head, []byte(s)) }
	switch {
	case begins("PK\x03\x04"), begins("PK\x05\x06"):
		return loadZip(r, size)
	case begins("\x80"):
		return loadLegacy(r, size)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return nil, unsupported("a tar file, as torch before 0.1.10 wrote them: load it with a torch of that time and save it again, or extract the files")
	case begins("L119547037146038801333356L\n"), begins("I119547037146038801333356\n"):
		return nil, unsupported("a PyTorch checkpoint with pickle protocol 0 or 1")
	case begins("\x1f\x8b"):
		return nil, unsupported("compressed by gzip: decompress it first")
	case begins("version https://git-lfs"):
		return nil, malformed("a pointer of Git LFS, not the file that it stands for")
	case isIndex(head):
		return nil, errIndex
	}
	return loadSafetensors(r, size)
}

// isIndex reports whether a file begins as the JSON of an index does.
func isIndex(head []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"`))
}
