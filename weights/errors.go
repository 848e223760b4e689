package weights

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

var (
	// ErrFormat is wrapped by errors about a file that breaks the format:
	// truncated, inconsistent, or no file of weights at all.
	ErrFormat = errors.New("malformed file")
	// ErrUnsupported is wrapped by errors about something valid that this
	// package cannot do.
	ErrUnsupported = errors.New("not supported")
)

// Error says which file and which tensor a failure is about.
type Error struct {
	File   string // path as given to Open or Write; "" for a reader or memory
	Tensor string // "" if it is about the file as a whole
	Err    error
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("weights: ")
	if e.File != "" {
		b.WriteString(e.File + ": ")
	}
	if e.Tensor != "" {
		fmt.Fprintf(&b, "tensor %s: ", quote(e.Tensor))
	}
	b.WriteString(e.Err.Error())
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// quote shortens what a hostile file could make very long.
func quote(name string) string {
	const most = 200
	if len(name) > most {
		return fmt.Sprintf("%q... (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

func missing(file, name string) error {
	return &Error{file, name, fs.ErrNotExist}
}
