// Package depthwise is convolution with one filter per channel, and its
// gradients.
//
//	y[n,oh,ow,c] = Σ_kh Σ_kw x[n, oh*StrideH-PadH+kh*DilH, ow*StrideW-PadW+kw*DilW, c] * w[kh,kw,c]
//
// x is [N,H,W,C], w is [KH,KW,C] (C fastest: a checkpoint's [C,1,KH,KW] has to
// be transposed), y is [N,OutH,OutW,C]. Taps that fall outside the input are
// left out.
//
// A line is one row of pixels of one image: N*OutH lines of output, N*H of
// input. A pool's threads share lines and channels. Terms are added in the
// order of the taps, rows first, or in the opposite order, or in the order of
// the pixels for the gradient with respect to the weights, however the work is
// shared out. A result that adds up n products t differs from the exact one by
// at most
//
//	3·√n·2⁻²⁴·√(Σ t²)
//
// before the epilogue; the bias is one more term.
//
// The AVX2 and the AVX-512 variant copy 8 or 16 channels of some lines at a
// time into planes where a pixel is one vector, with columns of zeros for the
// padding. That makes the inner loop the same for every stride, dilation,
// border and number of channels, and keeps images whose pixels are a power of
// two apart from competing for cache sets. Because the zeros take part, an
// infinite or NaN weight, or gradient of an output in [WeightGradient], may
// make NaN where the padding of a row's ends meets it; the generic variant
// leaves those products out. With finite weights infinities and NaN spread
// alike.
//
// AVX-512 has kernels of its own for rows of seven taps on neighbouring
// columns, ConvNeXt's. A tap and a pixel are loaded once for some columns, and
// where the padding is three columns and the channels fill their vectors, they
// leave the zeros out and read the tensors where they lie.
package depthwise
