package conv

import "github.com/winnow-go/winnow/internal/kernel"

// check panics if the geometry or a length is wrong. The lengths are those of
// x [N,H,W,C], y [N,OH,OW,K] and w [K,KH,KW,C/Groups]; -1 stands for one that
// is not at hand.
func check(s kernel.Conv, x, y, w int) {
	if err := s.Check(); err != nil {
		panic("conv: " + err.Error())
	}
	if x >= 0 && x != s.N*s.H*s.W*s.C {
		panic("conv: wrong length of the input or its gradient")
	}
	if y >= 0 && y != s.N*s.OutH()*s.OutW()*s.K {
		panic("conv: wrong length of the result or its gradient")
	}
	if w >= 0 && w != s.K*s.Inner() {
		panic("conv: wrong length of the weights or their gradient")
	}
}

// ForwardGeneric is the definition of [Forward]: dst [N,OH,OW,K] from x
// [N,H,W,C] and w [K,KH,KW,C/Groups]. Each sum runs over kh, kw, c in that
// order, the zeros of the padding included.
func ForwardGeneric[T kernel.Float](dst, x, w []T, s kernel.Conv, epi *kernel.Epilogue[T]) {
	check(s, len(x), len(dst), len(w))
	oh, ow, cg, kg := s.OutH(), s.OutW(), s.C/s.Groups, s.K/s.Groups
	for r := range s.N * oh * ow {
		n, y, x0 := r/(oh*ow), r/ow%oh, r%ow
		row := dst[r*s.K:][:s.K]
		for k := range row {
			var acc T
			f := w[k*s.Inner():][:s.Inner()]
			for kh := range s.KH {
				for kw := range s.KW {
					ih, iw := y*s.StrideH+kh*s.DilH-s.PadH, x0*s.StrideW+kw*s.DilW-s.PadW
					for c := range cg {
						var v T
						if ih >= 0 && ih < s.H && iw >= 0 && iw < s.W {
							v = x[((n*s.H+ih)*s.W+iw)*s.C+k/kg*cg+c]
						}
						acc += T(v * f[(kh*s.KW+kw)*cg+c])
					}
				}
			}
			row[k] = acc
		}
		epi.Row(row, r, 0, s.K)
	}
}

// BackwardInputGeneric is the definition of [BackwardInput]: dx [N,H,W,C] from
// dy [N,OH,OW,K] and w [K,KH,KW,C/Groups].
func BackwardInputGeneric[T kernel.Float](dx, dy, w []T, s kernel.Conv) {
	check(s, len(dx), len(dy), len(w))
	clear(dx)
	oh, ow, cg, kg := s.OutH(), s.OutW(), s.C/s.Groups, s.K/s.Groups
	for r := range s.N * oh * ow {
		n, y, x0 := r/(oh*ow), r/ow%oh, r%ow
		for k, d := range dy[r*s.K:][:s.K] {
			f := w[k*s.Inner():][:s.Inner()]
			for kh := range s.KH {
				for kw := range s.KW {
					ih, iw := y*s.StrideH+kh*s.DilH-s.PadH, x0*s.StrideW+kw*s.DilW-s.PadW
					if ih < 0 || ih >= s.H || iw < 0 || iw >= s.W {
						continue
					}
					in := dx[((n*s.H+ih)*s.W+iw)*s.C+k/kg*cg:][:cg]
					for c := range in {
						in[c] += T(d * f[(kh*s.KW+kw)*cg+c])
					}
				}
			}
		}
	}
}

// BackwardWeightGeneric is the definition of [BackwardWeight]: dw
// [K,KH,KW,C/Groups] from dy [N,OH,OW,K] and x [N,H,W,C], the zeros of the
// padding included.
func BackwardWeightGeneric[T kernel.Float](dw, dy, x []T, s kernel.Conv) {
	check(s, len(x), len(dy), len(dw))
	clear(dw)
	oh, ow, cg, kg := s.OutH(), s.OutW(), s.C/s.Groups, s.K/s.Groups
	for r := range s.N * oh * ow {
		n, y, x0 := r/(oh*ow), r/ow%oh, r%ow
		for k, d := range dy[r*s.K:][:s.K] {
			f := dw[k*s.Inner():][:s.Inner()]
			for kh := range s.KH {
				for kw := range s.KW {
					ih, iw := y*s.StrideH+kh*s.DilH-s.PadH, x0*s.StrideW+kw*s.DilW-s.PadW
					for c := range cg {
						var v T
						if ih >= 0 && ih < s.H && iw >= 0 && iw < s.W {
							v = x[((n*s.H+ih)*s.W+iw)*s.C+k/kg*cg+c]
						}
						f[(kh*s.KW+kw)*cg+c] += T(d * v)
					}
				}
			}
		}
	}
}
