package weights_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/weights"
)

// What follows writes pickles by opcode: see Python's pickletools.

const (
	magic    = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." // what a legacy file begins with
	version  = "\x80\x02M\xe9\x03."
	someInfo = "\x80\x02}(X\x0d\x00\x00\x00little_endian\x88u."
)

func pickled(body string) string { return "\x80\x02" + body + "." }

func class(module, name string) string { return "c" + module + "\n" + name + "\n" }

func text(s string) string { return "X" + le(uint32(len(s))) + s }

func num(n int64) string { return "\x8a\x08" + le(uint64(n)) }

func tup(items ...string) string { return "(" + strings.Join(items, "") + "t" }

// dic is a dictionary of key, value, key, value, ...
func dic(items ...string) string { return "}(" + strings.Join(items, "") + "u" }

func le[T uint16 | uint32 | uint64](v T) string {
	b, _ := binary.Append(nil, binary.LittleEndian, v)
	return string(b)
}

func store(kind, key string, count int64, view ...string) string {
	return tup(append([]string{text("storage"), class("torch", kind), text(key), text("cpu"), num(count)}, view...)...) + "Q"
}

func rebuilt(storage string, offset int64, shape, stride []int64) string {
	return class("torch._utils", "_rebuild_tensor_v2") +
		tup(storage, num(offset), tup(each(shape)...), tup(each(stride)...), "\x89", class("collections", "OrderedDict")+")R") + "R"
}

func each(n []int64) []string {
	var all []string
	for _, v := range n {
		all = append(all, num(v))
	}
	return all
}

// w is a state dict of one tensor "w" over a storage of 4 float32.
func w(offset int64, shape, stride []int64) string {
	return dic(text("w"), rebuilt(store("FloatStorage", "0", 4), offset, shape, stride))
}

type member struct {
	name, data string
	deflate    bool
}

// archived is a zip file.
func archived(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		method := zip.Store
		if m.deflate {
			method = zip.Deflate
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: method})
		if err == nil {
			_, err = f.Write([]byte(m.data))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// checkpoint is a zip checkpoint of one storage with the 16 bytes of four
// float32: 1, 2, 3, 4.
func checkpoint(t testing.TB, body string, more ...member) []byte {
	t.Helper()
	return archived(t, append([]member{{"a/data.pkl", pickled(body), false}, {"a/data/0", fourFloats, false}}, more...)...)
}

var fourFloats = le(math.Float32bits(1)) + le(math.Float32bits(2)) + le(math.Float32bits(3)) + le(math.Float32bits(4))

// legacy is an old checkpoint; rest is the list of keys, pickled, and the
// storages.
func legacy(body, rest string) []byte {
	return []byte(magic + version + someInfo + pickled(body) + rest)
}

func keys(keys ...string) string {
	for i, k := range keys {
		keys[i] = text(k)
	}
	return pickled("](" + strings.Join(keys, "") + "e")
}

// patch changes the entry of a member in the directory of a zip file.
func patch(file []byte, name string, change func(entry []byte)) []byte {
	b := slices.Clone(file)
	for at := 0; ; {
		k := bytes.Index(b[at:], []byte("PK\x01\x02"))
		if k < 0 {
			panic("no such member")
		}
		at += k
		if n := int(binary.LittleEndian.Uint16(b[at+28:])); string(b[at+46:at+46+n]) == name {
			change(b[at:])
			return b
		}
		at += 4
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// readEverything opens a file and reads all of it, the first error ending that.
func readEverything(b []byte) error {
	f, err := openBytes(b)
	if err != nil {
		return err
	}
	for _, name := range f.Names() {
		if _, err := f.Tensor(name); err != nil {
			return err
		}
	}
	return nil
}

func TestHostileCheckpointIsAnErrorInBoundedMemory(t *testing.T) {
	const none = ""
	bad, cannot := weights.ErrFormat, weights.ErrUnsupported
	ones := func(n int) []int64 { return slices.Repeat([]int64{1}, n) }
	dims := func(n ...int64) []int64 { return n }
	zipped := func(body string, more ...member) []byte { return checkpoint(t, body, more...) }
	good := zipped(w(0, dims(4), dims(1)))
	lateral := class("torch._utils", "_rebuild_tensor_v2")
	laughs := dic(text("a"), "]") // each list holds the one before twice
	for i := range 60 {
		laughs += "](h" + string(rune(i)) + "h" + string(rune(i)) + "eq" + string(rune(i+1)) + "0"
	}
	laughs = "]q\x00" + strings.TrimPrefix(laughs, dic(text("a"), "]")) + "h\x3c"
	pairs := "](" + strings.Repeat("](K\x01K\x02e", 10000) + "eq\x000](" + strings.Repeat(class("collections", "OrderedDict")+"h\x00\x85R", 1000) + "e"
	for _, c := range []struct {
		name   string
		file   []byte
		is     error
		tensor string
		says   string
	}{
		{"a billion elements", zipped(w(0, dims(1<<30), dims(1))), bad, "w", "beyond the 4 elements"},
		{"a billion elements that are one", zipped(w(0, dims(1<<30), dims(0))), cannot, "w", "repeats"},
		{"a product of 2⁶⁴", zipped(w(0, dims(1<<32, 1<<32), dims(1<<32, 1))), bad, "w", "overflows"},
		{"a product that wraps to 4", zipped(w(0, dims(1<<62+1, 4), dims(4, 1))), bad, "w", "overflows"},
		{"a stride of 2⁶²", zipped(w(0, dims(4, 1), dims(1<<62, 1))), bad, "w", "beyond"},
		{"strides that wrap", zipped(w(0, dims(3, 3), dims(1<<62, 1<<62))), bad, "w", "beyond"},
		{"one element too far", zipped(w(1, dims(4), dims(1))), bad, "w", "beyond"},
		{"one row too far", zipped(w(0, dims(2, 2), dims(3, 1))), bad, "w", "beyond"},
		{"offset at the end", zipped(w(4, dims(1), dims(1))), bad, "w", "element 4"},
		{"offset of 2⁶³-1", zipped(w(math.MaxInt64, dims(2), dims(1))), bad, "w", "element"},
		{"negative offset", zipped(w(-1, dims(1), dims(1))), bad, none, "offset"},
		{"negative stride", zipped(w(3, dims(4), dims(-1))), bad, none, "stride"},
		{"negative shape", zipped(w(0, dims(-4), dims(1))), bad, none, "shape"},
		{"shape without strides", zipped(w(0, dims(2, 2), dims(1))), bad, none, "2 dimensions with 1"},
		{"33 dimensions", zipped(w(0, ones(33), ones(33))), cannot, "w", "32"},
		{"65 dimensions", zipped(w(0, ones(65), ones(65))), bad, none, "65"},
		{"overlapping rows", zipped(w(0, dims(2, 3), dims(1, 1))), cannot, "w", "repeats"},
		{"offset that is a text", zipped(dic(text("w"), lateral+tup(store("FloatStorage", "0", 4), text("x"), "))")+"R")), bad, none, "offset"},
		{"tensor without a storage", zipped(dic(text("w"), lateral+tup("N", num(0), "))")+"R")), bad, none, "without a storage"},
		{"tensor without arguments", zipped(dic(text("w"), lateral+")R")), bad, none, "0 arguments"},
		{"called without a tuple", zipped(dic(text("w"), lateral+"NR")), bad, none, "no tuple"},
		{"parameter of nothing", zipped(dic(text("w"), class("torch._utils", "_rebuild_parameter")+")R")), bad, none, "without a tensor"},
		{"parameter of a number", zipped(dic(text("w"), class("torch._utils", "_rebuild_parameter")+"K\x01\x85R")), bad, none, "no tensor"},
		{"type within type", zipped(dic(text("w"), class("torch._tensor", "_rebuild_from_type_v2")+tup(class("torch._tensor", "_rebuild_from_type_v2"), "N", ")", "N")+"R")), cannot, "w", "_rebuild_from_type_v2"},

		{"storage larger than its bytes", zipped(dic(text("w"), rebuilt(store("FloatStorage", "0", 5), 0, dims(1), dims(1)))), bad, "w", "too few for 5"},
		{"storage of 2⁵⁹ elements", zipped(dic(text("w"), rebuilt(store("FloatStorage", "0", 1<<59), 0, dims(1), dims(1)))), bad, "w", "too few"},
		{"storage of 2⁶² elements", zipped(dic(text("w"), rebuilt(store("FloatStorage", "0", 1<<62), 0, dims(1), dims(1)))), bad, none, "elements"},
		{"storage of -1 elements", zipped(dic(text("w"), rebuilt(store("FloatStorage", "0", -1), 0, dims(1), dims(1)))), bad, none, "-1"},
		{"storage that is not there", zipped(dic(text("w"), rebuilt(store("FloatStorage", "1", 4), 0, dims(1), dims(1)))), bad, "w", "not in the file"},
		{"storage elsewhere", zipped(dic(text("w"), rebuilt(store("FloatStorage", "../../../etc/passwd", 4), 0, dims(1), dims(1)))), bad, "w", "not in the file"},
		{"storage of no class", zipped(dic(text("w"), rebuilt(store("Float", "0", 4), 0, dims(1), dims(1)))), bad, none, "no class of a storage"},
		{"storage of an unknown class", zipped(dic(text("w"), rebuilt(store("OddStorage", "0", 4), 0, dims(1), dims(1)))), cannot, "w", "OddStorage"},
		{"persistent id of a number", zipped("K\x01Q"), bad, none, "persistent id"},
		{"persistent id of something else", zipped(tup(text("other"), "NNNN") + "Q"), bad, none, "persistent id"},
		{"persistent id of numbers", zipped(tup(text("storage"), class("torch", "FloatStorage"), "NNN") + "Q"), bad, none, "key"},
		{"key twice that differs", zipped(dic(text("v"), rebuilt(store("FloatStorage", "0", 4), 0, dims(4), dims(1)), text("w"), rebuilt(store("DoubleStorage", "0", 4), 0, dims(4), dims(1)))), bad, "w", "too few"},

		{"a thousand lists deep", zipped(dic(text("a"), strings.Repeat("]", 1000)+strings.Repeat("a", 999))), cannot, none, "deep"},
		{"a hundred thousand tuples deep", zipped(dic(text("a"), ")"+strings.Repeat("\x85", 100000))), cannot, none, "deep"},
		{"a dictionary inside itself", zipped("}q\x00" + text("a") + "h\x00s"), cannot, none, "deep"},
		{"a list inside itself", zipped("]q\x00h\x00a"), cannot, none, "deep"},
		{"2⁶⁰ names", zipped(laughs), cannot, none, "names"},
		{"one tensor a hundred thousand times", zipped(rebuilt(store("FloatStorage", "0", 4), 0, dims(1), dims(1)) + "q\x000](" + strings.Repeat("h\x00", 100000) + "e"), cannot, none, "names"},
		{"one long name many times", zipped(rebuilt(store("FloatStorage", "0", 4), 0, dims(1), dims(1)) + "q\x000](" + strings.Repeat("h\x00", 1000) + "eq\x010" + dic(text(strings.Repeat("n", 60000)), "h\x01")), cannot, none, "names"},
		{"one list of pairs many times", zipped(pairs), cannot, none, "over and over"},
		{"pairs that are none", zipped(class("collections", "OrderedDict") + "](K\x01K\x02e\x85R"), bad, none, "no pairs"},
		{"an OrderedDict of a number", zipped(class("collections", "OrderedDict") + "K\x01\x85R"), bad, none, "no list"},

		{"number of 2³¹-1 bytes", zipped("\x8b\xff\xff\xff\x7f"), bad, none, "claims"},
		{"number of -1 bytes", zipped("\x8b\xff\xff\xff\xff"), bad, none, "-1"},
		{"text of 2³² bytes", zipped("X\xff\xff\xff\xff"), bad, none, "claims"},
		{"text of 2⁶³ bytes", zipped("\x8d" + le(uint64(1)<<63)), bad, none, "claims"},
		{"bytes of 2⁶⁴-1", zipped("\x8e" + le(uint64(math.MaxUint64))), bad, none, "claims"},
		{"bytearray of 2⁴⁰", zipped("\x96" + le(uint64(1)<<40)), bad, none, "claims"},
		{"frame of 2⁶⁰ bytes", zipped("\x95" + le(uint64(1)<<60)), bad, none, "frame"},
		{"endless module name", zipped("c" + strings.Repeat("x", 10000)), bad, none, "4096"},
		{"memo that is not there", zipped("h\x05"), bad, none, "memo 5"},
		{"far memo that is not there", zipped("j\xff\xff\xff\xff"), bad, none, "memo 4294967295"},
		{"memo of nothing", zipped("q\x00"), bad, none, "not there"},
		{"a memo of every opcode", zipped("](" + strings.Repeat("]\x94", 50000) + "e"), cannot, none, ""},
		{"a hundred thousand marks", zipped(strings.Repeat("(", 100000)), bad, none, "not there"},
		{"stop on nothing", zipped(""), bad, none, "not there"},
		{"tuple without a mark", zipped("t"), bad, none, "mark"},
		{"tuple of what is not there", zipped("N\x86"), bad, none, "not there"},
		{"tuple over a mark", zipped("N(N\x86"), bad, none, "not there"},
		{"append to a number", zipped("K\x01Na"), bad, none, "no list"},
		{"append to nothing", zipped("Na"), bad, none, "not there"},
		{"appends without a mark", zipped("]Ne"), bad, none, "mark"},
		{"key of a number", zipped("K\x01NNs"), bad, none, "no dictionary"},
		{"key without a value", zipped("}(Nu"), bad, none, "without a value"},
		{"build on nothing", zipped("Nb"), bad, none, "not there"},
		{"reduce of nothing", zipped(")R"), bad, none, "not there"},
		{"class of numbers", zipped("K\x01K\x02\x93"), bad, none, "no text"},
		{"no opcode", zipped("\xff"), bad, none, "0xff"},
		{"extension code", zipped("\x82\x01"), cannot, none, "0x82"},
		{"INST", zipped("(ios\nsystem\n"), cannot, none, "0x69"},
		{"buffer outside", zipped("\x97"), cannot, none, "0x97"},
		{"no protocol", archived(t, member{"a/data.pkl", "N.", false}), bad, none, "0x4e"},
		{"protocol 1", archived(t, member{"a/data.pkl", "\x80\x01N.", false}), cannot, none, "protocol 1"},
		{"protocol 6", archived(t, member{"a/data.pkl", "\x80\x06N.", false}), cannot, none, "protocol 6"},
		{"empty pickle", archived(t, member{"a/data.pkl", "", false}), bad, none, "ends early"},
		{"pickle without an end", archived(t, member{"a/data.pkl", "\x80\x02N", false}), bad, none, "ends early"},
		{"os.system", zipped(class("os", "system") + tup(text("touch owned")) + "R"), cannot, none, "os.system"},

		{"zip without files", archived(t), bad, none, "data.pkl"},
		{"zip of something else", archived(t, member{"word/document.xml", "x", false}), bad, none, "data.pkl"},
		{"zip cut in two", good[:len(good)/2], bad, none, "zip"},
		{"two checkpoints", archived(t, member{"a/data.pkl", "", false}, member{"b/data.pkl", "", false}), bad, none, "two"},
		{"a member twice", archived(t, member{"a/data.pkl", "", false}, member{"a/data.pkl", "", false}), bad, none, "two files"},
		{"big-endian", zipped(w(0, dims(4), dims(1)), member{"a/byteorder", "big", false}), cannot, none, "big-endian"},
		{"no order of bytes", zipped(w(0, dims(4), dims(1)), member{"a/byteorder", "middle", false}), bad, none, "middle"},
		{"TorchScript's code", zipped(w(0, dims(4), dims(1)), member{"a/code/x.py", "", false}), cannot, none, "TorchScript"},
		{"bomb of a pickle", archived(t, member{"a/data.pkl", "\x80\x02" + strings.Repeat("N0", 1<<22), true}), cannot, none, "becomes"},
		{"method 12", patch(good, "a/data/0", func(e []byte) { e[10] = 12 }), cannot, "w", "method 12"},
		{"encrypted", patch(good, "a/data/0", func(e []byte) { e[8] |= 1 }), cannot, "w", "encrypted"},
		{"stored in fewer bytes", patch(good, "a/data/0", func(e []byte) { e[24] = 99 }), bad, "w", "stored"},
		{"begins beyond the file", patch(good, "a/data/0", func(e []byte) { e[44] = 1 }), bad, "w", ""},
		{"begins where no member does", patch(good, "a/data/0", func(e []byte) { e[42] = 1 }), bad, "w", ""},
		{"ends beyond the file", patch(good, "a/data/0", func(e []byte) { copy(e[20:], "\x00\x00\x00\x40\x00\x00\x00\x40") }), bad, "w", "truncated"},
		{"members that overlap", patch(good, "a/data/0", func(e []byte) { copy(e[42:], "\x00\x00\x00\x00") }), bad, none, "overlap"},
		{"deflated that claims too much", patch(archived(t, member{"a/data.pkl", pickled(w(0, dims(4), dims(1))), false}, member{"a/data/0", fourFloats, true}),
			"a/data/0", func(e []byte) { copy(e[24:], "\x00\x00\x00\x40") }), bad, "w", "claims"},
		{"deflated that ends early", patch(archived(t, member{"a/data.pkl", pickled(dic(text("w"), rebuilt(store("FloatStorage", "0", 40), 0, dims(40), dims(1)))), false}, member{"a/data/0", fourFloats, true}),
			"a/data/0", func(e []byte) { e[24] = 160 }), bad, "w", ""},
		{"deflated that is corrupt", patch(archived(t, member{"a/data.pkl", pickled(w(0, dims(4), dims(1))), false}, member{"a/data/0", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", false}),
			"a/data/0", func(e []byte) { e[10] = 8 }), bad, "w", ""},

		{"legacy: version", []byte(magic + "\x80\x02K\x01."), cannot, none, "version 1"},
		{"legacy: version that is none", []byte(magic + "\x80\x02N."), bad, none, "version"},
		{"legacy: big-endian", []byte(magic + version + strings.Replace(someInfo, "\x88", "\x89", 1)), cannot, none, "big-endian"},
		{"legacy: magic alone", []byte(magic), bad, none, "early"},
		{"legacy: no keys", legacy(w4(), pickled("N")), bad, none, "no list"},
		{"legacy: no storage", legacy(w4(), keys()), bad, "w", "not in the file"},
		{"legacy: key of a number", legacy(w4(), pickled("](K\x00e")), bad, none, "no text"},
		{"legacy: storage without a type", legacy(w4(), keys("1")), bad, none, "no type"},
		{"legacy: storage of an unknown class", legacy(dic(text("w"), rebuilt(store("OddStorage", "0", 4, "N"), 0, dims(1), dims(1))), keys("0")), cannot, none, "OddStorage"},
		{"legacy: storage twice", legacy(w4(), keys("0", "0")+le(uint64(4))+fourFloats+le(uint64(4))+fourFloats), bad, none, "twice"},
		{"legacy: no count", legacy(w4(), keys("0")+"\x04"), bad, none, "truncated"},
		{"legacy: another count", legacy(w4(), keys("0")+le(uint64(3))+fourFloats), bad, none, "3 elements, the pickle says 4"},
		{"legacy: count of 2⁶³", legacy(w4(), keys("0")+le(uint64(1)<<63)+fourFloats), bad, none, "elements"},
		{"legacy: cut storage", legacy(w4(), keys("0")+le(uint64(4))+fourFloats[:15]), bad, none, "truncated"},
		{"legacy: a billion elements", legacy(dic(text("w"), rebuilt(store("FloatStorage", "0", 1<<30, "N"), 0, dims(1<<30), dims(1))), keys("0")+le(uint64(1)<<30)+fourFloats), bad, none, "truncated"},
		{"legacy: view beyond", legacy(dic(text("w"), rebuilt(store("FloatStorage", "0", 4, tup(text("v"), num(2), num(3))), 0, dims(1), dims(1))), keys("0")+le(uint64(4))+fourFloats), bad, none, "beyond"},
		{"legacy: view that is none", legacy(dic(text("w"), rebuilt(store("FloatStorage", "0", 4, "K\x01"), 0, dims(1), dims(1))), keys("0")+le(uint64(4))+fourFloats), bad, none, "view"},
		{"legacy: beyond the view", legacy(dic(text("w"), rebuilt(store("FloatStorage", "0", 4, tup(text("v"), num(2), num(2))), 0, dims(3), dims(1))), keys("0")+le(uint64(4))+fourFloats), bad, "w", "beyond"},
		{"legacy: of five values", legacy(w(0, dims(4), dims(1)), keys("0")+le(uint64(4))+fourFloats), bad, none, "persistent id"},
		{"legacy: wider than its bytes", legacy(dic(text("v"), rebuilt(store("FloatStorage", "0", 4, "N"), 0, dims(4), dims(1)), text("w"), rebuilt(store("DoubleStorage", "0", 4, "N"), 0, dims(4), dims(1))), keys("0")+le(uint64(4))+fourFloats), bad, "w", "too few"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var err error
			n := allocated(func() { err = readEverything(c.file) })
			var e *weights.Error
			if !errors.Is(err, c.is) || !errors.As(err, &e) {
				t.Fatalf("error %v, want %v", err, c.is)
			}
			if errors.Is(err, weights.ErrFormat) && errors.Is(err, weights.ErrUnsupported) {
				t.Errorf("error %v blames both sides", err)
			}
			if e.Tensor != c.tensor || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error %v names tensor %q, want %q; it should say %q", err, e.Tensor, c.tensor, c.says)
			}
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			// An opcode of one byte may put an empty list (24 bytes) on the stack
			// and from there into a list (16 bytes each, five times that while it
			// grows).
			if most := uint64(1<<19 + 200*len(c.file)); n > most {
				t.Errorf("%d bytes allocated for a file of %d, want at most %d", n, len(c.file), most)
			}
		})
	}
	if _, err := os.Stat("owned"); !errors.Is(err, fs.ErrNotExist) {
		t.Error("something ran")
	}
}

// w4 is a legacy state dict of one tensor over a storage of 4 float32.
func w4() string {
	return dic(text("w"), rebuilt(store("FloatStorage", "0", 4, "N"), 0, []int64{4}, []int64{1}))
}

func TestEveryTruncatedCheckpointIsAnError(t *testing.T) {
	for _, name := range []string{"zip_types", "legacy_types", "legacy_views", "zip_deflated"} {
		b, err := os.ReadFile("testdata/torch/" + name + ".pth")
		if err != nil {
			t.Fatal(err)
		}
		for n := range b {
			if _, err := openBytes(b[:n]); !errors.Is(err, weights.ErrFormat) {
				t.Fatalf("%s cut to %d of %d bytes: %v", name, n, len(b), err)
			}
		}
	}
}

// Values in the middle of a file change, and nothing panics; an error is one of
// the documented ones.
func TestCheckpointWithAnyByteChangedIsReadOrRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		step int
	}{{"zip_list", 1}, {"legacy_types", 1}, {"legacy_module", 3}, {"zip_views", 7}, {"zip_deflated", 11}} {
		b, err := os.ReadFile("testdata/torch/" + c.name + ".pth")
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(b); i += c.step {
			old := b[i]
			for _, v := range []byte{old ^ 0x80, old + 1} {
				b[i] = v
				if err := readEverything(b); err != nil && errors.Is(err, weights.ErrFormat) == errors.Is(err, weights.ErrUnsupported) {
					t.Fatalf("%s, byte %d as %#02x: %v", c.name, i, v, err)
				}
			}
			b[i] = old
		}
	}
}

func TestReadingATensorTakesOnlyItsOwnMemory(t *testing.T) {
	const n = 1 << 19 // elements, 2 MB
	data := strings.Repeat("\x00\x00\x80\x3f", n)
	for _, c := range []struct {
		name          string
		kind          string
		shape, stride []int64
		deflate       bool
	}{
		{"in order", "FloatStorage", []int64{512, 1024}, []int64{1024, 1}, false},
		{"transposed", "FloatStorage", []int64{1024, 512}, []int64{1, 1024}, false},
		{"transposed and deflated", "FloatStorage", []int64{1024, 512}, []int64{1, 1024}, true},
		{"half, transposed", "HalfStorage", []int64{1024, 512}, []int64{1, 1024}, false},
		{"bool, transposed", "BoolStorage", []int64{1024, 512}, []int64{1, 1024}, false},
	} {
		data := data
		if c.kind == "BoolStorage" {
			data = strings.Repeat("\x01\x00", n/2)
		}
		body := dic(text("w"), rebuilt(store(c.kind, "0", n), 0, c.shape, c.stride))
		file := archived(t, member{"a/data.pkl", pickled(body), false}, member{"a/data/0", data, c.deflate})
		f := mustOpen(t, file)
		got := allocated(func() {
			if _, err := f.Tensor("w"); err != nil {
				t.Error(err)
			}
		})
		want := uint64(4 * n)
		if c.kind == "BoolStorage" {
			want = n
		}
		if got > want+300_000 {
			t.Errorf("%s: %d bytes allocated for %d", c.name, got, want)
		}
	}
}

func TestViewReadsOnlyWhatItTouches(t *testing.T) {
	file := archived(t, member{"a/data.pkl", pickled(dic(
		text("column"), rebuilt(store("FloatStorage", "0", 1<<20), 7, []int64{1 << 10}, []int64{1 << 10}),
		text("rows"), rebuilt(store("FloatStorage", "0", 1<<20), 1<<19, []int64{4, 1 << 10}, []int64{1 << 10, 1}),
		text("corner"), rebuilt(store("FloatStorage", "0", 1<<20), 1<<19, []int64{4, 4}, []int64{4, 1}),
	)), false}, member{"a/data/0", strings.Repeat("\x00\x00\x80\x3f", 1<<20), false})
	c := &counter{ReaderAt: bytes.NewReader(file)}
	f, err := weights.NewReader(c, int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	total := func() (n int64) {
		for _, r := range c.read {
			n += r[1] - r[0]
		}
		return n
	}
	if n := total(); n > 1<<16 {
		t.Errorf("opening reads %d bytes", n)
	}
	for _, name := range f.Names() {
		c.read = nil
		info, err := f.Info(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Tensor(name); err != nil {
			t.Fatal(err)
		}
		if n := total(); n != info.Size {
			t.Errorf("%s has %d bytes and reads %d", name, info.Size, n)
		}
	}
}

func TestWhatPicklersMayWriteIsRead(t *testing.T) {
	one := rebuilt(store("FloatStorage", "0", 4), 1, []int64{2}, []int64{2})
	v3 := func(storage, dtype string, offset, n int64) string {
		return class("torch._utils", "_rebuild_tensor_v3") +
			tup(storage, num(offset), tup(num(n)), tup(num(1)), "\x89", class("collections", "OrderedDict")+")R", class("torch", dtype)) + "R"
	}
	untyped := tup(text("storage"), class("torch.storage", "UntypedStorage"), text("0"), text("cpu"), num(16)) + "Q"
	for _, c := range []struct {
		name string
		body string
		want map[string]any
	}{
		{"plain", dic(text("w"), one), map[string]any{"w": []float32{2, 4}}},
		{"first version", dic(text("w"), class("torch._utils", "_rebuild_tensor")+tup(store("FloatStorage", "0", 4), num(0), tup(num(2)), tup(num(1)))+"R"), map[string]any{"w": []float32{1, 2}}},
		{"torch.Size", dic(text("w"), class("torch._utils", "_rebuild_tensor")+tup(store("FloatStorage", "0", 4), num(0), class("torch", "Size")+tup(num(2))+"\x85R", tup(num(1)))+"R"), map[string]any{"w": []float32{1, 2}}},
		{"a storage on a GPU", dic(text("w"), rebuilt(tup(text("storage"), class("torch.cuda", "FloatStorage"), text("0"), text("cuda:0"), num(4))+"Q", 0, []int64{1}, []int64{1})), map[string]any{"w": []float32{1}}},
		{"third version", dic(text("h"), v3(untyped, "uint16", 1, 3), text("f"), v3(untyped, "float32", 2, 2), text("u"), v3(untyped, "uint64", 1, 1)),
			map[string]any{"h": []uint16{0x3f80, 0, 0x4000}, "f": []float32{3, 4}, "u": []uint64{0x40800000_40400000}}},
		{"bytes", dic(text("w"), rebuilt(untyped, 2, []int64{2}, []int64{1})), map[string]any{"w": []uint8{0x80, 0x3f}}},
		{"names of Python 2", dic("U\x01w", one, "T\x01\x00\x00\x00v", one), map[string]any{"w": []float32{2, 4}, "v": []float32{2, 4}}},
		{"an OrderedDict of Python 2", class("collections", "OrderedDict") + "](](" + text("w") + one + "ee\x85R", map[string]any{"w": []float32{2, 4}}},
		{"an OrderedDict of tuples", class("collections", "OrderedDict") + "](" + text("w") + one + "\x86e\x85R", map[string]any{"w": []float32{2, 4}}},
		{"a name set twice", dic(text("w"), "N", text("v"), one, text("w"), one, text("v"), "K\x01"), map[string]any{"w": []float32{2, 4}}},
		{"sets", dic(text("s"), "\x8f(K\x01\x90", text("f"), "(K\x01\x91", text("w"), one), map[string]any{"w": []float32{2, 4}}},
		{"what other classes hold", dic(text("x"), class("other", "Class")+")}\x92"+"}b", text("l"), class("my", "List")+")\x81(K\x01e", text("w"), one), map[string]any{"w": []float32{2, 4}}},
		{"a class made from dict", class("my", "Dict") + ")\x81" + text("w") + one + "s", map[string]any{"w": []float32{2, 4}}},
		{"state of a dictionary", class("collections", "OrderedDict") + ")R(" + text("w") + one + "u" + dic(text("_metadata"), "}") + "b", map[string]any{"w": []float32{2, 4}}},
		{"values put aside", "N0(NN1" + dic(text("w"), one), map[string]any{"w": []float32{2, 4}}},
		{"a mark put aside", "(0" + dic(text("w"), one), map[string]any{"w": []float32{2, 4}}},
		{"memos out of order", text("w") + "r\xff\xff\xff\xff0" + one + "q\x070}j\xff\xff\xff\xffh\x07s", map[string]any{"w": []float32{2, 4}}},
		{"a memo replaced", text("x") + "q\x000" + text("w") + "q\x000" + "}h\x00" + one + "s", map[string]any{"w": []float32{2, 4}}},
		{"numbers and texts as keys", dic("K\x05", one, "\x8a\x01\xff", one, "\x89", one, text(strings.Repeat("x", 70000)), one, "G\x00\x00\x00\x00\x00\x00\x00\x00", one), map[string]any{"5": []float32{2, 4}, "-1": []float32{2, 4}}},
		{"sparse and other tensors", dic(text("w"), one, text("p"), class("torch._utils", "_rebuild_parameter")+tup(one, "\x88", "N")+"R"), map[string]any{"w": []float32{2, 4}, "p": []float32{2, 4}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := mustOpen(t, checkpoint(t, c.body, member{"a/byteorder", "little", false}, member{"a/version", "3\n", false}))
			if len(f.Names()) != len(c.want) {
				t.Errorf("names %q", f.Names())
			}
			for name, want := range c.want {
				d, err := f.Tensor(name)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(littleEndian(d.Data()), littleEndian(want)) {
					t.Errorf("%s is %v, want %v", name, d.Data(), want)
				}
			}
		})
	}
}

func TestViewsOfStoragesInOldFilesAreHonoured(t *testing.T) {
	view := func(skip, n int64) string { return tup(text("v"), num(skip), num(n)) }
	body := dic(
		text("all"), rebuilt(store("FloatStorage", "0", 4, "N"), 0, []int64{4}, []int64{1}),
		text("part"), rebuilt(store("FloatStorage", "0", 4, view(1, 3)), 1, []int64{2}, []int64{1}),
		text("back"), rebuilt(store("FloatStorage", "0", 4, view(0, 2)), 0, []int64{2}, []int64{1}))
	f := mustOpen(t, legacy(body, keys("0")+le(uint64(4))+fourFloats))
	for name, want := range map[string][]float32{"all": {1, 2, 3, 4}, "part": {3, 4}, "back": {1, 2}} {
		got := make([]float32, len(want))
		if err := f.Float32(name, got); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %v, want %v (%v)", name, got, want, err)
		}
	}
}

func TestTwoTensorsThatFlattenToOneNameAreAmbiguous(t *testing.T) {
	one := rebuilt(store("FloatStorage", "0", 4), 0, []int64{1}, []int64{1})
	f := mustOpen(t, checkpoint(t, dic(text("a.b"), one, text("a"), dic(text("b"), one), text("c"), one)))
	if !slices.Equal(f.Names(), []string{"a.b", "c"}) {
		t.Errorf("names %q", f.Names())
	}
	if _, err := f.Tensor("a.b"); err == nil || !strings.Contains(err.Error(), "ambiguous") {
		t.Errorf("%v", err)
	}
	if _, err := f.Tensor("c"); err != nil {
		t.Error(err)
	}
}

// 65,536 members and more need the directory of zip64.
func TestArchiveWithManyMembersIsRead(t *testing.T) {
	more := make([]member, 1<<16)
	for i := range more {
		more[i].name = fmt.Sprintf("a/data/%d", i+1)
	}
	f := mustOpen(t, checkpoint(t, w(1, []int64{3}, []int64{1}), more...))
	got := make([]float32, 3)
	if err := f.Float32("w", got); err != nil || !slices.Equal(got, []float32{2, 3, 4}) {
		t.Errorf("%v (%v)", got, err)
	}
}
