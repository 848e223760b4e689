package nn

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/device/cpu"
	"github.com/winnow-go/winnow/internal/pool"
)

// DeviceOptions describe where operations run.
type DeviceOptions struct {
	// Threads limits how many processor cores one operation uses at a time;
	// 0 means all that Go uses (runtime.GOMAXPROCS), and more than 1024 are
	// 1024. Results do not depend on it.
	Threads int
}

// Device is where a tape's operations run and where their memory comes from:
// the processor, with a limit on its threads. It is safe for concurrent use;
// any number of tapes may share one.
type Device struct {
	backend device.Backend
	pool    *pool.Pool // the backend's, if that is the processor
}

// NewDevice returns a device.
func NewDevice(o DeviceOptions) *Device {
	b := cpu.New(min(o.Threads, 1024))
	return &Device{backend: b, pool: b.Pool()}
}

// Threads is the limit in force.
func (d *Device) Threads() int { return d.pool.Threads() }

// Each calls fn for every i in [0, n), on as many threads as the device may
// use, and returns when all calls have: for what goes with a training beside
// its tape, such as an optimizer's step. What fn computes must not depend on
// the order of the calls. A nil Device uses the caller's thread alone.
func (d *Device) Each(n int, fn func(i int)) {
	var p *pool.Pool
	if d != nil {
		p = d.pool
	}
	p.Run(n, func(i, _ int) { fn(i) })
}
