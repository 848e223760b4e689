//go:build !amd64 || purego

package depthwise

import (
	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

func forward(_ cpu.Variant, dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32], lo, hi int) {
	ForwardGeneric(dst, x, w, s, epi, lo, hi)
}

func backwardInput(_ cpu.Variant, dx, dy, w []float32, s kernel.Conv, lo, hi int) {
	BackwardInputGeneric(dx, dy, w, s, lo, hi)
}

func backwardWeight(_ cpu.Variant, dw, dy, x []float32, s kernel.Conv, lo, hi int) {
	BackwardWeightGeneric(dw, dy, x, s, lo, hi)
}
