package pooling

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/kernel"
)

// Global writes to dst [N,C] the average over the hw pixels of each of the
// images [n0,n1) of x [N,HW,C]. Without pixels it is NaN.
func Global(dst, x []float32, n0, n1, hw, c int) {
	checkGlobal("Global", len(x), len(dst), n0, n1, hw, c)
	if c > 0 {
		global(dst, x, n0, n1, hw, c)
	}
}

// GlobalBackward overwrites images [n0,n1) of dx [N,HW,C] with dy [N,C]
// divided by hw.
func GlobalBackward(dx, dy []float32, n0, n1, hw, c int) {
	checkGlobal("GlobalBackward", len(dx), len(dy), n0, n1, hw, c)
	GlobalBackwardGeneric(dx, dy, n0, n1, hw, c)
}

func checkGlobal(what string, input, output, n0, n1, hw, c int) {
	if n0 < 0 || n1 < n0 || hw < 0 || c < 0 || input < n1*hw*c || output < n1*c {
		panic(fmt.Sprintf("pooling: %s: %d input and %d output elements for images [%d,%d) of %dx%d", what, input, output, n0, n1, hw, c))
	}
}

// GlobalGeneric is the definition of [Global].
func GlobalGeneric[T kernel.Float](dst, x []T, n0, n1, hw, c int) {
	for n := n0; n < n1; n++ {
		out := dst[n*c:][:c]
		clear(out)
		image := x[n*hw*c:][:hw*c]
		for p := 0; p < len(image); p += c {
			for i, v := range image[p:][:c] {
				out[i] += v
			}
		}
		for i := range out {
			out[i] /= T(hw)
		}
	}
}

// GlobalBackwardGeneric is the definition of [GlobalBackward].
func GlobalBackwardGeneric[T kernel.Float](dx, dy []T, n0, n1, hw, c int) {
	for n := n0; n < n1; n++ {
		if hw*c == 0 {
			continue
		}
		image, grad := dx[n*hw*c:][:hw*c], dy[n*c:][:c]
		for i, v := range grad {
			image[i] = v / T(hw)
		}
		for p := c; p < len(image); p += c {
			copy(image[p:][:c], image[:c])
		}
	}
}
