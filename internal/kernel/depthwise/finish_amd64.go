//go:build !purego

package depthwise

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
)

// finish applies the rest of an epilogue, whose bias has been added already, to
// the lines [lo,hi) of outW pixels of c channels.
func finish(e *kernel.Epilogue[float32], dst []float32, outW, c, lo, hi int) {
	for line := lo; line < hi; line++ {
		y := dst[line*outW*c:][:outW*c]
		if e.Act != kernel.Identity && !e.ActLast {
			activation.Forward(y, y, e.Act)
		}
		if e.Scale != nil {
			elementwise.ScaleChannels(y, y, e.Scale[:c], outW, c)
		}
		if e.Residual != nil {
			stride := e.ResidualStride
			if stride == 0 {
				stride = c
			}
			for j := range outW {
				elementwise.AddTo(y[j*c:][:c], e.Residual[(line*outW+j)*stride:][:c])
			}
		}
		if e.Act != kernel.Identity && e.ActLast {
			activation.Forward(y, y, e.Act)
		}
	}
}
