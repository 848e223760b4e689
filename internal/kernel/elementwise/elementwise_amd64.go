//go:build !purego

package elementwise

import (
	"math"

	"github.com/winnow-go/winnow/internal/cpu"
)

//go:generate sh -c "cd ../_asm/elementwise && go run main.go -out ../../elementwise/pass_amd64.s -stubs ../../elementwise/pass_amd64.go -pkg elementwise"

// choose picks the functions of a variant; AVX-512 machines run the AVX2 ones,
// since memory sets the pace: on an Emerald Rapids they stream 27 to 29 GB/s, as
// a copy does with either.
func choose(v cpu.Variant) functions {
	if v == cpu.Generic {
		return generic
	}
	return functions{
		add:            addAVX2,
		addTo:          func(dst, a []float32) { addAVX2(dst, dst, a) },
		scale:          scaleAVX2,
		axpy:           axpyAVX2,
		mul:            mulAVX2,
		fill:           fillAVX2,
		affineChannels: affineChannelsAVX2,
		scaleChannels:  scaleChannelsAVX2,
		columnSums:     columnSumsAVX2,
		columnDots:     columnDotsAVX2,
		sumSquares:     sumSquaresAVX2,
		sgd:            sgdAVX2,
		adamW:          adamWAVX2,
		ema:            emaAVX2,
	}
}

// stretch is the number of elements that one call of the assembly takes on: it
// cannot be preempted, and even with four slices from main memory this is less
// than 100 µs.
const stretch = 1 << 14

// inStretches calls f with the start and length of one stretch after the other
// until n elements are done. It is not inlined, so that f is a call, in whose
// prologue the loop can be preempted.
//
//go:noinline
func inStretches(n int, f func(lo, n int)) {
	for lo := 0; lo < n; lo += stretch {
		f(lo, min(stretch, n-lo))
	}
}

func addAVX2(dst, a, b []float32) {
	inStretches(len(dst), func(i, n int) { add(&dst[i], &a[i], &b[i], n) })
}

func mulAVX2(dst, a, b []float32) {
	inStretches(len(dst), func(i, n int) { mul(&dst[i], &a[i], &b[i], n) })
}

func scaleAVX2(dst, a []float32, k float32) {
	inStretches(len(dst), func(i, n int) { scale(&dst[i], &a[i], n, k) })
}

func axpyAVX2(dst []float32, k float32, x []float32) {
	inStretches(len(dst), func(i, n int) { axpy(&dst[i], &x[i], n, k) })
}

func fillAVX2(dst []float32, k float32) {
	inStretches(len(dst), func(i, n int) { fill(&dst[i], n, k) })
}

func emaAVX2(avg, p []float32, decay float64) {
	inStretches(len(avg), func(i, n int) { ema(&avg[i], &p[i], n, float32(1-decay)) })
}

func sgdAVX2(p, g, buf []float32, lr, momentum, weightDecay, gradScale float32, nesterov, first bool) {
	if momentum == 0 {
		inStretches(len(p), func(i, n int) { sgdPlain(&p[i], &g[i], n, lr, weightDecay, gradScale) })
		return
	}
	keep, look := uint32(math.MaxUint32), uint32(0)
	if first {
		keep = 0
	}
	if nesterov {
		look = math.MaxUint32
	}
	inStretches(len(p), func(i, n int) {
		sgdMomentum(&p[i], &g[i], &buf[i], n, lr, momentum, weightDecay, gradScale, look, keep)
	})
}

func adamWAVX2(p, g, m, v []float32, h AdamWStep) {
	k := newFactors[float32](h)
	inStretches(len(p), func(i, n int) {
		adamW(&p[i], &g[i], &m[i], &v[i], n, k.gradScale, k.blend1, k.beta2, k.blend2, k.rescale, k.eps, k.decay, k.step)
	})
}

// inRows is inStretches for whole rows of c elements.
//
//go:noinline
func inRows(rows, c int, f func(row, n int)) {
	if c == 0 {
		return
	}
	step := max(1, stretch/c)
	for r := 0; r < rows; r += step {
		f(r, min(step, rows-r))
	}
}

func affineChannelsAVX2(dst, x, scale, shift, residual []float32, rows, c int, relu bool) {
	low := float32(math.Inf(-1))
	if relu {
		low = 0
	}
	inRows(rows, c, func(r, n int) {
		i := r * c
		if residual == nil {
			affine(&dst[i], &x[i], &scale[0], &shift[0], n, c, low)
		} else {
			affineResidual(&dst[i], &x[i], &residual[i], &scale[0], &shift[0], n, c, low)
		}
	})
}

func scaleChannelsAVX2(dst, x, gamma []float32, rows, c int) {
	inRows(rows, c, func(r, n int) { scaleRows(&dst[r*c], &x[r*c], &gamma[0], n, c) })
}

// inBlocks calls f for blocks of up to block rows and of so many columns that
// one call handles about stretch elements.
//
//go:noinline
func inBlocks(rows, c int, f func(row, rows, col, cols int)) {
	const cols = stretch / block
	for r := 0; r < rows; r += block {
		for i := 0; i < c; i += cols {
			f(r, min(block, rows-r), i, min(cols, c-i))
		}
	}
}

func columnSumsAVX2(sum, x []float32, rows, c int) {
	inBlocks(rows, c, func(r, rows, i, cols int) { columnSums(&sum[i], &x[r*c+i], rows, 4*c, cols) })
}

func columnDotsAVX2(sum, a, b []float32, rows, c int) {
	inBlocks(rows, c, func(r, rows, i, cols int) { columnDots(&sum[i], &a[r*c+i], &b[r*c+i], rows, 4*c, cols) })
}

func sumSquaresAVX2(x []float32) float64 {
	var s [16]float64
	whole := len(x) &^ 15
	inStretches(whole, func(i, n int) { sumSquares(&s, &x[i], n/16) })
	return finishSquares(&s, x[whole:])
}
