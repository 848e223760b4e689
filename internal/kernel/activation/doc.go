// Package activation applies kernel.Activation functions and their derivatives
// to slices.
//
// The generic variant computes in float64 and rounds once. The AVX2 and the
// AVX-512 variant differ from it by at most, u being 2⁻²⁴,
//
//	ReLU                                  nothing
//	GELU                                  4u·max(1,|x|)
//	GELUTanh, QuickGELU, SiLU             3u·max(1,|x|)
//	Sigmoid                               4u relative, or 2⁻¹²⁵ absolute
//	GELU's derivative                     5u
//	the derivatives of the other gates    4u
//	Sigmoid's derivative                  6u relative, or 2⁻¹²⁵ absolute
//	Exp                                   1 ULP, also for denormal results
//
// where a derivative is what dy = 1 gives. NaN gives NaN, +Inf and -Inf give
// the limits; a zero may have the other sign. An element does not depend on its
// place in the slice, nor on its neighbours.
//
// AVX-512 takes GELU and its derivative from tables of 32 polynomials, and the
// logistic function of the other gates from a reciprocal instead of a division.
package activation
