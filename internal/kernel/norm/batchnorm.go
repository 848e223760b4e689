package norm

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
	"github.com/winnow-go/winnow/internal/kernel/activation"
)

// Moments writes the mean of every channel of one chunk of rows and the sum of
// squared differences from it; mean and m2 are [C]. A chunk of no rows has
// mean and m2 0. The differences are taken from the chunk's first row in
// float64, so a large mean costs no digits and a constant channel has m2 0.
func Moments(mean, m2 []float64, x []float32, rows, c int) {
	check("Moments", rows, c, x)
	check("Moments", 1, c, mean, m2)
	if rows == 0 {
		clear(mean[:c])
		clear(m2[:c])
		return
	}
	if c > 0 {
		moments(mean[:c], m2[:c], x, rows, c)
	}
}

// Combine merges the moments of chunks, in their order, into the mean and the
// biased variance of all rows; both are [C] (Chan, Golub, LeVeque 1979).
// means and m2s are [chunks, C], counts the rows of each chunk. Without any
// rows the result is NaN.
func Combine(mean, variance []float32, means, m2s []float64, counts []int, c int) {
	check("Combine", len(counts), c, means, m2s)
	check("Combine", 1, c, mean, variance)
	const width = 64 // channels at a time, so that a chunk's are read as they lie
	for lo := 0; lo < c; lo += width {
		hi := min(lo+width, c)
		var μ, m2 [width]float64
		var n float64
		for k, count := range counts {
			if count == 0 {
				continue
			}
			nb := float64(count)
			total := n + nb
			part, cross := nb/total, n*nb/total
			squares := m2s[k*c+lo : k*c+hi]
			for j, v := range means[k*c+lo : k*c+hi] {
				δ := v - μ[j]
				μ[j] += float64(δ * part)
				m2[j] += squares[j] + float64(float64(δ*δ)*cross)
			}
			n = total
		}
		for j := range hi - lo {
			if n == 0 {
				μ[j] = math.NaN()
			}
			mean[lo+j] = float32(μ[j])
			variance[lo+j] = float32(m2[j] / n)
		}
	}
}

// BatchNormBackwardSums adds Σ dy and Σ dy x̂ of a chunk of rows to sdy and
// sdyx, [C] each: the gradients of beta and gamma. mean and rstd are those of
// the whole batch. If a ReLU follows the norm (and what is added to it), y is
// its output and dy the gradient by that, which is overwritten by the gradient
// by the ReLU's input as in [activation.ReLUBackwardFromOutput]; otherwise y is
// nil.
// Rows are added in order within blocks of 32, then the blocks, in float64, in
// order.
func BatchNormBackwardSums(sdy, sdyx, dy, x, y, mean, rstd []float32, rows, c int) {
	check("BatchNormBackwardSums", rows, c, dy, x)
	checkOptional("BatchNormBackwardSums", rows*c, y)
	check("BatchNormBackwardSums", 1, c, sdy, sdyx, mean, rstd)
	if rows == 0 || c == 0 {
		return
	}
	batchNormBackwardSums(sdy[:c], sdyx[:c], dy, x, y, mean[:c], rstd[:c], rows, c)
}

// sumRows is how many rows BatchNormBackwardSums may add up in float32. The
// terms of sdy all but cancel where a norm follows, so a long chain of float32
// additions shows: blocks of rows are added up in float64.
const sumRows = 32

// rectify passes the gradient of some channels, rows that lie stride elements
// apart from the given one on, back through the ReLU whose output is y, unless
// that is nil.
func rectify(dy, y []float32, from, rows, channels, stride int) {
	if y == nil {
		return
	}
	if channels == stride {
		rows, channels = 1, rows*channels
	}
	for r := range rows {
		at := from + r*stride
		row := dy[at:][:channels]
		activation.ReLUBackwardFromOutput(row, row, y[at:][:channels])
	}
}

// BatchNormBackward writes the gradient of x for a chunk of rows, given the
// sums over all of the batch's rows, whose number is total. gamma may be nil
// for ones. dx may be dy or x.
func BatchNormBackward(dx, dy, x, mean, rstd, gamma, sdy, sdyx []float32, rows, c, total int) {
	check("BatchNormBackward", rows, c, dx, dy, x)
	check("BatchNormBackward", 1, c, mean, rstd, sdy, sdyx)
	checkOptional("BatchNormBackward", c, gamma)
	if total < rows {
		panic(fmt.Sprintf("norm: BatchNormBackward: %d rows of %d in all", rows, total))
	}
	if rows > 0 && c > 0 {
		batchNormBackward(dx, dy, x, mean[:c], rstd[:c], gamma, sdy[:c], sdyx[:c], rows, c, total)
	}
}

// MomentsGeneric is the definition of [Moments], for at least one row.
func MomentsGeneric[T kernel.Float](mean, m2 []float64, x []T, rows, c int) {
	clear(mean)
	clear(m2)
	first := x[:c]
	for r := range rows {
		for j, v := range x[r*c:][:c] {
			d := float64(v) - float64(first[j])
			mean[j] += d
			m2[j] += float64(d * d)
		}
	}
	finishMoments(mean, m2, first, rows)
}

// finishMoments turns Σ d and Σ d² of d = x - first into the moments of x.
func finishMoments[T kernel.Float](mean, m2 []float64, first []T, rows int) {
	n := float64(rows)
	for j, s := range mean {
		d := s / n
		mean[j] = float64(first[j]) + d
		if m := m2[j] - float64(s*d); !(m < 0) { // keeps NaN
			m2[j] = m
		} else {
			m2[j] = 0
		}
	}
}

// BatchNormBackwardSumsGeneric is the definition of [BatchNormBackwardSums].
func BatchNormBackwardSumsGeneric[T kernel.Float](sdy, sdyx, dy, x, mean, rstd []T, rows, c int) {
	total := make([]float64, 2*c)
	s, sx := total[:c], total[c:]
	for r := range rows {
		row := x[r*c:][:c]
		for j, g := range dy[r*c:][:c] {
			s[j] += float64(g)
			sx[j] += float64(float64(g) * ((float64(row[j]) - float64(mean[j])) * float64(rstd[j])))
		}
	}
	addSums(sdy, s)
	addSums(sdyx, sx)
}

// BatchNormBackwardGeneric is the definition of [BatchNormBackward].
func BatchNormBackwardGeneric[T kernel.Float](dx, dy, x, mean, rstd, gamma, sdy, sdyx []T, rows, c, total int) {
	for r := range rows {
		row, g, out := x[r*c:][:c], dy[r*c:][:c], dx[r*c:][:c]
		for j, v := range g {
			ρ := float64(rstd[j])
			xh := (float64(row[j]) - float64(mean[j])) * ρ
			y := ρ * (float64(v) - float64(sdy[j])/float64(total) - float64(xh*(float64(sdyx[j])/float64(total))))
			if gamma != nil {
				y *= float64(gamma[j])
			}
			out[j] = T(y)
		}
	}
}
