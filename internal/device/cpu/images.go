package cpu

import (
	"math"

	"github.com/winnow-go/winnow/internal/device"
	"github.com/winnow-go/winnow/internal/kernel/elementwise"
	"github.com/winnow-go/winnow/internal/kernel/norm"
)

// What is normalised or scaled image by image: [N,HW,C], with one number per
// image and channel.

// eachImage calls fn for pieces [lo,hi) of the pixels of each of n images. What
// it is given as piece numbers the pieces of all images, perImage of each.
func (b *Backend) eachImage(n, hw, c int, fn func(image, piece, lo, hi int)) (perImage int) {
	size := reduceRows(hw, c)
	perImage = (hw + size - 1) / size
	b.pool.Run(n*perImage, func(i, _ int) {
		at := i % perImage * size
		fn(i/perImage, i, at, min(at+size, hw))
	})
	return perImage
}

// pieces is what eachImage returns.
func pieces(hw, c int) int {
	size := reduceRows(hw, c)
	return (hw + size - 1) / size
}

// reduceImages runs fn on pieces of the pixels of each image, each with width
// zeroed elements of its own, and adds those up in the order of the pieces into
// that image's part of dst [n,width], which it overwrites.
func (b *Backend) reduceImages(n, hw, c, width int, dst []float32, fn func(sum []float32, image, lo, hi int)) {
	per := pieces(hw, c)
	sums := dst
	if per > 1 {
		sums = b.arena.Get(n * per * width)
		defer b.arena.Put(sums)
	}
	b.eachImage(n, hw, c, func(image, piece, lo, hi int) {
		sum := sums[piece*width : (piece+1)*width]
		clear(sum)
		fn(sum, image, lo, hi)
	})
	if per == 1 {
		return
	}
	for i := range n {
		out := dst[i*width : (i+1)*width]
		copy(out, sums[i*per*width:])
		for p := 1; p < per; p++ {
			elementwise.AddTo(out, sums[(i*per+p)*width:(i*per+p+1)*width])
		}
	}
}

// affineImages computes dst = relu?(x*scale[n,c] + shift[n,c] + residual). A nil
// shift and a nil residual leave their terms out; a shift of c elements is that
// of every image.
func (b *Backend) affineImages(dst, x, scale, shift, residual []float32, relu bool, n, hw, c int) {
	if shift == nil {
		shift = make([]float32, c)
	}
	b.eachImage(n, hw, c, func(image, _, lo, hi int) {
		lo, hi = image*hw+lo, image*hw+hi
		h := shift
		if len(h) > c {
			h = part(h, image, image+1, c)
		}
		elementwise.AffineChannels(part(dst, lo, hi, c), part(x, lo, hi, c), part(scale, image, image+1, c), h[:c],
			part(residual, lo, hi, c), hi-lo, c, relu)
	})
}

// dotImages overwrites dst[n,c] with the sums over each image's pixels of x*y:
// those of blocks of pixels, added up in float64, for they may all but cancel.
func (b *Backend) dotImages(dst, x, y []float32, n, hw, c int) {
	const pixels = 32
	b.reduceImages(n, hw, c, c, dst, func(sum []float32, image, lo, hi int) {
		lo, hi = image*hw+lo, image*hw+hi
		if hi-lo <= pixels {
			elementwise.ColumnDots(sum, part(x, lo, hi, c), part(y, lo, hi, c), hi-lo, c)
			return
		}
		total := make([]float64, c)
		for at := lo; at < hi; at += pixels {
			end := min(at+pixels, hi)
			clear(sum)
			elementwise.ColumnDots(sum, part(x, at, end, c), part(y, at, end, c), end-at, c)
			for i, v := range sum {
				total[i] += float64(v)
			}
		}
		for i, v := range total {
			sum[i] = float32(v)
		}
	})
}

// Gate scales every channel of every image.
func (b *Backend) Gate(dst, x, s, residual device.Buffer, relu bool, n, hw, c int) {
	b.affineImages(f32(dst), f32(x), f32(s), nil, f32(residual), relu, n, hw, c)
}

// GateGradient computes the gradient of Gate's factors.
func (b *Backend) GateGradient(ds, dy, x device.Buffer, n, hw, c int) {
	b.dotImages(f32(ds), f32(dy), f32(x), n, hw, c)
}

// GRN normalises by the channels' responses.
func (b *Backend) GRN(dst, x, weight, bias, norms device.Buffer, n, hw, c int, eps float32) {
	in, g := f32(x), f32(norms)
	work := b.arena.Get(2 * n * c)
	defer b.arena.Put(work)
	if g == nil {
		g = work[n*c:]
	}
	b.dotImages(g, in, in, n, hw, c)
	for i, v := range g[:n*c] {
		g[i] = float32(math.Sqrt(float64(v)))
	}
	scale := work[:n*c]
	for i := range n {
		norm.ResponseScale(scale[i*c:(i+1)*c], g[i*c:(i+1)*c], f32(weight), c, eps)
	}
	b.affineImages(f32(dst), in, scale, f32(bias), nil, false, n, hw, c)
}

// GRNBackward computes the gradients of GRN.
func (b *Backend) GRNBackward(dx, dweight, dbias, dy, x, weight, norms device.Buffer, n, hw, c int, eps float32) {
	d, g, in, w, r, dw := f32(dx), f32(dy), f32(x), f32(weight), f32(norms), f32(dweight)
	work := b.arena.Get(3 * n * c)
	defer b.arena.Put(work)
	dots, scale, k := work[:n*c], work[n*c:2*n*c], work[2*n*c:]
	b.dotImages(dots, g, in, n, hw, c)
	clear(dw)
	for i := range n {
		lo, hi := i*c, (i+1)*c
		norm.ResponseScale(scale[lo:hi], r[lo:hi], w, c, eps)
		norm.ResponseGradient(k[lo:hi], dw, r[lo:hi], dots[lo:hi], w, c, eps)
	}
	b.ColumnSums(dbias, dy, n*hw, c)
	b.affineImages(d, g, scale, nil, nil, false, n, hw, c)
	b.affineImages(d, in, k, nil, d, false, n, hw, c)
}

// GroupNorm normalises groups of channels of each image.
func (b *Backend) GroupNorm(dst, x, gamma, beta, mean, rstd, residual device.Buffer, relu bool, n, hw, c, groups int, eps float32) {
	in := f32(x)
	per := pieces(hw, c)
	counts := make([]int, n*per)
	memory := b.arena.Get(4 * n * per * c)
	defer b.arena.Put(memory)
	means, m2s := doubles(memory[:2*n*per*c]), doubles(memory[2*n*per*c:])
	b.eachImage(n, hw, c, func(image, piece, lo, hi int) {
		counts[piece] = hi - lo
		at := piece * c
		norm.Moments(means[at:at+c], m2s[at:at+c], part(in, image*hw+lo, image*hw+hi, c), hi-lo, c)
	})
	work := b.arena.Get(2 * n * c)
	defer b.arena.Put(work)
	scale, shift := work[:n*c], work[n*c:]
	μ, ρ := make([]float64, groups), make([]float64, groups)
	for i := range n {
		lo, hi := i*per, (i+1)*per
		norm.GroupMoments(μ, ρ, means[lo*c:hi*c], m2s[lo*c:hi*c], counts[lo:hi], c, groups, eps)
		norm.GroupScales(scale[i*c:(i+1)*c], shift[i*c:(i+1)*c], μ, ρ, f32(gamma), f32(beta), c, groups)
		for g := range groups {
			if mean != nil {
				f32(mean)[i*groups+g] = float32(μ[g])
			}
			if rstd != nil {
				f32(rstd)[i*groups+g] = float32(ρ[g])
			}
		}
	}
	b.affineImages(f32(dst), in, scale, shift, f32(residual), relu, n, hw, c)
}

// GroupNormBackward computes the gradients of GroupNorm.
func (b *Backend) GroupNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd device.Buffer, n, hw, c, groups int) {
	d, g, in, ga, m, r := f32(dx), f32(dy), f32(x), f32(gamma), f32(mean), f32(rstd)
	work := b.arena.Get(7 * n * c)
	defer b.arena.Put(work)
	row := func(i int) []float32 { return work[i*n*c : (i+1)*n*c] }
	means, rstds, ka, kb, kd := row(0), row(1), row(2), row(3), row(4)
	sums := work[5*n*c:] // Σ dy and Σ dy x̂ of each image, one after the other
	for i := range means {
		at := i/c*groups + i%c/(c/groups)
		means[i], rstds[i] = m[at], r[at]
	}
	b.reduceImages(n, hw, c, 2*c, sums, func(sum []float32, image, lo, hi int) {
		lo, hi = image*hw+lo, image*hw+hi
		norm.BatchNormBackwardSums(sum[:c], sum[c:], part(g, lo, hi, c), part(in, lo, hi, c), nil,
			part(means, image, image+1, c), part(rstds, image, image+1, c), hi-lo, c)
	})
	db, dg := f32(dbeta), f32(dgamma)
	clear(db)
	clear(dg)
	for i := range n {
		sdy, sdyx := sums[2*i*c:(2*i+1)*c], sums[(2*i+1)*c:(2*i+2)*c]
		elementwise.AddTo(db[:c], sdy)
		elementwise.AddTo(dg[:c], sdyx)
		lo, hi := i*c, (i+1)*c
		norm.GroupGradients(ka[lo:hi], kb[lo:hi], kd[lo:hi], sdy, sdyx, ga, m[i*groups:(i+1)*groups], r[i*groups:(i+1)*groups], hw, c, groups)
	}
	b.affineImages(d, g, ka, kd, nil, false, n, hw, c)
	b.affineImages(d, in, kb, nil, d, false, n, hw, c)
}
