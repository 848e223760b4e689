// Package elementwise holds the single passes over memory that are not worth
// a package each: sums and products of slices, per-channel scale and shift,
// per-channel reductions, and the updates of optimizers.
package elementwise
