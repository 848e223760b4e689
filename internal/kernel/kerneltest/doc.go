// Package kerneltest is what the conformance suites of the kernels share. It
// is imported by tests only.
//
// A suite runs every variant that the machine has over every length, on memory
// that faults when a kernel reads or writes outside its slices:
//
//	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
//		useAVX2 = v != cpu.Generic
//		for n := range kerneltest.MaxLength + 1 {
//			dst, x := kerneltest.Guarded(t, n), kerneltest.Guarded(t, n)
//			kerneltest.Normal(x, 1, 0, 1)
//			Double(dst, x)
//			kerneltest.ULPs(t, fmt.Sprintf("n=%d", n), dst, want, 0)
//		}
//	})
//
// Three comparisons cover the house's tolerances: [Equal] for what is exact,
// [ULPs] for what happens element by element, [Sum] for what adds up n terms.
// Each reports the worst element, not the first. NaN is equal to NaN whatever
// its payload, an infinity only to itself.
//
// [Gradient] holds a hand-written derivative to central differences in
// float64.
package kerneltest
