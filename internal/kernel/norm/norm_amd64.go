//go:build !purego

package norm

import "math"

//go:generate go run -C ../_asm ./norm -out ../norm/avx2_amd64.s -stubs ../norm/avx2_amd64.go -pkg norm

// perCall is the number of elements that one call of an assembly routine goes
// through at most, some 50 µs: a goroutine cannot be stopped inside one. It
// depends on nothing, so neither do the results.
const perCall = 1 << 17

// rowsPerCall is perCall in rows of c elements.
func rowsPerCall(c int) int { return max(perCall/c, 1) }

// from is the address of s[i:], nil for nil.
func from[T any](s []T, i int) *T {
	if s == nil {
		return nil
	}
	return &s[i]
}

func layerNorm(dst, x, gamma, beta, mean, rstd []float32, rows, c int, eps float32) {
	if !useAVX2 {
		LayerNormGeneric(dst, x, gamma, beta, mean, rstd, rows, c, eps)
		return
	}
	step := rowsPerCall(c)
	for r := 0; r < rows; {
		n := min(step, rows-r)
		if c%8 == 0 && n >= 8 {
			n &^= 7
			layerNorm8AVX2(&dst[r*c], &x[r*c], from(gamma, 0), from(beta, 0), from(mean, r), from(rstd, r), n, c, eps)
		} else {
			layerNormAVX2(&dst[r*c], &x[r*c], from(gamma, 0), from(beta, 0), from(mean, r), from(rstd, r), n, c, eps)
		}
		r += n
	}
}

func layerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd []float32, rows, c int) {
	if !useAVX2 {
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
		if c%8 == 0 && n >= 8 {
			n &^= 7
			layerNormBackward8AVX2(&dx[r*c], from(dgamma, 0), from(dbeta, 0), &dy[r*c], &x[r*c], from(gamma, 0), &mean[r], &rstd[r], n, c)
		} else {
			layerNormBackwardAVX2(&dx[r*c], from(dgamma, 0), from(dbeta, 0), &dy[r*c], &x[r*c], from(gamma, 0), &mean[r], &rstd[r], n, c)
		}
		r += n
	}
}

func moments(mean, m2 []float64, x []float32, rows, c int) {
	if !useAVX2 {
		MomentsGeneric(mean, m2, x, rows, c)
		return
	}
	clear(mean)
	clear(m2)
	step := rowsPerCall(c)
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

// batchNormBackwardSums adds the sums of up to sumRows rows to total [2C]; block
// [2C] is scratch.
func batchNormBackwardSums(total []float64, block, dy, x, mean, rstd []float32, rows, c int) {
	if !useAVX2 {
		batchNormBackwardTotals(total, dy, x, mean, rstd, rows, c)
		return
	}
	clear(block)
	step := rowsPerCall(c)
	for r := 0; r < rows; r += step {
		batchNormBackwardSumsAVX2(&block[0], &block[c], &dy[r*c], &x[r*c], &mean[0], &rstd[0], min(step, rows-r), c)
	}
	for i, v := range block {
		total[i] += float64(v)
	}
}

func batchNormBackward(dx, dy, x, mean, rstd, gamma, sdy, sdyx []float32, rows, c, total int) {
	if !useAVX2 {
		BatchNormBackwardGeneric(dx, dy, x, mean, rstd, gamma, sdy, sdyx, rows, c, total)
		return
	}
	// dx = a dy + b (x - mean) + e, the coefficients for a strip of channels
	// at a time.
	const strip = 128
	var a, b, e [strip]float32
	n := float64(total)
	for j := 0; j < c; j += strip {
		width := min(strip, c-j)
		for k := range width {
			ρ := float64(rstd[j+k])
			γρ := ρ
			if gamma != nil {
				γρ *= float64(gamma[j+k])
			}
			a[k] = float32(γρ)
			b[k] = float32(-γρ * ρ * float64(sdyx[j+k]) / n)
			e[k] = float32(-γρ * float64(sdy[j+k]) / n)
		}
		step := rowsPerCall(width)
		for r := 0; r < rows; r += step {
			at := r*c + j
			batchNormBackwardAVX2(&dx[at], &dy[at], &x[at], &mean[j], &a[0], &b[0], &e[0], min(step, rows-r), width, c)
		}
	}
}
