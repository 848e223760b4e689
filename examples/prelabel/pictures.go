package main

import (
	"errors"
	"fmt"
	"image"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/winnow-go/winnow/dataset"
	"github.com/winnow-go/winnow/transform"
)

// pictures are the files of a folder as a dataset.Set. Nothing is read before
// it is wanted, so that bad files cost nothing at the start.
type pictures struct {
	root    string
	names   []string // with slashes, below root, sorted
	ignored int      // files that are no pictures
	trouble []string // folders that could not be read
}

// openPictures lists what lies at a path. Any folder below it but skip is
// looked into; a file is a picture if its name ends like one or its first bytes
// say so. A path that is no folder of pictures may be a data set in another
// form.
func openPictures(root, skip string) (dataset.Set, *pictures, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		set, err := dataset.OpenUnlabelled(root, dataset.Options{Quarantine: true})
		return set, &pictures{root: root}, err
	}
	p := &pictures{root: root}
	skipped, _ := os.Stat(skip) // nil before the first run
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			if path == root {
				return err
			}
			p.trouble = append(p.trouble, err.Error())
			return nil
		}
		hidden := path != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "__MACOSX")
		if e.IsDir() {
			if info, err := e.Info(); hidden || err == nil && skipped != nil && os.SameFile(info, skipped) {
				return fs.SkipDir
			}
			return nil
		}
		if hidden || !isPicture(path, e) {
			p.ignored++
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		p.names = append(p.names, filepath.ToSlash(name))
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	slices.Sort(p.names)
	if len(p.names) > 0 {
		return p, p, nil
	}
	set, err := dataset.OpenUnlabelled(root, dataset.Options{Quarantine: true})
	if errors.Is(err, dataset.ErrKind) || errors.Is(err, dataset.ErrEmpty) {
		return nil, nil, fmt.Errorf("%w in %s (%d other files)", dataset.ErrEmpty, root, p.ignored)
	}
	return set, p, err
}

func isPicture(path string, e fs.DirEntry) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp":
		return true
	}
	if e.Type()&^fs.ModeSymlink != 0 { // a device or a pipe might not answer
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false
	}
	head := make([]byte, transform.SniffLen)
	n, _ := io.ReadFull(f, head) // a short file is judged by what it has
	return transform.Sniff(head[:n]) != transform.Unknown
}

func (p *pictures) Len() int          { return len(p.names) }
func (p *pictures) Classes() []string { return nil }
func (p *pictures) Label(i int) int {
	_ = p.names[i]
	return -1
}
func (p *pictures) Name(i int) string { return p.names[i] }

// path is where picture i lies.
func (p *pictures) path(i int) string { return filepath.Join(p.root, filepath.FromSlash(p.names[i])) }

// Open gives the bytes of picture i.
func (p *pictures) Open(i int) (io.ReadCloser, error) {
	path := p.path(i)
	info, err := os.Stat(path)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a file")
	}
	f, err := os.Open(path)
	return f, plain(err)
}

// plain leaves out the path of an error that is named otherwise.
func plain(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

func (p *pictures) Image(i int) (image.Image, error) {
	f, err := p.Open(i)
	if err != nil {
		return nil, &dataset.BadFile{Name: p.names[i], Err: err}
	}
	defer f.Close()
	img, err := transform.Decode(f, transform.Limits{})
	if err != nil {
		return nil, &dataset.BadFile{Name: p.names[i], Err: err}
	}
	return img, nil
}
