//go:build unix

package main

import (
	"runtime"
	"syscall"
	"testing"
	"time"
)

// BenchmarkPrelabel labels 20,000 generated images in a process of its own, with
// a tiny model, and reports its speed and its largest resident memory. The
// files at the end are part of it.
//
//	go test -run '^$' -bench Prelabel -benchtime 1x ./examples/prelabel
func BenchmarkPrelabel(b *testing.B) {
	const images = 20_000
	m := makeAll(b, images)
	for _, c := range []struct {
		name string
		more []string
	}{
		{"images=20000", []string{"-cache", "none"}},
		{"images=20000/cache=empty", nil},
		{"images=20000/cache=full", nil},
	} {
		b.Run(c.name, func(b *testing.B) {
			most := 0.0
			for b.Loop() {
				run := m
				run.out = b.TempDir()
				if c.more == nil {
					c.more = []string{"-cache", m.out}
				}
				cmd, log := start(b, run.args(append(c.more, "-threshold", "0.4")...))
				if err := cmd.Wait(); err != nil {
					b.Fatalf("%v\n%s", err, log.String())
				}
				if n := len(lines(b, run.out)); n != images {
					b.Fatalf("%d lines", n)
				}
				bytes := float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
				if runtime.GOOS != "darwin" && runtime.GOOS != "ios" {
					bytes *= 1024
				}
				most = max(most, bytes)
			}
			b.ReportMetric(images/(b.Elapsed()/time.Duration(b.N)).Seconds(), "img/s")
			b.ReportMetric(most/(1<<20), "MiB-resident")
		})
	}
}
