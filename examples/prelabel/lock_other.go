//go:build !unix

package main

// lock does nothing where there is no flock: two processes must not be given
// the same folder.
func lock(string) (unlock func(), err error) { return func() {}, nil }
