// Package norm normalises: LayerNorm, RMSNorm, SimpleNorm and L2 over rows,
// BatchNorm's statistics and its gradient over columns, GroupNorm and GRN over
// the images of a batch. Everything is [R,C], row major.
//
// # LayerNorm
//
// Ba, Kiros, Hinton 2016, arXiv:1607.06450. For every row, with μ its mean,
// σ² its biased variance and ρ = 1/√(σ²+ε):
//
//	x̂ = (x - μ) ρ        y = γ x̂ + β
//
//	dx = ρ (g - mean(g) - x̂ mean(g x̂)),  g = γ dy
//	dγ = Σ dy x̂, dβ = Σ dy over the rows
//
// # BatchNorm
//
// Ioffe, Szegedy 2015, arXiv:1502.03167. The same with the statistics of every
// channel over all rows. Training goes over the rows in chunks that the caller
// runs in parallel: [Moments] per chunk, [Combine] in the order of the chunks,
// then y = x·scale + shift element by element (package elementwise). Backward:
// [BatchNormBackwardSums] per chunk, the chunks' sums added in order,
// [BatchNormBackward] per chunk:
//
//	dx = γ ρ (dy - Σdy / R - x̂ Σ(dy x̂) / R)      dγ = Σ dy x̂      dβ = Σ dy
//
// # L2
//
//	y = x / max(‖x‖, ε)      dx = (dy - y (y·dy)) / ‖x‖
//
// # RMSNorm and SimpleNorm
//
// RMSNorm (Zhang, Sennrich 2019, arXiv:1910.07467) divides by the root of the
// mean square. SimpleNorm is timm's (fast_norm.py): it divides by the standard
// deviation, of the unbiased variance, and leaves the mean where it is. With μ
// and n either 0 and C or the mean and C-1:
//
//	ρ = 1/√(Σ(x-μ)²/n + ε)      y = γ ρ x
//
//	dx = ρ (g - ρ² (x-μ) Σ(g x)/n),  g = γ dy      dγ = Σ dy ρ x over the rows
//
// # GroupNorm
//
// Wu, He 2018, arXiv:1803.08494: LayerNorm's formulas, with the statistics of
// C/groups channels over all pixels of one image. [Moments] goes over chunks of
// the pixels, [GroupMoments] merges them, [GroupScales] makes one factor and
// one summand per channel and image of them. Backward: [BatchNormBackwardSums]
// and [GroupGradients].
//
// # GRN
//
// Global response normalisation, Woo et al. 2023, arXiv:2301.00808, equations
// 1 to 3. With G the Euclidean norm of a channel over the pixels of one image
// and N = G / (mean over the channels of G + ε):
//
//	y = x + β + γ N x
//
//	dx = (1 + γ N) dy + x k,  k = (γ D/m - Σ(γ D G)/(C m²)) / G,
//	D = Σ dy x over the pixels, m = mean(G) + ε
//	dγ = Σ N D, dβ = Σ dy over the images
//
// [ResponseScale] and [ResponseGradient] make the factors; the sums and passes
// over the pixels are those of package elementwise.
//
// # Accuracy
//
// Against the float64 definition, C being the number of columns:
//
//	y           4·√C·2⁻²⁴ · (|γ| max|x̂| + |β|), the maximum over the row
//	mean, rstd  2⁻²⁴ · (|μ| + σ); 2·√C·2⁻²⁴ of itself
//	dx          4·√C·2⁻²⁴ · ρ max|γ dy| (1 + max|x̂|) / 2
//	dγ, dβ      4·√R·2⁻²⁴ · the largest term
//	RMS, Simple y 2⁻²³ of itself; dx 2⁻²² · ρ max|γ dy| (1 + max|ρx|²)
//	BatchNorm   sums as dγ and dβ; dx 4·2⁻²⁴ · the largest of its three terms
//
// whatever the mean: squares are taken of differences from the rounded mean,
// and the mean of those corrects both the variance and x̂. The backward pass
// works from the rounded mean and adds |μ|ρ·2⁻²⁴ to x̂. A chunk's [Moments] are
// float64 and m2 is within 2⁻⁴⁰ of itself.
//
// The order of additions depends on C alone, so a row's result depends neither
// on its place nor on how rows are split among workers; sums over rows are one
// chain in the order of the rows, but BatchNorm's of blocks of 32 rows, which
// are added up in float64: the terms of Σdy all but cancel where another norm
// follows, and one chain was seven times as far off as PyTorch's float64 sums.
//
// NaN or an infinity anywhere in a row makes the whole row NaN (or, where only
// β or γ is not finite, its column); they never reach other rows of LayerNorm
// and L2 or other channels of BatchNorm. In L2 an infinity makes the finite
// elements of its row 0 and itself NaN.
package norm
