package depthwise

// axis is one axis, height or width, of a correlation: out outputs, each the
// sum of up to k taps from src sources.
type axis struct {
	out, src            int
	k, stride, pad, dil int
	transposed          bool // the gradient with respect to the input
}

// reach is how many sources one output touches, with those between its taps.
func (a axis) reach() int { return (a.k-1)*a.dil + 1 }

// phases is the number of phases: 1 for a forward pass, the stride for a
// gradient, where the taps that reach an input pixel are those that agree with
// it modulo the stride.
func (a axis) phases() int {
	if a.transposed {
		return a.stride
	}
	return 1
}

// phase describes how the outputs of phase r find their sources.
func (a axis) phase(r int) phase {
	if !a.transposed {
		return phase{step: 1, count: a.out, advance: a.stride, tapStep: 1, taps: a.k, at0: -a.pad, atStep: a.dil}
	}
	g := gcd(a.stride, a.dil)
	p := phase{
		first: r, step: a.stride, count: max(a.out-r+a.stride-1, 0) / a.stride,
		advance: 1, tapStep: a.stride / g, atStep: -a.dil / g,
	}
	for p.tap0 < p.tapStep && (r+a.pad-p.tap0*a.dil)%a.stride != 0 {
		p.tap0++
	}
	if p.tap0 < p.tapStep && p.tap0 < a.k {
		p.taps = (a.k-1-p.tap0)/p.tapStep + 1
		p.at0 = (r + a.pad - p.tap0*a.dil) / a.stride
	}
	return p
}

// sources is the range of sources that output o touches, or a little more.
func (a axis) sources(o int) (lo, hi int) {
	if a.transposed {
		lo, hi = ceilDiv(o+a.pad-(a.k-1)*a.dil, a.stride), (o+a.pad)/a.stride+1
	} else {
		lo, hi = o*a.stride-a.pad, o*a.stride-a.pad+(a.k-1)*a.dil+1
	}
	lo = min(max(lo, 0), a.src)
	return lo, max(lo, min(hi, a.src))
}

// phase is a regular subset of the outputs: first + j*step for 0 <= j < count.
// Their tap number i, which is the kernel's tap0 + i*tapStep, reads source
// at0 + i*atStep + j*advance.
type phase struct {
	first, step, count int
	advance            int
	tap0, tapStep      int
	taps               int
	at0, atStep        int
}

// leftmost is the lowest source of output 0.
func (p phase) leftmost() int { return min(p.at0, p.at0+(p.taps-1)*p.atStep) }

// valid is the range of taps whose source for output number j is in [0,n).
func (p phase) valid(j, n int) (lo, hi int) {
	at := p.at0 + j*p.advance
	hi = p.taps
	for lo < hi && outside(at+lo*p.atStep, n) {
		lo++
	}
	for lo < hi && outside(at+(hi-1)*p.atStep, n) {
		hi--
	}
	return lo, hi
}

func outside(i, n int) bool { return i < 0 || i >= n }

// ceilDiv is a/b rounded up, for b > 0.
func ceilDiv(a, b int) int {
	if a < 0 {
		return -(-a / b)
	}
	return (a + b - 1) / b
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
