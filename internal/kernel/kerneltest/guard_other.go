//go:build !linux

package kerneltest

import (
	"testing"
	"unsafe"
)

// margin is the width of the patterns, as wide as a page of most systems.
const margin = 4096

// pages has no pages to offer: it returns ordinary memory with room for a
// pattern of base bytes on either side.
func pages(_ testing.TB, size int) (room []byte, base int) {
	words := make([]uint64, (size+2*margin+7)/8) // aligned for every element
	all := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)
	return all[:(size+7)/8*8+2*margin], margin
}
