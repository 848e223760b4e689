//go:build !purego

package depthwise

import (
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
)

// finish applies the rest of an epilogue, whose bias has been added already, to
// a part of the output. y are its lines, of outW pixels of c channels.
func finish(e *kernel.Epilogue[float32], y []float32, outW, c int, p part) {
	stride := e.ResidualStride
	if stride == 0 {
		stride = c
	}
	pixels := 1 // that lie together
	if p.c1-p.c0 == c {
		pixels = outW
	}
	width := p.c1 - p.c0
	for i := 0; i < (p.hi-p.lo)*outW; i += pixels {
		finishPixels(e, y[i*c+p.c0:][:pixels*width], p.lo*outW+i, p.c0, width, stride)
	}
}

// finishPixels applies e to y, the channels from c0 on of pixels from number
// first on.
func finishPixels(e *kernel.Epilogue[float32], y []float32, first, c0, width, stride int) {
	if !e.ActLast {
		activation.Forward(y, y, e.Act)
	}
	if e.Scale != nil {
		elementwise.ScaleChannels(y, y, e.Scale[c0:][:width], len(y)/width, width)
	}
	switch {
	case e.Residual == nil:
	case stride == width:
		elementwise.AddTo(y, e.Residual[first*stride:][:len(y)])
	default:
		for j := range len(y) / width {
			elementwise.AddTo(y[j*width:][:width], e.Residual[(first+j)*stride+c0:][:width])
		}
	}
	if e.ActLast {
		activation.Forward(y, y, e.Act)
	}
}
