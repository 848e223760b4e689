package gemm

import (
	"sync"
	"unsafe"
)

// portable computes a block in Go. Products of float32 are exact in float64,
// and sums of them are kept there until the block ends, so a processor with
// fused multiply-adds gives the same result as one without, and rounding errors
// are those of one addition per block. The operands are widened once per block:
// two panels of B serve all rows, two rows of A serve the panels.
func (b *block) portable() {
	k := len(b.runs) * b.run
	s := scratch.Get().(*wide)
	defer scratch.Put(s)
	panels, pairs := (b.cols+nr-1)/nr, (k+1)/2
	s.a, s.b = grow(s.a, pairs), grow(s.b, panels*nr/4*pairs)
	for p := range panels {
		b.widenB(s.b[p*nr/4*pairs:], pairs, p*b.panel)
	}
	for i := 0; i < len(b.rows); i += 2 {
		last := min(i+1, len(b.rows)-1)
		b.widenA(s.a, b.rows[i], b.rows[last])
		d0, d1 := b.dst[b.outs[i]:][:b.cols], b.dst[b.outs[last]:][:b.cols]
		for j := 0; j < b.cols; j += 4 {
			var t [2][4]float64
			cols := min(4, b.cols-j)
			if b.accumulate {
				for c := range cols {
					t[0][c], t[1][c] = float64(d0[j+c]), float64(d1[j+c])
				}
			}
			dot(&t, s.a, s.b[j/4*pairs:], k)
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

// wide is scratch memory: the operands of a block in float64, two steps at a
// time. Of B's panels it has four columns after the other, [columns/4,K/2,2,4],
// of A two rows, [K/2,2,2].
type wide struct {
	a [][4]float64
	b [][8]float64
}

var scratch = sync.Pool{New: func() any { return new(wide) }}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// widenB widens the panel that lies at in B.
func (b *block) widenB(to [][8]float64, pairs, at int) {
	first, l := at, 0
	for r := range b.runs {
		if b.bRuns != nil {
			at = first + b.bRuns[r]
		}
		for range b.run {
			v, half := (*[nr]float32)(b.b[at:]), l%2*4
			for j := range 4 {
				t := (*[4]float64)(to[j*pairs+l/2][half:])
				*t = [4]float64{float64(v[4*j]), float64(v[4*j+1]), float64(v[4*j+2]), float64(v[4*j+3])}
			}
			l++
			at += b.bStep
		}
	}
}

// widenA widens two rows of A.
func (b *block) widenA(to [][4]float64, row0, row1 int) {
	flat := unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(to))), 4*len(to))
	for _, run := range b.runs {
		size := (b.run-1)*b.step + 1
		a0, a1 := b.a[row0+run:][:size], b.a[row1+run:][:size]
		if b.step == 1 {
			pairs := flat[:2*size]
			for i, v := range a0 {
				pairs[2*i] = float64(v)
				pairs[2*i+1] = float64(a1[i])
			}
			flat = flat[2*size:]
			continue
		}
		for i := range b.run {
			flat[0], flat[1] = float64(a0[i*b.step]), float64(a1[i*b.step])
			flat = flat[2:]
		}
	}
}

// dot adds the k products of two rows and four columns to t: eight sums, which
// is what fits the registers of amd64. Two steps at once, and one column after
// the other, so that the compiler keeps most of them there.
func dot(t *[2][4]float64, a [][4]float64, b [][8]float64, k int) {
	s00, s01, s02, s03 := t[0][0], t[0][1], t[0][2], t[0][3]
	s10, s11, s12, s13 := t[1][0], t[1][1], t[1][2], t[1][3]
	whole := b[:k/2]
	a = a[:max(len(whole), (k+1)/2)]
	for l := range whole {
		v, u := &whole[l], &a[l]
		x, y := u[0], u[1]
		w := v[0]
		s00 += x * w
		s10 += y * w
		w = v[1]
		s01 += x * w
		s11 += y * w
		w = v[2]
		s02 += x * w
		s12 += y * w
		w = v[3]
		s03 += x * w
		s13 += y * w
		x, y = u[2], u[3]
		w = v[4]
		s00 += x * w
		s10 += y * w
		w = v[5]
		s01 += x * w
		s11 += y * w
		w = v[6]
		s02 += x * w
		s12 += y * w
		w = v[7]
		s03 += x * w
		s13 += y * w
	}
	if k%2 == 1 {
		v, x, y := &b[k/2], a[k/2][0], a[k/2][1]
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
