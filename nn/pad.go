package nn

// PadEnd puts n rows and n columns of zeros after those of x [N,H,W,C]: with a
// 2x2 convolution of stride 1 it keeps the size, as TensorFlow's "same" padding
// does, which puts an odd number's remainder at the end.
func (t *Tape) PadEnd(x *Tensor, n int) *Tensor {
	const kind = "pad"
	g, ok := t.window(kind, x, Window{Size: 1})
	if !ok {
		return t.empty()
	}
	if n < 0 || n > maxWindow {
		t.fail("", kind, "%d rows and columns after input %v", n, x.shape)
		return t.empty()
	}
	if n == 0 {
		return x
	}
	g.MoreH, g.MoreW = n, n
	// An average of one pixel that counts what lies outside as zeros.
	return t.record("", &avgPoolOp{g: g, countPad: true}, []int{g.N, g.OutH(), g.OutW(), g.C}, nil, x)
}
