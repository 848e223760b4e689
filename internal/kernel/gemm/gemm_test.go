package gemm

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/cpu"
	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// eachVariant runs f with every variant chosen in turn.
func eachVariant(t *testing.T, f func(t *testing.T)) {
	kerneltest.EachVariant(t, func(t *testing.T, v cpu.Variant) {
		defer func(old cpu.Variant) { chosen = old }(chosen)
		chosen = v
		f(t)
	})
}

// layout is how an operand lies in memory.
type layout struct {
	transposed bool
	pad        int // unused elements between rows
}

var layouts = []layout{{}, {pad: 3}, {transposed: true}, {transposed: true, pad: 5}}

func (l layout) String() string {
	return fmt.Sprintf("transposed=%v,pad=%d", l.transposed, l.pad)
}

// operand fills guarded memory with an r x c matrix.
func (l layout) operand(t *testing.T, r, c int, seed uint64) Operand[float32] {
	lines, length := r, c
	if l.transposed {
		lines, length = c, r
	}
	size := 0
	if lines > 0 && length > 0 {
		size = (lines-1)*(length+l.pad) + length
	}
	o := Operand[float32]{Data: kerneltest.Guarded(t, size), RowStride: length + l.pad, ColStride: 1}
	if l.transposed {
		o.RowStride, o.ColStride = 1, length+l.pad
	}
	kerneltest.Normal(o.Data, seed, 0, 1)
	return o
}

func widen(o Operand[float32]) Operand[float64] {
	return Operand[float64]{kerneltest.Widen(o.Data), o.RowStride, o.ColStride}
}

// scales is |D| + Σ|a b| for every element of dst's memory.
func scales(dst []float32, ldc, m, n, k int, a, b Operand[float64], accumulate bool) []float64 {
	abs := func(o Operand[float64]) Operand[float64] {
		o.Data = slices.Clone(o.Data)
		for i, v := range o.Data {
			o.Data[i] = math.Abs(v)
		}
		return o
	}
	d := abs(Operand[float64]{Data: kerneltest.Widen(dst)}).Data
	MulGeneric(d, ldc, m, n, k, abs(a), abs(b), accumulate, nil, 0)
	return d
}

// worst is the largest error of a suite in units of its bound.
type worst float64

func (w *worst) see(r float64) { *w = max(*w, worst(r)) }

func (w worst) report(t *testing.T) {
	t.Logf("largest error: %.2f of the bound", float64(w))
	if w < 0.1 && !t.Failed() {
		t.Errorf("the bound is more than ten times too generous")
	}
}

func TestMulMatchesDefinition(t *testing.T) {
	sizes := [][3]int{{97, 5, 17}, {200, 3, 16}, {193, 259, 33}, {7, 1031, 20}}
	for m := range 15 {
		for _, k := range []int{0, 1, 2, 7, 33} {
			for _, n := range []int{0, 1, 4, 7, 8, 9, 15, 16, 17, 31, 40} {
				sizes = append(sizes, [3]int{m, k, n})
			}
		}
	}
	eachVariant(t, func(t *testing.T) {
		var w worst
		for i, s := range sizes {
			m, k, n, seed := s[0], s[1], s[2], uint64(i)
			la, lb := layouts[seed%4], layouts[seed/4%4]
			accumulate, pad := seed%3 == 0, int(seed%2)*3
			t.Run(fmt.Sprintf("shape=%dx%dx%d", m, k, n), func(t *testing.T) {
				a, b := la.operand(t, m, k, seed), lb.operand(t, k, n, seed+1000)
				size := 0
				if m > 0 && n > 0 {
					size = (m-1)*(n+pad) + n
				}
				dst := kerneltest.Guarded(t, size)
				kerneltest.Normal(dst, seed+2000, 0, 1)
				want := kerneltest.Widen(dst)
				scale := scales(dst, n+pad, m, n, k, widen(a), widen(b), accumulate)
				MulGeneric(want, n+pad, m, n, k, widen(a), widen(b), accumulate, nil, 0)
				Mul(dst, n+pad, m, a, Pack(b, k, n), accumulate, nil, 0)
				what := fmt.Sprintf("m=%d k=%d n=%d a:%v b:%v accumulate=%v", m, k, n, la, lb, accumulate)
				w.see(kerneltest.Sum{N: k, K: 4, Scales: scale}.Check(t, what, dst, want))
			})
		}
		w.report(t)
	})
}

func TestElementDoesNotDependOnItsPlace(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		const m, k, n = 131, 300, 37
		a, b := layout{}.operand(t, m, k, 1), layout{}.operand(t, k, n, 2)
		epi := epilogue(n, m, kernel.ReLU, true)
		want := make([]float32, m*n)
		Mul(want, n, m, a, Pack(b, k, n), false, epi, 0)
		got := make([]float32, m*n)
		for _, rows := range []int{1, 2, 3, 5, 7, 10, 64, 100} {
			clear(got)
			for i := 0; i < m; i += rows {
				part := Operand[float32]{a.Data[i*k:], k, 1}
				Mul(got[i*n:], n, min(rows, m-i), part, Pack(b, k, n), false, epi, i)
			}
			kerneltest.Equal(t, fmt.Sprintf("%d rows at a time", rows), got, want)
		}
		for j := range n { // each column alone, so that it lies in a tail
			column := Operand[float32]{b.Data[j:], n, 1}
			one := kernel.Epilogue[float32]{Bias: epi.Bias[j:], Scale: epi.Scale[j:], Residual: epi.Residual[j:], ResidualStride: n, Act: kernel.ReLU, ActLast: true}
			Mul(got[j:], n, m, a, Pack(column, k, 1), false, &one, 0)
		}
		kerneltest.Equal(t, "one column at a time", got, want)

		clear(got) // k in pieces, parked in dst
		for l := 0; l < k; l += 77 {
			part := min(77, k-l)
			e := epi
			if l+part < k {
				e = nil
			}
			Mul(got, n, m, Operand[float32]{a.Data[l:], k, 1}, Pack(Operand[float32]{b.Data[l*n:], n, 1}, part, n), true, e, 0)
		}
		if chosen == cpu.Generic {
			// Its sums are float64 within a call and round between calls.
			scale := scales(make([]float32, m*n), n, m, n, k, widen(a), widen(b), false)
			for i := range scale {
				scale[i] += 2 * math.Abs(float64(want[i])) // the epilogue's terms
			}
			kerneltest.Sum{N: k, K: 4, Scales: scale}.Check(t, "77 terms at a time", got, kerneltest.Widen(want))
			return
		}
		kerneltest.Equal(t, "77 terms at a time", got, want)
	})
}

func epilogue(n, rows int, act kernel.Activation, last bool) *kernel.Epilogue[float32] {
	e := &kernel.Epilogue[float32]{
		Bias: make([]float32, n), Scale: make([]float32, n), Residual: make([]float32, rows*n), Act: act, ActLast: last,
	}
	kerneltest.Normal(e.Bias, 11, 0, 1)
	kerneltest.Normal(e.Scale, 12, 1, 0.5)
	kerneltest.Normal(e.Residual, 13, 0, 1)
	return e
}

func TestEpilogueMatchesItsDefinition(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		const m, k = 13, 9
		for _, n := range []int{3, 16, 29} {
			a, b := layout{}.operand(t, m, k, 1), layout{}.operand(t, k, n, 2)
			plain := make([]float32, m*n)
			Mul(plain, n, m, a, Pack(b, k, n), false, nil, 0)
			for _, act := range append(kernel.Activations(), kernel.Identity) {
				for parts := range 16 {
					const row0, stride = 2, 40
					e := epilogue(n, 1, act, parts&8 != 0)
					e.Residual, e.ResidualStride = kerneltest.Guarded(t, (row0+m-1)*stride+n), stride
					kerneltest.Normal(e.Residual, 14, 0, 1)
					if parts&1 != 0 {
						e.Bias = nil
					}
					if parts&2 != 0 {
						e.Scale = nil
					}
					if parts&4 != 0 {
						e.Residual = nil
					}
					want := slices.Clone(plain)
					for i := range m {
						apply(e, want[i*n:][:n], row0+i)
					}
					got := make([]float32, m*n)
					Mul(got, n, m, a, Pack(b, k, n), false, e, row0)
					kerneltest.Equal(t, fmt.Sprintf("n=%d act=%v without=%b", n, act, parts), got, want)
				}
			}
		}
	})
}

// apply is e.Row with the activation taken from its package, whose accuracy is
// not at issue here.
func apply(e *kernel.Epilogue[float32], y []float32, r int) {
	if e.Act == kernel.Identity || e.Act == kernel.ReLU {
		e.Row(y, r, 0, len(y))
		return
	}
	before, after := *e, *e
	before.Act, after.Act = kernel.Identity, kernel.Identity
	if e.ActLast {
		after.Bias, after.Scale, after.Residual = nil, nil, nil
	} else {
		before.Scale, before.Residual, after.Bias = nil, nil, nil
	}
	before.Row(y, r, 0, len(y))
	activation.Forward(y, y, e.Act)
	after.Row(y, r, 0, len(y))
}

func TestResidualMayBeTheDestination(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		// Rows of one block and of several, the next of which are fetched early;
		// columns of panels that are full and that are not.
		for _, size := range [][2]int{{101, 39}, {401, 39}, {401, 16}, {401, 32}, {401, 64}} {
			m, n := size[0], size[1]
			for _, k := range []int{0, 9, 300, 600} {
				for _, act := range []kernel.Activation{kernel.Identity, kernel.ReLU, kernel.GELU} {
					a, b := layout{}.operand(t, m, k, 1), layout{}.operand(t, k, n, 2)
					e := epilogue(n, m+2, act, k == 9)
					dst, want := slices.Clone(e.Residual), slices.Clone(e.Residual)
					Mul(want[2*n:], n, m, a, Pack(b, k, n), false, e, 2)
					e.Residual = dst
					Mul(dst[2*n:], n, m, a, Pack(b, k, n), false, e, 2)
					kerneltest.Equal(t, fmt.Sprintf("in place, %d x %d x %d %v", m, k, n, act), dst, want)
				}
			}
		}
	})
}

func TestNonFiniteValuesPropagate(t *testing.T) {
	inf := float32(math.Inf(1))
	nan := float32(math.NaN())
	eachVariant(t, func(t *testing.T) {
		const m, k, n = 9, 5, 19
		for seed := range uint64(40) {
			a, b := layout{}.operand(t, m, k, seed), layout{}.operand(t, k, n, seed+100)
			r := kerneltest.Rand(seed)
			for range 3 {
				a.Data[r.IntN(len(a.Data))] = []float32{inf, -inf, nan, 0}[r.IntN(4)]
				b.Data[r.IntN(len(b.Data))] = []float32{inf, -inf, nan, 0}[r.IntN(4)]
			}
			e := &kernel.Epilogue[float32]{Act: kernel.ReLU}
			want, got := make([]float32, m*n), make([]float32, m*n)
			MulGeneric(want, n, m, n, k, a, b, false, e, 0)
			Mul(got, n, m, a, Pack(b, k, n), false, e, 0)
			for i := range got {
				if (got[i] != got[i]) != (want[i] != want[i]) || math.IsInf(float64(got[i]), 0) != math.IsInf(float64(want[i]), 0) {
					t.Fatalf("seed %d, element %d: %v, want %v", seed, i, got[i], want[i])
				}
			}
		}
	})
}

func TestGatheredProductsMatchPlainOnes(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, s := range []struct{ m, runs, run, step, n int }{
			{1, 1, 1, 1, 1}, {7, 3, 5, 1, 16}, {13, 9, 32, 1, 33}, {100, 3, 300, 1, 20}, {5, 70, 7, 2, 12}, {11, 2, 517, 3, 48}, {4, 0, 3, 1, 5}, {3, 2, 0, 1, 5},
		} {
			k := s.runs * s.run
			r := kerneltest.Rand(uint64(k))
			g := Gather{Data: kerneltest.Guarded(t, 5000), Run: s.run, Step: s.step}
			kerneltest.Normal(g.Data, 1, 0, 1)
			span := s.run * s.step
			for range s.m {
				g.Rows = append(g.Rows, r.IntN(1500))
			}
			for range s.runs {
				g.Runs = append(g.Runs, r.IntN(5000-1500-span))
			}
			if s.runs > 0 && s.run > 0 { // the last element of all
				g.Rows[0], g.Runs[0] = 1500, 5000-1500-(span-s.step)-1
			}
			plain := Operand[float32]{make([]float32, s.m*k), k, 1}
			for i := range s.m {
				for l := range k {
					plain.Data[i*k+l] = g.Data[g.Rows[i]+g.Runs[l/s.run]+l%s.run*s.step]
				}
			}
			b := Operand[float32]{make([]float32, k*s.n), s.n, 1}
			kerneltest.Normal(b.Data, 2, 0, 1)
			what := fmt.Sprintf("%+v", s)

			outs := r.Perm(s.m)
			for i := range outs {
				outs[i] *= s.n + 3
			}
			epi := epilogue(s.n, s.m, kernel.ReLU, false)
			want := make([]float32, s.m*s.n)
			Mul(want, s.n, s.m, plain, Pack(b, k, s.n), false, epi, 0)
			far := make([]float32, s.m*(s.n+3))
			MulGather(far, 0, outs, g, Pack(b, k, s.n), false, epi, 0)
			got := make([]float32, s.m*s.n)
			for i, o := range outs {
				copy(got[i*s.n:][:s.n], far[o:])
			}
			kerneltest.Equal(t, "gather "+what, got, want)

			MulGather(far, s.n, nil, g, Pack(b, k, s.n), false, epi, 0)
			kerneltest.Equal(t, "gather, rows in order, "+what, far[:s.m*s.n], want)

			lines := Lines{Data: kerneltest.Guarded(t, k*s.n+Slack(s.n)), Step: s.n, N: s.n}
			for i, at := range r.Perm(s.runs) { // the runs of B in some order
				lines.Runs = append(lines.Runs, at*s.run*s.n)
				copy(lines.Data[lines.Runs[i]:][:s.run*s.n], b.Data[i*s.run*s.n:])
			}
			kerneltest.Normal(got, 3, 0, 1)
			copy(want, got)
			Mul(want, s.n, s.m, plain, Pack(b, k, s.n), true, nil, 0)
			parked := slices.Clone(got)
			MulLines(got, s.n, g, lines, true)
			kerneltest.Equal(t, "lines "+what, got, want)

			panels := (s.n + nr - 1) / nr
			inPanels := Lines{Data: kerneltest.Guarded(t, k*nr*panels), Step: nr, N: s.n, Panel: k * nr}
			for r := range s.runs {
				inPanels.Runs = append(inPanels.Runs, r*s.run*nr)
			}
			for l := range k {
				for j := range s.n {
					inPanels.Data[j/nr*k*nr+l*nr+j%nr] = b.At(l, j)
				}
			}
			again := slices.Clone(parked)
			MulLines(parked, s.n, g, inPanels, true)
			kerneltest.Equal(t, "lines in panels "+what, parked, want)

			inPanels.Next = [2][]float32{kerneltest.Guarded(t, 300*s.n), kerneltest.Guarded(t, s.m)}
			MulLines(again, s.n, g, inPanels, true)
			kerneltest.Equal(t, "lines in panels, looking ahead, "+what, again, want)
		}
	})
}

func TestPackKeepsElementsAndMemory(t *testing.T) {
	for _, l := range layouts {
		for _, s := range []struct{ k, n int }{{0, 0}, {3, 0}, {0, 3}, {1, 1}, {70, 16}, {9, 37}} {
			b := l.operand(t, s.k, s.n, 5)
			p := Pack(b, s.k, s.n)
			if p.K() != s.k || p.N() != s.n || p.Elem() != kernel.F32 || p.Bytes() != 4*PackedLen(s.k, s.n) {
				t.Fatalf("%v %v: K %d N %d %v, %d bytes", l, s, p.K(), p.N(), p.Elem(), p.Bytes())
			}
			for i := range s.k {
				for j := range s.n {
					if p.At(i, j) != b.At(i, j) {
						t.Fatalf("%v %v: element (%d,%d) is %v, want %v", l, s, i, j, p.At(i, j), b.At(i, j))
					}
				}
			}
		}
	}
	for _, l := range layouts {
		const k, n = 9, 70
		b := l.operand(t, k, n, 7)
		want, p := Pack(b, k, n), new(Packed)
		p.Reserve(k, n)
		for lo := 0; lo < p.Panels(); lo += 2 {
			p.SetPanels(lo, min(lo+2, p.Panels()), b)
		}
		kerneltest.Equal(t, fmt.Sprintf("two panels at a time, %v", l), p.data, want.data)
	}
	b := layout{}.operand(t, 20, 20, 6)
	p := Pack(b, 20, 20)
	if n := testing.AllocsPerRun(10, func() { p.Repack(b, 20, 20); p.Repack(b, 5, 7) }); n != 0 {
		t.Errorf("Repack into enough memory allocates %v times", n)
	}
}

// What is fetched early, the caller's or what the next rows need, shows in no
// result. Memory ends where the operands do.
func TestLookingAheadChangesNothing(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		for _, s := range [][3]int{{450, 40, 50}, {197, 7, 16}, {610, 100, 33}, {30, 600, 20}} {
			m, k, n := s[0], s[1], s[2]
			a, b := layout{}.operand(t, m, k, 1), Pack(layout{}.operand(t, k, n, 2), k, n)
			e := epilogue(n, m, kernel.ReLU, true)
			e.Residual = kerneltest.Guarded(t, m*n)
			kerneltest.Normal(e.Residual, 3, 0, 1)
			want := make([]float32, m*n)
			for i := range m { // a row at a time there is nothing to look for
				Mul(want[i*n:], n, 1, Operand[float32]{a.Data[i*k:], k, 1}, b, false, e, i)
			}
			got := make([]float32, m*n)
			Mul(got, n, m, a, b, false, e, 0)
			kerneltest.Equal(t, fmt.Sprintf("%v, the next rows", s), got, want)
			clear(got)
			MulAhead(got, n, m, a, b, false, e, 0, [2][]float32{kerneltest.Guarded(t, 1000), kerneltest.Guarded(t, 3)})
			kerneltest.Equal(t, fmt.Sprintf("%v, the caller's memory", s), got, want)
		}
	})
}

func TestProductsDoNotAllocate(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		a, b := layout{}.operand(t, 100, 600, 1), layout{}.operand(t, 600, 20, 2)
		p, dst := Pack(b, 600, 20), make([]float32, 100*20)
		e := epilogue(20, 100, kernel.GELU, false)
		if n := testing.AllocsPerRun(10, func() {
			Mul(dst, 20, 100, a, p, false, nil, 0)
			Mul(dst, 20, 100, a, p, false, e, 0)
		}); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

func TestWrongLengthsPanic(t *testing.T) {
	a := Operand[float32]{make([]float32, 6), 3, 1}
	b := Pack(Operand[float32]{make([]float32, 12), 4, 1}, 3, 4)
	panics(t, map[string]func(){
		"A":       func() { Mul(make([]float32, 12), 4, 3, a, b, false, nil, 0) },
		"dst":     func() { Mul(make([]float32, 7), 4, 2, a, b, false, nil, 0) },
		"overlap": func() { Mul(make([]float32, 8), 3, 2, a, b, false, nil, 0) },
		"bias": func() {
			Mul(make([]float32, 8), 4, 2, a, b, false, &kernel.Epilogue[float32]{Bias: make([]float32, 3)}, 0)
		},
		"residual": func() {
			Mul(make([]float32, 8), 4, 2, a, b, false, &kernel.Epilogue[float32]{Residual: make([]float32, 8)}, 1)
		},
		"pack": func() { Pack(a, 3, 3) },
		"row": func() {
			MulGather(make([]float32, 4), 0, []int{0}, Gather{a.Data, []int{4}, []int{0}, 3, 1}, b, false, nil, 0)
		},
		"out": func() {
			MulGather(make([]float32, 4), 0, []int{1}, Gather{a.Data, []int{0}, []int{0}, 3, 1}, b, false, nil, 0)
		},
		"slack": func() {
			MulLines(make([]float32, 4), 4, Gather{a.Data, []int{0}, []int{0}, 3, 1}, Lines{Data: make([]float32, 12), Runs: []int{0}, Step: 4, N: 4}, false)
		},
	})
}

func TestSplitCoversAllRows(t *testing.T) {
	eachVariant(t, func(t *testing.T) {
		most := sizes().rows
		for m := range 100 {
			rows := 0
			for _, part := range split(m) {
				rows += part.tiles * part.rows
				if part.rows > most || part.tiles > 0 && m > most && part.rows < most/2 {
					t.Errorf("split(%d) has %d tiles of %d rows", m, part.tiles, part.rows)
				}
			}
			if rows != m {
				t.Errorf("split(%d) has %d rows", m, rows)
			}
		}
	})
}

// panics reports which of the functions do not panic.
func panics(t *testing.T, all map[string]func()) {
	for what, f := range all {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", what)
				}
			}()
			f()
		}()
	}
}
