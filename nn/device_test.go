package nn_test

import (
	"sync/atomic"
	"testing"

	"github.com/winnow-go/winnow/nn"
)

func TestEachCallsOnceForEveryNumber(t *testing.T) {
	for _, dev := range []*nn.Device{nil, nn.NewDevice(nn.DeviceOptions{Threads: 1}), nn.NewDevice(nn.DeviceOptions{Threads: 3})} {
		for _, n := range []int{0, 1, 2, 100} {
			calls := make([]atomic.Int32, n)
			dev.Each(n, func(i int) { calls[i].Add(1) })
			for i := range calls {
				if c := calls[i].Load(); c != 1 {
					t.Errorf("%d calls for %d of %d", c, i, n)
				}
			}
		}
	}
}
