package pooling

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// bench runs f with every variant and reports ns per element of the input.
func bench(b *testing.B, shape string, elements int, f func()) {
	was := chosen
	defer func() { chosen = was }()
	for _, v := range cpu.Variants() {
		b.Run(fmt.Sprintf("shape=%s/impl=%s", shape, v), func(b *testing.B) {
			chosen = v
			b.SetBytes(int64(4 * elements))
			for b.Loop() {
				f()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(elements), "ns/elem")
		})
	}
}

func stem(h, c int) (g kernel.Window, x, y []float32, index []int32) {
	g = kernel.Window{N: 1, H: h, W: h, C: c, KH: 3, KW: 3, StrideH: 2, StrideW: 2, PadH: 1, PadW: 1, DilH: 1, DilW: 1}
	x, y = make([]float32, h*h*c), make([]float32, g.OutH()*g.OutW()*c)
	kerneltest.Normal(x, 1, 0, 1)
	return g, x, y, make([]int32, len(y))
}

func BenchmarkMax(b *testing.B) {
	for _, s := range [][2]int{{112, 64}, {32, 16}} {
		g, x, y, index := stem(s[0], s[1])
		shape := fmt.Sprintf("%dx%dx%d", g.H, g.W, g.C)
		bench(b, shape, len(x), func() { Max(y, nil, x, g, 0, g.OutH()) })
		bench(b, shape+"+index", len(x), func() { Max(y, index, x, g, 0, g.OutH()) })
	}
}

func BenchmarkMaxBackward(b *testing.B) {
	g, x, y, index := stem(112, 64)
	Max(y, index, x, g, 0, g.OutH())
	bench(b, "112x112x64", len(x), func() { MaxBackward(x, y, index, g, 0, 1) })
}

func BenchmarkAverage(b *testing.B) {
	g, x, y, _ := stem(56, 64)
	bench(b, "56x56x64", len(x), func() { Average(y, x, g, true, 0, g.OutH()) })
}

func BenchmarkGlobal(b *testing.B) {
	for _, s := range [][2]int{{49, 2048}, {64, 64}} {
		x, y := make([]float32, s[0]*s[1]), make([]float32, s[1])
		bench(b, fmt.Sprintf("%dx%d", s[0], s[1]), len(x), func() { Global(y, x, 0, 1, s[0], s[1]) })
	}
}
