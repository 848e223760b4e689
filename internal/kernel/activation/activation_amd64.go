//go:build !purego

package activation

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

//go:generate sh -c "cd ../_asm/activation && go run main.go -out ../../activation/body_amd64.s -stubs ../../activation/body_amd64.go -pkg activation"

// choose picks the functions of a variant; AVX-512 machines run the AVX2 ones.
func choose(v cpu.Variant) functions {
	if v == cpu.Generic {
		return generic
	}
	return functions{apply: applyAVX2, gradient: gradientAVX2, reluFromOutput: reluFromOutputAVX2, exp: expAVX2}
}

// stretch is the number of elements that one call of the assembly takes on: it
// cannot be preempted, and this is less than 20 µs.
const stretch = 1 << 14

func applyAVX2(dst, x []float32, act kernel.Activation) {
	if act == kernel.Identity {
		copy(dst, x)
		return
	}
	for len(x) > 0 {
		n := min(len(x), stretch)
		apply(&dst[0], &x[0], n, act)
		dst, x = dst[n:], x[n:]
	}
}

//go:noinline
func apply(dst, x *float32, n int, act kernel.Activation) {
	switch act {
	case kernel.ReLU:
		reluForward(dst, x, n)
	case kernel.GELU:
		geluForward(dst, x, n)
	case kernel.GELUTanh:
		geluTanhForward(dst, x, n)
	case kernel.QuickGELU:
		quickGELUForward(dst, x, n)
	case kernel.SiLU:
		siluForward(dst, x, n)
	case kernel.Sigmoid:
		sigmoidForward(dst, x, n)
	default:
		panic(fmt.Sprintf("activation: unknown %v", act))
	}
}

func gradientAVX2(dx, dy, x []float32, act kernel.Activation) {
	if act == kernel.Identity {
		copy(dx, dy)
		return
	}
	for len(x) > 0 {
		n := min(len(x), stretch)
		gradient(&dx[0], &dy[0], &x[0], n, act)
		dx, dy, x = dx[n:], dy[n:], x[n:]
	}
}

//go:noinline
func gradient(dx, dy, x *float32, n int, act kernel.Activation) {
	switch act {
	case kernel.ReLU:
		reluBackward(dx, dy, x, n)
	case kernel.GELU:
		geluBackward(dx, dy, x, n)
	case kernel.GELUTanh:
		geluTanhBackward(dx, dy, x, n)
	case kernel.QuickGELU:
		quickGELUBackward(dx, dy, x, n)
	case kernel.SiLU:
		siluBackward(dx, dy, x, n)
	case kernel.Sigmoid:
		sigmoidBackward(dx, dy, x, n)
	default:
		panic(fmt.Sprintf("activation: unknown %v", act))
	}
}

// A ReLU's output is positive where its input is.
func reluFromOutputAVX2(dx, dy, y []float32) { gradientAVX2(dx, dy, y, kernel.ReLU) }

func expAVX2(dst, x []float32) {
	for len(x) > 0 {
		n := min(len(x), stretch)
		exp(&dst[0], &x[0], n)
		dst, x = dst[n:], x[n:]
	}
}

//go:noinline
func exp(dst, x *float32, n int) { expForward(dst, x, n) }
