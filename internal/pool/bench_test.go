package pool

import (
	"fmt"
	"testing"
	"time"
)

// Two tasks on two threads: what is more than half of the work is the cost of
// sharing it. In a network such calls follow each other; pause is what the
// caller does alone between two.
func BenchmarkRun(b *testing.B) {
	unit := calibrate()
	for _, work := range []time.Duration{10, 20, 50, 100, 200} {
		for _, pause := range []time.Duration{0, 5, 100} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("work=%dus/pause=%dus/threads=%d", work, pause, threads), func(b *testing.B) {
					p := New(threads)
					half, between := int(work*time.Microsecond/2/unit), int(pause*time.Microsecond/unit)
					for b.Loop() {
						p.Run(2, func(int, int) { toil(half) })
						toil(between)
					}
				})
			}
		}
	}
}

// calibrate measures a unit of toil.
func calibrate() time.Duration {
	const units = 1000
	best := time.Hour
	for range 50 {
		began := time.Now()
		toil(units)
		best = min(best, time.Since(began))
	}
	return max(best/units, 1)
}

// toil keeps a thread busy for n units of about 0.1 us.
//
//go:noinline
func toil(n int) {
	x := uint64(n)
	for range n * 100 {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if x == 0 { // never: the compiler does not know
		panic("pool: toil is over")
	}
}
