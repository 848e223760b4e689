package weights

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	maxHeader = 100_000_000 // bytes; the reference's limit
	maxDims   = 32
	metadata  = "__metadata__" // the one key of a header that is no tensor
)

// entry is one tensor of a header.
type entry struct {
	Info
	begin, end int64 // offsets into the data, which follow the header
}

// header is what a file says before its data.
type header struct {
	meta   map[string]string
	names  []string // in the header's order
	byName map[string]entry
	data   int64 // where the data begins in the file
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

// parse reads the JSON. It uses tokens rather than a map because a name that
// occurs twice has to be seen.
func (h *header) parse(text []byte) error {
	switch {
	case len(text) == 0 || text[0] != '{':
		return malformed("the header does not begin with '{'")
	case !utf8.Valid(text):
		return malformed("the header is not valid UTF-8")
	case !json.Valid(text):
		return malformed("the header is not valid JSON: %v", syntax(text))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	seenMeta := false
	return object(d, func(name string) error {
		if name == metadata {
			if seenMeta {
				return malformed("%s occurs twice", metadata)
			}
			seenMeta = true
			return h.parseMeta(d)
		}
		if _, twice := h.byName[name]; twice {
			return &Error{Tensor: name, Err: malformed("the name occurs twice")}
		}
		e, err := parseEntry(d)
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

func (h *header) parseMeta(d *json.Decoder) error {
	h.meta = map[string]string{}
	return object(d, func(key string) error {
		if _, twice := h.meta[key]; twice {
			return malformed("%s: the key %s occurs twice", metadata, quote(key))
		}
		t, err := d.Token()
		if err != nil {
			return malformed("%v", err)
		}
		value, ok := t.(string)
		if !ok {
			return malformed("%s: the value of %s is not a string", metadata, quote(key))
		}
		h.meta[key] = value
		return nil
	})
}

// parseEntry reads {"dtype":..., "shape":..., "data_offsets":...} and checks
// that they agree.
func parseEntry(d *json.Decoder) (entry, error) {
	var e entry
	var offsets []int64
	var dims []int64
	seen := map[string]bool{}
	err := object(d, func(key string) (err error) {
		if seen[key] {
			return malformed("the key %s occurs twice", quote(key))
		}
		seen[key] = true
		switch key {
		case "dtype":
			t, err := d.Token()
			if err != nil {
				return malformed("%v", err)
			}
			s, ok := t.(string)
			if !ok {
				return malformed("dtype is not a string")
			}
			e.DType = DType(s)
		case "shape":
			dims, err = numbers(d, "shape", maxDims)
		case "data_offsets":
			offsets, err = numbers(d, "data_offsets", 2)
		default:
			return malformed("unknown key %s", quote(key))
		}
		return err
	})
	if err != nil {
		return e, err
	}
	for _, key := range []string{"dtype", "shape", "data_offsets"} {
		if !seen[key] {
			return e, malformed("%s is missing", key)
		}
	}
	if len(offsets) != 2 || offsets[0] > offsets[1] {
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
		if x.begin != y.begin {
			return cmpInt(x.begin, y.begin)
		}
		return cmpInt(x.end, y.end)
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

func cmpInt(a, b int64) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// object calls each for every key of the object that comes next; each reads the
// value.
func object(d *json.Decoder, each func(key string) error) error {
	if err := delim(d, '{'); err != nil {
		return err
	}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return malformed("%v", err)
		}
		key, ok := t.(string)
		if !ok {
			return malformed("a key is not a string")
		}
		if err := each(key); err != nil {
			return err
		}
	}
	return delim(d, '}')
}

func delim(d *json.Decoder, want json.Delim) error {
	t, err := d.Token()
	if err != nil {
		return malformed("%v", err)
	}
	if t != want {
		return malformed("%q where %q should be", fmt.Sprint(t), want.String())
	}
	return nil
}

// numbers reads an array of at most most whole numbers from 0.
func numbers(d *json.Decoder, what string, most int) ([]int64, error) {
	if err := delim(d, '['); err != nil {
		return nil, fmt.Errorf("%w (%s is not an array)", err, what)
	}
	all := []int64{}
	for d.More() {
		if len(all) == most {
			return nil, unsupported("%s has more than %d numbers", what, most)
		}
		t, err := d.Token()
		if err != nil {
			return nil, malformed("%v", err)
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, malformed("%s holds something that is not a number", what)
		}
		v, err := strconv.ParseUint(n.String(), 10, 63)
		if err != nil {
			return nil, malformed("%s holds %s, not a whole number from 0 to 2⁶³-1", what, quote(n.String()))
		}
		all = append(all, int64(v))
	}
	return all, delim(d, ']')
}
