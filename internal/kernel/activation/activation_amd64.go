//go:build !purego

package activation

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

//go:generate go run -C ../_asm ./activation -out ../activation/body_amd64.s -stubs ../activation/body_amd64.go -pkg activation

// choose picks the functions of a variant.
func choose(v cpu.Variant) functions {
	switch v {
	case cpu.AVX2:
		return avx2.functions()
	case cpu.AVX512:
		return avx512.functions()
	}
	return generic
}

type (
	unary  func(dst, x *float32, n int)
	binary func(dx, dy, x *float32, n int)
)

// assembly is one variant's assembly, by activation.
type assembly struct {
	forward  []unary
	backward []binary
	exp      unary
}

var avx2 = assembly{
	forward: []unary{
		kernel.ReLU: reluForward, kernel.GELU: geluForward, kernel.GELUTanh: geluTanhForward,
		kernel.QuickGELU: quickGELUForward, kernel.SiLU: siluForward, kernel.Sigmoid: sigmoidForward,
	},
	backward: []binary{
		kernel.ReLU: reluBackward, kernel.GELU: geluBackward, kernel.GELUTanh: geluTanhBackward,
		kernel.QuickGELU: quickGELUBackward, kernel.SiLU: siluBackward, kernel.Sigmoid: sigmoidBackward,
	},
	exp: expForward,
}

var avx512 = assembly{
	forward: []unary{
		kernel.ReLU: reluForwardWide, kernel.GELU: geluForwardWide, kernel.GELUTanh: geluTanhForwardWide,
		kernel.QuickGELU: quickGELUForwardWide, kernel.SiLU: siluForwardWide, kernel.Sigmoid: sigmoidForwardWide,
	},
	backward: []binary{
		kernel.ReLU: reluBackwardWide, kernel.GELU: geluBackwardWide, kernel.GELUTanh: geluTanhBackwardWide,
		kernel.QuickGELU: quickGELUBackwardWide, kernel.SiLU: siluBackwardWide, kernel.Sigmoid: sigmoidBackwardWide,
	},
	exp: expForwardWide,
}

func (a *assembly) functions() functions {
	return functions{apply: a.apply, gradient: a.gradient, reluFromOutput: a.reluFromOutput, exp: a.exponential}
}

// stretch is the number of elements that one call of the assembly takes on: it
// cannot be preempted, and this is less than 20 µs.
const stretch = 1 << 14

func (a *assembly) apply(dst, x []float32, act kernel.Activation) {
	if act == kernel.Identity {
		copy(dst, x)
		return
	}
	if int(act) >= len(a.forward) {
		panic(fmt.Sprintf("activation: unknown %v", act))
	}
	a.forward[act].run(dst, x)
}

func (a *assembly) gradient(dx, dy, x []float32, act kernel.Activation) {
	if act == kernel.Identity {
		copy(dx, dy)
		return
	}
	if int(act) >= len(a.backward) {
		panic(fmt.Sprintf("activation: unknown %v", act))
	}
	a.backward[act].run(dx, dy, x)
}

// A ReLU's output is positive where its input is.
func (a *assembly) reluFromOutput(dx, dy, y []float32) { a.backward[kernel.ReLU].run(dx, dy, y) }

func (a *assembly) exponential(dst, x []float32) { a.exp.run(dst, x) }

func (f unary) run(dst, x []float32) {
	for len(x) > 0 {
		n := min(len(x), stretch)
		f.call(&dst[0], &x[0], n)
		dst, x = dst[n:], x[n:]
	}
}

// call is not inlined so that loops around it can be preempted.
//
//go:noinline
func (f unary) call(dst, x *float32, n int) { f(dst, x, n) }

func (f binary) run(dx, dy, x []float32) {
	for len(x) > 0 {
		n := min(len(x), stretch)
		f.call(&dx[0], &dy[0], &x[0], n)
		dx, dy, x = dx[n:], dy[n:], x[n:]
	}
}

//go:noinline
func (f binary) call(dx, dy, x *float32, n int) { f(dx, dy, x, n) }
