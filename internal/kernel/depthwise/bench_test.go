package depthwise

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// benchShapes are the layers of ConvNeXt-T, training shapes of small networks,
// and MobileNet's 3x3 layers with both strides.
func benchShapes() []kernel.Conv {
	return []kernel.Conv{
		conv(1, 56, 56, 96, 7, 1, 3, 1),
		conv(1, 28, 28, 192, 7, 1, 3, 1),
		conv(1, 14, 14, 384, 7, 1, 3, 1),
		conv(1, 7, 7, 768, 7, 1, 3, 1),
		conv(128, 16, 16, 32, 7, 1, 3, 1),
		conv(128, 8, 8, 64, 7, 1, 3, 1),
		conv(128, 14, 14, 32, 7, 1, 3, 1),
		conv(128, 7, 7, 64, 7, 1, 3, 1),
		conv(1, 56, 56, 128, 3, 1, 1, 1),
		conv(1, 56, 56, 128, 3, 2, 1, 1),
		conv(1, 14, 14, 512, 3, 1, 1, 1),
	}
}

// bench runs f for every shape and variant and reports GFLOP/s, taps
// in the padding counted.
func bench(b *testing.B, f func(v cpu.Variant, s kernel.Conv, x, y, w []float32)) {
	for _, s := range benchShapes() {
		nx, ny, nw := sizes(s)
		x, y, w := kernel.Aligned(nx), kernel.Aligned(ny), kernel.Aligned(nw)
		kerneltest.Normal(x, 1, 0, 1)
		kerneltest.Normal(y, 2, 0, 1)
		kerneltest.Normal(w, 3, 0, 1)
		name := fmt.Sprintf("shape=%dx%dx%d,k=%d", s.H, s.W, s.C, s.KH)
		if s.N > 1 {
			name = fmt.Sprintf("shape=%dx%dx%dx%d,k=%d", s.N, s.H, s.W, s.C, s.KH)
		}
		if s.StrideH > 1 {
			name += fmt.Sprintf(",s=%d", s.StrideH)
		}
		for _, v := range cpu.Variants() {
			b.Run(fmt.Sprintf("%s/impl=%s", name, v), func(b *testing.B) {
				for b.Loop() {
					f(v, s, x, y, w)
				}
				b.ReportMetric(2*float64(s.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

func BenchmarkForward(b *testing.B) {
	bench(b, func(v cpu.Variant, s kernel.Conv, x, y, w []float32) {
		forward(v, y, x, w, s, nil, part{0, s.N * s.OutH(), 0, s.C})
	})
}

func BenchmarkBackwardInput(b *testing.B) {
	bench(b, func(v cpu.Variant, s kernel.Conv, x, y, w []float32) {
		backwardInput(v, x, y, w, s, false, part{0, s.N * s.H, 0, s.C})
	})
}

func BenchmarkBackwardWeight(b *testing.B) {
	bench(b, func(v cpu.Variant, s kernel.Conv, x, y, w []float32) {
		backwardWeight(v, w, y, x, s, part{0, s.N * s.OutH(), 0, s.C})
	})
}
