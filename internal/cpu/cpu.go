// Package cpu says which features the processor has and which kernel variants
// may therefore run.
//
// The environment variable WINNOW_CPU names the fastest variant that may run,
// for support and for tests:
//
//	WINNOW_CPU=generic
//
// It is read once, when the program starts; a value that is no variant is taken
// for generic. A build with -tags purego has no variants but the generic one,
// whatever the processor offers.
package cpu

import (
	"os"
	"slices"
	"strings"
)

// Variant names a family of kernels as it appears in test names, benchmark
// keys and WINNOW_CPU.
type Variant string

// The variants, slowest first.
const (
	Generic Variant = "generic"
	AVX2    Variant = "avx2"   // AVX2 and FMA, with the operating system's consent
	AVX512  Variant = "avx512" // AVX-512 F, BW, DQ and VL
)

var all = []Variant{Generic, AVX2, AVX512}

// allowed are the variants up to the one that WINNOW_CPU names.
var allowed = limit(os.Getenv("WINNOW_CPU"))

func limit(name string) []Variant {
	name = strings.ToLower(strings.TrimSpace(name))
	if name == "" {
		return all
	}
	return all[:max(slices.Index(all, Variant(name)), 0)+1]
}

// Has reports whether v may run on this processor in this build and is not
// ruled out. The generic variant always may.
func Has(v Variant) bool {
	return v == Generic || slices.Contains(allowed, v) && detected(v)
}

// Variants lists what may run, slowest first.
func Variants() []Variant {
	var vs []Variant
	for _, v := range all {
		if Has(v) {
			vs = append(vs, v)
		}
	}
	return vs
}
