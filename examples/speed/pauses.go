package main

import (
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"

	"github.com/winnow-go/winnow/nn"
)

const stopping = "/sched/pauses/stopping/gc:seconds"

// pauses collects garbage some times while every core infers, and returns the
// 99th percentile of the time until all goroutines had stopped, in
// milliseconds: kernels can be stopped between calls only.
func pauses(o options, m nn.Model, collections int) (float64, error) {
	var wg sync.WaitGroup
	done := make(chan struct{})
	errs := make(chan error, runtime.GOMAXPROCS(0))
	for range cap(errs) {
		step, err := stepper(o, m, nn.NewDevice(nn.DeviceOptions{Threads: 1}))
		if err != nil {
			return 0, err
		}
		if err := step(); err != nil { // packs the weights
			return 0, err
		}
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if err := step(); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	before := histogram()
	for range collections {
		runtime.GC()
	}
	after := histogram()
	close(done)
	wg.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
	}
	total := uint64(0)
	for i := range after.Counts {
		after.Counts[i] -= before.Counts[i]
		total += after.Counts[i]
	}
	seen := uint64(0)
	for i, n := range after.Counts {
		if seen += n; 100*seen >= 99*total {
			return 1000 * after.Buckets[i+1], nil
		}
	}
	return 0, nil
}

func histogram() *metrics.Float64Histogram {
	s := []metrics.Sample{{Name: stopping}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return &metrics.Float64Histogram{Counts: slices.Clone(h.Counts), Buckets: h.Buckets}
}
