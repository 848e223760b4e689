package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/label"
)

// Kind is a way in which data sets are stored.
type Kind string

// The kinds that Open recognises.
const (
	ImageFolder Kind = "image folder"
	CIFAR10     Kind = "CIFAR-10 binary"
	IDX         Kind = "IDX"
)

// Splits is a data set in its parts.
type Splits struct {
	Kind Kind
	// Train and Test are disjoint and have the same classes.
	Train, Test Set
	// Val is the folder val/ where there is test/ too; otherwise nil.
	Val Set
	// Drawn tells that the parts do not follow from names: a fifth of all
	// pictures was drawn for testing, by Options.Seed.
	Drawn bool
	// Ignored is how many files were passed over because they are no
	// pictures of the kind found.
	Ignored int
	// Bad lists what quarantine left out.
	Bad []BadFile
}

// Classes are the names of the classes.
func (s *Splits) Classes() []string { return s.Train.Classes() }

// All is every picture: those for training, then Val, then those for testing.
func (s *Splits) All() Set {
	sets := []Set{s.Train}
	if s.Val != nil {
		sets = append(sets, s.Val)
	}
	all, err := Concat(append(sets, s.Test)...)
	if err != nil {
		panic(err) // Open made them with the same classes
	}
	return all
}

// Open finds out what lies at a path and opens it: a folder of image folders,
// a file in CIFAR-10's binary layout or a folder of them, an IDX file of
// pictures or a folder of IDX pairs; CIFAR and IDX files plain or gzip. What a
// file is follows from its content.
//
// What is for testing follows from names, in lower case: a folder train/ beside
// val/ (or valid/, validation/) or test/; files that begin with test or t10k
// against all others (data_batch*, train*). Where all pictures are on one side
// a fifth is drawn, see [Splits.Drawn]: a folder that has only t10k-* files is
// divided like any other, and [Splits.All] gives the whole.
//
// Errors: [ErrKind], [ErrEmpty], [ErrEmptyClass] (no picture to train on),
// [ErrOneClass], [*BadFile], label.ErrClasses (two classes of one name, or a name
// that is no text), fs.ErrNotExist.
func Open(name string, opts Options) (*Splits, error) {
	s, err := survey(name, opts)
	if err != nil {
		return nil, err
	}
	out, err := s.open()
	if err != nil {
		return nil, err
	}
	classes := out.Train.Classes()
	if len(classes) < 2 {
		return nil, fmt.Errorf("%w in %s: %q", ErrOneClass, name, classes)
	}
	if err := label.Classes(classes).Check(); err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", name, err)
	}
	for k, n := range Counts(out.Train) {
		if n == 0 {
			return nil, fmt.Errorf("%w to train on: %q in %s", ErrEmptyClass, classes[k], name)
		}
	}
	return out, nil
}

// found is what lies at a path.
type found struct {
	kind    Kind
	fsys    fs.FS
	root    string // within fsys
	shown   string // the path before names in fsys, for people
	names   []string
	ignored int
	opts    Options
}

func survey(name string, opts Options) (*found, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	f := &found{root: ".", opts: opts}
	if !info.IsDir() {
		dir, base := filepath.Split(filepath.Clean(name))
		f.fsys, f.shown = os.DirFS(filepath.Clean("./"+dir)), dir
		if filepath.IsAbs(name) {
			f.fsys = os.DirFS(filepath.Clean(dir))
		}
		return f, f.classify([]string{base}, true)
	}
	f.fsys, f.shown = os.DirFS(name), strings.TrimSuffix(filepath.ToSlash(name), "/")+"/"
	entries, err := fs.ReadDir(f.fsys, ".")
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	var files []string
	folders := 0
	for _, e := range entries {
		switch {
		case hidden(e.Name()):
			f.ignored++
		case isDir(f.fsys, e.Name(), e):
			folders++
		default:
			files = append(files, e.Name())
		}
	}
	err = f.classify(files, false)
	if errors.Is(err, ErrKind) {
		// Neither CIFAR nor IDX: folders, or pictures.
		f.kind, f.ignored, f.names = ImageFolder, 0, nil
		if folders == 0 && !f.anyPicture(files) {
			var bad *BadFile
			switch {
			case len(files) == 0:
				return nil, fmt.Errorf("%w: %s is empty", ErrEmpty, name)
			case errors.As(err, &bad):
				return nil, err
			}
			return nil, fmt.Errorf("%w: %s", ErrKind, name)
		}
		return f, nil
	}
	f.ignored += folders
	return f, err
}

func (f *found) anyPicture(files []string) bool {
	return slices.ContainsFunc(files, namedLikePicture)
}

// classify looks for IDX files, then for CIFAR files, and keeps the names of
// the first kind that it finds. Of a file that is there plain and compressed
// it takes the plain one.
func (f *found) classify(files []string, alone bool) error {
	have := map[string]bool{}
	for _, n := range files {
		have[n] = true
	}
	files = slices.DeleteFunc(slices.Clone(files), func(n string) bool {
		twin := strings.TrimSuffix(n, ".gz")
		if twin != n && have[twin] {
			f.ignored++
			return true
		}
		return false
	})
	labels := 0
	for _, n := range files {
		switch idxKind(f.fsys, n) {
		case idxImages:
			f.names = append(f.names, n)
		case idxLabels:
			labels++
		}
	}
	if len(f.names) > 0 {
		f.kind = IDX
		f.ignored += len(files) - len(f.names) - labels
		return nil
	}
	limit := len(f.opts.Classes)
	if limit == 0 {
		meta, err := cifarMeta(f.fsys, ".")
		if err != nil {
			var bad *BadFile
			errors.As(err, &bad)
			return &BadFile{f.shown + bad.Name, bad.Err}
		}
		limit = len(meta)
	}
	if limit == 0 {
		limit = len(cifarNames())
	}
	whole := 0
	for _, n := range files {
		looks := looksLikeCIFAR(f.fsys, n, limit)
		if looks {
			whole++
		}
		if looks || alone || namedLikeCIFAR(n) {
			f.names = append(f.names, n)
		}
	}
	if whole > 0 {
		f.kind = CIFAR10
		f.ignored += len(files) - len(f.names)
		return nil
	}
	if alone {
		_, err := readCIFAR(f.fsys, f.names[0], limit, f.opts.maxBytes())
		return &BadFile{f.shown + f.names[0], fmt.Errorf("%w: %w", ErrKind, err)}
	}
	if len(f.names) > 0 {
		// Files named like CIFAR's, none of them whole: say what is wrong
		// with the first, unless there are folders to look into.
		_, err := readCIFAR(f.fsys, f.names[0], limit, f.opts.maxBytes())
		return fmt.Errorf("%w: %w", ErrKind, &BadFile{f.shown + f.names[0], err})
	}
	return ErrKind
}

// namedLikeCIFAR tells that a file would be missed if it were damaged.
func namedLikeCIFAR(name string) bool {
	n := strings.TrimSuffix(strings.ToLower(name), ".gz")
	return strings.HasSuffix(n, ".bin") &&
		(forTesting(n) || strings.HasPrefix(n, "train") || strings.HasPrefix(n, "data_batch"))
}

// forTesting tells the part by a file's name.
func forTesting(name string) bool {
	n := strings.ToLower(path.Base(name))
	return strings.HasPrefix(n, "test") || strings.HasPrefix(n, "t10k")
}

func (f *found) open() (*Splits, error) {
	out := &Splits{Kind: f.kind, Ignored: f.ignored}
	if f.kind == ImageFolder {
		return out, f.openFolders(out)
	}
	var train, test []*Pixels
	for _, name := range f.names {
		p, err := f.read(name, false)
		if err != nil {
			bad := &BadFile{}
			if !f.opts.Quarantine || !errors.As(err, &bad) {
				return nil, err
			}
			out.Bad = append(out.Bad, *bad)
			continue
		}
		if forTesting(name) {
			test = append(test, p)
		} else {
			train = append(train, p)
		}
	}
	all := append(slices.Clone(train), test...)
	if len(all) == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, f.shown)
	}
	// Where labels alone tell how many classes there are, the largest counts.
	names := all[0].classes
	for _, p := range all {
		if len(p.classes) > len(names) {
			names = p.classes
		}
	}
	for _, p := range all {
		p.classes = names
	}
	if len(train) == 0 || len(test) == 0 {
		return out, f.draw(out, join(all))
	}
	out.Train, out.Test = join(train), join(test)
	return out, nil
}

// read reads one CIFAR file, or one IDX file of pictures with the labels that
// go with it.
func (f *found) read(name string, unlabelled bool) (*Pixels, error) {
	if f.kind == CIFAR10 {
		opts := f.opts
		opts.Quarantine = false // this is about one file
		classes := opts.Classes
		if len(classes) == 0 {
			classes, _ = cifarMeta(f.fsys, ".") // read before, without error
		}
		p, err := openCIFAR(f.fsys, opts, []string{name}, classes, f.shown)
		if err == nil && unlabelled {
			p.labels, p.classes = nil, nil
		}
		return p, err
	}
	if unlabelled {
		return openIDX(f.fsys, name, "", f.opts, f.shown)
	}
	labels, err := f.labelsOf(name)
	if err != nil {
		return nil, err
	}
	return openIDX(f.fsys, name, labels, f.opts, f.shown)
}

// labelsOf is the file of labels beside an IDX file of pictures: "images"
// becomes "labels", "idx3" becomes "idx1"; compressed or not.
func (f *found) labelsOf(images string) (string, error) {
	want := strings.NewReplacer("images", "labels", "idx3", "idx1").Replace(images)
	plain := strings.TrimSuffix(want, ".gz")
	for _, n := range []string{want, plain, plain + ".gz"} {
		if n != images && idxKind(f.fsys, n) == idxLabels {
			return n, nil
		}
	}
	return "", &BadFile{f.shown + images, fmt.Errorf("no IDX file of labels beside it (%s): %w", want, fs.ErrNotExist)}
}

// join makes one set of sets that have the same classes.
func join(sets []*Pixels) Set {
	if len(sets) == 1 {
		return sets[0]
	}
	list := make([]Set, len(sets))
	for i, s := range sets {
		list[i] = s
	}
	j, err := Concat(list...)
	if err != nil {
		panic(err) // the caller gave them the same classes
	}
	return j
}

func (f *found) draw(out *Splits, all Set) (err error) {
	out.Drawn = true
	out.Train, out.Test, err = Stratified(all, 0.2, f.opts.Seed)
	return err
}
