//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// peakRSS is the largest resident memory of the process in MiB.
func peakRSS() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	if runtime.GOOS == "darwin" || runtime.GOOS == "ios" {
		return int64(u.Maxrss) >> 20 // bytes there, KiB elsewhere
	}
	return int64(u.Maxrss) >> 10
}
