//go:build !purego

package norm

import (
	"math"

	"github.com/winnow-go/winnow/internal/cpu"
)

//go:generate go run -C ../_asm ./norm -out ../norm/avx2_amd64.s -stubs ../norm/avx2_amd64.go -pkg norm
//go:generate go run -C ../_asm ./norm -avx512 -out ../norm/avx512_amd64.s -stubs ../norm/avx512_amd64.go -pkg norm

// perCall is the number of elements that one call of an assembly routine goes
// through at most, some 50 µs: a goroutine cannot be stopped inside one. It
// depends on nothing, so neither do the results.
const perCall = 1 << 17

// rowsPerCall is perCall in rows of c elements.
func rowsPerCall(c int) int { return max(perCall/c, 1) }

// strip is the number of channels that BatchNorm's backward passes take on at
// once; the generator knows it too.
const strip = 512

// eightRows is up to how many elements eight rows, the next eight and the
// result fit a first-level cache of 48 KB.
const eightRows = 512

// from is the address of s[i:], nil for nil.
func from[T any](s []T, i int) *T {
	if s == nil {
		return nil
	}
	return &s[i]
}

func layerNorm(dst, x, gamma, beta, mean, rstd []float32, rows, c int, eps float32) {
	if chosen == cpu.Generic {
		LayerNormGeneric(dst, x, gamma, beta, mean, rstd, rows, c, eps)
		return
	}
	step := rowsPerCall(c)
	for r := 0; r < rows; {
		n := min(step, rows-r)
		to, in, μ, ρ := &dst[r*c], &x[r*c], from(mean, r), from(rstd, r)
		γ, β := from(gamma, 0), from(beta, 0)
		switch {
		case chosen == cpu.AVX512 && n >= 8 && c <= eightRows:
			n &^= 7
			layerNorm8AVX512(to, in, γ, β, μ, ρ, n, c, eps)
		case chosen == cpu.AVX512 && n >= 4:
			n &^= 3
			layerNorm4AVX512(to, in, γ, β, μ, ρ, n, c, eps)
		case chosen == cpu.AVX512:
			layerNorm1AVX512(to, in, γ, β, μ, ρ, n, c, eps)
		case n >= 8 && c%8 == 0:
			n &^= 7
			layerNorm8AVX2(to, in, γ, β, μ, ρ, n, c, eps)
		default:
			layerNormAVX2(to, in, γ, β, μ, ρ, n, c, eps)
		}
		r += n
	}
}

func layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, rows, c int) {
	if chosen == cpu.Generic {
		LayerNormBackwardGeneric(dx, dgamma, dbeta, dy, x, gamma, mean, rstd, rows, c)
		return
	}
	if (dgamma == nil) != (dbeta == nil) { // the assembly wants both or neither
		scratch := make([]float32, c)
		if dgamma == nil {
			dgamma = scratch
		} else {
			dbeta = scratch
		}
	}
	step := rowsPerCall(c)
	for r := 0; r < rows; {
		n := min(step, rows-r)
		to, g, in, μ, ρ := &dx[r*c], &dy[r*c], &x[r*c], &mean[r], &rstd[r]
		γ, dγ, dβ := from(gamma, 0), from(dgamma, 0), from(dbeta, 0)
		switch {
		case chosen == cpu.AVX512 && n >= 4:
			n &^= 3
			layerNormBackward4AVX512(to, dγ, dβ, g, in, γ, μ, ρ, n, c)
		case chosen == cpu.AVX512:
			layerNormBackward1AVX512(to, dγ, dβ, g, in, γ, μ, ρ, n, c)
		case n >= 8 && c%8 == 0:
			n &^= 7
			layerNormBackward8AVX2(to, dγ, dβ, g, in, γ, μ, ρ, n, c)
		default:
			layerNormBackwardAVX2(to, dγ, dβ, g, in, γ, μ, ρ, n, c)
		}
		r += n
	}
}

func moments(mean, m2 []float64, x []float32, rows, c int) {
	if chosen == cpu.Generic {
		MomentsGeneric(mean, m2, x, rows, c)
		return
	}
	clear(mean)
	clear(m2)
	step := rowsPerCall(c)
	if chosen == cpu.AVX512 {
		for r := 0; r < rows; r += step {
			momentsAVX512(&mean[0], &m2[0], &x[r*c], &x[0], min(step, rows-r), c)
		}
		finishMomentsAVX512(&mean[0], &m2[0], &x[0], c, float64(rows))
		return
	}
	for r := 0; r < rows; r += step {
		n, part := min(step, rows-r), x[r*c:]
		j := 0
		for ; j+16 <= c; j += 16 {
			moments16AVX2(&mean[j], &m2[j], &part[j], &x[j], n, c)
		}
		for ; j+4 <= c; j += 4 {
			moments4AVX2(&mean[j], &m2[j], &part[j], &x[j], n, c)
		}
		for ; j < c; j++ {
			s, q, first := mean[j], m2[j], float64(x[j])
			for i := range n {
				d := float64(part[i*c+j]) - first
				s += d
				q = math.FMA(d, d, q)
			}
			mean[j], m2[j] = s, q
		}
	}
	finishMoments(mean, m2, x[:c], rows)
}

func batchNormBackwardSums(sdy, sdyx, dy, x, y, mean, rstd []float32, rows, c int) {
	if chosen == cpu.Generic {
		rectify(dy, y, 0, rows, c, c)
		BatchNormBackwardSumsGeneric(sdy, sdyx, dy, x, mean, rstd, rows, c)
		return
	}
	for j := 0; j < c; j += strip {
		width := min(strip, c-j)
		var total [2 * strip]float64
		var block [2 * strip]float32
		for r := 0; r < rows; r += sumRows {
			at, n := r*c+j, min(sumRows, rows-r)
			rectify(dy, y, at, n, width, c)
			if chosen == cpu.AVX512 {
				batchNormBackwardSumsAVX512(&total[0], &block[0], &dy[at], &x[at], &mean[j], &rstd[j], n, width, c)
			} else {
				batchNormBackwardSumsAVX2(&total[0], &block[0], &dy[at], &x[at], &mean[j], &rstd[j], n, width, c)
			}
		}
		addSums(sdy[j:], total[:width])
		addSums(sdyx[j:], total[strip:][:width])
	}
}

func batchNormBackward(dx, dy, x, mean, rstd, gamma, sdy, sdyx []float32, rows, c, total int) {
	if chosen == cpu.Generic {
		BatchNormBackwardGeneric(dx, dy, x, mean, rstd, gamma, sdy, sdyx, rows, c, total)
		return
	}
	// dx = a dy + b (x - mean) + e, the coefficients for a strip of channels
	// at a time.
	n := float64(total)
	for j := 0; j < c; j += strip {
		width := min(strip, c-j)
		var factors [3 * strip]float32
		if chosen == cpu.AVX512 {
			batchNormFactorsAVX512(&factors[0], &rstd[j], from(gamma, j), &sdy[j], &sdyx[j], width, -1/n)
		} else {
			batchNormFactors(&factors, rstd, gamma, sdy, sdyx, j, width, n)
		}
		step := rowsPerCall(width)
		for r := 0; r < rows; r += step {
			at, m := r*c+j, min(step, rows-r)
			if chosen == cpu.AVX512 {
				batchNormBackwardAVX512(&dx[at], &dy[at], &x[at], &mean[j], &factors[0], m, width, c)
			} else {
				batchNormBackwardAVX2(&dx[at], &dy[at], &x[at], &mean[j], &factors[0], m, width, c)
			}
		}
	}
}

// batchNormFactors computes the coefficients of the channels [j,j+width) of n
// rows.
func batchNormFactors(factors *[3 * strip]float32, rstd, gamma, sdy, sdyx []float32, j, width int, n float64) {
	for k := range width {
		ρ := float64(rstd[j+k])
		γρ := ρ
		if gamma != nil {
			γρ *= float64(gamma[j+k])
		}
		factors[k] = float32(γρ)
		factors[strip+k] = float32(-γρ * ρ * float64(sdyx[j+k]) / n)
		factors[2*strip+k] = float32(-γρ * float64(sdy[j+k]) / n)
	}
}
