//go:build !purego

package pooling

import "github.com/winnow-go/winnow/internal/kernel"

func maxLines(dst []float32, index []int32, x []float32, g kernel.Window, lo, hi int) {
	MaxGeneric(dst, index, x, g, lo, hi)
}

func averageLines(dst, x []float32, g kernel.Window, countIncludePad bool, lo, hi int) {
	AverageGeneric(dst, x, g, countIncludePad, lo, hi)
}

func global(dst, x []float32, n0, n1, hw, c int) { GlobalGeneric(dst, x, n0, n1, hw, c) }
