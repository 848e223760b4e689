package weights

import (
	"archive/zip"
	"cmp"
	"errors"
	"io"
	"slices"
	"strings"
)

const (
	// maxInflation is what deflate can do at most: 258 bytes in two bits.
	maxInflation = 1032
	// maxPickleInflation is more than what it makes of torch.save's pickles,
	// which torch does not compress at all.
	maxPickleInflation = 100
)

// archive is the zip file of torch.save since torch 1.6: a folder with the
// pickle data.pkl and the storages data/0, data/1, ...
type archive struct {
	r      io.ReaderAt
	size   int64
	folder string // with the slash
	files  map[string]*zip.File
	used   map[string]section
}

// section is where a file of an archive lies.
type section struct {
	name   string
	r      io.ReaderAt
	at     int64 // the first byte in r
	bytes  int64 // when not compressed
	lo, hi int64 // bytes of the archive, compressed or not
}

func loadZip(r io.ReaderAt, size int64) (*contents, error) {
	a, err := openArchive(r, size)
	if err != nil {
		return nil, err
	}
	if err := a.order(); err != nil {
		return nil, err
	}
	root, length, err := a.pickle()
	if err != nil {
		return nil, err
	}
	c, err := newCheckpoint(TorchZip, root, length, a.storage)
	if err != nil {
		return nil, err
	}
	return c, a.apart()
}

// fenced is a file that is read at places which it names itself.
type fenced struct {
	r    io.ReaderAt
	size int64
}

func (f fenced) ReadAt(p []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, zip.ErrFormat
	case off >= f.size:
		return 0, io.EOF
	}
	return f.r.ReadAt(p, off)
}

func openArchive(r io.ReaderAt, size int64) (*archive, error) {
	z, err := zip.NewReader(fenced{r, size}, size)
	switch {
	case errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrAlgorithm), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, malformed("a broken zip file: %v", err)
	case err != nil:
		return nil, err
	}
	a := &archive{r: r, size: size, files: make(map[string]*zip.File, len(z.File)), used: map[string]section{}}
	for _, f := range z.File {
		if a.files[f.Name] != nil {
			return nil, malformed("a zip file with two files %s", quote(f.Name))
		}
		a.files[f.Name] = f
		folder, rest, ok := strings.Cut(f.Name, "/")
		if !ok || rest != "data.pkl" {
			continue
		}
		if a.folder != "" {
			return nil, malformed("a zip file with two checkpoints, %s and %s", quote(a.folder), quote(folder+"/"))
		}
		a.folder = folder + "/"
	}
	if a.folder == "" {
		return nil, malformed("a zip file without data.pkl: no PyTorch file")
	}
	for name := range a.files {
		if rest, ok := strings.CutPrefix(name, a.folder); ok && (rest == "constants.pkl" || strings.HasPrefix(rest, "code/")) {
			return nil, unsupported("a TorchScript archive: save the state dict of the module that torch.jit.load returns")
		}
	}
	return a, nil
}

// find says where a file of the archive lies.
func (a *archive) find(name string) (section, bool, error) {
	if s, ok := a.used[name]; ok {
		return s, true, nil
	}
	f := a.files[a.folder+name]
	if f == nil {
		return section{}, false, nil
	}
	at, err := f.DataOffset()
	if err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = malformed("%s: truncated", quote(name))
		}
		return section{}, false, inflating(err)
	}
	packed, n := f.CompressedSize64, f.UncompressedSize64
	switch {
	case f.Flags&1 != 0:
		return section{}, false, unsupported("%s is encrypted", quote(name))
	case at < 0 || at > a.size || packed > uint64(a.size-at):
		return section{}, false, malformed("%s has %d bytes that begin at %d, the file has %d: truncated?", quote(name), packed, at, a.size)
	}
	s := section{name: name, r: a.r, at: at, lo: at, hi: at + int64(packed)}
	switch f.Method {
	case zip.Store:
		if n != packed {
			return section{}, false, malformed("%s has %d bytes and is stored in %d", quote(name), n, packed)
		}
	case zip.Deflate:
		if n/maxInflation > packed {
			return section{}, false, malformed("%s claims to become %d bytes of %d", quote(name), n, packed)
		}
		s.r, s.at = &deflated{file: f}, 0
	default:
		return section{}, false, unsupported("%s is compressed by method %d", quote(name), f.Method)
	}
	s.bytes = int64(n)
	a.used[name] = s
	return s, true, nil
}

// order refuses what a big-endian machine wrote. Torch notes the order of bytes
// since 2.1.
func (a *archive) order() error {
	s, ok, err := a.find("byteorder")
	if err != nil || !ok {
		return err
	}
	text := make([]byte, min(s.bytes, 16))
	p := place{r: s.r}
	r, done := p.reader()
	defer done()
	if err := readFull(r, text, s.at); err != nil {
		return lost(err)
	}
	switch string(text) {
	case "little":
		return nil
	case "big":
		return unsupported("a PyTorch file of a big-endian machine")
	}
	return malformed("the order of bytes is %s", quote(string(text)))
}

// pickle reads data.pkl, whose size it returns too.
func (a *archive) pickle() (any, int64, error) {
	s, _, err := a.find("data.pkl")
	if err != nil {
		return nil, 0, err
	}
	var r io.Reader
	if d, ok := s.r.(*deflated); ok {
		if packed := s.hi - s.lo; s.bytes > maxPickleInflation*packed+freeBytes {
			return nil, 0, unsupported("data.pkl becomes %d bytes of %d", s.bytes, packed)
		}
		f, err := d.file.Open()
		if err != nil {
			return nil, 0, inflating(err)
		}
		defer f.Close()
		r = f
	} else {
		r = io.NewSectionReader(s.r, s.at, s.bytes)
	}
	root, _, err := unpickle(newStream(r, s.bytes), false)
	return root, s.bytes, err
}

// storage says where the elements of a storage lie.
func (a *archive) storage(of *storage) (io.ReaderAt, int64, int64, error) {
	s, ok, err := a.find("data/" + of.key)
	switch {
	case err != nil:
		return nil, 0, 0, err
	case !ok:
		return nil, 0, 0, malformed("storage %s is not in the file", quote(of.key))
	case of.elem.width == 0:
		return nil, 0, 0, unsupported("a storage of type %s", quote(of.elem.name))
	case of.count > s.bytes/of.elem.width:
		return nil, 0, 0, malformed("storage %s has %d bytes, too few for %d elements of type %s: truncated?", quote(of.key), s.bytes, of.count, of.elem.name)
	}
	return s.r, s.at, of.count * of.elem.width, nil
}

// apart reports files of the archive that share bytes.
func (a *archive) apart() error {
	all := make([]section, 0, len(a.used))
	for _, s := range a.used {
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y section) int {
		return cmp.Or(cmp.Compare(x.lo, y.lo), cmp.Compare(x.hi, y.hi), cmp.Compare(x.name, y.name))
	})
	end, last := int64(0), ""
	for _, s := range all {
		if s.lo < end {
			return malformed("%s and %s overlap", quote(last), quote(s.name))
		}
		if s.hi > end {
			end, last = s.hi, s.name
		}
	}
	return nil
}
