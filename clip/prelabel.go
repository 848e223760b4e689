package clip

import (
	"context"
	"crypto/sha256"
	"iter"

	"github.com/winnow-go/winnow/dataset"
)

// Proposal is a label that a picture may have, and what should become of it.
type Proposal struct {
	// Result has the class; it is empty but for name, place and hash where
	// Verdict is HeldOut or Unreadable.
	Result
	Verdict Verdict
}

// PrelabelOptions say which labels are kept. With the zero value none is: every
// picture is for review, except those that a background prompt suits best, which
// are rejected.
type PrelabelOptions struct {
	Thresholds Thresholds
	// HoldOut reports that a picture is set aside for testing, by its name in
	// the set and its Result.SHA256: it is never labelled, so that a test set
	// is not the model's own opinion. Manifest.Has is one; nil holds nothing
	// out. It is called from several goroutines at once.
	HoldOut func(name string, sum [sha256.Size]byte) bool
	// Skip leaves pictures out by their place in the set, without a Proposal:
	// those that an earlier run has done.
	Skip func(i int) bool
}

// Prelabel proposes a label for every picture of a set, in the order of the set
// and as [ZeroShot.Each] does: pictures that cannot be read are Unreadable, with
// the reason, and end nothing.
func Prelabel(ctx context.Context, z *ZeroShot, set dataset.Set, o PrelabelOptions) iter.Seq2[Proposal, error] {
	return func(yield func(Proposal, error) bool) {
		if err := o.Thresholds.Check(z.classes); err != nil {
			yield(Proposal{}, err)
			return
		}
		for it, err := range z.each(ctx, set, o.Skip, o.HoldOut) {
			if err != nil {
				yield(Proposal{}, err)
				return
			}
			p := Proposal{Result: it.Result}
			switch {
			case it.Err != nil:
				p.Verdict = Unreadable
			case it.excluded:
				p.Verdict = HeldOut
			default:
				p.Verdict = o.Thresholds.Verdict(it.Prediction)
			}
			if !yield(p, nil) {
				return
			}
		}
	}
}
