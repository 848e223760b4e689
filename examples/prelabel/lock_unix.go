//go:build unix

package main

import (
	"errors"
	"os"
	"syscall"
)

// lock keeps a second process out of a folder. The system lets go of it when
// this one ends, however that happens.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.New("another process is at work there")
		}
		return func() {}, nil // a file system without locks
	}
	return func() { f.Close() }, nil
}
