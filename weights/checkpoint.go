package weights

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

const (
	maxDepth  = 64       // dictionaries inside each other
	maxVisits = maxSteps // values looked at
	perName   = 16       // bytes of the pickle for each tensor that it has, at least; but
	freeNames = 1 << 10  // so many tensors it may have anyway
	perByte   = 16       // bytes of names for each byte of the pickle, and
	freeBytes = 1 << 16  // so many more
)

// alone is the name of a tensor that is the whole file.
const alone = "tensor"

// Attributes of torch.nn.Module.
const (
	modules  = "_modules"
	params   = "_parameters"
	buffers  = "_buffers"
	fleeting = "_non_persistent_buffers_set"
)

// checkpoint is the contents of a PyTorch file in the making.
type checkpoint struct {
	contents
	find   func(*storage) (io.ReaderAt, int64, int64, error) // reader, first byte, bytes
	inside int                                               // how many modules are around what is walked: theirs are no wrappers
	visits int
	most   int64 // how many names there may be
	room   int64 // bytes that names may still take
}

// newCheckpoint finds the tensors in what a pickle of size bytes holds. find
// says where a storage lies.
func newCheckpoint(f Format, root any, size int64, find func(*storage) (io.ReaderAt, int64, int64, error)) (*contents, error) {
	c := &checkpoint{find: find, most: size/perName + freeNames, room: perByte*size + freeBytes}
	c.format, c.byName, c.dicts = f, map[string]place{}, map[string]bool{}
	name := ""
	if isTensor(root) {
		name = alone
	}
	if err := c.walk(name, root, 0); err != nil {
		return nil, err
	}
	delete(c.dicts, "")
	if d, ok := root.(*dict); len(c.names) == 0 && !(ok && len(d.pairs) == 0) {
		what := "its values are no tensors"
		if o, ok := root.(*object); ok {
			what = fmt.Sprintf("it is %v", o.class)
		}
		return nil, unsupported("a PyTorch file without tensors: %s", what)
	}
	return &c.contents, nil
}

// walk lists the tensors in v, whose name is name.
func (c *checkpoint) walk(name string, v any, depth int) error {
	if depth > maxDepth {
		return unsupported("dictionaries more than %d deep inside each other", maxDepth)
	}
	before := len(c.names)
	defer func() {
		if len(c.names) > before && c.inside == 0 {
			c.dicts[name] = true
		}
	}()
	switch v := v.(type) {
	case *strided:
		p, err := c.place(v)
		if err != nil {
			return &Error{Tensor: name, Err: err}
		}
		before++
		return c.add(name, p)
	case *dict:
		return c.walkDict(name, v, depth)
	case *list:
		return c.walkList(name, v.items, depth)
	case tuple:
		return c.walkList(name, v, depth)
	case *object:
		if isTensor(v) {
			before++
			return c.add(name, place{err: unsupported("a tensor made by %v", v.class)})
		}
		if v.items != nil {
			return c.walkDict(name, v.items, depth)
		}
		if state, ok := v.state.(*dict); ok {
			return c.walkModule(name, state, depth)
		}
	}
	return nil
}

// visit counts one value that is looked at, which bounds the work for one that
// is reached in many ways.
func (c *checkpoint) visit() error {
	if c.visits++; c.visits > maxVisits {
		return unsupported("more than %d values inside each other", maxVisits)
	}
	return nil
}

// holds reports whether v may hold tensors.
func holds(v any) bool {
	switch v := v.(type) {
	case *strided, *dict, *list, tuple:
		return true
	case *object:
		return isTensor(v) || v.items != nil || v.state != nil
	}
	return false
}

// isTensor reports whether v is a tensor, or what a function of torch makes of
// a kind that is not read: sparse, quantized, a subclass.
func isTensor(v any) bool {
	switch v := v.(type) {
	case *strided:
		return true
	case *object:
		return v.class != nil && (v.class.module == "torch._utils" || v.class.module == "torch._tensor") &&
			strings.HasPrefix(v.class.name, "_rebuild_")
	}
	return false
}

func (c *checkpoint) walkDict(name string, d *dict, depth int) error {
	keys, values, err := c.entries(d)
	if err != nil {
		return err
	}
	for i, key := range keys {
		if err := c.into(name, key, values[i], depth); err != nil {
			return err
		}
	}
	return nil
}

func (c *checkpoint) walkList(name string, items []any, depth int) error {
	for i, v := range items {
		if err := c.visit(); err != nil {
			return err
		}
		if holds(v) {
			if err := c.into(name, strconv.Itoa(i), v, depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checkpoint) into(name, key string, v any, depth int) error {
	if name != "" {
		key = name + "." + key
	}
	if c.room -= int64(len(key)); c.room < 0 {
		return unsupported("names of tensors that together are much longer than the file")
	}
	return c.walk(key, v, depth+1)
}

// entries are the keys of d with what may hold tensors under them. A key that
// was set twice keeps its place and has the last value, as in Python.
func (c *checkpoint) entries(d *dict) (keys []string, values []any, err error) {
	at := map[string]int{}
	for i := 0; i+1 < len(d.pairs); i += 2 {
		if err := c.visit(); err != nil {
			return nil, nil, err
		}
		key, ok := keyOf(d.pairs[i])
		if !ok {
			continue
		}
		v := d.pairs[i+1]
		k, seen := at[key]
		switch {
		case seen:
			values[k] = v
		case holds(v):
			at[key] = len(keys)
			keys, values = append(keys, key), append(values, v)
		}
	}
	return keys, values, nil
}

// keyOf is the part of a name that a key makes: texts and whole numbers only.
func keyOf(key any) (string, bool) {
	switch k := key.(type) {
	case string:
		return k, true
	case int64:
		return strconv.FormatInt(k, 10), true
	}
	return "", false
}

// walkModule lists what state_dict of a torch.nn.Module would: its parameters,
// its buffers, then its modules.
func (c *checkpoint) walkModule(name string, state *dict, depth int) error {
	keys, values, err := c.entries(state)
	if err != nil {
		return err
	}
	attr := map[string]any{}
	for i, key := range keys {
		attr[key] = values[i]
	}
	if _, ok := attr[modules].(*dict); !ok {
		return nil // an object of another kind
	}
	drop := map[string]bool{}
	if set, ok := attr[fleeting].(*list); ok {
		for _, v := range set.items {
			if key, ok := v.(string); ok {
				drop[key] = true
			}
		}
	}
	c.inside++
	defer func() { c.inside-- }()
	for _, group := range []string{params, buffers, modules} {
		d, ok := attr[group].(*dict)
		if !ok {
			continue
		}
		keys, values, err := c.entries(d)
		if err != nil {
			return err
		}
		for i, key := range keys {
			if group == buffers && drop[key] {
				continue
			}
			if err := c.into(name, key, values[i], depth); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checkpoint) add(name string, p place) error {
	if _, twice := c.byName[name]; twice {
		c.byName[name] = place{err: fmt.Errorf("ambiguous: two tensors of the file have this name")}
		return nil
	}
	if int64(len(c.names)) >= c.most {
		return unsupported("%d names for the same tensors", len(c.names))
	}
	c.names = append(c.names, name)
	c.byName[name] = p
	return nil
}

// place checks a tensor against its storage.
func (c *checkpoint) place(t *strided) (place, error) {
	if t.elem.dtype == noDType {
		return place{err: unsupported("elements of type %s", t.elem.name)}, nil
	}
	if len(t.shape) > maxDims {
		return place{err: unsupported("a shape with more than %d numbers", maxDims)}, nil
	}
	size, ok := byteSize(t.shape, 8*t.elem.width)
	if !ok {
		return place{}, malformed("shape %v of %s overflows", t.shape, t.elem.name)
	}
	p := place{Info: Info{DType: t.elem.dtype, Shape: make([]int, len(t.shape)), Size: size}}
	for i, n := range t.shape {
		if n > math.MaxInt {
			return place{}, malformed("shape %v is too large", t.shape)
		}
		p.Shape[i] = int(n)
	}
	r, at, bytes, err := c.find(t.of)
	if err != nil {
		return place{}, err
	}
	p.r = r
	if size == 0 {
		return p, nil
	}
	all := axes(p.Shape, t.stride)
	have := bytes / t.elem.width // elements that the storage can hold
	if t.skip >= have {
		return place{}, malformed("it begins at element %d of a storage with %d", t.skip, have)
	}
	last := t.skip // its last element
	for _, a := range all {
		if a.from > 0 && int64(a.size-1) > (have-1-last)/a.from {
			return place{}, malformed("shape %v with strides %v reaches beyond the %d elements of its storage", t.shape, t.stride, have)
		}
		last += int64(a.size-1) * a.from
	}
	if !nested(all) {
		return place{err: unsupported("shape %v with strides %v, which repeats elements", t.shape, t.stride)}, nil
	}
	p.at = at + t.skip*t.elem.width
	if !rowMajor(p.Shape, t.stride) {
		p.strides = t.stride
	}
	return p, nil
}

func rowMajor(shape []int, strides []int64) bool {
	step := int64(1)
	for k := len(shape) - 1; k >= 0; k-- {
		if shape[k] != 1 && strides[k] != step {
			return false
		}
		step *= int64(shape[k])
	}
	return true
}
