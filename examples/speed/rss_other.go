//go:build !unix

package main

import "runtime"

// peakRSS is the memory obtained from the system in MiB: Windows has no
// getrusage.
func peakRSS() int64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.Sys >> 20)
}
