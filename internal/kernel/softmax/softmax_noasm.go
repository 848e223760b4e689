//go:build !amd64 || purego

package softmax

func softmax(dst, x []float32, rows, c int) { SoftmaxGeneric(dst, x, rows, c) }

func softmaxBackward(dx, dy, y []float32, rows, c int) { SoftmaxBackwardGeneric(dx, dy, y, rows, c) }
