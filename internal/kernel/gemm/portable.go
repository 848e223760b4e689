package gemm

import "sync"

// portable computes a block in Go. Products of float32 are exact in float64,
// and sums of them are kept there until the block ends, so a processor with
// fused multiply-adds gives the same result as one without, and rounding errors
// are those of one addition per block. The operands are widened once per block:
// a panel of B serves all rows, two rows of A serve the panel.
func (b *block) portable() {
	k := len(b.runs) * b.run
	s := scratch.Get().(*wide)
	defer scratch.Put(s)
	s.b = grow(s.b, k*nr)
	s.a = grow(s.a, 2*k)
	b.widenB(s.b)
	for i := 0; i < len(b.rows); i += 2 {
		last := min(i+1, len(b.rows)-1)
		a0, a1 := s.a[:k], s.a[k:2*k]
		b.widenA(a0, b.rows[i])
		b.widenA(a1, b.rows[last])
		d0, d1 := b.dst[b.outs[i]:][:b.cols], b.dst[b.outs[last]:][:b.cols]
		for j := 0; j < b.cols; j += 4 {
			var t [2][4]float64
			cols := min(4, b.cols-j)
			if b.accumulate {
				for c := range cols {
					t[0][c], t[1][c] = float64(d0[j+c]), float64(d1[j+c])
				}
			}
			dot(&t, a0, a1, s.b[j:])
			for c := range cols {
				d0[j+c] = float32(t[0][c])
				d1[j+c] = float32(t[1][c])
			}
		}
	}
	if b.epi != nil {
		for i, o := range b.outs {
			b.epi.Row(b.dst[o:][:b.cols], b.row0+i, b.col0, b.width)
		}
	}
}

// wide is scratch memory: the operands of a block in float64, a panel of B
// [K,16] and two rows of A.
type wide struct{ a, b []float64 }

var scratch = sync.Pool{New: func() any { return new(wide) }}

func grow(s []float64, n int) []float64 {
	if cap(s) < n {
		return make([]float64, n)
	}
	return s[:n]
}

func (b *block) widenB(to []float64) {
	at := 0
	for r := range b.runs {
		if b.bRuns != nil {
			at = b.bRuns[r]
		}
		for range b.run {
			for c, v := range (*[nr]float32)(b.b[at:]) {
				to[c] = float64(v)
			}
			to = to[nr:]
			at += b.bStep
		}
	}
}

func (b *block) widenA(to []float64, row int) {
	for _, run := range b.runs {
		a := b.a[row+run:]
		for l := range b.run {
			to[l] = float64(a[l*b.step])
		}
		to = to[b.run:]
	}
}

// dot adds the products of two rows and four columns of a panel to t: eight
// sums, which is what fits the registers of amd64.
func dot(t *[2][4]float64, a0, a1, b []float64) {
	s00, s01, s02, s03 := t[0][0], t[0][1], t[0][2], t[0][3]
	s10, s11, s12, s13 := t[1][0], t[1][1], t[1][2], t[1][3]
	a1 = a1[:len(a0)]
	for l, x := range a0 {
		y := a1[l]
		v := (*[4]float64)(b[l*nr:])
		s00 += x * v[0]
		s01 += x * v[1]
		s02 += x * v[2]
		s03 += x * v[3]
		s10 += y * v[0]
		s11 += y * v[1]
		s12 += y * v[2]
		s13 += y * v[3]
	}
	*t = [2][4]float64{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}
