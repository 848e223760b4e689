package weights

import (
	"slices"
	"strings"
)

// What a pickle holds: nil, bool, int64, float64, string, and these.
type (
	tuple []any
	list  struct{ items []any } // also a set
	dict  struct{ pairs []any } // key, value, key, value, ...
	long  string                // a whole number of more than 8 bytes, least significant first

	// global is a class or a function, by name. It is never looked up.
	global struct{ module, name string }

	// object is an instance of a class that this package does not know, or
	// what a function would have returned: never made, only noted.
	object struct {
		class *global // nil if not even that is known
		state any
		items *dict // if it was filled like a dictionary
	}

	// storage is a run of elements in the file, outside the pickle.
	storage struct {
		key   string
		elem  elem
		count int64 // elements
		skip  int64 // elements before them, for a view of a storage
	}

	// strided is a tensor.
	strided struct {
		of     *storage
		elem   elem  // usually the storage's
		skip   int64 // elements before its first
		shape  []int64
		stride []int64
	}
)

func (g *global) String() string {
	if g == nil {
		return "an object"
	}
	return quote(g.module + "." + g.name)
}

// elem is an element type of PyTorch.
type elem struct {
	name  string
	dtype DType // "" if safetensors has none of the kind
	width int64 // bytes; 0 if not known
}

// elems are torch's types by the names of their storages and of their dtypes.
// The quantized ones are no numbers without their scales.
var elems = []struct {
	storage, dtype string
	elem
}{
	{"FloatStorage", "float32", elem{"float32", F32, 4}},
	{"DoubleStorage", "float64", elem{"float64", F64, 8}},
	{"HalfStorage", "float16", elem{"float16", F16, 2}},
	{"BFloat16Storage", "bfloat16", elem{"bfloat16", BF16, 2}},
	{"LongStorage", "int64", elem{"int64", I64, 8}},
	{"IntStorage", "int32", elem{"int32", I32, 4}},
	{"ShortStorage", "int16", elem{"int16", I16, 2}},
	{"CharStorage", "int8", elem{"int8", I8, 1}},
	{"ByteStorage", "uint8", elem{"uint8", U8, 1}},
	{"BoolStorage", "bool", elem{"bool", Bool, 1}},
	{"UntypedStorage", "", elem{"uint8", U8, 1}},
	{"_UntypedStorage", "", elem{"uint8", U8, 1}}, // torch 1.11 to 1.13
	{"", "uint16", elem{"uint16", U16, 2}},
	{"", "uint32", elem{"uint32", U32, 4}},
	{"", "uint64", elem{"uint64", U64, 8}},
	{"", "float8_e5m2", elem{"float8_e5m2", F8E5M2, 1}},
	{"", "float8_e4m3fn", elem{"float8_e4m3fn", F8E4M3, 1}},
	{"", "float8_e8m0fnu", elem{"float8_e8m0fnu", F8E8M0, 1}},
	{"ComplexFloatStorage", "complex64", elem{"complex64", C64, 8}},
	{"ComplexDoubleStorage", "complex128", elem{"complex128", noDType, 16}},
	{"QInt8Storage", "qint8", elem{"qint8", noDType, 1}},
	{"QUInt8Storage", "quint8", elem{"quint8", noDType, 1}},
	{"QInt32Storage", "qint32", elem{"qint32", noDType, 4}},
	{"QUInt4x2Storage", "quint4x2", elem{"quint4x2", noDType, 1}},
	{"QUInt2x4Storage", "quint2x4", elem{"quint2x4", noDType, 1}},
}

// storageType is the element type of a storage's class: torch.FloatStorage,
// torch.cuda.FloatStorage, torch.storage.UntypedStorage.
func storageType(g *global) (elem, bool) {
	if g.module == "torch" || strings.HasPrefix(g.module, "torch.") {
		for _, e := range elems {
			if e.storage == g.name && g.name != "" {
				return e.elem, true
			}
		}
		if strings.HasSuffix(g.name, "Storage") {
			return elem{name: g.name}, true
		}
	}
	return elem{}, false
}

// dtypeNamed is the element type of a dtype: torch.float32.
func dtypeNamed(g *global) elem {
	for _, e := range elems {
		if g.module == "torch" && e.dtype == g.name && g.name != "" {
			return e.elem
		}
	}
	return elem{name: g.String()}
}

// persistent is what a persistent id stands for: a storage, or in a legacy file
// the class of a module, beside its source text.
func (m *machine) persistent(id any) (any, error) {
	t, _ := id.(tuple)
	kind := ""
	if len(t) > 0 {
		kind, _ = t[0].(string)
	}
	switch {
	case kind == "module" && m.view && len(t) >= 2:
		return t[1], nil
	case kind != "storage" || len(t) < 5 || m.view && len(t) < 6:
		return nil, malformed("a persistent id that is none of a storage")
	}
	class, ok := t[1].(*global)
	if !ok {
		return nil, malformed("a storage without a class")
	}
	e, ok := storageType(class)
	if !ok {
		return nil, malformed("%v is no class of a storage", class)
	}
	key, ok1 := t[2].(string)
	count, ok2 := t[4].(int64)
	if !ok1 || !ok2 {
		return nil, malformed("a storage without a key or a number of elements")
	}
	if count < 0 || count > 1<<59 {
		return nil, malformed("storage %s has %d elements", quote(key), count)
	}
	s := &storage{key: key, elem: e, count: count}
	if _, seen := m.storages[key]; !seen {
		m.storages[key] = s
	}
	if !m.view || t[5] == nil {
		return s, nil
	}
	v, _ := t[5].(tuple) // its own key, the elements before it, how many it has
	if len(v) != 3 {
		return nil, malformed("storage %s is a view of unknown form", quote(key))
	}
	skip, ok1 := v[1].(int64)
	n, ok2 := v[2].(int64)
	if !ok1 || !ok2 || skip < 0 || n < 0 || skip > count || n > count-skip {
		return nil, malformed("storage %s has %d elements and a view that reaches beyond", quote(key), count)
	}
	return &storage{key: key, elem: e, count: n, skip: skip}, nil
}

// call is what a function or a class of this name would return, if that is
// plain data. It is an object for all others.
func (m *machine) call(f, args any) (any, error) {
	g, ok := f.(*global)
	if !ok {
		return &object{}, nil
	}
	a, ok := args.(tuple)
	if !ok {
		return nil, malformed("%v is called with what is no tuple", g)
	}
	if g.module == "torch._tensor" && g.name == "_rebuild_from_type_v2" && len(a) >= 3 {
		// A tensor with attributes: function, class, arguments, attributes.
		if inner, ok := a[0].(*global); ok && *inner != *g {
			return m.call(inner, a[2])
		}
	}
	switch g.module + "." + g.name {
	case "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2":
		return rebuild(g, a, false)
	case "torch._utils._rebuild_tensor_v3":
		return rebuild(g, a, true)
	case "torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state":
		if len(a) == 0 {
			return nil, malformed("a parameter without a tensor")
		}
		switch a[0].(type) {
		case *strided, *object:
			return a[0], nil
		}
		return nil, malformed("a parameter of what is no tensor")
	case "torch.Size":
		if len(a) == 1 {
			return a[0], nil
		}
	case "collections.OrderedDict":
		return m.pairs(a)
	case "collections.defaultdict":
		return &dict{}, nil
	case "builtins.set", "__builtin__.set":
		if len(a) == 1 {
			if l, ok := a[0].(*list); ok {
				return &list{slices.Clip(l.items)}, nil
			}
		}
	}
	return &object{class: g}, nil
}

// pairs is an OrderedDict: empty, or, as Python 2 wrote it, of a list of pairs.
func (m *machine) pairs(a tuple) (any, error) {
	d := &dict{}
	if len(a) == 0 {
		return d, nil
	}
	l, ok := a[0].(*list)
	if !ok {
		return nil, malformed("an OrderedDict of what is no list")
	}
	if m.copied += int64(len(l.items)); m.copied > m.used { // the same list may come again and again
		return nil, unsupported("a pickle that copies a list over and over")
	}
	for _, v := range l.items {
		var kv []any
		switch p := v.(type) {
		case *list:
			kv = p.items
		case tuple:
			kv = p
		}
		if len(kv) != 2 {
			return nil, malformed("an OrderedDict of what are no pairs")
		}
		d.pairs = append(d.pairs, kv...)
	}
	return d, nil
}

// rebuild is a tensor from the arguments storage, storage_offset, size, stride
// and, in the third version, requires_grad, hooks and dtype.
func rebuild(g *global, a tuple, typed bool) (any, error) {
	if len(a) < 4 || typed && len(a) < 7 {
		return nil, malformed("%v is called with %d arguments", g, len(a))
	}
	s, ok := a[0].(*storage)
	if !ok {
		if _, ok := a[0].(*object); ok {
			return &object{class: g}, nil
		}
		return nil, malformed("a tensor without a storage")
	}
	t := &strided{of: s, elem: s.elem}
	if typed {
		d, ok := a[6].(*global)
		if !ok {
			return nil, malformed("a tensor without a dtype")
		}
		t.elem = dtypeNamed(d)
	}
	var err error
	if t.skip, ok = a[1].(int64); !ok || t.skip < 0 {
		return nil, malformed("the offset of a tensor is no whole number from 0")
	}
	if t.shape, err = sizes("shape", a[2]); err != nil {
		return nil, err
	}
	if t.stride, err = sizes("stride", a[3]); err != nil {
		return nil, err
	}
	if len(t.shape) != len(t.stride) {
		return nil, malformed("a tensor of %d dimensions with %d strides", len(t.shape), len(t.stride))
	}
	return t, nil
}

// torchDims is how many dimensions torch allows.
const torchDims = 64

// sizes are whole numbers from 0.
func sizes(what string, v any) ([]int64, error) {
	var items []any
	switch s := v.(type) {
	case tuple:
		items = s
	case *list:
		items = s.items
	default:
		return nil, malformed("the %s of a tensor is no tuple", what)
	}
	if len(items) > torchDims {
		return nil, malformed("the %s of a tensor has %d numbers", what, len(items))
	}
	all := make([]int64, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 {
			return nil, malformed("the %s of a tensor holds what is no size", what)
		}
		all[i] = n
	}
	return all, nil
}
