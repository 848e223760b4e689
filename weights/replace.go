package weights

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// Write writes src to a file, atomically: to a temporary file in the same
// folder, which is synced and then renamed. So path holds either what it held
// before or all of src, whatever fails, and src may be a File of the very path.
// (Windows does not replace a file that is open; there that is an error and
// path stays as it is.)
//
// A file that is replaced hands on its permissions; a symbolic link stays and
// what it points to is replaced. WriteTo says what the file looks like.
func Write(path string, src Source, meta map[string]string) error {
	err := replace(path, func(w io.Writer) error { return WriteTo(w, src, meta) })
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) && e.File == "" {
		return &Error{path, e.Tensor, e.Err}
	}
	return &Error{File: path, Err: err}
}

// replace gives path the contents that write produces, or leaves it alone.
func replace(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return fmt.Errorf("following the link: %w", err)
		}
	}
	perm := fs.FileMode(0) // of the file that is replaced; 0 if there is none
	switch info, err := os.Stat(path); {
	case err == nil && !info.Mode().IsRegular():
		return unsupported("replacing what is not a regular file")
	case err == nil:
		perm = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return cause(err)
	}
	// Nobody may read more of the new file than of the old, at any time.
	first := fs.FileMode(0o666)
	if perm != 0 {
		first = 0o600
	}
	f, err := temporary(path, first)
	if err != nil {
		return fmt.Errorf("making a temporary file beside it: %w", cause(err))
	}
	defer func() {
		if f != nil {
			err = errors.Join(err, cause(os.Remove(f.Name())))
		}
	}()
	if err = write(f); err == nil && perm != 0 {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	f = nil // nothing to remove
	return syncFolder(filepath.Dir(path))
}

// temporary makes a new file beside path, with the permissions that the umask
// leaves of perm.
func temporary(path string, perm fs.FileMode) (*os.File, error) {
	for range 100 {
		name := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"."+rand.Text()[:10]+".tmp")
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
	return nil, fs.ErrExist
}

// syncFolder makes a rename durable where the system lets a folder be synced.
func syncFolder(dir string) error {
	if runtime.GOOS == "windows" || runtime.GOOS == "plan9" || runtime.GOOS == "js" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // a folder may be writable and not readable
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
