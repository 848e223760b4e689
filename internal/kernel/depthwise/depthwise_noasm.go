//go:build !amd64 || purego

package depthwise

import (
	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

func forward(_ cpu.Variant, dst, x, w []float32, s kernel.Conv, epi *kernel.Epilogue[float32], p part) {
	forwardGeneric(dst, x, w, s, epi, p)
}

func backwardInput(_ cpu.Variant, dx, dy, w []float32, s kernel.Conv, accumulate bool, p part) {
	backwardInputGeneric(dx, dy, w, s, accumulate, p)
}

func backwardWeight(_ cpu.Variant, dw, dy, x []float32, s kernel.Conv, p part) {
	backwardWeightGeneric(dw, dy, x, s, p)
}
