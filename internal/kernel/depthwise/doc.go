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
// input. Callers split the lines among workers; slices always are the whole
// tensors.
package depthwise
