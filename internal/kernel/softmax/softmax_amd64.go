//go:build !purego

package softmax

import "github.com/winnow-go/winnow/internal/cpu"

//go:generate go run -C ../_asm ./softmax -out ../softmax/avx2_amd64.s -stubs ../softmax/avx2_amd64.go -pkg softmax
//go:generate go run -C ../_asm ./softmax -avx512 -out ../softmax/avx512_amd64.s -stubs ../softmax/avx512_amd64.go -pkg softmax

// perCall is the number of elements that one call of an assembly routine goes
// through at most, some 50 µs: a goroutine cannot be stopped inside one.
const perCall = 1 << 17

func softmax(dst, x []float32, rows, c int) {
	if chosen == cpu.Generic {
		SoftmaxGeneric(dst, x, rows, c)
		return
	}
	step := max(perCall/c, 1)
	for r := 0; r < rows; {
		to, from, n := &dst[r*c], &x[r*c], min(step, rows-r)
		switch {
		case chosen == cpu.AVX2:
			softmaxAVX2(to, from, n, c)
		case n >= 8:
			n &^= 7
			softmax8AVX512(to, from, n, c)
		default:
			softmax1AVX512(to, from, n, c)
		}
		r += n
	}
}

// softmaxBackward runs the AVX2 form under AVX-512 too: rows that begin
// anywhere cost what wider vectors save.
func softmaxBackward(dx, dy, y []float32, rows, c int) {
	if chosen == cpu.Generic {
		SoftmaxBackwardGeneric(dx, dy, y, rows, c)
		return
	}
	step := max(perCall/c, 1)
	for r := 0; r < rows; r += step {
		softmaxBackwardAVX2(&dx[r*c], &dy[r*c], &y[r*c], min(step, rows-r), c)
	}
}
