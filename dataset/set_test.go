package dataset

import (
	"bytes"
	"fmt"
	"image/png"
	"io/fs"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/winnow-go/winnow/transform"
)

// checkSet is what every Set must keep to.
func checkSet(t *testing.T, s Set) {
	t.Helper()
	names := map[string]bool{}
	ids := make([][32]byte, s.Len())
	for i := range s.Len() {
		if l := s.Label(i); l < -1 || l >= len(s.Classes()) {
			t.Fatalf("picture %d has label %d of %d classes", i, l, len(s.Classes()))
		}
		n := s.Name(i)
		if n == "" || names[n] {
			t.Fatalf("picture %d is called %q, like another or nothing", i, n)
		}
		names[n] = true
		var err error
		if ids[i], err = ID(s, i); err != nil {
			t.Fatal(err)
		}
	}
	counts, labels := Counts(s), Labels(s)
	sum, unknown := 0, 0
	for _, c := range counts {
		sum += c
	}
	for _, l := range labels {
		if l < 0 {
			unknown++
		}
	}
	if len(counts) != len(s.Classes()) || sum+unknown != s.Len() {
		t.Fatalf("counts %v and %d unknown of %d", counts, unknown, s.Len())
	}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for k := range s.Len() {
				i := (k*7 + g) % s.Len()
				img, err := s.Image(i)
				if err != nil {
					t.Error(err)
					return
				}
				if img.Bounds().Empty() {
					t.Errorf("picture %d is empty", i)
				}
				if id, err := ID(s, i); err != nil || id != ids[i] {
					t.Errorf("picture %d has changed: %v", i, err)
				}
			}
		})
	}
	wg.Wait()
	for _, i := range []int{-1, s.Len()} {
		for what, f := range map[string]func(){"Label": func() { s.Label(i) }, "Name": func() { s.Name(i) }} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("%s(%d) of %d pictures does not panic", what, i, s.Len())
					}
				}()
				f()
			}()
		}
	}
}

// picture number k, w x h, as PNG.
func picturePNG(t testing.TB, k, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, picture(k, w, h)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func picture(k, w, h int) *transform.RGB {
	p := transform.NewRGB(w, h)
	for i := range p.Pix {
		p.Pix[i] = uint8(i*(k+3) + k)
	}
	return p
}

// tree is a file system of the files named; names that end in .png hold
// pictures of their own.
func tree(t testing.TB, names ...string) fstest.MapFS {
	t.Helper()
	m := fstest.MapFS{}
	for k, n := range names {
		if n[len(n)-1] == '/' {
			m[n[:len(n)-1]] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
			continue
		}
		m[n] = &fstest.MapFile{Data: picturePNG(t, k, 6+k%3, 5)}
	}
	return m
}

func TestSetsKeepTheRules(t *testing.T) {
	folder, err := OpenFolder(tree(t, "a/1.png", "a/2.png", "b/1.png", "b/x/1.png", "c/1.png"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var items []Item
	for k := range 5 {
		items = append(items, Item{Label: k % 3, Image: picture(k, 4, 4)}, Item{Name: fmt.Sprintf("encoded %d", k), Label: -1, Data: picturePNG(t, k+50, 4, 4)})
	}
	memory, err := NewMemory(folder.Classes(), items, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cifar, err := OpenCIFAR(fstest.MapFS{"x.bin": {Data: records(1, 0, 1, 2)}, "y.bin": {Data: records(2, 2, 1)}}, Options{Classes: folder.Classes()}, "x.bin", "y.bin")
	if err != nil {
		t.Fatal(err)
	}
	idx, err := OpenIDX(fstest.MapFS{"i": {Data: idxFile(1, 4, 3, 5)}, "l": {Data: append(idxHead(idxLabels, 4), 0, 1, 2, 1)}}, "i", "l", Options{Classes: folder.Classes()})
	if err != nil {
		t.Fatal(err)
	}
	some, err := Subset(cifar, []int{4, 0, 3})
	if err != nil {
		t.Fatal(err)
	}
	all, err := Concat(folder, &View{of: folder}, memory, cifar, idx)
	if err != nil {
		t.Fatal(err)
	}
	prepared, err := Prepare(all, transform.Native(8), 5*3*8*8)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Set{
		"folder": folder, "memory": memory, "CIFAR": cifar, "IDX": idx, "subset": some, "concat": all, "prepared": prepared,
		"pile": &Pile{set: all}, "limit": Limit(all, 9, 1), "empty": &View{of: all},
	} {
		t.Run(name, func(t *testing.T) { checkSet(t, s) })
	}
	if all.Len() != 5+10+5+4 || all.Name(5) != "#0" || all.Name(15) != "x.bin#0" || all.Name(18) != "y.bin#0" || all.Label(18) != 2 {
		t.Errorf("concat: %d pictures, %q %q %q", all.Len(), all.Name(5), all.Name(15), all.Name(18))
	}
	if s, k := some.Source(1); s != Set(cifar) || k != 0 {
		t.Errorf("the source of picture 1 is %d", k)
	}
	if l := prepared.left.Load(); l > 0 {
		t.Errorf("%d pictures might still be kept", l)
	}
	kept := 0
	for i := range prepared.kept {
		if prepared.kept[i].Load() != nil {
			kept++
		}
	}
	if kept != 5 {
		t.Errorf("%d pictures are kept in memory for 5", kept)
	}
}

func TestImpossibleSetsAreErrors(t *testing.T) {
	s := bytesSet(t, 4, 2)
	if _, err := Subset(s, []int{0, 4}); err == nil {
		t.Error("index 4 of 4")
	}
	if _, err := Subset(s, []int{-1}); err == nil {
		t.Error("index -1")
	}
	if _, err := Concat(s, bytesSet(t, 4, 3)); err == nil {
		t.Error("sets of other classes are joined")
	}
	if j, err := Concat(); err != nil || j.Len() != 0 || j.Classes() != nil {
		t.Errorf("nothing joined: %v", err)
	}
	for _, it := range []Item{{Label: 2, Image: picture(1, 2, 2)}, {Label: -2, Image: picture(1, 2, 2)}, {Label: 0}} {
		if _, err := NewMemory([]string{"a", "b"}, []Item{it}, transform.Limits{}); err == nil {
			t.Errorf("%+v is taken", it)
		}
	}
	if _, err := Prepare(s, transform.Config{Size: -1}, 0); err == nil {
		t.Error("a bad config is taken")
	}
	bad, err := NewMemory([]string{"a"}, []Item{{Name: "x.jpg", Data: []byte("no")}}, transform.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bad.Image(0); err == nil || err.Error() != "dataset: x.jpg: transform: not a picture in a known format" {
		t.Errorf("%v", err)
	}
}

// bytesSet has n grey pictures of 4x4 whose labels go round k classes.
func bytesSet(t testing.TB, n, k int) *Pixels {
	t.Helper()
	labels := idxHead(idxLabels, n)
	for i := range n {
		labels = append(labels, uint8(i%k))
	}
	s, err := OpenIDX(fstest.MapFS{"i": {Data: idxFile(9, n, 4, 4)}, "l": {Data: labels}}, "i", "l", Options{Classes: numbers(k)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
