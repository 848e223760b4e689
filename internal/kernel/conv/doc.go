// Package conv is two-dimensional convolution with groups, strides, dilation
// and zero padding, and its two gradients.
//
// Weights are packed once and then used for any number of batches:
//
//	w := conv.Pack(weight, s)                        // weight [K,KH,KW,C/Groups]
//	conv.Forward(p, arena, y, x, w, s, epi)          // x [N,H,W,C] -> y [N,OH,OW,K]
//
// Training also needs
//
//	conv.BackwardInput(p, arena, dx, dy, weight, s)  // dx [N,H,W,C]
//	conv.BackwardWeight(p, arena, dw, dy, x, s)      // dw [K,KH,KW,C/Groups]
//
// # Formula
//
// With g = k / (K/Groups) the group of output channel k, cg = C/Groups, and x
// zero outside the image,
//
//	ih = oh StrideH + kh DilH - PadH,   iw = ow StrideW + kw DilW - PadW
//	y[n,oh,ow,k]    = epilogue(Σ_{kh,kw,c} x[n,ih,iw,g cg + c] w[k,kh,kw,c])
//	dx[n,ih,iw,c]   = Σ_{oh,ow,kh,kw,k} dy[n,oh,ow,k] w[k,kh,kw,c mod cg]   over all that meet (ih,iw), k in c's group
//	dw[k,kh,kw,c]   = Σ_{n,oh,ow} dy[n,oh,ow,k] x[n,ih,iw,g cg + c]
//
// Bias and its gradient belong to the epilogue and to the caller.
//
// Padding takes part in the sums as zeros: an infinite weight whose window
// touches the border gives NaN there. In dx the fast form may do so for
// infinite weights near the border where the definition does not.
//
// # Order and accuracy
//
// Results are the same for every number of threads. The error of an element is
// at most 4 √n 2⁻²⁴ Σ|products| with n the number of products in its sum.
//
// Depthwise convolution (every channel its own filter, K = C) has its own
// package and another layout of the weights; here it works, slowly.
package conv
