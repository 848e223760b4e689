// Sgemm prints the GFLOP/s that gonum's float32 matrix product reaches at
// 768x768x768, the best of ten runs.
package main

import (
	"fmt"
	"time"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

func main() {
	const n = 768
	filled := func() blas32.General {
		m := blas32.General{Rows: n, Cols: n, Stride: n, Data: make([]float32, n*n)}
		for i := range m.Data {
			m.Data[i] = float32(i%17) - 8
		}
		return m
	}
	a, b, c := filled(), filled(), filled()
	best := time.Hour
	for range 10 {
		began := time.Now()
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, a, b, 0, c)
		best = min(best, time.Since(began))
	}
	fmt.Println(2 * float64(n*n*n) / float64(best))
}
