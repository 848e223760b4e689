// Package pooling takes the maximum or the average over windows of [N,H,W,C],
// the average over whole images, or the binomial blur that anti-aliased networks
// reduce their size with (Zhang 2019, arXiv:1904.11486).
//
// The forward kernels compute lines: output line l is row l mod OutH of image
// l / OutH, so that callers can split N*OutH lines among workers. The backward
// kernels compute whole images. Every output has the same value however the
// work is split.
//
// Padding never takes part in a maximum. It counts as zeros in an average that
// includes padding and is left out of the divisor in one that does not. A
// window that lies entirely in the padding has the maximum -Inf (index -1) and
// the average NaN, unless padding counts. These are the rules of
// torch.nn.functional.max_pool2d and avg_pool2d with ceil_mode=False, which
// forbid such windows. More padding after than before (Window.MoreH, MoreW)
// gives the windows that ceil_mode=True adds, for averages that leave padding
// out.
//
// NaN wins every maximum it takes part in; otherwise the first of equal taps,
// in the order of rows, wins (-0 and +0 are equal). Maxima are exact.
// Averages of n terms are within 2·√n·2⁻²⁴ of the terms' root mean square s:
// the n roundings of partial sums that grow to n·s have the standard deviation
// n·√n/3·2⁻²⁴·s, the bound is six of those over n.
package pooling
