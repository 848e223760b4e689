package main

import (
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/winnow-go/winnow/dataset"
)

// mark tells folders that this program made, and may remove, from others.
const mark = ".made-by-prelabel"

// writeFolders makes folders/VERDICT/CLASS/ with a link to, or a copy of, every
// image that has a class: 00001_0.512_name.jpg is the least sure one.
func writeFolders(ctx context.Context, o options, set dataset.Set, list *pictures, rs *records) error {
	if o.files == "none" {
		return nil
	}
	final, next := filepath.Join(o.out, "folders"), filepath.Join(o.out, ".folders")
	for _, dir := range []string{final, next} {
		if err := removeOwn(dir); err != nil {
			return err
		}
	}
	if err := os.Mkdir(next, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(next, mark), []byte("made from labels.jsonl; what is changed here is lost when the program runs again\n"), 0o644); err != nil {
		return err
	}
	names := fileNames(rs.classes)
	groups := rs.grouped()
	for _, verdict := range judged {
		for class, images := range groups[verdict] {
			if len(images) == 0 {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			dir := filepath.Join(next, string(verdict), names[class])
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			// Where the folder will lie, seen from there.
			place := filepath.Join(final, string(verdict), names[class])
			for rank, i := range images {
				name := fmt.Sprintf("%05d_%.3f_%s", rank+1, rs.all[i].prob, fileName(path.Base(set.Name(i)), 120))
				if err := deposit(o, set, list, i, filepath.Join(dir, name), place); err != nil {
					return fmt.Errorf("%s: %w", set.Name(i), err)
				}
			}
		}
	}
	return os.Rename(next, final)
}

func removeOwn(dir string) error {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if _, err := os.Stat(filepath.Join(dir, mark)); err != nil {
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			return fmt.Errorf("%s is there and was not made by this program", dir)
		}
	}
	return os.RemoveAll(dir)
}

// deposit puts image i at a path. One that has vanished since it was labelled
// is left out.
func deposit(o options, set dataset.Set, list *pictures, i int, to, place string) error {
	if dataset.Set(list) != set { // no file of its own
		img, err := set.Image(i)
		if err != nil {
			return err
		}
		return create(to+".png", func(w io.Writer) error { return png.Encode(w, img) })
	}
	from := list.path(i)
	if o.files == "link" && link(from, to, place) == nil {
		return nil
	}
	f, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	return create(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// create writes a file without the care of write: its folder gets its name when
// all of it is there.
func create(path string, content func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(content(f), f.Close())
}

// link makes a symbolic link, relative so that both folders can be moved
// together; not every system lets everyone do that.
func link(from, to, place string) error {
	from, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	if place, err = filepath.Abs(place); err != nil {
		return err
	}
	// Through links on the way "../" would lead elsewhere.
	if real, err := filepath.EvalSymlinks(filepath.Dir(from)); err == nil {
		from = filepath.Join(real, filepath.Base(from))
	}
	if relative, err := filepath.Rel(realParent(place), from); err == nil {
		return os.Symlink(relative, to)
	}
	return os.Symlink(from, to)
}

// realParent follows the links in the part of a path that exists.
func realParent(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	dir := filepath.Dir(path)
	if dir == path {
		return path
	}
	return filepath.Join(realParent(dir), filepath.Base(path))
}
