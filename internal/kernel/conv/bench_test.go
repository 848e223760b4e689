package conv

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// benchmarks are layers of ResNets at inference, and of small networks in
// training, with batches that one measurement can take in.
func benchmarks() []kernel.Conv {
	return []kernel.Conv{
		shape(1, 224, 3, 64, 7, 2, 3, 1, 1),
		shape(1, 56, 64, 64, 3, 1, 1, 1, 1),
		shape(1, 28, 128, 128, 3, 1, 1, 1, 1),
		shape(1, 14, 256, 256, 3, 1, 1, 1, 1),
		shape(1, 7, 512, 512, 3, 1, 1, 1, 1),
		shape(1, 56, 64, 128, 3, 2, 1, 1, 1),
		shape(1, 56, 64, 128, 1, 2, 0, 1, 1),
		shape(8, 32, 3, 16, 3, 1, 1, 1, 1),
		shape(8, 28, 16, 16, 3, 1, 1, 1, 1),
		shape(8, 14, 32, 32, 3, 1, 1, 1, 1),
		shape(16, 7, 64, 64, 3, 1, 1, 1, 1),
		shape(8, 28, 16, 32, 3, 2, 1, 1, 1),
		shape(16, 14, 32, 64, 3, 2, 1, 1, 1),
		shape(32, 28, 16, 32, 1, 2, 0, 1, 1),
		shape(32, 28, 16, 16, 1, 1, 0, 1, 1),
		shape(2, 28, 64, 64, 3, 1, 1, 1, 32),
	}
}

// bench measures the form that is chosen, and where there are others, those.
func bench(b *testing.B, f func(d operands, s kernel.Conv, a *kernel.Arena)) {
	defer func(f *form) { forced = f }(forced)
	for _, s := range benchmarks() {
		forms := []*form{nil}
		if suits(s) {
			for _, f := range []form{direct, f2, f4} {
				forms = append(forms, &f)
			}
		}
		for _, forced = range forms {
			kind := "chosen"
			if forced != nil {
				kind = forced.String()
			}
			b.Run(fmt.Sprintf("shape=%dx%dx%d/k=%d/window=%d/stride=%d/groups=%d/batch=%d/form=%s", s.H, s.W, s.C, s.K, s.KH, s.StrideH, s.Groups, s.N, kind), func(b *testing.B) {
				d := filled(s)
				var a kernel.Arena
				for b.Loop() {
					f(d, s, &a)
				}
				b.ReportMetric(2*float64(s.MACs())*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			})
		}
	}
}

type operands struct {
	x, y, w []float32
	packed  *Weights
}

func filled(s kernel.Conv) operands {
	d := operands{x: make([]float32, s.N*s.H*s.W*s.C), y: make([]float32, s.N*s.OutH()*s.OutW()*s.K), w: make([]float32, s.K*s.Inner())}
	kerneltest.Normal(d.x, 1, 0, 1)
	kerneltest.Normal(d.y, 2, 0, 1)
	kerneltest.Normal(d.w, 3, 0, 1)
	d.packed = Pack(d.w, s)
	return d
}

func BenchmarkForward(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, a *kernel.Arena) { Forward(nil, a, d.y, d.x, d.packed, s, nil) })
}

func BenchmarkBackwardInput(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, a *kernel.Arena) { BackwardInput(nil, a, d.x, d.y, d.w, s, false) })
}

func BenchmarkBackwardWeight(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, a *kernel.Arena) { BackwardWeight(nil, a, d.w, nil, d.y, d.x, s) })
}

func BenchmarkPack(b *testing.B) {
	bench(b, func(d operands, s kernel.Conv, _ *kernel.Arena) { d.packed.Repack(nil, d.w, s) })
}

// BenchmarkStep measures the three products that a layer costs in training,
// packing included, at a batch of 8 and with operands that no cache holds. The
// rate is that of a quick run, faster than five of six.
func BenchmarkStep(b *testing.B) {
	shapes := []kernel.Conv{
		shape(8, 56, 64, 64, 3, 1, 1, 1, 1), // ResNets
		shape(8, 28, 128, 128, 3, 1, 1, 1, 1),
		shape(8, 14, 256, 256, 3, 1, 1, 1, 1),
		shape(8, 7, 512, 512, 3, 1, 1, 1, 1),
		shape(8, 56, 128, 128, 3, 2, 1, 1, 1),
		shape(8, 56, 64, 256, 1, 1, 0, 1, 1),
		shape(8, 56, 256, 64, 1, 1, 0, 1, 1),
		shape(8, 28, 512, 128, 1, 1, 0, 1, 1),
		shape(8, 14, 1024, 256, 1, 1, 0, 1, 1),
		shape(8, 7, 512, 2048, 1, 1, 0, 1, 1),
		shape(8, 56, 96, 384, 1, 1, 0, 1, 1), // ConvNeXts
		shape(8, 56, 384, 96, 1, 1, 0, 1, 1),
		shape(8, 28, 192, 768, 1, 1, 0, 1, 1),
		shape(8, 14, 384, 1536, 1, 1, 0, 1, 1),
		shape(8, 14, 1536, 384, 1, 1, 0, 1, 1),
		shape(8, 7, 768, 3072, 1, 1, 0, 1, 1),
	}
	steps := map[string]func(d operands, s kernel.Conv, a *kernel.Arena){
		"forward": func(d operands, s kernel.Conv, a *kernel.Arena) {
			d.packed.Repack(nil, d.w, s)
			Forward(nil, a, d.y, d.x, d.packed, s, nil)
		},
		"input":  func(d operands, s kernel.Conv, a *kernel.Arena) { BackwardInput(nil, a, d.x, d.y, d.w, s, false) },
		"weight": func(d operands, s kernel.Conv, a *kernel.Arena) { BackwardWeight(nil, a, d.w, nil, d.y, d.x, s) },
	}
	for _, of := range []string{"forward", "input", "weight"} {
		for _, s := range shapes {
			b.Run(fmt.Sprintf("of=%s/shape=%dx%dx%d/k=%d/window=%d/stride=%d", of, s.H, s.W, s.C, s.K, s.KH, s.StrideH), func(b *testing.B) {
				const far = 40 << 20 // elements
				sets := make([]operands, max(2, far/(s.N*s.H*s.W*s.C+s.N*s.OutH()*s.OutW()*s.K)))
				for i := range sets {
					sets[i] = filled(s)
				}
				var a kernel.Arena
				var took []float64
				for i := 0; b.Loop(); i++ {
					began := time.Now()
					steps[of](sets[i%len(sets)], s, &a)
					took = append(took, time.Since(began).Seconds())
				}
				slices.Sort(took)
				b.ReportMetric(2*float64(s.MACs())/took[len(took)/6]/1e9, "GFLOP/s")
			})
		}
	}
}
