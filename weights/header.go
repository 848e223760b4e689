package weights

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"
)

const (
	maxHeader = 100_000_000 // bytes; the reference's limit
	maxDims   = 32
	metadata  = "__metadata__" // the one key of a header that is no tensor
)

// entry is one tensor of a safetensors header.
type entry struct {
	Info
	begin, end int64 // offsets into the data, which follow the header
}

// header is what a safetensors file says before its data.
type header struct {
	meta   map[string]string
	names  []string // in the header's order
	byName map[string]entry
	data   int64 // where the data begins in the file
}

// loadSafetensors reads the header of a safetensors file of size bytes.
func loadSafetensors(r io.ReaderAt, size int64) (*contents, error) {
	h, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	c := &contents{format: Safetensors, meta: h.meta, names: h.names, byName: make(map[string]place, len(h.names))}
	for _, name := range h.names {
		e := h.byName[name]
		c.byName[name] = place{Info: e.Info, r: r, at: h.data + e.begin}
	}
	return c, nil
}

// readHeader reads and checks the header of a file of size bytes.
func readHeader(r io.ReaderAt, size int64) (*header, error) {
	if size < 8 {
		return nil, malformed("%d bytes, too few for the length of the header", max(size, 0))
	}
	var first [8]byte
	if err := readFull(r, first[:], 0); err != nil {
		return nil, fmt.Errorf("reading the length of the header: %w", err)
	}
	n := binary.LittleEndian.Uint64(first[:])
	switch {
	case n > maxHeader:
		return nil, malformed("the header claims %d bytes, the limit is %d", n, maxHeader)
	case int64(n) > size-8:
		return nil, malformed("the header claims %d bytes, the file has %d after its length: truncated, or no safetensors file", n, size-8)
	}
	text := make([]byte, n)
	if err := readFull(r, text, 8); err != nil {
		return nil, fmt.Errorf("reading the header: %w", err)
	}
	h := &header{data: 8 + int64(n), byName: map[string]entry{}}
	if err := h.parse(text); err != nil {
		return nil, err
	}
	return h, h.layout(size - h.data)
}

// readFull reads len(p) bytes at off. A file that ends early is
// io.ErrUnexpectedEOF.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	for len(p) > 0 {
		n, err := r.ReadAt(p, off)
		p, off = p[n:], off+int64(n)
		switch {
		case len(p) == 0:
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case n == 0:
			return io.ErrNoProgress
		}
	}
	return nil
}

// parse reads the JSON, by a scanner of our own: decoding into a map does not
// show a name that occurs twice, and decoding by tokens takes ten times as long,
// which for a network of many small tensors is as long as reading them.
func (h *header) parse(text []byte) error {
	switch {
	case len(text) == 0 || text[0] != '{':
		return malformed("the header does not begin with '{'")
	case !utf8.Valid(text):
		return malformed("the header is not valid UTF-8")
	case !json.Valid(text):
		return malformed("the header is not valid JSON: %v", syntax(text))
	}
	s := &scanner{text: text}
	seenMeta := false
	return s.object(func(name string) error {
		if name == metadata {
			if seenMeta {
				return malformed("%s occurs twice", metadata)
			}
			seenMeta = true
			return h.parseMeta(s)
		}
		if _, twice := h.byName[name]; twice {
			return &Error{Tensor: name, Err: malformed("the name occurs twice")}
		}
		e, err := parseEntry(s)
		if err != nil {
			return &Error{Tensor: name, Err: err}
		}
		h.names = append(h.names, name)
		h.byName[name] = e
		return nil
	})
}

func syntax(text []byte) error {
	var raw json.RawMessage
	return json.Unmarshal(text, &raw)
}

func (h *header) parseMeta(s *scanner) error {
	h.meta = map[string]string{}
	return s.object(func(key string) error {
		if _, twice := h.meta[key]; twice {
			return malformed("%s: the key %s occurs twice", metadata, quote(key))
		}
		value, ok := s.str()
		if !ok {
			return malformed("%s: the value of %s is not a string", metadata, quote(key))
		}
		h.meta[key] = value
		return nil
	})
}

// parseEntry reads {"dtype":..., "shape":..., "data_offsets":...} and checks
// that they agree.
func parseEntry(s *scanner) (entry, error) {
	var e entry
	var space [4]int64
	var offsets, dims []int64
	var dtype, shape, place bool // seen
	err := s.object(func(key string) (err error) {
		var seen *bool
		switch key {
		case "dtype":
			seen = &dtype
		case "shape":
			seen = &shape
		case "data_offsets":
			seen = &place
		default:
			return malformed("unknown key %s", quote(key))
		}
		if *seen {
			return malformed("the key %s occurs twice", quote(key))
		}
		*seen = true
		switch seen {
		case &dtype:
			d, ok := s.str()
			if !ok {
				return malformed("dtype is not a string")
			}
			e.DType = DType(d)
		case &shape:
			dims, err = s.numbers("shape", space[:0], maxDims)
		case &place:
			offsets, err = s.numbers("data_offsets", nil, 2)
		}
		return err
	})
	switch {
	case err != nil:
		return e, err
	case !dtype:
		return e, malformed("dtype is missing")
	case !shape:
		return e, malformed("shape is missing")
	case !place:
		return e, malformed("data_offsets is missing")
	case len(offsets) != 2 || offsets[0] > offsets[1]:
		return e, malformed("data_offsets %v are no range", offsets)
	}
	width := int64(e.DType.Bits())
	if width == 0 {
		return e, unsupported("unknown dtype %s", quote(string(e.DType)))
	}
	e.begin, e.end = offsets[0], offsets[1]
	e.Size = e.end - e.begin
	e.Shape = make([]int, len(dims))
	for i, v := range dims {
		if v > math.MaxInt {
			return e, malformed("shape %v is too large", dims)
		}
		e.Shape[i] = int(v)
	}
	need, ok := byteSize(dims, width)
	switch {
	case !ok:
		return e, malformed("shape %v of %s overflows", dims, e.DType)
	case need != e.Size:
		return e, malformed("shape %v of %s takes %d bytes, data_offsets %v hold %d", dims, e.DType, need, offsets, e.Size)
	}
	return e, nil
}

// byteSize is the size of a shape whose elements have width bits; not ok if it,
// or the product of its dimensions other than 0, does not fit an int64, or if
// it is not a whole number of bytes.
func byteSize(dims []int64, width int64) (int64, bool) {
	all, empty := uint64(width), false
	for _, v := range dims {
		if v == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(all, uint64(v))
		if hi != 0 || lo > math.MaxInt64 {
			return 0, false
		}
		all = lo
	}
	switch {
	case empty:
		return 0, true
	case all%8 != 0 || all/8 > math.MaxInt:
		return 0, false
	}
	return int64(all / 8), true
}

// layout checks that the tensors cover the data of size bytes without gaps and
// overlaps.
func (h *header) layout(size int64) error {
	order := slices.Clone(h.names)
	slices.SortStableFunc(order, func(a, b string) int {
		x, y := h.byName[a], h.byName[b]
		return cmp.Or(cmp.Compare(x.begin, y.begin), cmp.Compare(x.end, y.end))
	})
	at, last := int64(0), ""
	for _, name := range order {
		e := h.byName[name]
		var err error
		switch {
		case e.end > size:
			err = malformed("data_offsets [%d,%d] reach beyond the %d bytes of data: truncated?", e.begin, e.end, size)
		case e.begin < at:
			err = malformed("data_offsets [%d,%d] overlap those of %s", e.begin, e.end, quote(last))
		case e.begin > at:
			err = malformed("data_offsets [%d,%d] leave a gap of %d bytes before them", e.begin, e.end, e.begin-at)
		}
		if err != nil {
			return &Error{Tensor: name, Err: err}
		}
		at, last = e.end, name
	}
	if at != size {
		return malformed("%d bytes after the last tensor", size-at)
	}
	return nil
}
