package gemm

import (
	"fmt"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/internal/pool"
)

func TestMulOnIsMulForAllThreads(t *testing.T) {
	for _, s := range []struct{ m, k, n, ldc int }{
		{1, 1, 1, 1}, {1, 96, 1000, 1000}, {7, 33, 48, 64}, {49, 64, 33, 40}, {50, 40, 96, 96}, {200, 17, 130, 146}, {400, 24, 15, 16},
		{0, 8, 8, 8}, {8, 0, 40, 40}, {8, 8, 0, 1},
	} {
		a, b := make([]float32, s.m*s.k), make([]float32, s.k*s.n)
		bias, scale, residual := make([]float32, s.n), make([]float32, s.n), make([]float32, s.m*s.n)
		for i, v := range [][]float32{a, b, bias, scale, residual} {
			kerneltest.Normal(v, uint64(i)+1, 0, 1)
		}
		packed := Pack(Operand[float32]{Data: b, RowStride: s.n, ColStride: 1}, s.k, s.n)
		of := Operand[float32]{Data: a, RowStride: s.k, ColStride: 1}
		for _, epi := range []*kernel.Epilogue[float32]{
			nil, {Bias: bias, Act: kernel.GELU}, {Bias: bias, Scale: scale, Residual: residual}, {Residual: residual, Act: kernel.ReLU, ActLast: true},
		} {
			want := make([]float32, s.m*s.ldc)
			kerneltest.Normal(want, 9, 0, 1) // what lies between the rows must stay
			before := slices.Clone(want)
			Mul(want, s.ldc, s.m, of, packed, false, epi, 0)
			for _, threads := range []int{1, 2, 3, 7, 16} {
				got := slices.Clone(before)
				MulOn(pool.New(threads), got, s.ldc, s.m, of, packed, epi)
				if !slices.Equal(got, want) {
					t.Errorf("%d x %d x %d on %d threads differs", s.m, s.k, s.n, threads)
				}
			}
		}
	}
}

func TestMulOnRefusesWhatMulRefuses(t *testing.T) {
	packed := Pack(Operand[float32]{Data: make([]float32, 64), RowStride: 8, ColStride: 1}, 8, 8)
	for name, f := range map[string]func(p *pool.Pool){
		"short result": func(p *pool.Pool) {
			MulOn(p, make([]float32, 63), 8, 8, Operand[float32]{make([]float32, 64), 8, 1}, packed, nil)
		},
		"narrow result": func(p *pool.Pool) {
			MulOn(p, make([]float32, 64), 7, 8, Operand[float32]{make([]float32, 64), 8, 1}, packed, nil)
		},
		"short A": func(p *pool.Pool) {
			MulOn(p, make([]float32, 64), 8, 8, Operand[float32]{make([]float32, 63), 8, 1}, packed, nil)
		},
		"short residual": func(p *pool.Pool) {
			MulOn(p, make([]float32, 64), 8, 8, Operand[float32]{make([]float32, 64), 8, 1}, packed, &kernel.Epilogue[float32]{Residual: make([]float32, 63)})
		},
		"short bias": func(p *pool.Pool) {
			MulOn(p, make([]float32, 64), 8, 8, Operand[float32]{make([]float32, 64), 8, 1}, packed, &kernel.Epilogue[float32]{Bias: make([]float32, 7)})
		},
	} {
		for _, threads := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s/threads=%d", name, threads), func(t *testing.T) {
				defer func() {
					if recover() == nil {
						t.Error("no panic")
					}
				}()
				f(pool.New(threads))
			})
		}
	}
}
