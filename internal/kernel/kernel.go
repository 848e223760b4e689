// Package kernel holds what the CPU kernels below it share: element types,
// shapes, the epilogue that is fused into a product, and the scalar activation
// functions with their derivatives.
//
// Each folder below is one kernel on slices. Its generic.go is the definition,
// written over [T float32|float64]: the float64 form is what central
// differences check, the float32 form is what faster variants are held to.
// Activations are [N,H,W,C] (row major, C fastest) everywhere; a matrix of R
// rows and C columns is the same memory with R = N*H*W.
//
// Kernels check lengths and panic on wrong ones: their callers have validated
// the shapes already, user input never reaches them unchecked.
package kernel

import "fmt"

// Float is what generic kernels are written over.
type Float interface{ float32 | float64 }

// Elem is the element type of prepacked weights.
type Elem uint8

// Element types.
const (
	F32 Elem = iota
	BF16
	I8
)

// Size is the size of an element in bytes.
func (e Elem) Size() int { return [...]int{F32: 4, BF16: 2, I8: 1}[e] }

func (e Elem) String() string { return [...]string{F32: "f32", BF16: "bf16", I8: "i8"}[e] }

// Epilogue says what happens to each element of a product while it is still in
// registers or in the nearest cache. With acc the product's element in row r
// and column c:
//
//	y = Residual[r,c] + Scale[c] * Act(acc + Bias[c])     usually
//	y = Act(Residual[r,c] + Scale[c] * (acc + Bias[c]))   if ActLast
//
// A nil slice leaves its term out. Residual is a matrix of the result's size
// whose rows are ResidualStride apart and may be the destination itself.
// An epilogue is data: backends other than this one read it too.
type Epilogue[T Float] struct {
	Bias           []T // [C]
	Scale          []T // [C]
	Residual       []T // [R,C]
	ResidualStride int // elements from one row to the next; 0 means C
	Act            Activation
	ActLast        bool
}

// Empty reports whether y = acc.
func (e *Epilogue[T]) Empty() bool {
	return e == nil || e.Bias == nil && e.Scale == nil && e.Residual == nil && e.Act == Identity
}

// Columns is e for the n columns from the given one on of a result with all
// columns: for a product of some of the columns.
func (e *Epilogue[T]) Columns(from, n, all int) *Epilogue[T] {
	if e == nil || n == all {
		return e
	}
	part := *e
	if part.ResidualStride == 0 {
		part.ResidualStride = all
	}
	if part.Bias != nil {
		part.Bias = part.Bias[from:][:n]
	}
	if part.Scale != nil {
		part.Scale = part.Scale[from:][:n]
	}
	if part.Residual != nil {
		part.Residual = part.Residual[from:]
	}
	return &part
}

// Row applies the epilogue to one row: y holds acc and receives the result,
// r is its row number, c0 the column of y[0]. It is the definition that fused
// forms must agree with.
func (e *Epilogue[T]) Row(y []T, r, c0, cols int) {
	if e.Empty() {
		return
	}
	stride := e.ResidualStride
	if stride == 0 {
		stride = cols
	}
	for i, v := range y {
		c := c0 + i
		if e.Bias != nil {
			v += e.Bias[c]
		}
		if !e.ActLast {
			v = Apply(e.Act, v)
		}
		if e.Scale != nil {
			v = T(v * e.Scale[c]) // the conversion forbids a fused multiply-add
		}
		if e.Residual != nil {
			v += e.Residual[r*stride+c]
		}
		if e.ActLast {
			v = Apply(e.Act, v)
		}
		y[i] = v
	}
}

// Window is the geometry that convolution and pooling share: an input
// [N,H,W,C], a window of KH x KW taps, zero padding before and after.
type Window struct {
	N, H, W, C       int
	KH, KW           int
	StrideH, StrideW int
	PadH, PadW       int // on each side
	DilH, DilW       int // distance between taps; 1 is dense
	MoreH, MoreW     int // more padding after than before; pooling only
}

// OutH is the height of the result, rounded down; 0 if the window does not fit.
func (g Window) OutH() int { return outSize(g.H+g.MoreH, g.KH, g.StrideH, g.PadH, g.DilH) }

// OutW is the width of the result, rounded down; 0 if the window does not fit.
func (g Window) OutW() int { return outSize(g.W+g.MoreW, g.KW, g.StrideW, g.PadW, g.DilW) }

func outSize(in, k, stride, pad, dil int) int {
	n := in + 2*pad - dil*(k-1) - 1
	if n < 0 {
		return 0
	}
	return n/stride + 1
}

// Conv is a convolution of K output channels: weights are [K,KH,KW,C/Groups],
// the result is [N,OutH,OutW,K].
type Conv struct {
	Window
	K      int
	Groups int
}

// Depthwise reports whether every channel has its own filter and the result
// has as many channels as the input.
func (c Conv) Depthwise() bool { return c.Groups == c.C && c.K == c.C && c.C > 1 }

// Pointwise reports whether the convolution is a plain matrix product over the
// pixels as they lie in memory.
func (c Conv) Pointwise() bool {
	return c.KH == 1 && c.KW == 1 && c.StrideH == 1 && c.StrideW == 1 && c.PadH == 0 && c.PadW == 0 && c.Groups == 1
}

// Inner is the length of the sum behind one output: KH*KW*C/Groups.
func (c Conv) Inner() int { return c.KH * c.KW * c.C / c.Groups }

// MACs counts the multiply-accumulates of the forward pass, padding included.
func (c Conv) MACs() int64 {
	return int64(c.N) * int64(c.OutH()) * int64(c.OutW()) * int64(c.K) * int64(c.Inner())
}

// Check says what is wrong with the geometry, if anything.
func (c Conv) Check() error {
	switch {
	case c.N < 0 || c.H < 1 || c.W < 1 || c.C < 1 || c.K < 1:
		return fmt.Errorf("input [%d,%d,%d,%d] with %d output channels", c.N, c.H, c.W, c.C, c.K)
	case c.KH < 1 || c.KW < 1 || c.StrideH < 1 || c.StrideW < 1 || c.DilH < 1 || c.DilW < 1 || c.PadH < 0 || c.PadW < 0:
		return fmt.Errorf("window %dx%d, stride %dx%d, dilation %dx%d, padding %dx%d", c.KH, c.KW, c.StrideH, c.StrideW, c.DilH, c.DilW, c.PadH, c.PadW)
	case c.MoreH != 0 || c.MoreW != 0:
		return fmt.Errorf("%dx%d more padding after than before", c.MoreH, c.MoreW)
	case c.Groups < 1 || c.C%c.Groups != 0 || c.K%c.Groups != 0:
		return fmt.Errorf("%d groups do not divide %d input and %d output channels", c.Groups, c.C, c.K)
	case c.OutH() < 1 || c.OutW() < 1:
		return fmt.Errorf("window %dx%d (dilation %dx%d, padding %dx%d) does not fit input %dx%d", c.KH, c.KW, c.DilH, c.DilW, c.PadH, c.PadW, c.H, c.W)
	}
	return nil
}
