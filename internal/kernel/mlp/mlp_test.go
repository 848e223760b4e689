package mlp

import (
	"fmt"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/gemm"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

type problem struct {
	rows, c, h, out     int
	x, residual         []float32
	gamma, beta, w1, b1 []float32
	w2, b2, scale       []float32
	act                 kernel.Activation
}

func newProblem(seed uint64, rows, c, h, out int, act kernel.Activation, bare bool) *problem {
	r := kerneltest.Rand(seed)
	draw := func(n int, scale float32) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = scale * float32(r.NormFloat64())
		}
		return v
	}
	p := &problem{rows: rows, c: c, h: h, out: out, act: act,
		x: draw(rows*c, 2), w1: draw(h*c, 0.2), w2: draw(out*h, 0.2)}
	if !bare {
		p.residual, p.gamma, p.beta = draw(rows*out, 1), draw(c, 1), draw(c, 1)
		p.b1, p.b2, p.scale = draw(h, 1), draw(out, 1), draw(out, 1)
	}
	return p
}

func (p *problem) layer() *Layer {
	return &Layer{
		Gamma: p.gamma, Beta: p.beta, Epsilon: 1e-6, Act: p.act,
		W1: gemm.Pack(gemm.Operand[float32]{Data: p.w1, RowStride: 1, ColStride: p.c}, p.c, p.h), B1: p.b1,
		W2: gemm.Pack(gemm.Operand[float32]{Data: p.w2, RowStride: 1, ColStride: p.h}, p.h, p.out), B2: p.b2, Scale: p.scale,
	}
}

func (p *problem) exact() []float64 {
	w := kerneltest.Widen
	opt := func(x []float32) []float64 {
		if x == nil {
			return nil
		}
		return w(x)
	}
	y := make([]float64, p.rows*p.out)
	ForwardGeneric(y, w(p.x), opt(p.residual), opt(p.gamma), opt(p.beta), w(p.w1), opt(p.b1), w(p.w2), opt(p.b2), opt(p.scale),
		p.rows, p.c, p.h, p.out, 1e-6, p.act)
	return y
}

func TestForwardMatchesTheDefinition(t *testing.T) {
	var a kernel.Arena
	for i, s := range [][4]int{{1, 1, 1, 1}, {5, 3, 7, 2}, {49, 24, 96, 24}, {300, 16, 64, 16}, {101, 33, 50, 17}, {13, 8, 8, 8}} {
		for _, act := range []kernel.Activation{kernel.GELU, kernel.ReLU, kernel.Identity} {
			for _, bare := range []bool{false, true} {
				p := newProblem(uint64(i), s[0], s[1], s[2], s[3], act, bare)
				want := p.exact()
				var largest float64
				for _, v := range want {
					largest = max(largest, v, -v)
				}
				var first []float32
				for _, threads := range []int{1, 2, 7} {
					dst := kerneltest.Guarded(t, len(want))
					Forward(pool.New(threads), &a, dst, p.x, p.residual, p.rows, p.layer())
					for j := range dst {
						if d := float64(dst[j]) - want[j]; !(d <= 1e-5*largest && d >= -1e-5*largest) {
							t.Fatalf("shape %v act %v: element %d is %v, want %v", s, act, j, dst[j], want[j])
						}
					}
					if first == nil {
						first = slices.Clone(dst)
					} else if !slices.Equal(dst, first) {
						t.Errorf("shape %v act %v: %d threads give other bits", s, act, threads)
					}
				}
			}
		}
	}
	if a.Lent() != 0 {
		t.Errorf("%d elements of scratch were not returned", a.Lent())
	}
}

func TestResidualMayBeDestinationAndInput(t *testing.T) {
	var a kernel.Arena
	for _, rows := range []int{49, 220} {
		p := newProblem(9, rows, 24, 96, 24, kernel.GELU, false)
		p.residual = p.x
		want := make([]float32, len(p.x))
		Forward(pool.New(2), &a, want, p.x, p.x, p.rows, p.layer())
		got := slices.Clone(p.x)
		Forward(pool.New(2), &a, got, got, got, p.rows, p.layer())
		if !slices.Equal(got, want) {
			t.Errorf("%d rows in place give another result", rows)
		}
	}
}

func TestPiecesOfWholeTilesAreEqualForAllThreads(t *testing.T) {
	for _, hidden := range []int{1, 384, 768, 1536, 3072, 8192} {
		for rows := range 700 {
			for _, threads := range []int{1, 2, 16} {
				tiles, pieces := divide(rows, hidden, threads)
				most := (tiles + max(pieces, 1) - 1) / max(pieces, 1) * gemm.TileRows()
				if tiles*gemm.TileRows() < rows || rows > 0 && pieces < 1 || pieces > tiles || most > 180 ||
					pieces%threads != 0 && pieces != tiles {
					t.Fatalf("divide(%d, %d, %d) = %d, %d", rows, hidden, threads, tiles, pieces)
				}
			}
		}
	}
}

func BenchmarkForward(b *testing.B) {
	for _, s := range [][2]int{{3136, 96}, {784, 192}, {196, 384}, {49, 768}} {
		b.Run(fmt.Sprintf("shape=%dx%d", s[0], s[1]), func(b *testing.B) {
			var a kernel.Arena
			p := newProblem(1, s[0], s[1], 4*s[1], s[1], kernel.GELU, false)
			l, dst := p.layer(), make([]float32, s[0]*s[1])
			for b.Loop() {
				Forward(nil, &a, dst, p.x, p.residual, p.rows, l)
			}
			b.ReportMetric(16*float64(s[0])*float64(s[1])*float64(s[1])/1e9*float64(b.N)/b.Elapsed().Seconds(), "GFLOP/s")
		})
	}
}
