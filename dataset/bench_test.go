package dataset

import (
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/winnow-go/winnow/transform"
)

// One picture is one iteration.
func BenchmarkBatches(b *testing.B) {
	const n = 2048
	gray, err := OpenIDX(fstest.MapFS{"i": {Data: idxFile(1, n, 28, 28)}}, "i", "", Options{})
	if err != nil {
		b.Fatal(err)
	}
	colour, err := OpenCIFAR(fstest.MapFS{"x": {Data: records(1, make([]uint8, n)...)}}, Options{}, "x")
	if err != nil {
		b.Fatal(err)
	}
	for name, tc := range map[string]struct {
		set  Set
		size int
	}{"idx28": {gray, 28}, "cifar32": {colour, 32}} {
		for augment, a := range map[string]transform.Augment{"none": {}, "cifar": transform.CIFAR()} {
			for _, workers := range []int{1, 2} {
				b.Run(fmt.Sprintf("set=%s/augment=%s/workers=%d", name, augment, workers), func(b *testing.B) {
					b.ReportAllocs()
					o := LoadOptions{Batch: 128, Transform: transform.Native(tc.size), Augment: a, Shuffle: true, Workers: workers}
					for done := 0; done < b.N; o.Epoch++ {
						for batch, err := range Batches(b.Context(), tc.set, o) {
							if err != nil {
								b.Fatal(err)
							}
							if done += batch.Len(); done >= b.N {
								break
							}
						}
					}
					b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "img/s")
				})
			}
		}
	}
}
