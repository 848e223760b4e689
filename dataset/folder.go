package dataset

import (
	"errors"
	"fmt"
	"image"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/transform"
)

// Folder is a Set of picture files, one folder per class.
type Folder struct {
	fsys    fs.FS
	shown   string // put before names in errors
	classes []string
	files   []file
	limits  transform.Limits
	ignored int
	bad     []BadFile
}

type file struct {
	name  string
	label int
}

// OpenFolder reads the folder fsys: every folder in it is a class, whose name
// is the folder's; classes are sorted by name (in byte order). Pictures may lie
// in further folders below a class. Symbolic links to files are followed.
//
// Files that are no pictures, whatever begins with a dot, and pictures outside
// of a class are ignored and counted. A file is a picture when its name ends
// like one (.jpg, .jpeg, .png, .gif, .bmp, .tif, .tiff, .webp) or its first
// bytes say so; a file that ends like one and is not is a bad file.
//
// Errors: [ErrEmpty] without any class, [ErrOneClass], [ErrEmptyClass] naming
// it, [*BadFile] unless opts.Quarantine.
func OpenFolder(fsys fs.FS, opts Options) (*Folder, error) {
	return openFolder(fsys, ".", nil, opts, "")
}

// openFolder reads the classes below root. With classes, those are the
// classes: one may be missing, none may be added.
func openFolder(fsys fs.FS, root string, classes []string, opts Options, shown string) (*Folder, error) {
	f := &Folder{fsys: fsys, shown: shown, limits: opts.Limits}
	entries, err := fs.ReadDir(fsys, root)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s: %w", shown+root, err)
	}
	var dirs []string
	for _, e := range entries {
		if !hidden(e.Name()) && isDir(fsys, path.Join(root, e.Name()), e) {
			dirs = append(dirs, e.Name())
		} else {
			f.ignored++
		}
	}
	slices.Sort(dirs)
	f.classes = classes
	if classes == nil {
		f.classes = dirs
		switch len(dirs) {
		case 0:
			return nil, fmt.Errorf("%w: %s has no folder that would be a class", ErrEmpty, shown+root)
		case 1:
			return nil, fmt.Errorf("%w: %s has only %q", ErrOneClass, shown+root, dirs[0])
		}
	}
	for _, d := range dirs {
		label := slices.Index(f.classes, d)
		if label < 0 {
			return nil, fmt.Errorf("dataset: %s: class %q is not among the %d classes to train on", shown+path.Join(root, d), d, len(f.classes))
		}
		if err := f.walk(path.Join(root, d), label); err != nil {
			return nil, err
		}
	}
	if err := f.check(opts); err != nil {
		return nil, err
	}
	if classes != nil {
		if f.Len() == 0 {
			return nil, fmt.Errorf("%w in %s", ErrEmpty, shown+root)
		}
		return f, nil
	}
	for label, n := range Counts(f) {
		if n == 0 {
			return nil, fmt.Errorf("%w: %s", ErrEmptyClass, shown+path.Join(root, f.classes[label]))
		}
	}
	return f, nil
}

// openPictures takes every picture below root, without labels.
func openPictures(fsys fs.FS, root string, opts Options, shown string) (*Folder, error) {
	f := &Folder{fsys: fsys, shown: shown, limits: opts.Limits}
	if err := f.walk(root, -1); err != nil {
		return nil, err
	}
	if err := f.check(opts); err != nil {
		return nil, err
	}
	if f.Len() == 0 {
		return nil, fmt.Errorf("%w in %s", ErrEmpty, shown+root)
	}
	return f, nil
}

// walk adds every file below dir that is not hidden.
func (f *Folder) walk(dir string, label int) error {
	return fs.WalkDir(f.fsys, dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return &BadFile{f.shown + name, err}
		}
		switch {
		case name != dir && hidden(e.Name()):
			f.ignored++
			if e.IsDir() {
				return fs.SkipDir
			}
		case e.IsDir():
		default:
			f.files = append(f.files, file{name, label})
		}
		return nil
	})
}

func hidden(name string) bool { return strings.HasPrefix(name, ".") || name == "__MACOSX" }

// isDir follows a symbolic link.
func isDir(fsys fs.FS, name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := fs.Stat(fsys, name)
	return err == nil && info.IsDir()
}

func namedLikePicture(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp":
		return true
	}
	return false
}

// Len is the number of pictures.
func (f *Folder) Len() int { return len(f.files) }

// Classes are the names of the class folders, sorted.
func (f *Folder) Classes() []string { return f.classes }

// Label is the number of the folder that picture i lies in.
func (f *Folder) Label(i int) int { return f.files[i].label }

// Name is the path of picture i, with slashes, as it is in the fs.FS.
func (f *Folder) Name(i int) string { return f.files[i].name }

// Ignored is how many files and hidden folders were passed over.
func (f *Folder) Ignored() int { return f.ignored }

// Bad lists the files left out in quarantine, in the order of the walk.
func (f *Folder) Bad() []BadFile { return f.bad }

// Image reads and decodes picture i.
func (f *Folder) Image(i int) (image.Image, error) {
	img, err := f.decode(f.files[i].name)
	if err != nil {
		return nil, &BadFile{f.shown + f.files[i].name, err}
	}
	return img, nil
}

func (f *Folder) decode(name string) (image.Image, error) {
	r, err := f.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return transform.Decode(r, f.limits)
}

// errNoPicture says that a file is to be ignored.
var errNoPicture = errors.New("no picture")
