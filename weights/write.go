package weights

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// WriteTo writes src as a safetensors file. One tensor at a time is in memory;
// a source without a method Info (see Describe) is asked for each tensor twice.
//
// Tensors are written as what Source.Tensor returns, so F16 and BF16 become
// F32; elements of type int become I64. The order is the reference
// implementation's: element types from the most to the least aligned (U64, I64,
// F64, F32, U32, I32, U16, I16, I8, U8, BOOL), by name within a type. So equal
// sources give equal bytes. meta becomes "__metadata__", sorted by key, and is
// left out if empty. The header is padded with spaces to a multiple of 8 bytes.
func WriteTo(w io.Writer, src Source, meta map[string]string) error {
	plan, err := arrange(src)
	if err != nil {
		return err
	}
	head, err := plan.header(meta)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(w, 1<<16)
	if _, err := b.Write(head); err != nil {
		return &Error{Err: fmt.Errorf("writing the header: %w", err)}
	}
	for _, p := range plan {
		if err := p.write(b, src); err != nil {
			return err
		}
	}
	if err := b.Flush(); err != nil {
		return &Error{Err: fmt.Errorf("writing: %w", err)}
	}
	return nil
}

// planned is a tensor to be written, with the type and shape that the header
// promises.
type planned struct {
	name string
	Info
}

type plan []planned

func arrange(src Source) (plan, error) {
	names := src.Names()
	all := make(plan, 0, len(names))
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		switch {
		case seen[name]:
			return nil, &Error{Tensor: name, Err: fmt.Errorf("the source lists the name twice")}
		case name == metadata:
			return nil, &Error{Tensor: name, Err: unsupported("the name is reserved")}
		case !utf8.ValidString(name):
			return nil, &Error{Tensor: name, Err: unsupported("the name is not valid UTF-8")}
		}
		seen[name] = true
		info, err := Describe(src, name)
		if err != nil {
			return nil, err
		}
		if !info.DType.readable() {
			return nil, &Error{Tensor: name, Err: unsupported("writing dtype %s", info.DType)}
		}
		info.DType = info.DType.written()
		info.Size = int64(info.Elems()) * int64(info.DType.Bits()/8)
		all = append(all, planned{name, info})
	}
	slices.SortFunc(all, func(a, b planned) int {
		if c := cmp.Compare(b.DType.rank(), a.DType.rank()); c != 0 {
			return c
		}
		return cmp.Compare(a.name, b.name)
	})
	return all, nil
}

// header is everything before the data.
func (p plan) header(meta map[string]string) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 8)) // room for the length
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	put := func(s string) {
		enc.Encode(s)           // strings and buffers do not fail
		b.Truncate(b.Len() - 1) // the newline
	}
	b.WriteByte('{')
	if len(meta) > 0 {
		b.WriteString(`"` + metadata + `":{`)
		for i, key := range slices.Sorted(maps.Keys(meta)) {
			if !utf8.ValidString(key) || !utf8.ValidString(meta[key]) {
				return nil, &Error{Err: unsupported("metadata %s is not valid UTF-8", quote(key))}
			}
			if i > 0 {
				b.WriteByte(',')
			}
			put(key)
			b.WriteByte(':')
			put(meta[key])
		}
		b.WriteByte('}')
	}
	at := int64(0)
	for i, t := range p {
		if i > 0 || len(meta) > 0 {
			b.WriteByte(',')
		}
		put(t.name)
		fmt.Fprintf(b, `:{"dtype":"%s","shape":[`, t.DType)
		for k, d := range t.Shape {
			if k > 0 {
				b.WriteByte(',')
			}
			fmt.Fprint(b, d)
		}
		fmt.Fprintf(b, `],"data_offsets":[%d,%d]}`, at, at+t.Size)
		at += t.Size
	}
	b.WriteByte('}')
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > maxHeader {
		return nil, &Error{Err: unsupported("the header would take %d bytes, the limit is %d", n, maxHeader)}
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}

func (p planned) write(w io.Writer, src Source) error {
	if p.Elems() == 0 {
		return nil // described, but nothing to fetch
	}
	t, err := src.Tensor(p.name)
	if err != nil {
		return err
	}
	got, err := describe(t)
	if err != nil {
		return &Error{Tensor: p.name, Err: err}
	}
	if got.DType != p.DType || !slices.Equal(got.Shape, p.Shape) {
		return &Error{Tensor: p.name, Err: fmt.Errorf("the source described %s %v and returned %s %v", p.DType, p.Shape, got.DType, got.Shape)}
	}
	data, err := values(t, false)
	if err != nil {
		return &Error{Tensor: p.name, Err: err}
	}
	if err := writeValues(w, data); err != nil {
		return &Error{Tensor: p.name, Err: fmt.Errorf("writing: %w", err)}
	}
	return nil
}

func writeValues(w io.Writer, data any) error {
	switch s := data.(type) {
	case []float64:
		return writeNumbers(w, s)
	case []float32:
		return writeNumbers(w, s)
	case []int64:
		return writeNumbers(w, s)
	case []int32:
		return writeNumbers(w, s)
	case []int16:
		return writeNumbers(w, s)
	case []int8:
		return writeNumbers(w, s)
	case []uint64:
		return writeNumbers(w, s)
	case []uint32:
		return writeNumbers(w, s)
	case []uint16:
		return writeNumbers(w, s)
	case []uint8:
		return writeNumbers(w, s)
	case []bool:
		b := make([]uint8, len(s))
		for i, v := range s {
			if v {
				b[i] = 1
			}
		}
		return writeNumbers(w, b)
	}
	return unsupported("elements of type %T", data)
}

func writeNumbers[T number](w io.Writer, s []T) error {
	if !littleEndian {
		s = slices.Clone(s)
	}
	b := asBytes(s)
	if len(s) > 0 {
		swap(b, len(b)/len(s))
	}
	_, err := w.Write(b)
	return err
}
