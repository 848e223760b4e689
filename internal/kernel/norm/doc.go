// Package norm normalises: LayerNorm and L2 over rows, BatchNorm's statistics
// and its gradient over columns. Everything is [R,C], row major.
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
// # Accuracy
//
// Against the float64 definition, C being the number of columns:
//
//	y           4·√C·2⁻²⁴ · (|γ| max|x̂| + |β|), the maximum over the row
//	mean, rstd  2⁻²⁴ · (|μ| + σ); 2·√C·2⁻²⁴ of itself
//	dx          4·√C·2⁻²⁴ · ρ max|γ dy| (1 + max|x̂|) / 2
//	dγ, dβ      4·√R·2⁻²⁴ · the largest term
//	BatchNorm   sums as dγ and dβ; dx 4·2⁻²⁴ · the largest of its three terms
//
// whatever the mean: squares are taken of differences from the rounded mean,
// and the mean of those corrects both the variance and x̂. The backward pass
// works from the rounded mean and adds |μ|ρ·2⁻²⁴ to x̂. A chunk's [Moments] are
// float64 and m2 is within 2⁻⁴⁰ of itself.
//
// The order of additions depends on C alone, so a row's result depends neither
// on its place nor on how rows are split among workers; sums over rows are one
// chain in the order of the rows.
//
// NaN or an infinity anywhere in a row makes the whole row NaN (or, where only
// β or γ is not finite, its column); they never reach other rows of LayerNorm
// and L2 or other channels of BatchNorm. In L2 an infinity makes the finite
// elements of its row 0 and itself NaN.
package norm
