//go:build !amd64 || purego

package cpu

func detected(Variant) bool { return false }
