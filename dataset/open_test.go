package dataset

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/winnow-go/winnow/label"
)

func TestOpenFollowsNames(t *testing.T) {
	img := func(n int) []byte { return idxFile(n, n, 4, 4) }
	lab := func(labels ...uint8) []byte { return append(idxHead(idxLabels, len(labels)), labels...) }
	folders := func(parts ...string) fstest.MapFS {
		var names []string
		for _, p := range parts {
			for _, f := range []string{"a/1.png", "a/2.png", "b/1.png", "b/2.png", "b/3.png"} {
				names = append(names, p+f)
			}
		}
		return tree(t, names...)
	}
	with := func(m fstest.MapFS, name string, data []byte) fstest.MapFS {
		m[name] = &fstest.MapFile{Data: data}
		return m
	}
	for name, tc := range map[string]struct {
		files                    fstest.MapFS
		kind                     Kind
		train, val, test, ignore int
		drawn                    bool
		classes                  []string
	}{
		"folder":                 {folders(""), ImageFolder, 4, 0, 1, 0, true, []string{"a", "b"}},
		"folder with a licence":  {with(folders(""), "LICENSE", []byte("x")), ImageFolder, 4, 0, 1, 1, true, []string{"a", "b"}},
		"train and val":          {folders("train/", "val/"), ImageFolder, 5, 0, 5, 0, false, []string{"a", "b"}},
		"train and test":         {with(folders("Train/", "Test/"), "README", nil), ImageFolder, 5, 0, 5, 1, false, []string{"a", "b"}},
		"train, val and test":    {folders("train/", "valid/", "test/"), ImageFolder, 5, 5, 5, 0, false, []string{"a", "b"}},
		"only train":             {folders("train/"), ImageFolder, 4, 0, 1, 0, true, []string{"a", "b"}},
		"train is a class":       {tree(t, "train/1.png", "car/1.png", "car/2.png", "train/2.png", "test/1.png"), ImageFolder, 4, 0, 1, 0, true, []string{"car", "test", "train"}},
		"test lacks a class":     {tree(t, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/a/2.png"), ImageFolder, 2, 0, 2, 0, false, []string{"a", "b"}},
		"IDX":                    {fstest.MapFS{"train-images-idx3-ubyte": {Data: img(3)}, "train-labels-idx1-ubyte": {Data: lab(0, 1, 2)}, "t10k-images-idx3-ubyte.gz": {Data: zipped(img(2))}, "t10k-labels-idx1-ubyte": {Data: lab(1, 0)}, "LICENSE": {}, ".DS_Store": {}}, IDX, 3, 0, 2, 2, false, []string{"0", "1", "2"}},
		"IDX with dots":          {fstest.MapFS{"train-images.idx3-ubyte": {Data: img(3)}, "train-labels.idx1-ubyte": {Data: lab(0, 1, 2)}, "t10k-images.idx3-ubyte": {Data: img(1)}, "t10k-labels.idx1-ubyte": {Data: lab(3)}}, "", 0, 0, 0, 0, false, nil},
		"IDX, only test":         {fstest.MapFS{"t10k-images-idx3-ubyte": {Data: img(10)}, "t10k-labels-idx1-ubyte": {Data: lab(0, 1, 0, 1, 0, 1, 0, 1, 0, 1)}}, IDX, 8, 0, 2, 0, true, []string{"0", "1"}},
		"IDX plain and gzip":     {fstest.MapFS{"train-images": {Data: img(4)}, "train-images.gz": {Data: zipped(img(4))}, "train-labels": {Data: lab(0, 1, 0, 1)}, "train-labels.gz": {Data: zipped(lab(0, 1, 0, 1))}, "test-images": {Data: img(2)}, "test-labels": {Data: lab(1, 0)}}, IDX, 4, 0, 2, 2, false, []string{"0", "1"}},
		"CIFAR":                  {fstest.MapFS{"data_batch_1.bin": {Data: records(1, 0, 1)}, "data_batch_2.bin.gz": {Data: zipped(records(2, 1, 0))}, "test_batch.bin": {Data: records(3, 1)}, "index.txt": {Data: []byte("0\n1\n")}, "x.tar.gz": {Data: zipped([]byte("train/"))}}, CIFAR10, 4, 0, 1, 2, false, []string{"airplane", "automobile"}},
		"CIFAR by content alone": {fstest.MapFS{"five": {Data: records(1, 0, 1, 0, 1, 0)}}, CIFAR10, 4, 0, 1, 0, true, []string{"airplane", "automobile"}},
		"CIFAR with class names": {fstest.MapFS{"train.bin": {Data: records(1, 0, 1)}, "test.bin": {Data: records(1, 0)}, "batches.meta.txt": {Data: []byte("no\nyes\n")}}, CIFAR10, 2, 0, 1, 1, false, []string{"no", "yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(write(t, tc.files), Options{Seed: 3})
			if tc.kind == "" {
				// A class that only the test files have cannot be learnt.
				if !errors.Is(err, ErrEmptyClass) {
					t.Errorf("%v, want ErrEmptyClass", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			val := 0
			if s.Val != nil {
				val = s.Val.Len()
			}
			if s.Kind != tc.kind || s.Train.Len() != tc.train || val != tc.val || s.Test.Len() != tc.test || s.Drawn != tc.drawn || s.Ignored != tc.ignore {
				t.Errorf("%s: %d to train, %d to validate, %d to test, drawn %v, %d ignored", s.Kind, s.Train.Len(), val, s.Test.Len(), s.Drawn, s.Ignored)
			}
			if !reflect.DeepEqual(s.Classes(), tc.classes) || !reflect.DeepEqual(s.Test.Classes(), tc.classes) {
				t.Errorf("classes %v and %v, want %v", s.Classes(), s.Test.Classes(), tc.classes)
			}
			all := s.All()
			if all.Len() != tc.train+tc.val+tc.test {
				t.Errorf("%d in all", all.Len())
			}
			checkSet(t, all)
		})
	}
}

func TestOpenTakesSingleFiles(t *testing.T) {
	dir := write(t, fstest.MapFS{
		"test.bin":     {Data: records(1, 0, 1, 0, 1, 0, 1)},
		"c.bin.gz":     {Data: zipped(records(1, 0, 1, 0, 1, 0))},
		"train-images": {Data: idxFile(1, 5, 3, 3)},
		"train-labels": {Data: append(idxHead(idxLabels, 5), 0, 1, 0, 1, 1)},
		"bad.bin":      {Data: records(1, 0, 1)[:4000]},
		"note.txt":     {Data: []byte("nothing")},
	})
	for file, want := range map[string][2]int{"test.bin": {5, 1}, "c.bin.gz": {4, 1}, "train-images": {4, 1}} {
		s, err := Open(filepath.Join(dir, file), Options{})
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if got := [2]int{s.Train.Len(), s.Test.Len()}; got != want || !s.Drawn {
			t.Errorf("%s: %v, want %v", file, got, want)
		}
	}
	t.Chdir(dir)
	if s, err := Open("c.bin.gz", Options{}); err != nil || s.Train.Len() != 4 {
		t.Errorf("in the working directory: %v", err)
	}
	for _, file := range []string{"bad.bin", "note.txt"} {
		_, err := Open(file, Options{})
		var bad *BadFile
		if !errors.Is(err, ErrKind) || !errors.As(err, &bad) || bad.Name != file {
			t.Errorf("%s: %v, want ErrKind naming it", file, err)
		}
	}
	if _, err := Open("nowhere", Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such file: %v", err)
	}
}

func TestOpenRefusesWhatCannotBeLearnt(t *testing.T) {
	empty := write(t, fstest.MapFS{"x": {}})
	if err := os.Remove(filepath.Join(empty, "x")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(empty, Options{}); !errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), empty) {
		t.Errorf("an empty folder: %v", err)
	}
	huge := tree(t, "cat/1.png", "dog/1.png")
	huge["dog/bomb.png"] = &fstest.MapFile{Data: hugePNG()}
	zero := tree(t, "cat/1.png", "dog/1.png")
	zero["cat/0.jpg"] = &fstest.MapFile{}
	for name, tc := range map[string]struct {
		files fstest.MapFS
		want  error
		says  string
	}{
		"one class":             {tree(t, "cat/1.png"), ErrOneClass, "cat"},
		"one class to train":    {tree(t, "train/cat/1.png", "test/cat/1.png"), ErrOneClass, "cat"},
		"class without picture": {tree(t, "cat/1.png", "dog/"), ErrEmptyClass, "dog"},
		"empty class in train":  {tree(t, "train/cat/1.png", "train/dog/", "test/dog/1.png"), ErrEmptyClass, "train/dog"},
		"nothing to test":       {tree(t, "train/cat/1.png", "train/dog/1.png", "test/dog/"), ErrEmpty, "test"},
		"class only in test":    {tree(t, "train/cat/1.png", "train/dog/1.png", "test/fox/1.png"), nil, "fox"},
		"0-byte JPEG":           {zero, nil, "cat/0.jpg"},
		"60000x60000":           {huge, nil, "dog/bomb.png"},
		"pictures only":         {tree(t, "1.png", "2.png"), ErrEmpty, ""},
		"text only":             {fstest.MapFS{"a.txt": {Data: []byte("a")}}, ErrKind, ""},
		"CIFAR of one class":    {fstest.MapFS{"train.bin": {Data: records(1, 0, 0)}, "test.bin": {Data: records(1, 0)}}, ErrOneClass, ""},
		"CIFAR with a gap":      {fstest.MapFS{"train.bin": {Data: records(1, 0, 2)}, "test.bin": {Data: records(1, 0)}}, ErrEmptyClass, "automobile"},
		"truncated batch":       {fstest.MapFS{"data_batch_1.bin": {Data: records(1, 0, 1)}, "data_batch_2.bin": {Data: records(1, 0, 1)[:5000]}}, ErrCorrupt, "data_batch_2.bin"},
		"only truncated":        {fstest.MapFS{"data_batch_2.bin": {Data: records(1, 0, 1)[:5000]}}, ErrKind, "data_batch_2.bin"},
		"IDX without labels":    {fstest.MapFS{"train-images-idx3-ubyte": {Data: idxFile(1, 2, 2, 2)}}, fs.ErrNotExist, "train-images-idx3-ubyte"},
		"IDX cut":               {fstest.MapFS{"train-images": {Data: idxFile(1, 2, 2, 2)[:20]}, "train-labels": {Data: append(idxHead(idxLabels, 2), 0, 1)}}, ErrCorrupt, "train-images"},
	} {
		_, err := Open(write(t, tc.files), Options{})
		switch {
		case err == nil:
			t.Errorf("%s: opens", name)
		case tc.want != nil && !errors.Is(err, tc.want):
			t.Errorf("%s: %v, want %v", name, err, tc.want)
		case !strings.Contains(filepath.ToSlash(err.Error()), tc.says) || !strings.HasPrefix(err.Error(), "dataset: "):
			t.Errorf("%s: %q does not say %q", name, err, tc.says)
		}
	}
}

func TestClassNamesMustServeAModel(t *testing.T) {
	m := fstest.MapFS{"train.bin": {Data: records(1, 0, 1)}, "test.bin": {Data: records(1, 0)}}
	for _, names := range [][]string{{"a", "a"}, {"a", ""}, {"a", "\xff"}} {
		if _, err := Open(write(t, m), Options{Classes: names}); !errors.Is(err, label.ErrClasses) {
			t.Errorf("%q: %v", names, err)
		}
	}
}

func TestQuarantineListsWhatItLeavesOut(t *testing.T) {
	m := tree(t, "train/cat/1.png", "train/dog/1.png", "test/cat/1.png")
	m["train/cat/2.png"] = &fstest.MapFile{Data: m["train/cat/1.png"].Data[:50]}
	m["test/cat/2.jpg"] = &fstest.MapFile{}
	dir := write(t, m)
	s, err := Open(dir, Options{Quarantine: true})
	if err != nil {
		t.Fatal(err)
	}
	if s.Train.Len() != 2 || s.Test.Len() != 1 || len(s.Bad) != 2 ||
		s.Bad[0].Name != filepath.ToSlash(dir)+"/train/cat/2.png" || s.Bad[1].Name != filepath.ToSlash(dir)+"/test/cat/2.jpg" {
		t.Errorf("%d and %d, bad %v", s.Train.Len(), s.Test.Len(), s.Bad)
	}
	dir = write(t, fstest.MapFS{"train.bin": {Data: records(1, 0, 1)}, "data_batch_9.bin": {Data: make([]byte, 99)}, "test.bin": {Data: records(2, 1)}})
	s, err = Open(dir, Options{Quarantine: true})
	if err != nil || s.Train.Len() != 2 || len(s.Bad) != 1 || !strings.HasSuffix(s.Bad[0].Name, "/data_batch_9.bin") {
		t.Errorf("CIFAR: %v", err)
	}
}

func TestPilesHaveNoLabels(t *testing.T) {
	for name, tc := range map[string]struct {
		files fstest.MapFS
		n     int
		kind  Kind
	}{
		"flat":               {tree(t, "1.png", "2.png", "3.png"), 3, ImageFolder},
		"one class":          {tree(t, "cat/1.png", "cat/2.png"), 2, ImageFolder},
		"parts":              {tree(t, "train/a/1.png", "test/b/1.png", "0.png"), 3, ImageFolder},
		"CIFAR":              {fstest.MapFS{"train.bin": {Data: records(1, 0, 1)}, "test.bin": {Data: records(1, 0)}}, 3, CIFAR10},
		"IDX without labels": {fstest.MapFS{"t10k-images-idx3-ubyte": {Data: idxFile(1, 4, 2, 2)}}, 4, IDX},
	} {
		p, err := OpenUnlabelled(write(t, tc.files), Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Len() != tc.n || p.Kind != tc.kind || p.Classes() != nil || p.Label(0) != -1 {
			t.Errorf("%s: %d pictures, %s", name, p.Len(), p.Kind)
		}
		checkSet(t, p)
	}
	m := tree(t, "1.png", "2.png")
	m["3.gif"] = &fstest.MapFile{Data: []byte("GIF89a")}
	m["4.txt"] = &fstest.MapFile{}
	dir := write(t, m)
	if _, err := OpenUnlabelled(dir, Options{}); err == nil || !strings.Contains(err.Error(), "3.gif") {
		t.Errorf("strict: %v", err)
	}
	p, err := OpenUnlabelled(dir, Options{Quarantine: true})
	if err != nil || p.Len() != 2 || len(p.Bad) != 1 || p.Ignored != 1 {
		t.Errorf("quarantine: %v", err)
	}
	if _, err := OpenUnlabelled(write(t, fstest.MapFS{"a.txt": {}}), Options{}); !errors.Is(err, ErrKind) {
		t.Errorf("no picture: %v", err)
	}
}
