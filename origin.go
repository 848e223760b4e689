package winnow

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/winnow-go/winnow/weights"
)

// origin is the file that a model was opened from, where Save finds the weights
// that predictions have taken out of the model.
type origin struct {
	path string
	load func() (weights.Source, error)

	mu   sync.Mutex
	then fs.FileInfo // the file as it was opened
}

func newOrigin(path string, load func() (weights.Source, error)) (*origin, error) {
	then, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &origin{path: path, load: load, then: then}, nil
}

// weights reads the file again, if it is still the same by size and time.
func (o *origin) weights() (weights.Source, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now, err := os.Stat(o.path)
	if err != nil {
		return nil, err
	}
	if now.Size() != o.then.Size() || !now.ModTime().Equal(o.then.ModTime()) {
		return nil, fmt.Errorf("winnow: %s has changed since it was opened", o.path)
	}
	return o.load()
}

// saved notes that the model was written to path, which may be the file itself.
func (o *origin) saved(path string) {
	if filepath.Clean(path) != filepath.Clean(o.path) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now, err := os.Stat(path); err == nil {
		o.then = now
	}
}
