package nn

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/device/cpu"
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
	threads int
}

// NewDevice returns a device.
func NewDevice(o DeviceOptions) *Device {
	b := cpu.New(min(o.Threads, 1024))
	return &Device{backend: b, threads: b.Threads()}
}

// Threads is the limit in force.
func (d *Device) Threads() int { return d.threads }
