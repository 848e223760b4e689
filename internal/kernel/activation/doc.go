// Package activation applies kernel.Activation functions and their derivatives
// to slices.
package activation
