package train

import "github.com/winnow-go/winnow/nn"

// piece is a part of an update: elements [lo,hi) of its parameter and gradient.
type piece struct {
	Update
	of, lo, hi int // of is the update's number
}

// span is how many elements a piece has at most: enough to be worth a thread's
// while.
const span = 32 << 10

// cut cuts updates into pieces, the same ones for any number of threads.
func cut(updates []Update) []piece {
	var pieces []piece
	for i, u := range updates {
		for lo := 0; lo < len(u.Gradient); lo += span {
			pieces = append(pieces, piece{u, i, lo, min(lo+span, len(u.Gradient))})
		}
	}
	return pieces
}

func (p *piece) data() []float32     { return p.Param.Data()[p.lo:p.hi] }
func (p *piece) gradient() []float32 { return p.Gradient[p.lo:p.hi] }

// threaded is an Optimizer whose step can be shared by a device's threads.
type threaded interface {
	stepOn(dev *nn.Device, updates []Update, lr, scale float64) error
}
