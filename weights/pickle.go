package weights

import (
	"encoding/binary"
	"math"
	"unicode/utf8"
)

// maxSteps is how many opcodes a pickle may have. A checkpoint has about thirty
// for each tensor, its optimizer's state included; the rest is for what else
// training programs put there. It bounds the memory that a pickle of opcodes
// alone can take.
const maxSteps = 1 << 22

var errSteps = unsupported("a pickle of more than %d opcodes", maxSteps)

// machine is a pickle machine that builds data and never runs anything: it knows
// the opcodes of protocols 2 to 5 that torch.save uses, and what is no plain
// data becomes an object that is carried along unseen.
type machine struct {
	*stream
	stack  []any
	marks  []int // lengths of the stack at the marks
	memo   []any // by number, as picklers count them
	other  map[uint64]any
	steps  int
	copied int64 // values of lists that were copied
	view   bool  // storages are described by six values, as in a legacy file

	storages map[string]*storage // the first of each key
}

// Opcodes, by their names in Python's pickletools.
const (
	opMark            = '('
	opStop            = '.'
	opPop             = '0'
	opPopMark         = '1'
	opBinFloat        = 'G'
	opBinInt          = 'J'
	opBinInt1         = 'K'
	opBinInt2         = 'M'
	opNone            = 'N'
	opBinPersID       = 'Q'
	opReduce          = 'R'
	opBinString       = 'T'
	opShortBinString  = 'U'
	opBinUnicode      = 'X'
	opBinBytes        = 'B'
	opShortBinBytes   = 'C'
	opEmptyList       = ']'
	opAppend          = 'a'
	opBuild           = 'b'
	opGlobal          = 'c'
	opAppends         = 'e'
	opBinGet          = 'h'
	opLongBinGet      = 'j'
	opBinPut          = 'q'
	opLongBinPut      = 'r'
	opSetItem         = 's'
	opTuple           = 't'
	opEmptyTuple      = ')'
	opSetItems        = 'u'
	opEmptyDict       = '}'
	opProto           = 0x80
	opNewObj          = 0x81
	opTuple1          = 0x85
	opTuple2          = 0x86
	opTuple3          = 0x87
	opNewTrue         = 0x88
	opNewFalse        = 0x89
	opLong1           = 0x8a
	opLong4           = 0x8b
	opShortBinUnicode = 0x8c
	opBinUnicode8     = 0x8d
	opBinBytes8       = 0x8e
	opEmptySet        = 0x8f
	opAddItems        = 0x90
	opFrozenSet       = 0x91
	opNewObjEx        = 0x92
	opStackGlobal     = 0x93
	opMemoize         = 0x94
	opFrame           = 0x95
	opByteArray8      = 0x96
)

// foreign are opcodes that exist and that torch.save does not write: those of
// protocols 0 and 1, extension codes, buffers outside the pickle.
const foreign = "2FILPSVdgilop\x82\x83\x84\x97\x98"

// unpickle reads one pickle from s. legacy says whose persistent ids it has.
func unpickle(s *stream, legacy bool) (any, map[string]*storage, error) {
	m := &machine{stream: s, view: legacy, storages: map[string]*storage{}}
	if op, err := m.one(); err != nil {
		return nil, nil, err
	} else if op != opProto {
		return nil, nil, malformed("a pickle that begins with byte %#02x", op)
	}
	protocol, err := m.one()
	if err != nil {
		return nil, nil, err
	}
	if protocol < 2 || protocol > 5 {
		return nil, nil, unsupported("pickle protocol %d", protocol)
	}
	for {
		if m.steps++; m.steps > maxSteps {
			return nil, nil, errSteps
		}
		op, err := m.one()
		if err != nil {
			return nil, nil, err
		}
		if op == opStop {
			v, err := m.pop()
			return v, m.storages, err
		}
		if err := m.step(op); err != nil {
			return nil, nil, err
		}
	}
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

// pop takes the topmost value, which must lie above the last mark.
func (m *machine) pop() (any, error) {
	n := len(m.stack) - 1
	if n < m.floor() {
		return nil, malformed("the pickle takes a value that is not there")
	}
	v := m.stack[n]
	m.stack[n] = nil
	m.stack = m.stack[:n]
	return v, nil
}

func (m *machine) top() (any, error) {
	n := len(m.stack) - 1
	if n < m.floor() {
		return nil, malformed("the pickle looks at a value that is not there")
	}
	return m.stack[n], nil
}

func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

// popMark takes everything above the last mark, and the mark. The values stay
// valid until the next push.
func (m *machine) popMark() ([]any, error) {
	n := len(m.marks) - 1
	if n < 0 {
		return nil, malformed("the pickle goes back to a mark that is not there")
	}
	from := m.marks[n]
	m.marks = m.marks[:n]
	all := m.stack[from:]
	m.stack = m.stack[:from]
	return all, nil
}

// step carries out one opcode.
func (m *machine) step(op byte) error {
	switch op {
	case opProto, opFrame:
		return m.skipHeader(op)
	case opMark:
		m.marks = append(m.marks, len(m.stack))
	case opPop:
		if n := len(m.marks); n > 0 && m.marks[n-1] == len(m.stack) {
			m.marks = m.marks[:n-1]
			return nil
		}
		_, err := m.pop()
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opNone:
		m.push(nil)
	case opNewTrue:
		m.push(true)
	case opNewFalse:
		m.push(false)
	case opBinInt, opBinInt1, opBinInt2, opLong1, opLong4, opBinFloat:
		return m.pushNumber(op)
	case opBinUnicode, opShortBinUnicode, opBinUnicode8, opShortBinString, opBinString,
		opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		return m.pushText(op)
	case opEmptyTuple:
		m.push(tuple(nil))
	case opTuple:
		all, err := m.popMark()
		if err != nil {
			return err
		}
		m.push(append(tuple(nil), all...))
	case opTuple1, opTuple2, opTuple3:
		t := make(tuple, op-opTuple1+1)
		for i := len(t) - 1; i >= 0; i-- {
			v, err := m.pop()
			if err != nil {
				return err
			}
			t[i] = v
		}
		m.push(t)
	case opEmptyList:
		m.push(&list{})
	case opEmptySet:
		m.push(&list{})
	case opFrozenSet:
		all, err := m.popMark()
		if err != nil {
			return err
		}
		m.push(&list{append([]any(nil), all...)})
	case opEmptyDict:
		m.push(&dict{})
	case opAppend, opAppends, opAddItems:
		return m.appendTo(op)
	case opSetItem, opSetItems:
		return m.setIn(op)
	case opBinGet, opLongBinGet:
		return m.get(op)
	case opBinPut, opLongBinPut, opMemoize:
		return m.put(op)
	case opGlobal, opStackGlobal:
		return m.pushGlobal(op)
	case opBinPersID:
		id, err := m.pop()
		if err != nil {
			return err
		}
		v, err := m.persistent(id)
		if err != nil {
			return err
		}
		m.push(v)
	case opReduce, opNewObj, opNewObjEx:
		return m.reduce(op)
	case opBuild:
		return m.build()
	default:
		for i := range len(foreign) {
			if foreign[i] == op {
				return unsupported("pickle opcode %#02x, which torch.save does not write", op)
			}
		}
		return malformed("%#02x is no pickle opcode", op)
	}
	return nil
}

// skipHeader passes over what says nothing to this machine.
func (m *machine) skipHeader(op byte) error {
	if op == opProto {
		_, err := m.one()
		return err
	}
	n, err := m.number(8)
	if err == nil && n > uint64(m.left) {
		return malformed("the pickle claims a frame of %d bytes, %d are left: truncated?", n, m.left)
	}
	return err
}

func (m *machine) pushNumber(op byte) error {
	width := 4
	switch op {
	case opBinInt1, opLong1:
		width = 1
	case opBinInt2:
		width = 2
	case opBinFloat:
		width = 8
	}
	n, err := m.number(width)
	if err != nil {
		return err
	}
	switch op {
	case opBinInt:
		m.push(int64(int32(n)))
	case opBinInt1, opBinInt2:
		m.push(int64(n))
	case opBinFloat:
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], n)
		m.push(math.Float64frombits(binary.BigEndian.Uint64(b[:])))
	default:
		if op == opLong4 && int32(n) < 0 {
			return malformed("a whole number of %d bytes", int32(n))
		}
		text, ok, err := m.text(n)
		if err != nil {
			return err
		}
		switch {
		case !ok:
			m.push(&object{})
		case n <= 8:
			m.push(whole(text))
		default:
			m.push(long(text))
		}
	}
	return nil
}

// whole is a whole number in two's complement, of at most 8 bytes.
func whole(text string) int64 {
	v := int64(0)
	for i := range len(text) {
		v |= int64(text[i]) << (8 * i)
	}
	if n := len(text); n > 0 {
		unused := 64 - 8*n
		v = v << unused >> unused
	}
	return v
}

// pushText pushes a text, or an object for what is none: bytes, what is not
// UTF-8 or too long. The strings of Python 2 are texts.
func (m *machine) pushText(op byte) error {
	width := 4
	switch op {
	case opShortBinUnicode, opShortBinString, opShortBinBytes:
		width = 1
	case opBinUnicode8, opBinBytes8, opByteArray8:
		width = 8
	}
	n, err := m.number(width)
	if err != nil {
		return err
	}
	switch op {
	case opBinBytes, opShortBinBytes, opBinBytes8, opByteArray8:
		if n > uint64(m.left) {
			return malformed("the pickle claims %d bytes, %d are left: truncated?", n, m.left)
		}
		m.push(&object{})
		return m.pass(int64(n))
	}
	text, ok, err := m.text(n)
	if err != nil {
		return err
	}
	if ok && utf8.ValidString(text) {
		m.push(text)
	} else {
		m.push(&object{})
	}
	return nil
}

func (m *machine) appendTo(op byte) error {
	var all []any
	var err error
	if op == opAppend {
		all = make([]any, 1)
		all[0], err = m.pop()
	} else {
		all, err = m.popMark()
	}
	if err != nil {
		return err
	}
	onto, err := m.top()
	if err != nil {
		return err
	}
	switch l := onto.(type) {
	case *list:
		l.items = append(l.items, all...)
	case *object: // a class of its own that behaves like one
	default:
		return malformed("the pickle appends to what is no list")
	}
	return nil
}

func (m *machine) setIn(op byte) error {
	var all []any
	var err error
	if op == opSetItem {
		all = make([]any, 2)
		if all[1], err = m.pop(); err == nil {
			all[0], err = m.pop()
		}
	} else {
		all, err = m.popMark()
	}
	if err != nil {
		return err
	}
	if len(all)%2 != 0 {
		return malformed("the pickle sets a key without a value")
	}
	into, err := m.top()
	if err != nil {
		return err
	}
	switch d := into.(type) {
	case *dict:
		d.pairs = append(d.pairs, all...)
	case *object: // a class made from dict
		if d.items == nil {
			d.items = &dict{}
		}
		d.items.pairs = append(d.items.pairs, all...)
	default:
		return malformed("the pickle sets a key of what is no dictionary")
	}
	return nil
}

func (m *machine) get(op byte) error {
	width := 1
	if op == opLongBinGet {
		width = 4
	}
	n, err := m.number(width)
	if err != nil {
		return err
	}
	if n < uint64(len(m.memo)) {
		m.push(m.memo[n])
		return nil
	}
	v, ok := m.other[n]
	if !ok {
		return malformed("the pickle recalls memo %d, which it has not stored", n)
	}
	m.push(v)
	return nil
}

func (m *machine) put(op byte) error {
	n := uint64(len(m.memo) + len(m.other))
	if op != opMemoize {
		width := 1
		if op == opLongBinPut {
			width = 4
		}
		var err error
		if n, err = m.number(width); err != nil {
			return err
		}
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	switch k := uint64(len(m.memo)); {
	case n < k:
		m.memo[n] = v
	case n == k && m.other == nil:
		m.memo = append(m.memo, v)
	default:
		if m.other == nil {
			m.other = map[uint64]any{}
		}
		m.other[n] = v
	}
	return nil
}

func (m *machine) pushGlobal(op byte) error {
	if op == opGlobal {
		module, err := m.line()
		if err != nil {
			return err
		}
		name, err := m.line()
		m.push(&global{module, name})
		return err
	}
	name, err := m.pop()
	if err != nil {
		return err
	}
	module, err := m.pop()
	if err != nil {
		return err
	}
	n, ok1 := name.(string)
	p, ok2 := module.(string)
	if !ok1 || !ok2 {
		return malformed("the pickle names a class by what is no text")
	}
	m.push(&global{p, n})
	return nil
}

// reduce replaces a callable and its arguments by what it would return.
func (m *machine) reduce(op byte) error {
	if op == opNewObjEx { // keyword arguments
		if _, err := m.pop(); err != nil {
			return err
		}
	}
	args, err := m.pop()
	if err != nil {
		return err
	}
	f, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.call(f, args)
	if err != nil {
		return err
	}
	m.push(v)
	return nil
}

// build gives an object its state. That of a dictionary or a tensor, such as
// the version numbers of a state dict, is dropped.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if o, ok := v.(*object); ok {
		o.state = state
	}
	return nil
}
