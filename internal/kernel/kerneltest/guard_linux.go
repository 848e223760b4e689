package kerneltest

import (
	"os"
	"syscall"
	"testing"
)

// pages maps enough pages for size bytes with an inaccessible page on either
// side; what it returns lies exactly between those.
func pages(t testing.TB, size int) (room []byte, base int) {
	t.Helper()
	page := os.Getpagesize()
	inner := max((size+page-1)/page, 1) * page
	all, err := syscall.Mmap(-1, 0, inner+2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("kerneltest: mapping %d bytes: %v", inner+2*page, err)
	}
	// Cleanups run last in, first out: the pattern is checked before this.
	t.Cleanup(func() {
		if err := syscall.Munmap(all); err != nil {
			t.Errorf("kerneltest: unmapping: %v", err)
		}
	})
	for _, g := range [][]byte{all[:page], all[page+inner:]} {
		if err := syscall.Mprotect(g, syscall.PROT_NONE); err != nil {
			t.Fatalf("kerneltest: protecting a page: %v", err)
		}
	}
	return all[page : page+inner : page+inner], 0
}
