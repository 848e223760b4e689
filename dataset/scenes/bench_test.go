package scenes

import (
	"fmt"
	"testing"
)

func BenchmarkImage(b *testing.B) {
	for _, size := range []int{32, 64} {
		for _, style := range []Style{Training, Testing} {
			b.Run(fmt.Sprintf("size=%d/style=%s", size, style), func(b *testing.B) {
				set := mustNew(b, Options{N: 1 << 30, Style: style, Size: size})
				i := 0
				for b.Loop() {
					if _, err := set.Image(i); err != nil {
						b.Fatal(err)
					}
					i++
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "img/s")
			})
		}
	}
}
