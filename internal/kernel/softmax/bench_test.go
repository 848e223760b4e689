package softmax

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// bench runs f for rows of attention and of logits with every variant and
// reports ns per element.
func bench(b *testing.B, f func(rows, c int) func()) {
	was := chosen
	defer func() { chosen = was }()
	for _, s := range [][2]int{{50, 50}, {197, 197}, {577, 577}, {128, 10}, {16, 1000}} {
		run := f(s[0], s[1])
		for _, v := range cpu.Variants() {
			b.Run(fmt.Sprintf("shape=%dx%d/impl=%s", s[0], s[1], v), func(b *testing.B) {
				chosen = v
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(s[0]*s[1]), "ns/elem")
			})
		}
	}
}

func BenchmarkSoftmax(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, dst := make([]float32, rows*c), make([]float32, rows*c)
		kerneltest.Normal(x, 1, 0, 2)
		return func() { Softmax(dst, x, rows, c) }
	})
}

func BenchmarkSoftmaxBackward(b *testing.B) {
	bench(b, func(rows, c int) func() {
		y, dy, dx := make([]float32, rows*c), make([]float32, rows*c), make([]float32, rows*c)
		kerneltest.Normal(y, 1, 0, 2)
		kerneltest.Normal(dy, 2, 0, 1)
		return func() { SoftmaxBackward(dx, dy, y, rows, c) }
	})
}

func BenchmarkCrossEntropy(b *testing.B) {
	bench(b, func(rows, c int) func() {
		x, dx := make([]float32, rows*c), make([]float32, rows*c)
		kerneltest.Normal(x, 1, 0, 2)
		o := CrossEntropy{Labels: make([]int32, rows), Smoothing: 0.1}
		return func() { o.Loss(dx, nil, x, rows, c) }
	})
}
