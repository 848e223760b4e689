// Package cpu says which features the processor has and which kernel variants
// may therefore run.
//
// The environment variable WINNOW_DISABLE switches variants off, for support
// and for tests: a comma-separated list of variant names, such as
//
//	WINNOW_DISABLE=avx512,avx2
//
// It is read once, when the program starts. A build with -tags purego has no
// variants but the generic one, whatever the processor offers.
package cpu

import (
	"os"
	"strings"
)

// Variant names a family of kernels as it appears in test names, benchmark
// keys and WINNOW_DISABLE.
type Variant string

// The variants, slowest first.
const (
	Generic Variant = "generic"
	AVX2    Variant = "avx2"   // AVX2 and FMA, with the operating system's consent
	AVX512  Variant = "avx512" // AVX-512 F, BW, DQ and VL
)

var disabled = parse(os.Getenv("WINNOW_DISABLE"))

func parse(list string) map[Variant]bool {
	m := map[Variant]bool{}
	for _, s := range strings.Split(list, ",") {
		if s = strings.ToLower(strings.TrimSpace(s)); s != "" {
			m[Variant(s)] = true
		}
	}
	return m
}

// Has reports whether v may run on this processor in this build and is not
// switched off. The generic variant always may.
func Has(v Variant) bool {
	return v == Generic || !disabled[v] && detected(v)
}

// Variants lists what may run, slowest first.
func Variants() []Variant {
	var vs []Variant
	for _, v := range []Variant{Generic, AVX2, AVX512} {
		if Has(v) {
			vs = append(vs, v)
		}
	}
	return vs
}
