package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/image/tiff"

	"github.com/winnow-go/winnow/transform"
)

func hugePNG() []byte {
	b := []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
	b = binary.BigEndian.AppendUint32(b, 60000)
	b = binary.BigEndian.AppendUint32(b, 60000)
	b = append(b, 8, 2, 0, 0, 0)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[12:]))
}

func TestFolderTakesPicturesAndCountsTheRest(t *testing.T) {
	m := tree(t, "dog/2.png", "dog/10.png", "cat/deep/er/a.png", "cat/b.PNG", "Ant/x", "cat/.hidden.png", ".cache/a.png", "stray.png", "__MACOSX/cat/a.png")
	m["cat/notes.txt"] = &fstest.MapFile{Data: []byte("no picture")}
	m["dog/Thumbs.db"] = &fstest.MapFile{}
	m["LICENSE"] = &fstest.MapFile{Data: []byte("MIT")}
	f, err := OpenFolder(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"Ant", "cat", "dog"}; !reflect.DeepEqual(f.Classes(), want) {
		t.Errorf("classes %v, want %v", f.Classes(), want)
	}
	var names []string
	for i := range f.Len() {
		names = append(names, f.Name(i))
	}
	if want := []string{"Ant/x", "cat/b.PNG", "cat/deep/er/a.png", "dog/10.png", "dog/2.png"}; !reflect.DeepEqual(names, want) {
		t.Errorf("files %v, want %v", names, want)
	}
	if want := []int{0, 1, 1, 2, 2}; !reflect.DeepEqual(Labels(f), want) {
		t.Errorf("labels %v, want %v", Labels(f), want)
	}
	// .hidden.png, .cache, stray.png, __MACOSX, notes.txt, Thumbs.db, LICENSE
	if f.Ignored() != 7 || f.Bad() != nil {
		t.Errorf("%d ignored, bad %v", f.Ignored(), f.Bad())
	}
}

func TestBadFilesAreNamedOrLeftOut(t *testing.T) {
	png := picturePNG(t, 1, 40, 40)
	for name, tc := range map[string]struct {
		data  []byte
		want  error
		later bool // the header is sound: only decoding finds it
	}{
		"empty JPEG":      {nil, transform.ErrFormat, false},
		"web page":        {[]byte("<html>"), transform.ErrFormat, false},
		"huge PNG":        {hugePNG(), transform.ErrTooLarge, false},
		"cut in header":   {png[:20], transform.ErrCorrupt, false},
		"cut in pixels":   {png[:len(png)/2], transform.ErrCorrupt, true},
		"damaged inside":  {append(append(bytes.Clone(png[:60]), "damage"...), png[66:]...), transform.ErrCorrupt, true},
		"JPEG of 3 bytes": {[]byte("\xff\xd8\xff"), transform.ErrCorrupt, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := tree(t, "cat/a.png", "cat/z.png", "dog/a.png")
			m["cat/bad.jpg"] = &fstest.MapFile{Data: tc.data}
			f, err := OpenFolder(m, Options{})
			if tc.later && err == nil {
				_, err = f.Image(1)
			}
			var bad *BadFile
			if !errors.As(err, &bad) || bad.Name != "cat/bad.jpg" || !errors.Is(err, tc.want) || !strings.Contains(err.Error(), "cat/bad.jpg") {
				t.Errorf("strict: %v, want one that names the file and wraps %v", err, tc.want)
			}
			f, err = OpenFolder(m, Options{Quarantine: true})
			if err != nil {
				t.Fatal(err)
			}
			if f.Len() != 3 || len(f.Bad()) != 1 || f.Bad()[0].Name != "cat/bad.jpg" || !errors.Is(f.Bad()[0].Err, tc.want) || f.Ignored() != 0 {
				t.Errorf("quarantine: %d pictures, bad %v, %d ignored", f.Len(), f.Bad(), f.Ignored())
			}
			checkSet(t, f)
		})
	}
}

// The size of a picture may stand behind more than the first 64 kB.
func TestHeadersFarInsideAreFound(t *testing.T) {
	var small, far bytes.Buffer
	if err := jpeg.Encode(&small, picture(1, 40, 30), nil); err != nil {
		t.Fatal(err)
	}
	far.Write(small.Bytes()[:2])
	for range 3 { // as a colour profile would
		far.Write([]byte{0xff, 0xe2, 0xff, 0xff})
		far.Write(make([]byte, 0xffff-2))
	}
	far.Write(small.Bytes()[2:])
	var tif bytes.Buffer // its directory is at the end
	if err := tiff.Encode(&tif, picture(1, 200, 150), nil); err != nil {
		t.Fatal(err)
	}
	m := tree(t, "a/1.png", "b/1.png")
	m["a/far.jpg"] = &fstest.MapFile{Data: far.Bytes()}
	m["b/end.tif"] = &fstest.MapFile{Data: tif.Bytes()}
	f, err := OpenFolder(m, Options{})
	if err != nil || f.Len() != 4 {
		t.Fatal(err)
	}
	checkSet(t, f)
	_, err = OpenFolder(m, Options{Limits: transform.Limits{MaxPixels: 40*30 - 1}})
	var bad *BadFile
	if !errors.As(err, &bad) || bad.Name != "a/far.jpg" || !errors.Is(err, transform.ErrTooLarge) {
		t.Errorf("above the limit: %v", err)
	}
	m["a/far.jpg"].Data = far.Bytes()[:far.Len()-small.Len()]
	if _, err = OpenFolder(m, Options{}); !errors.As(err, &bad) || bad.Name != "a/far.jpg" {
		t.Errorf("cut before the size: %v", err)
	}
	if _, err = OpenFolder(m, Options{Limits: transform.Limits{MaxBytes: 100000}}); !errors.Is(err, transform.ErrTooLarge) {
		t.Errorf("longer than the limit: %v", err)
	}
}

func TestFirstBadFileIsTheErrorWhateverTheWorkers(t *testing.T) {
	m := tree(t, "a/1.png", "b/1.png")
	for _, n := range []string{"a/5.jpg", "a/3.jpg", "b/0.jpg", "a/4.jpg"} {
		m[n] = &fstest.MapFile{}
	}
	for _, workers := range []int{1, 2, 3, 8} {
		_, err := OpenFolder(m, Options{Workers: workers})
		var bad *BadFile
		if !errors.As(err, &bad) || bad.Name != "a/3.jpg" {
			t.Errorf("%d workers: %v, want a/3.jpg", workers, err)
		}
	}
}

func TestFoldersWithoutEnoughAreErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		fsys fstest.MapFS
		want error
		says string
	}{
		"empty":             {fstest.MapFS{}, ErrEmpty, "."},
		"only files":        {tree(t, "a.png", "b.png"), ErrEmpty, "."},
		"one class":         {tree(t, "cat/a.png", "cat/b.png"), ErrOneClass, "cat"},
		"class without any": {tree(t, "cat/a.png", "dog/"), ErrEmptyClass, "dog"},
		"class of hidden":   {tree(t, "cat/a.png", "dog/.a.png"), ErrEmptyClass, "dog"},
	} {
		_, err := OpenFolder(tc.fsys, Options{})
		if !errors.Is(err, tc.want) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %v naming %q", name, err, tc.want, tc.says)
		}
	}
	m := tree(t, "cat/a.png", "dog/a.png")
	m["dog/a.png"] = &fstest.MapFile{Data: []byte("x")}
	if _, err := OpenFolder(m, Options{Quarantine: true}); !errors.Is(err, ErrEmptyClass) {
		t.Errorf("a class emptied by quarantine: %v", err)
	}
	if _, err := OpenFolder(os.DirFS(filepath.Join(t.TempDir(), "nowhere")), Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such folder: %v", err)
	}
}

func TestFileThatVanishesIsNamed(t *testing.T) {
	m := tree(t, "cat/a.png", "dog/a.png")
	f, err := OpenFolder(m, Options{})
	if err != nil {
		t.Fatal(err)
	}
	delete(m, "dog/a.png")
	var bad *BadFile
	if _, err := f.Image(1); !errors.As(err, &bad) || bad.Name != "dog/a.png" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// write puts a tree on disk.
func write(t testing.TB, m fstest.MapFS) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range m {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if f.Mode.IsDir() {
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestLinksAreFollowedToFilesAndClasses(t *testing.T) {
	dir := write(t, tree(t, "cat/a.png", "elsewhere/a.png", "elsewhere/b.png"))
	for link, to := range map[string]string{"cat/link.png": "../elsewhere/a.png", "dog": "elsewhere", "cat/loop": "..", "cat/broken.png": "nothing"} {
		if err := os.Symlink(to, filepath.Join(dir, filepath.FromSlash(link))); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	_, err := OpenFolder(os.DirFS(dir), Options{})
	var bad *BadFile
	if !errors.As(err, &bad) || bad.Name != "cat/broken.png" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a broken link: %v", err)
	}
	f, err := OpenFolder(os.DirFS(dir), Options{Quarantine: true})
	if err != nil {
		t.Fatal(err)
	}
	if want := []int{2, 2, 2}; !reflect.DeepEqual(Counts(f), want) || f.Ignored() != 1 {
		t.Errorf("%v %v, %d ignored", f.Classes(), Counts(f), f.Ignored())
	}
}
