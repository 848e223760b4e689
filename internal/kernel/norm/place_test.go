package norm

import (
	"fmt"
	"testing"

	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
)

// A row's result must not depend on its number, nor on which rows share a
// call; sums over rows only on the rows' order.
func TestRowsDoNotDependOnHowTheyAreSplit(t *testing.T) {
	const rows = 21
	eachVariant(t, func(t *testing.T) {
		for _, c := range []int{1, 5, 8, 16, 24, 96, 100, 384, 600} {
			x, dy, gamma, beta := normal(rows*c, 1), normal(rows*c, 2), normal(c, 3), normal(c, 4)
			type result struct{ y, mean, rstd, dx, dgamma, dbeta []float32 }
			run := func(size int) (r result) {
				r = result{make([]float32, rows*c), make([]float32, rows), make([]float32, rows), make([]float32, rows*c), make([]float32, c), make([]float32, c)}
				for lo := 0; lo < rows; lo += size {
					n := min(size, rows-lo)
					LayerNorm(r.y[lo*c:], x[lo*c:], gamma, beta, r.mean[lo:], r.rstd[lo:], n, c, 1e-5)
					LayerNormBackward(r.dx[lo*c:], r.dgamma, r.dbeta, dy[lo*c:], x[lo*c:], gamma, r.mean[lo:], r.rstd[lo:], n, c)
				}
				return r
			}
			want := run(rows)
			for _, size := range []int{1, 3, 4, 7, 8, 9, 16} {
				got := run(size)
				what := fmt.Sprintf("c=%d in pieces of %d: ", c, size)
				kerneltest.Equal(t, what+"y", got.y, want.y)
				kerneltest.Equal(t, what+"mean", got.mean, want.mean)
				kerneltest.Equal(t, what+"rstd", got.rstd, want.rstd)
				kerneltest.Equal(t, what+"dx", got.dx, want.dx)
				kerneltest.Equal(t, what+"dgamma", got.dgamma, want.dgamma)
				kerneltest.Equal(t, what+"dbeta", got.dbeta, want.dbeta)
			}
		}
	})
}
