//go:build !purego

package depthwise

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
)

// finish applies the rest of an epilogue, whose bias has been added already, to
// all: lines of outW pixels of c channels, the first of which is number line.
func finish(e *kernel.Epilogue[float32], all []float32, outW, c, line int) {
	stride := e.ResidualStride
	if stride == 0 {
		stride = c
	}
	for row := line * outW; len(all) > 0; row += outW {
		y := all[:outW*c]
		all = all[outW*c:]
		if !e.ActLast {
			activation.Forward(y, y, e.Act)
		}
		if e.Scale != nil {
			elementwise.ScaleChannels(y, y, e.Scale[:c], outW, c)
		}
		switch {
		case e.Residual == nil:
		case stride == c:
			elementwise.AddTo(y, e.Residual[row*c:][:outW*c])
		default:
			for j := range outW {
				elementwise.AddTo(y[j*c:][:c], e.Residual[(row+j)*stride:][:c])
			}
		}
		if e.ActLast {
			activation.Forward(y, y, e.Act)
		}
	}
}
