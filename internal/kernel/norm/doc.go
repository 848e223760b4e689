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
// Against the float64 definition, with n the number of terms of a sum and s
// their root mean square: means and variances of rows are within
// 2·√n·2⁻²⁴·s, whatever the mean, because the variance is taken of
// differences from it (|x| enters the mean's error, which μ's own rounding
// has anyway); elements of y are within 4·√n·2⁻²⁴ of the row's largest |y|
// plus |μ|ρ·2⁻²⁴. The moments of a chunk are float64 and within 2⁻⁴⁰ of σ².
// The order of additions depends on the shape alone, so a row's result does
// not depend on its place or on how rows are split among workers.
//
// NaN or an infinity anywhere in a row makes the whole row NaN (or, where only
// β or γ is not finite, its column); they never reach other rows of LayerNorm
// and L2 or other channels of BatchNorm.
package norm
