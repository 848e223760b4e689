//go:build !purego

package softmax

//go:generate go run -C ../_asm ./softmax -out ../softmax/avx2_amd64.s -stubs ../softmax/avx2_amd64.go -pkg softmax

// perCall is the number of elements that one call of an assembly routine goes
// through at most, some 50 µs: a goroutine cannot be stopped inside one.
const perCall = 1 << 17

func softmax(dst, x []float32, rows, c int) {
	if !useAVX2 {
		SoftmaxGeneric(dst, x, rows, c)
		return
	}
	step := max(perCall/c, 1)
	for r := 0; r < rows; r += step {
		softmaxAVX2(&dst[r*c], &x[r*c], min(step, rows-r), c)
	}
}

func softmaxBackward(dx, dy, y []float32, rows, c int) {
	if !useAVX2 {
		SoftmaxBackwardGeneric(dx, dy, y, rows, c)
		return
	}
	step := max(perCall/c, 1)
	for r := 0; r < rows; r += step {
		softmaxBackwardAVX2(&dx[r*c], &dy[r*c], &y[r*c], min(step, rows-r), c)
	}
}
