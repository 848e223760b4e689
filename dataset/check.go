package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/winnow-go/winnow/transform"
)

// check looks at all files, several at once, drops those that are no pictures
// and, in quarantine, those that do not decode. Otherwise the first bad file,
// in their order, is the error.
func (f *Folder) check(opts Options) error {
	verdict := make([]error, len(f.files))
	var next, stop atomic.Int64
	stop.Store(int64(len(f.files)))
	var wg sync.WaitGroup
	for range min(opts.workers(), len(f.files)) {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= stop.Load() {
					return
				}
				verdict[i] = f.checkFile(f.files[i].name, opts.Quarantine)
				if err := verdict[i]; err != nil && err != errNoPicture && !opts.Quarantine {
					for s := stop.Load(); i < s && !stop.CompareAndSwap(s, i); s = stop.Load() {
					}
				}
			}
		})
	}
	wg.Wait()
	good := f.files[:0]
	for i, err := range verdict {
		switch {
		case err == nil:
			good = append(good, f.files[i])
		case err == errNoPicture:
			f.ignored++
		case !opts.Quarantine:
			return &BadFile{f.shown + f.files[i].name, err}
		default:
			f.bad = append(f.bad, BadFile{f.shown + f.files[i].name, err})
		}
	}
	f.files = good
	return nil
}

// checkFile returns errNoPicture for what is to be ignored. With full it
// decodes the picture, otherwise it reads the header.
func (f *Folder) checkFile(name string, full bool) error {
	r, err := f.fsys.Open(name)
	if err != nil {
		return err
	}
	defer r.Close()
	info, err := r.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		if namedLikePicture(name) && !info.IsDir() {
			return fmt.Errorf("not a regular file: %v", info.Mode().Type())
		}
		return errNoPicture // a link to a folder, a pipe
	}
	return checkPicture(r, info.Size(), name, f.limits, full)
}

func checkPicture(r io.Reader, size int64, name string, limits transform.Limits, full bool) error {
	const header = 1 << 16
	head, err := io.ReadAll(io.LimitReader(r, header))
	if err != nil {
		return err
	}
	if transform.Sniff(head) == transform.Unknown {
		if !namedLikePicture(name) {
			return errNoPicture
		}
		if len(head) == 0 {
			return fmt.Errorf("%w: the file is empty", transform.ErrFormat)
		}
		return transform.ErrFormat
	}
	most := limits.WithDefaults().MaxBytes
	if size > most {
		return fmt.Errorf("%w: %d bytes, the limit is %d", transform.ErrTooLarge, size, most)
	}
	rest := io.MultiReader(bytes.NewReader(head), r)
	if full {
		_, err := transform.Decode(rest, limits)
		return err
	}
	_, _, err = transform.DecodeConfig(head, limits)
	if errors.Is(err, transform.ErrCorrupt) && len(head) == header {
		// The size may stand further in: behind a large profile, or at the
		// end of a TIFF.
		all, err := io.ReadAll(io.LimitReader(rest, most))
		if err != nil {
			return err
		}
		_, _, err = transform.DecodeConfig(all, limits)
		return err
	}
	return err
}
