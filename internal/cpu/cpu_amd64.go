//go:build !purego

package cpu

import xcpu "golang.org/x/sys/cpu"

func detected(v Variant) bool {
	switch v {
	case AVX2:
		return xcpu.X86.HasAVX2 && xcpu.X86.HasFMA
	case AVX512:
		return xcpu.X86.HasAVX512F && xcpu.X86.HasAVX512BW && xcpu.X86.HasAVX512DQ && xcpu.X86.HasAVX512VL
	}
	return false
}
