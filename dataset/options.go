package dataset

import (
	"runtime"

	"github.com/winnow-go/winnow/transform"
)

// Options says how data sets are opened. The zero value is strict.
type Options struct {
	// Limits holds for every encoded picture.
	Limits transform.Limits
	// MaxBytes is the largest CIFAR or IDX file, in bytes after
	// decompression. 0 means 1 GiB.
	MaxBytes int64
	// Quarantine leaves bad files out and lists them. To find them, every
	// picture is decoded once on opening. Without it, opening reads every
	// picture's header, and the first bad file is an error; damage further
	// inside a file is found when the picture is decoded.
	Quarantine bool
	// Classes names the classes of CIFAR and IDX files, in the order of their
	// numbers. Without it, CIFAR files take batches.meta.txt beside them or
	// CIFAR-10's names, and IDX files "0", "1", ... up to the largest label.
	Classes []string
	// Workers is how many files are checked at once; 0 means GOMAXPROCS.
	Workers int
	// Seed draws the test pictures where names do not tell them.
	Seed uint64
}

const defaultMaxBytes = 1 << 30

func (o Options) maxBytes() int64 {
	if o.MaxBytes > 0 {
		return o.MaxBytes
	}
	return defaultMaxBytes
}

func (o Options) workers() int {
	if o.Workers > 0 {
		return o.Workers
	}
	return runtime.GOMAXPROCS(0)
}
