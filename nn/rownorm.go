package nn

import "github.com/winnow-go/winnow/internal/device"

// RMSNorm divides each row of C channels by the root of its mean square, then
// scales it: y = x/√(mean(x²)+ε) * weight (Zhang, Sennrich 2019,
// arXiv:1910.07467). Over [N,H,W,C] that is timm's RmsNorm2d.
type RMSNorm struct {
	Weight *Param // [C]
	name   string
	eps    float32
}

// NewRMSNorm declares a norm's parameter, "weight", in s.
func NewRMSNorm(s *Scope, channels int, eps float64) *RMSNorm {
	return &RMSNorm{Weight: s.Param("weight", Ones, channels), name: s.Name(), eps: float32(eps)}
}

// Forward normalises x [..., C].
func (l *RMSNorm) Forward(t *Tape, x *Tensor) *Tensor {
	if !t.layer("RMS norm", l != nil) {
		return t.empty()
	}
	return t.rowNorm(&rowNormOp{weight: l.Weight, eps: l.eps, name: "RMS norm"}, l.name, x)
}

// SimpleNorm divides each row of C channels by its standard deviation, of the
// unbiased variance, then scales it; the mean stays: y = x/√(σ²+ε) * weight
// (timm's SimpleNorm). With one channel it is NaN.
type SimpleNorm struct {
	Weight *Param // [C]
	name   string
	eps    float32
}

// NewSimpleNorm declares a norm's parameter, "weight", in s.
func NewSimpleNorm(s *Scope, channels int, eps float64) *SimpleNorm {
	return &SimpleNorm{Weight: s.Param("weight", Ones, channels), name: s.Name(), eps: float32(eps)}
}

// Forward normalises x [..., C].
func (l *SimpleNorm) Forward(t *Tape, x *Tensor) *Tensor {
	if !t.layer("simple norm", l != nil) {
		return t.empty()
	}
	return t.rowNorm(&rowNormOp{weight: l.Weight, eps: l.eps, name: "simple norm", simple: true}, l.name, x)
}

func (t *Tape) rowNorm(o *rowNormOp, layer string, x *Tensor) *Tensor {
	if !t.ready(layer, o.name, x) {
		return t.empty()
	}
	if x.channels() != o.weight.Len() {
		t.fail(layer, o.name, "input %v does not fit weight %v", x.shape, o.weight.shape)
		return t.empty()
	}
	return t.record(layer, o, x.shape, []*Param{o.weight}, x)
}

type rowNormOp struct {
	weight     *Param
	eps        float32
	name       string
	simple     bool
	mean, rstd device.Buffer
}

func (o *rowNormOp) kind() string     { return o.name }
func (o *rowNormOp) macs() int64      { return 0 }
func (o *rowNormOp) readsIn(int) bool { return true }
func (o *rowNormOp) readsOut() bool   { return false }

func (o *rowNormOp) forward(t *Tape, n *node) {
	x := n.in[0]
	dst := t.out(n)
	if n.back {
		o.rstd = t.b.Alloc(x.rows())
		if o.simple {
			o.mean = t.b.Alloc(x.rows())
		}
	}
	if o.simple {
		t.b.SimpleNorm(dst, x.buf, t.param(o.weight), o.mean, o.rstd, x.rows(), x.channels(), o.eps)
	} else {
		t.b.RMSNorm(dst, x.buf, t.param(o.weight), o.rstd, x.rows(), x.channels(), o.eps)
	}
}

func (o *rowNormOp) backward(t *Tape, n *node) {
	x, dy := n.in[0], n.out.grad.buf
	c := x.channels()
	dx, dw := t.b.Alloc(x.size()), t.b.Alloc(c)
	if o.simple {
		t.b.SimpleNormBackward(dx, dw, dy, x.buf, t.param(o.weight), o.mean, o.rstd, x.rows(), c)
	} else {
		t.b.RMSNormBackward(dx, dw, dy, x.buf, t.param(o.weight), o.rstd, x.rows(), c)
	}
	t.paramGrad(o.weight, dw)
	t.addGrad(x, dx)
}

func (o *rowNormOp) drop(t *Tape) {
	for _, b := range []*device.Buffer{&o.mean, &o.rstd} {
		if *b != nil {
			t.b.Free(*b)
			*b = nil
		}
	}
}
