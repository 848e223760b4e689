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

func TestMulBetweenMeetsEveryRowInTime(t *testing.T) {
	for _, s := range []struct{ m, k, n int }{{1, 5, 3}, {50, 40, 96}, {400, 24, 15}, {1000, 16, 33}, {0, 8, 8}, {8, 8, 0}, {40, 0, 8}} {
		a, b, old := make([]float32, s.m*s.k), make([]float32, s.k*s.n), make([]float32, s.m*s.n)
		for i, v := range [][]float32{a, b, old} {
			kerneltest.Normal(v, uint64(i)+1, 0, 1)
		}
		packed := Pack(Operand[float32]{Data: b, RowStride: s.n, ColStride: 1}, s.k, s.n)
		want := slices.Clone(old)
		Mul(want, s.n, s.m, Operand[float32]{Data: a, RowStride: s.k, ColStride: 1}, packed, false, &kernel.Epilogue[float32]{Residual: want}, 0)
		for _, threads := range []int{1, 2, 3, 7, 16} {
			for _, sizes := range [][2]int{{1, 1}, {30, 25}, {64, 0}, {0, 64}, {7, 31}, {2000, 2000}} {
				what := fmt.Sprintf("%d x %d x %d, %d threads, pieces of %d and %d", s.m, s.k, s.n, threads, sizes[0], sizes[1])
				var passes Passes
				source, dst, seen := slices.Clone(a), slices.Clone(old), slices.Clone(old)
				if size := sizes[0]; size > 0 { // brings A, which is not there before
					clear(source)
					passes.Before = pool.Pieces{Size: size, Do: func(lo, hi int) {
						if hi <= lo || hi-lo > size {
							t.Errorf("%s: [%d,%d) comes before", what, lo, hi)
						}
						for i := lo * s.k; i < hi*s.k; i++ {
							source[i] += a[i]
						}
					}}
				}
				if size := sizes[1]; size > 0 { // sees the result and spoils it
					clear(seen)
					passes.After = pool.Pieces{Size: size, Do: func(lo, hi int) {
						if lo%size != 0 || hi != min(lo+size, s.m) {
							t.Errorf("%s: [%d,%d) comes after", what, lo, hi)
						}
						for i := lo * s.n; i < hi*s.n; i++ {
							seen[i] += dst[i]
							dst[i] = 0
						}
					}}
				} else {
					seen = dst
				}
				MulBetween(pool.New(threads), dst, s.n, s.m, Operand[float32]{Data: source, RowStride: s.k, ColStride: 1}, packed, &kernel.Epilogue[float32]{Residual: dst}, passes)
				if !slices.Equal(seen, want) {
					t.Errorf("%s: another result", what)
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
