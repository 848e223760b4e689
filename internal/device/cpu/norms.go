package cpu

import (
	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/internal/kernel/norm"
	"github.com/winnow-go/winnow/internal/pool"
)

// LayerNorm normalises rows.
func (b *Backend) LayerNorm(dst, x, gamma, beta, mean, rstd device.Buffer, rows, c int, eps float32) {
	d, in, g, be, m, r := f32(dst), f32(x), f32(gamma), f32(beta), f32(mean), f32(rstd)
	b.eachRows(rows, c, func(lo, hi int) {
		norm.LayerNorm(part(d, lo, hi, c), part(in, lo, hi, c), g, be, part(m, lo, hi, 1), part(r, lo, hi, 1), hi-lo, c, eps)
	})
}

// LayerNormBackward computes the gradients of LayerNorm.
func (b *Backend) LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd device.Buffer, rows, c int) {
	d, g, in, ga, m, r := f32(dx), f32(dy), f32(x), f32(gamma), f32(mean), f32(rstd)
	sums := b.arena.Get(2 * c)
	defer b.arena.Put(sums)
	b.reduce(rows, c, sums, func(sum []float32, lo, hi int) {
		norm.LayerNormBackward(part(d, lo, hi, c), sum[:c], sum[c:], part(g, lo, hi, c), part(in, lo, hi, c), ga,
			part(m, lo, hi, 1), part(r, lo, hi, 1), hi-lo, c)
	})
	if dgamma != nil {
		copy(f32(dgamma), sums[:c])
	}
	if dbeta != nil {
		copy(f32(dbeta), sums[c:])
	}
}

// RMSNorm scales rows.
func (b *Backend) RMSNorm(dst, x, gamma, rstd device.Buffer, rows, c int, eps float32) {
	d, in, g, r := f32(dst), f32(x), f32(gamma), f32(rstd)
	b.eachRows(rows, c, func(lo, hi int) {
		norm.RMSNorm(part(d, lo, hi, c), part(in, lo, hi, c), g, part(r, lo, hi, 1), hi-lo, c, eps)
	})
}

// RMSNormBackward computes the gradients of RMSNorm.
func (b *Backend) RMSNormBackward(dx, dgamma, dy, x, gamma, rstd device.Buffer, rows, c int) {
	d, g, in, ga, r := f32(dx), f32(dy), f32(x), f32(gamma), f32(rstd)
	b.reduce(rows, c, f32(dgamma), func(sum []float32, lo, hi int) {
		norm.RMSNormBackward(part(d, lo, hi, c), sum, part(g, lo, hi, c), part(in, lo, hi, c), ga, part(r, lo, hi, 1), hi-lo, c)
	})
}

// SimpleNorm scales rows.
func (b *Backend) SimpleNorm(dst, x, gamma, mean, rstd device.Buffer, rows, c int, eps float32) {
	d, in, g, m, r := f32(dst), f32(x), f32(gamma), f32(mean), f32(rstd)
	b.eachRows(rows, c, func(lo, hi int) {
		norm.SimpleNorm(part(d, lo, hi, c), part(in, lo, hi, c), g, part(m, lo, hi, 1), part(r, lo, hi, 1), hi-lo, c, eps)
	})
}

// SimpleNormBackward computes the gradients of SimpleNorm.
func (b *Backend) SimpleNormBackward(dx, dgamma, dy, x, gamma, mean, rstd device.Buffer, rows, c int) {
	d, g, in, ga, m, r := f32(dx), f32(dy), f32(x), f32(gamma), f32(mean), f32(rstd)
	b.reduce(rows, c, f32(dgamma), func(sum []float32, lo, hi int) {
		norm.SimpleNormBackward(part(d, lo, hi, c), sum, part(g, lo, hi, c), part(in, lo, hi, c), ga,
			part(m, lo, hi, 1), part(r, lo, hi, 1), hi-lo, c)
	})
}

// BatchMoments computes each channel's mean and biased variance.
func (b *Backend) BatchMoments(mean, variance, x device.Buffer, rows, c int) {
	pieces, combine := b.moments(f32(mean), f32(variance), f32(x), rows, c)
	pieces.Split(b.pool, rows)
	combine()
}

// moments is BatchMoments for a caller who sees to the pieces of x.
func (b *Backend) moments(mean, variance, x []float32, rows, c int) (pieces pool.Pieces, combine func()) {
	size := reduceRows(rows, c)
	pieces.Size = size
	n := pieces.Of(rows)
	counts := make([]int, n)
	memory := b.arena.Get(4 * n * c)
	means, m2s := doubles(memory[:2*n*c]), doubles(memory[2*n*c:])
	pieces.Do = func(lo, hi int) {
		i := lo / size
		counts[i] = hi - lo
		norm.Moments(means[i*c:(i+1)*c], m2s[i*c:(i+1)*c], part(x, lo, hi, c), hi-lo, c)
	}
	return pieces, func() {
		defer b.arena.Put(memory)
		const channels = 32 // that are combined at a time
		b.pool.Split(c, channels, func(lo, hi, _ int) {
			width := hi - lo
			memory := b.arena.Get(4 * n * width)
			defer b.arena.Put(memory)
			μ, m2 := doubles(memory[:2*n*width]), doubles(memory[2*n*width:])
			for i := range n {
				copy(μ[i*width:], means[i*c+lo:i*c+hi])
				copy(m2[i*width:], m2s[i*c+lo:i*c+hi])
			}
			norm.Combine(mean[lo:hi], variance[lo:hi], μ, m2, counts, width)
		})
	}
}

// BatchNormSums computes the gradients of a batch norm's parameters, and that of
// ReLU after it.
func (b *Backend) BatchNormSums(dy device.Buffer, n device.BatchNorm, rows, c int) {
	pieces, sum := b.batchNormSums(f32(dy), n, rows, c)
	pieces.Split(b.pool, rows)
	sum()
}

// batchNormSums is BatchNormSums for a caller who sees to the pieces of dy.
func (b *Backend) batchNormSums(dy []float32, n device.BatchNorm, rows, c int) (pieces pool.Pieces, sum func()) {
	x, y, mean, rstd := f32(n.X), f32(n.Y), f32(n.Mean), f32(n.RStd)
	sums := b.arena.Get(2 * c)
	pieces, add := b.reduction(rows, c, sums, func(sum []float32, lo, hi int) {
		norm.BatchNormBackwardSums(sum[:c], sum[c:], part(dy, lo, hi, c), part(x, lo, hi, c), part(y, lo, hi, c), mean, rstd, hi-lo, c)
	})
	return pieces, func() {
		defer b.arena.Put(sums)
		add()
		copy(f32(n.DBeta), sums[:c])
		copy(f32(n.DGamma), sums[c:])
	}
}

// BatchNormBackward computes the gradient of a normalisation by the batch's own
// statistics.
func (b *Backend) BatchNormBackward(dx, dy device.Buffer, n device.BatchNorm, rows, c int) {
	b.batchNormBackward(f32(dx), f32(dy), n, rows, c).Split(b.pool, rows)
}

// batchNormBackward is BatchNormBackward for a caller who sees to the pieces.
func (b *Backend) batchNormBackward(dx, dy []float32, n device.BatchNorm, rows, c int) pool.Pieces {
	x, mean, rstd, gamma, dgamma, dbeta := f32(n.X), f32(n.Mean), f32(n.RStd), f32(n.Gamma), f32(n.DGamma), f32(n.DBeta)
	return pool.Pieces{Size: rowsPer(rows, c), Do: func(lo, hi int) {
		norm.BatchNormBackward(part(dx, lo, hi, c), part(dy, lo, hi, c), part(x, lo, hi, c), mean, rstd, gamma, dbeta, dgamma, hi-lo, c, rows)
	}}
}

// Affine scales, shifts, adds and rectifies.
func (b *Backend) Affine(dst, x, scale, shift, residual device.Buffer, relu bool, rows, c int) {
	d, in, s, h, r := f32(dst), f32(x), f32(scale), f32(shift), f32(residual)
	if h == nil {
		h = make([]float32, c)
	}
	b.eachRows(rows, c, func(lo, hi int) {
		elementwise.AffineChannels(part(d, lo, hi, c), part(in, lo, hi, c), s, h, part(r, lo, hi, c), hi-lo, c, relu)
	})
}

// ScaleSamples scales channels and samples and adds the residual.
func (b *Backend) ScaleSamples(dst, x, gamma device.Buffer, sample []float32, residual device.Buffer, rows, c, samples int) {
	d, in, ga, r := f32(dst), f32(x), f32(gamma), f32(residual)
	if ga == nil {
		ga = make([]float32, c)
		elementwise.Fill(ga, 1)
	}
	zero := make([]float32, c)
	if sample == nil {
		b.eachRows(rows, c, func(lo, hi int) {
			elementwise.AffineChannels(part(d, lo, hi, c), part(in, lo, hi, c), ga, zero, part(r, lo, hi, c), hi-lo, c, false)
		})
		return
	}
	per := rows / samples
	b.pool.Run(samples, func(i, _ int) {
		s := make([]float32, c)
		elementwise.Scale(s, ga, sample[i])
		lo, hi := i*per, (i+1)*per
		elementwise.AffineChannels(part(d, lo, hi, c), part(in, lo, hi, c), s, zero, part(r, lo, hi, c), per, c, false)
	})
}

// GammaGradient computes the gradient of a layer scale.
func (b *Backend) GammaGradient(dgamma, dy, x device.Buffer, sample []float32, rows, c, samples int) {
	g, in := f32(dy), f32(x)
	if sample == nil {
		b.reduce(rows, c, f32(dgamma), func(sum []float32, lo, hi int) {
			elementwise.ColumnDots(sum, part(g, lo, hi, c), part(in, lo, hi, c), hi-lo, c)
		})
		return
	}
	per := rows / samples
	b.reduce(samples, per*c, f32(dgamma), func(sum []float32, lo, hi int) {
		one := make([]float32, c)
		for i := lo; i < hi; i++ {
			clear(one)
			elementwise.ColumnDots(one, part(g, i*per, (i+1)*per, c), part(in, i*per, (i+1)*per, c), per, c)
			elementwise.Axpy(sum, sample[i], one)
		}
	})
}

// ColumnSums adds up columns.
func (b *Backend) ColumnSums(dst, x device.Buffer, rows, c int) {
	in := f32(x)
	b.reduce(rows, c, f32(dst), func(sum []float32, lo, hi int) {
		elementwise.ColumnSums(sum, part(in, lo, hi, c), hi-lo, c)
	})
}
