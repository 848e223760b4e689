package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/winnow-go/winnow/transform"
)

// records are CIFAR records with these labels; pixels follow from k.
func records(k int, labels ...uint8) []byte {
	var b []byte
	for i, l := range labels {
		b = append(b, l)
		for j := range cifarRecord - 1 {
			b = append(b, uint8(j*(i+1)+k*17))
		}
	}
	return b
}

func idxHead(magic uint32, dims ...int) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, d := range dims {
		b = binary.BigEndian.AppendUint32(b, uint32(d))
	}
	return b
}

func idxFile(k, n, h, w int) []byte {
	b := idxHead(idxImages, n, h, w)
	for i := range n * h * w {
		b = append(b, uint8(i*7+k))
	}
	return b
}

func zipped(data []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write(data)
	z.Close()
	return b.Bytes()
}

func TestCIFARPlanesBecomePixels(t *testing.T) {
	data := records(3, 4, 0, 9)
	for name, file := range map[string][]byte{"plain": data, "gzip": zipped(data)} {
		s, err := OpenCIFAR(fstest.MapFS{"f": {Data: file}}, Options{}, "f")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(Labels(s), []int{4, 0, 9}) || !reflect.DeepEqual(s.Classes(), cifarNames()) {
			t.Errorf("%s: labels %v, classes %v", name, Labels(s), s.Classes())
		}
		for i := range 3 {
			img, err := s.Image(i)
			if err != nil {
				t.Fatal(err)
			}
			p := img.(*transform.RGB)
			for px := range 1024 {
				for c := range 3 {
					if got, want := p.Pix[3*px+c], data[i*cifarRecord+1+c*1024+px]; got != want {
						t.Fatalf("%s: picture %d pixel %d channel %d: %d, want %d", name, i, px, c, got, want)
					}
				}
			}
		}
		if w, h := s.Size(); w != 32 || h != 32 {
			t.Errorf("size %dx%d", w, h)
		}
	}
}

func TestCIFARNamesItsClasses(t *testing.T) {
	m := fstest.MapFS{"d/a.bin": {Data: records(0, 0, 2)}, "d/batches.meta.txt": {Data: []byte("red\r\ngreen\nblue\n\n")}}
	s, err := OpenCIFAR(m, Options{}, "d/a.bin")
	if err != nil || !reflect.DeepEqual(s.Classes(), []string{"red", "green", "blue"}) {
		t.Errorf("from the file beside it: %v, %v", s.Classes(), err)
	}
	s, err = OpenCIFAR(m, Options{Classes: []string{"x", "y", "z"}}, "d/a.bin")
	if err != nil || s.Classes()[2] != "z" {
		t.Errorf("from the options: %v", err)
	}
	delete(m, "d/batches.meta.txt")
	s, err = OpenCIFAR(m, Options{}, "d/a.bin")
	if err != nil || !reflect.DeepEqual(s.Classes(), []string{"airplane", "automobile", "bird"}) {
		t.Errorf("CIFAR-10's own: %v, %v", s.Classes(), err)
	}
	for name, text := range map[string]string{"twice": "a\nb\na\n", "nothing": "\n\n", "endless": strings.Repeat("x\n", 40000)} {
		m["d/batches.meta.txt"] = &fstest.MapFile{Data: []byte(text)}
		if _, err := OpenCIFAR(m, Options{}, "d/a.bin"); err == nil || !strings.Contains(err.Error(), "batches.meta.txt") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDamagedCIFARIsAnErrorThatNamesIt(t *testing.T) {
	data := records(1, 1, 2, 3)
	z := zipped(data)
	for name, tc := range map[string]struct {
		data []byte
		want error
	}{
		"empty":              {nil, ErrCorrupt},
		"a byte short":       {data[:len(data)-1], ErrCorrupt},
		"a byte more":        {append(bytes.Clone(data), 0), ErrCorrupt},
		"label without name": {records(0, 1, 10), ErrCorrupt},
		"gzip cut":           {z[:len(z)/2], ErrCorrupt},
		"gzip header only":   {z[:2], ErrCorrupt},
		"gzip checksum":      {append(bytes.Clone(z[:len(z)-8]), 1, 2, 3, 4, 5, 6, 7, 8), ErrCorrupt},
	} {
		m := fstest.MapFS{"bad.bin": {Data: tc.data}, "good.bin": {Data: data}}
		_, err := OpenCIFAR(m, Options{}, "good.bin", "bad.bin")
		var bad *BadFile
		if !errors.As(err, &bad) || bad.Name != "bad.bin" || !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
		s, err := OpenCIFAR(m, Options{Quarantine: true}, "bad.bin", "good.bin")
		if err != nil || s.Len() != 3 || len(s.Bad()) != 1 || s.Bad()[0].Name != "bad.bin" || s.Name(0) != "good.bin#0" {
			t.Errorf("%s, quarantine: %v", name, err)
		}
		if _, err := OpenCIFAR(m, Options{Quarantine: true}, "bad.bin"); !errors.Is(err, ErrEmpty) {
			t.Errorf("%s, nothing left: %v", name, err)
		}
	}
	if _, err := OpenCIFAR(fstest.MapFS{}, Options{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("no file: %v", err)
	}
	if _, err := OpenCIFAR(fstest.MapFS{}, Options{}, "none.bin"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
	if _, err := OpenCIFAR(fstest.MapFS{"x.bin": {Data: data}}, Options{MaxBytes: int64(len(data)) - 1}, "x.bin"); !errors.Is(err, ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
}

func TestIDXPairs(t *testing.T) {
	images, labels := idxFile(1, 3, 2, 4), append(idxHead(idxLabels, 3), 5, 0, 2)
	for name, m := range map[string]fstest.MapFS{
		"plain": {"i": {Data: images}, "l": {Data: labels}},
		"gzip":  {"i": {Data: zipped(images)}, "l": {Data: zipped(labels)}},
	} {
		s, err := OpenIDX(m, "i", "l", Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(Labels(s), []int{5, 0, 2}) || !reflect.DeepEqual(s.Classes(), numbers(6)) {
			t.Errorf("%s: labels %v, classes %v", name, Labels(s), s.Classes())
		}
		img, err := s.Image(2)
		if err != nil {
			t.Fatal(err)
		}
		p := img.(*transform.RGB)
		if p.W != 4 || p.H != 2 {
			t.Fatalf("%dx%d", p.W, p.H)
		}
		for i, v := range p.Pix {
			if want := uint8((16+i/3)*7 + 1); v != want {
				t.Fatalf("%s: value %d is %d, want %d", name, i, v, want)
			}
		}
	}
	s, err := OpenIDX(fstest.MapFS{"i": {Data: images}}, "i", "", Options{})
	if err != nil || s.Len() != 3 || s.Label(1) != -1 || s.Classes() != nil {
		t.Errorf("without labels: %v", err)
	}
}

func TestDamagedIDXIsAnErrorThatNamesIt(t *testing.T) {
	images, labels := idxFile(1, 3, 2, 4), append(idxHead(idxLabels, 3), 5, 0, 2)
	z := zipped(images)
	for name, tc := range map[string]struct {
		images, labels []byte
		names          string
		want           error
	}{
		"empty":              {nil, labels, "i", ErrCorrupt},
		"half a header":      {images[:9], labels, "i", ErrCorrupt},
		"a byte short":       {images[:len(images)-1], labels, "i", ErrCorrupt},
		"a byte more":        {append(bytes.Clone(images), 1), labels, "i", ErrCorrupt},
		"gzip cut":           {z[:len(z)-9], labels, "i", ErrCorrupt},
		"gzip short":         {zipped(images[:len(images)-1]), labels, "i", ErrCorrupt},
		"gzip long":          {zipped(append(bytes.Clone(images), 1)), labels, "i", ErrCorrupt},
		"labels for images":  {labels, labels, "i", ErrCorrupt},
		"images for labels":  {images, images, "l", ErrCorrupt},
		"float elements":     {idxHead(0x0d03, 1, 1, 1), labels, "i", ErrCorrupt},
		"no pictures":        {idxHead(idxImages, 0, 2, 2), idxHead(idxLabels, 0), "i", ErrEmpty},
		"no pixels":          {idxHead(idxImages, 3, 0, 2), labels, "i", ErrCorrupt},
		"absurd":             {idxHead(idxImages, 1<<32-1, 1<<32-1, 1<<32-1), labels, "i", ErrTooLarge},
		"absurd but gzipped": {zipped(idxHead(idxImages, 1<<20, 28, 28)), labels, "i", ErrCorrupt},
		"too few labels":     {images, append(idxHead(idxLabels, 2), 0, 1), "l", ErrCorrupt},
		"label without name": {images, append(idxHead(idxLabels, 3), 0, 7, 1), "l", ErrCorrupt},
	} {
		m := fstest.MapFS{"i": {Data: tc.images}, "l": {Data: tc.labels}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := OpenIDX(m, "i", "l", Options{Classes: numbers(6)})
		runtime.ReadMemStats(&after)
		var bad *BadFile
		if !errors.As(err, &bad) || bad.Name != tc.names || !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want one that names %s and wraps %v", name, err, tc.names, tc.want)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 4<<20 {
			t.Errorf("%s: %d bytes allocated", name, used)
		}
	}
}

// A small gzip file that unfolds to far more than the limit is refused without
// being held in memory.
func TestGzipBombsAreRefused(t *testing.T) {
	var b bytes.Buffer
	z, _ := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	zero := make([]byte, 1<<20)
	for range 64 {
		z.Write(zero)
	}
	z.Close()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := OpenCIFAR(fstest.MapFS{"x": {Data: b.Bytes()}}, Options{MaxBytes: 1 << 20}, "x")
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
		t.Errorf("%d bytes allocated", used)
	}
}

func TestReadAllKeepsToItsLimit(t *testing.T) {
	for n := range 2000 {
		data := bytes.Repeat([]byte{7}, n)
		for _, hint := range []int64{0, int64(n), 1 << 40} {
			got, err := readAll(io.MultiReader(bytes.NewReader(data[:n/2]), bytes.NewReader(data[n/2:])), hint, int64(n))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes: got %d, %v", n, len(got), err)
			}
			if n > 0 {
				if _, err := readAll(bytes.NewReader(data), hint, int64(n-1)); !errors.Is(err, ErrTooLarge) {
					t.Fatalf("%d bytes, one too many: %v", n, err)
				}
			}
		}
	}
}

func FuzzCIFAR(f *testing.F) {
	f.Add(records(1, 1, 2))
	f.Add(zipped(records(1, 1, 2)))
	f.Add(records(1, 200))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := fstest.MapFS{"x": {Data: data}}
		looks := looksLikeCIFAR(m, "x", 10)
		s, err := OpenCIFAR(m, Options{MaxBytes: 1 << 16}, "x")
		if err != nil {
			return
		}
		if !looks {
			t.Fatal("opens and does not look like CIFAR")
		}
		for i := range s.Len() {
			if _, err := s.Image(i); err != nil || s.Label(i) >= len(s.Classes()) {
				t.Fatalf("picture %d: label %d, %v", i, s.Label(i), err)
			}
		}
	})
}

func FuzzIDX(f *testing.F) {
	images, labels := idxFile(1, 3, 2, 4), append(idxHead(idxLabels, 3), 5, 0, 2)
	f.Add(images, labels)
	f.Add(zipped(images), zipped(labels))
	f.Add(idxHead(idxImages, 1<<31, 2, 1<<31), labels)
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		s, err := OpenIDX(fstest.MapFS{"i": {Data: images}, "l": {Data: labels}}, "i", "l", Options{MaxBytes: 1 << 16})
		if err != nil {
			var bad *BadFile
			if !errors.As(err, &bad) {
				t.Fatalf("%v names no file", err)
			}
			return
		}
		for i := range s.Len() {
			img, err := s.Image(i)
			if err != nil || img.Bounds().Empty() || s.Label(i) >= len(s.Classes()) {
				t.Fatalf("picture %d: %v, label %d, %v", i, img.Bounds(), s.Label(i), err)
			}
		}
	})
}
