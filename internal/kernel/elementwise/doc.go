// Package elementwise holds the single passes over memory that are not worth
// a package each: sums and products of slices, per-channel scale and shift,
// per-channel reductions, and the updates of optimizers.
//
// Slices are either the same or do not overlap; each function says which of its
// arguments may be the same. Empty slices are fine everywhere. All functions
// panic if lengths do not fit.
//
// The generic forms round every product; the AVX2 forms leave that rounding out
// where a sum follows, so the two agree to one rounding per product. Where a
// product overflows and the sum after it would not, one may give an infinity
// or NaN and the other a number. Otherwise infinities and NaN come out alike.
// Sums over rows have an error of at most
//
//	2·√rows·2⁻²⁴·√(Σ term²)
//
// in ColumnSums and ColumnDots. An element does not depend on its place.
package elementwise
