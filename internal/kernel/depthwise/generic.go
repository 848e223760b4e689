package depthwise

import "github.com/winnow-go/winnow/internal/kernel"

// ForwardGeneric is the definition of [Convolve]: the output lines [lo,hi) of
// N*OutH.
func ForwardGeneric[T kernel.Float](dst, x, w []T, s kernel.Conv, epi *kernel.Epilogue[T], lo, hi int) {
	forwardGeneric(dst, x, w, s, epi, part{lo, hi, 0, s.C})
}

func forwardGeneric[T kernel.Float](dst, x, w []T, s kernel.Conv, epi *kernel.Epilogue[T], p part) {
	oh, ow, c := s.OutH(), s.OutW(), s.C
	y := make([]T, p.c1-p.c0) // dst may be the epilogue's residual
	for line := p.lo; line < p.hi; line++ {
		n, i := line/oh, line%oh
		for j := range ow {
			clear(y)
			for kh := range s.KH {
				ih := i*s.StrideH - s.PadH + kh*s.DilH
				if ih < 0 || ih >= s.H {
					continue
				}
				for kw := range s.KW {
					iw := j*s.StrideW - s.PadW + kw*s.DilW
					if iw < 0 || iw >= s.W {
						continue
					}
					multiplyAdd(y, x[((n*s.H+ih)*s.W+iw)*c+p.c0:], w[(kh*s.KW+kw)*c+p.c0:])
				}
			}
			epi.Row(y, line*ow+j, p.c0, c)
			copy(dst[(line*ow+j)*c+p.c0:], y)
		}
	}
}

// BackwardInputGeneric is the definition of [InputGradient]: the input lines
// [lo,hi) of N*H.
func BackwardInputGeneric[T kernel.Float](dx, dy, w []T, s kernel.Conv, lo, hi int) {
	backwardInputGeneric(dx, dy, w, s, false, part{lo, hi, 0, s.C})
}

func backwardInputGeneric[T kernel.Float](dx, dy, w []T, s kernel.Conv, accumulate bool, p part) {
	oh, ow, c := s.OutH(), s.OutW(), s.C
	for line := p.lo; line < p.hi; line++ {
		n, ih := line/s.H, line%s.H
		for iw := range s.W {
			d := dx[(line*s.W+iw)*c:][p.c0:p.c1]
			if !accumulate {
				clear(d)
			}
			for kh := range s.KH {
				i, ok := source(ih+s.PadH-kh*s.DilH, s.StrideH, oh)
				if !ok {
					continue
				}
				for kw := range s.KW {
					j, ok := source(iw+s.PadW-kw*s.DilW, s.StrideW, ow)
					if !ok {
						continue
					}
					multiplyAdd(d, dy[((n*oh+i)*ow+j)*c+p.c0:], w[(kh*s.KW+kw)*c+p.c0:])
				}
			}
		}
	}
}

// source is at/stride if that is a whole number in [0,n).
func source(at, stride, n int) (int, bool) {
	if at < 0 || at%stride != 0 || at/stride >= n {
		return 0, false
	}
	return at / stride, true
}

// BackwardWeightGeneric is the definition of [WeightGradient]: it adds to dw the
// contribution of the output lines [lo,hi) of N*OutH.
func BackwardWeightGeneric[T kernel.Float](dw, dy, x []T, s kernel.Conv, lo, hi int) {
	backwardWeightGeneric(dw, dy, x, s, part{lo, hi, 0, s.C})
}

func backwardWeightGeneric[T kernel.Float](dw, dy, x []T, s kernel.Conv, p part) {
	oh, ow, c := s.OutH(), s.OutW(), s.C
	for line := p.lo; line < p.hi; line++ {
		n, i := line/oh, line%oh
		for kh := range s.KH {
			ih := i*s.StrideH - s.PadH + kh*s.DilH
			if ih < 0 || ih >= s.H {
				continue
			}
			for kw := range s.KW {
				d := dw[(kh*s.KW+kw)*c:][p.c0:p.c1]
				for j := range ow {
					iw := j*s.StrideW - s.PadW + kw*s.DilW
					if iw < 0 || iw >= s.W {
						continue
					}
					multiplyAdd(d, dy[(line*ow+j)*c+p.c0:], x[((n*s.H+ih)*s.W+iw)*c+p.c0:])
				}
			}
		}
	}
}

// multiplyAdd computes y[i] += a[i]*b[i].
func multiplyAdd[T kernel.Float](y, a, b []T) {
	a, b = a[:len(y)], b[:len(y)]
	for i := range y {
		y[i] += T(a[i] * b[i])
	}
}
