//go:build !purego

package softmax

func softmax(dst, x []float32, rows, c int) { softmaxGeneric(dst, x, rows, c) }

func softmaxBackward(dx, dy, y []float32, rows, c int) { softmaxBackwardGeneric(dx, dy, y, rows, c) }
