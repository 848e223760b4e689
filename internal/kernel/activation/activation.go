package activation

import (
	"fmt"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
)

// functions is one variant of the kernels.
type functions struct {
	apply          func(dst, x []float32, act kernel.Activation)
	gradient       func(dx, dy, x []float32, act kernel.Activation)
	reluFromOutput func(dx, dy, y []float32)
	exp            func(dst, x []float32)
}

var generic = functions{
	apply:          ForwardGeneric[float32],
	gradient:       BackwardGeneric[float32],
	reluFromOutput: ReLUBackwardFromOutputGeneric[float32],
	exp:            ExpGeneric[float32],
}

// fast is what the exported functions use.
var fast = choose(chosen)

// chosen is the variant that runs, the fastest that may.
var chosen = func() cpu.Variant {
	vs := cpu.Variants()
	return vs[len(vs)-1]
}()

// Forward computes dst[i] = act(x[i]). dst may be x; otherwise they must not
// overlap. It panics if their lengths differ.
func Forward(dst, x []float32, act kernel.Activation) {
	check("Forward", len(dst), len(x), len(x))
	fast.apply(dst, x, act)
}

// Backward computes dx[i] = dy[i] * act'(x[i]), x being the activation's
// input. dx may be dy or x; otherwise it must not overlap them. It panics if
// lengths differ.
func Backward(dx, dy, x []float32, act kernel.Activation) {
	check("Backward", len(dx), len(dy), len(x))
	fast.gradient(dx, dy, x, act)
}

// ReLUBackwardFromOutput computes dx[i] = dy[i] where y[i] > 0 and 0 elsewhere,
// y being the output of the ReLU; a NaN in y becomes a NaN in dx. dx may be dy
// or y; otherwise it must not overlap them. It panics if lengths differ.
func ReLUBackwardFromOutput(dx, dy, y []float32) {
	check("ReLUBackwardFromOutput", len(dx), len(dy), len(y))
	fast.reluFromOutput(dx, dy, y)
}

// Exp computes dst[i] = e to the x[i]. dst may be x; otherwise they must not
// overlap. It panics if their lengths differ.
func Exp(dst, x []float32) {
	check("Exp", len(dst), len(x), len(x))
	fast.exp(dst, x)
}

func check(name string, dst, a, b int) {
	if dst != a || dst != b {
		panic(fmt.Sprintf("activation: %s: lengths %d, %d and %d differ", name, dst, a, b))
	}
}
