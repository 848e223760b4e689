package kerneltest

import (
	"testing"
	"unsafe"
)

// fault reads one element outside a guarded slice.
func fault(t *testing.T, where string) {
	var p *float32
	if where == "end" {
		s := Guarded(t, 5)
		p = (*float32)(unsafe.Add(unsafe.Pointer(&s[4]), 4))
	} else {
		s := GuardedFront(t, 5)
		p = (*float32)(unsafe.Add(unsafe.Pointer(&s[0]), -4))
	}
	t.Errorf("read %v without a fault", *p)
}
