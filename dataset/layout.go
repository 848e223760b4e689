package dataset

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// openFolders opens an image folder, divided or not.
func (f *found) openFolders(out *Splits) error {
	parts, rest, err := f.parts()
	if err != nil {
		return err
	}
	train := parts["train"]
	if train == "" {
		all, err := openFolder(f.fsys, f.root, nil, f.opts, f.shown)
		if err != nil {
			return err
		}
		out.took(all)
		return f.draw(out, all)
	}
	out.Ignored += rest
	a, err := openFolder(f.fsys, train, nil, f.opts, f.shown)
	if err != nil {
		return err
	}
	out.Train = a
	out.took(a)
	second := func(dir string) (Set, error) {
		b, err := openFolder(f.fsys, dir, a.classes, f.opts, f.shown)
		if err != nil {
			return nil, err
		}
		out.took(b)
		return b, nil
	}
	val, test := parts["val"], parts["test"]
	if test == "" {
		test, val = val, ""
	}
	if val != "" {
		if out.Val, err = second(val); err != nil {
			return err
		}
	}
	if test == "" {
		return f.draw(out, a)
	}
	out.Test, err = second(test)
	return err
}

func (s *Splits) took(f *Folder) {
	s.Ignored += f.ignored
	s.Bad = append(s.Bad, f.bad...)
}

// parts finds the folders train, val and test, whatever case they are in, and
// counts what lies beside them. They count as parts when train/ holds folders
// and either another part is there or nothing else is; a class may well be
// called "train".
func (f *found) parts() (dirs map[string]string, rest int, err error) {
	entries, err := fs.ReadDir(f.fsys, f.root)
	if err != nil {
		return nil, 0, fmt.Errorf("dataset: %s: %w", f.shown+f.root, err)
	}
	dirs = map[string]string{}
	folders := 0
	for _, e := range entries {
		name := path.Join(f.root, e.Name())
		if hidden(e.Name()) || !isDir(f.fsys, name, e) {
			rest++
			continue
		}
		folders++
		part := strings.ToLower(e.Name())
		switch part {
		case "training":
			part = "train"
		case "valid", "validation":
			part = "val"
		case "testing":
			part = "test"
		}
		if part != "train" && part != "val" && part != "test" {
			rest++
			continue
		}
		if other, twice := dirs[part]; twice {
			return nil, 0, fmt.Errorf("dataset: %s: both %s and %s", f.shown+f.root, path.Base(other), e.Name())
		}
		dirs[part] = name
	}
	if dirs["train"] == "" || (len(dirs) < 2 && folders > 1) || !f.hasFolders(dirs["train"]) {
		return map[string]string{}, 0, nil
	}
	return dirs, rest, nil
}

func (f *found) hasFolders(dir string) bool {
	entries, err := fs.ReadDir(f.fsys, dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if !hidden(e.Name()) && isDir(f.fsys, path.Join(dir, e.Name()), e) {
			return true
		}
	}
	return false
}
