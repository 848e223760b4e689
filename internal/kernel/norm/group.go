package norm

import (
	"fmt"
	"math"

	"github.com/winnow-go/winnow/internal/kernel"
)

// GroupMoments merges the moments of the chunks of one image (see [Moments])
// into the mean and 1/√(σ²+ε) of each group of c/groups channels, with the
// biased variance; mean and rstd are [groups]. means and m2s are [chunks, C],
// counts the pixels of each chunk. Without pixels the result is NaN.
func GroupMoments(mean, rstd, means, m2s []float64, counts []int, c, groups int, eps float32) {
	check("GroupMoments", len(counts), c, means, m2s)
	check("GroupMoments", 1, groups, mean, rstd)
	checkGroups("GroupMoments", c, groups)
	per := c / groups
	for g := range groups {
		var n, μ, m2 float64
		for k, count := range counts {
			if count == 0 {
				continue
			}
			nb := float64(count)
			for j := g * per; j < (g+1)*per; j++ {
				δ := means[k*c+j] - μ
				total := n + nb
				μ += δ * nb / total
				m2 += m2s[k*c+j] + float64(δ*δ*n*nb/total)
				n = total
			}
		}
		if n == 0 {
			μ = math.NaN()
		}
		mean[g], rstd[g] = μ, 1/math.Sqrt(m2/n+float64(eps))
	}
}

// GroupScales turns the statistics of one image's groups into one factor and
// one summand per channel, with which its normalised value is
// x·scale + shift. gamma and beta are [C].
func GroupScales(scale, shift []float32, mean, rstd []float64, gamma, beta []float32, c, groups int) {
	check("GroupScales", 1, c, scale, shift, gamma, beta)
	check("GroupScales", 1, groups, mean, rstd)
	checkGroups("GroupScales", c, groups)
	per := c / groups
	for j := range c {
		s := rstd[j/per] * float64(gamma[j])
		scale[j] = float32(s)
		shift[j] = float32(float64(beta[j]) - float64(s*mean[j/per]))
	}
}

// GroupGradients turns the sums Σ dy and Σ dy x̂ over the pixels of one image,
// [C] each (see [BatchNormBackwardSums]), into the coefficients of its
// gradient: dx = a·dy + b·x + d per channel.
func GroupGradients(a, b, d, sdy, sdyx, gamma, mean, rstd []float32, hw, c, groups int) {
	check("GroupGradients", 1, c, a, b, d, sdy, sdyx, gamma)
	check("GroupGradients", 1, groups, mean, rstd)
	checkGroups("GroupGradients", c, groups)
	per := c / groups
	n := float64(hw) * float64(per)
	for g := range groups {
		var s, sx float64
		for j := g * per; j < (g+1)*per; j++ {
			s += float64(float64(gamma[j]) * float64(sdy[j]))
			sx += float64(float64(gamma[j]) * float64(sdyx[j]))
		}
		μ, ρ := float64(mean[g]), float64(rstd[g])
		k := ρ * ρ * sx / n
		for j := g * per; j < (g+1)*per; j++ {
			a[j] = float32(ρ * float64(gamma[j]))
			b[j] = float32(-k)
			d[j] = float32(float64(μ*k) - float64(ρ*s/n))
		}
	}
}

func checkGroups(what string, c, groups int) {
	if groups < 1 || c%groups != 0 {
		panic(fmt.Sprintf("norm: %s: %d groups of %d channels", what, groups, c))
	}
}

// GroupNormGeneric is the definition of GroupNorm over images x [N,HW,C];
// mean and rstd are [N,groups] and receive the statistics.
func GroupNormGeneric[T kernel.Float](dst, x, gamma, beta, mean, rstd []T, n, hw, c, groups int, eps T) {
	per := c / groups
	for i := range n * groups {
		img, lo := i/groups*hw*c, i%groups*per
		var μ, m2 float64
		for p := range hw {
			for _, v := range x[img+p*c+lo:][:per] {
				μ += float64(v)
			}
		}
		μ /= float64(hw * per)
		for p := range hw {
			for _, v := range x[img+p*c+lo:][:per] {
				d := float64(v) - μ
				m2 += float64(d * d)
			}
		}
		ρ := 1 / math.Sqrt(m2/float64(hw*per)+float64(eps))
		mean[i], rstd[i] = T(μ), T(ρ)
		for p := range hw {
			at := img + p*c + lo
			for j, v := range x[at:][:per] {
				dst[at+j] = T(float64((float64(v)-μ)*ρ)*float64(gamma[lo+j]) + float64(beta[lo+j]))
			}
		}
	}
}

// GroupNormBackwardGeneric is the definition of GroupNorm's gradient. It adds
// to dgamma and dbeta.
func GroupNormBackwardGeneric[T kernel.Float](dx, dgamma, dbeta, dy, x, gamma, mean, rstd []T, n, hw, c, groups int) {
	per := c / groups
	for i := range n * groups {
		img, lo := i/groups*hw*c, i%groups*per
		μ, ρ := float64(mean[i]), float64(rstd[i])
		var s, sx float64
		for p := range hw {
			at := img + p*c + lo
			for j := range per {
				g, xh := float64(dy[at+j]), (float64(x[at+j])-μ)*ρ
				dgamma[lo+j] += T(g * xh)
				dbeta[lo+j] += T(g)
				g *= float64(gamma[lo+j])
				s += g
				sx += float64(g * xh)
			}
		}
		m := float64(hw * per)
		for p := range hw {
			at := img + p*c + lo
			for j := range per {
				g, xh := float64(dy[at+j])*float64(gamma[lo+j]), (float64(x[at+j])-μ)*ρ
				dx[at+j] = T(ρ * (g - s/m - float64(xh*(sx/m))))
			}
		}
	}
}
