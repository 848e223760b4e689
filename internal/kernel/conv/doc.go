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
//	conv.BackwardInput(p, arena, dx, dy, weight, s, false)  // dx [N,H,W,C]
//	conv.BackwardWeight(p, arena, dw, db, dy, x, s)         // dw [K,KH,KW,C/Groups], db [K]
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
// A bias belongs to the epilogue; its gradient is db[k] = Σ_{n,oh,ow} dy[n,oh,ow,k].
//
// Padding takes part in the sums as zeros: an infinite weight whose window
// touches the border gives NaN there. In dx the fast form may do so for
// infinite weights near the border where the definition does not.
//
// # Forms
//
// Convolutions of 3x3 taps with stride 1, dilation 1 and one group, and their
// gradients, are computed by Winograd's F(4x4,3x3) or F(2x2,3x3)
// (Lavin, Gray 2016, arXiv:1509.09308) where that pays: a tile of m x m pixels
// of the result needs (m+2)² multiplications for each pair of channels instead
// of 9m². With d the (m+2)² source pixels behind a tile and g a filter,
//
//	y = Aᵀ [ Σ_c (G g Gᵀ) ∘ (Bᵀ d B) ] A
//
// and with the gradient dy of such a tile
//
//	dg = Gᵀ [ Σ_tiles (A dy Aᵀ) ∘ (Bᵀ d B) ] G
//
// F(2x2) has the points 0, 1, -1 and infinity, F(4x4) has 0, ±3/4, ±3/2 and
// infinity, whose error is half that of 0, ±1, ±2:
//
//	     1  0 -1  0            81/64     0 -45/16      0  1  0        1    1    1     1     1  0
//	     0  1  1  0                0 -27/16  -9/4    3/4  1  0        0  3/4 -3/4   3/2  -3/2  0
//	Bᵀ = 0 -1  1  0       Bᵀ =     0  27/16  -9/4   -3/4  1  0   Aᵀ = 0 9/16 9/16   9/4   9/4  0
//	     0  1  0 -1                0 -27/32 -9/16    3/2  1  0        0 27/64 -27/64 27/8 -27/8 1
//	                               0  27/32 -9/16   -3/2  1  0
//	Aᵀ = 1 1  1  0                 0  81/64     0 -45/16  0  1
//	     0 1 -1 -1
//
// and G's row for a point p is [1 p p²]/Π(p-q) over the other finite points q,
// for infinity [0 0 1]; F(2x2) has the sign of its first row in Bᵀ instead.
//
// Everything else is done directly: a matrix product that gathers its windows.
//
// The environment variable WINNOW_CONV, read when the program starts, forces a
// form on the convolutions that it can compute: direct, f2 or f4.
//
// # Order and accuracy
//
// Results are the same for every number of threads, and those of the forward
// pass and of dx for every batch.
//
// The error of an element is at most 4 √n 2⁻²⁴ S with n the number of products
// in its sum. In direct convolution S is Σ|products|. In Winograd's forms it is
// Σ_c X_c Σ_taps |w_c| with X_c the largest |x| of channel c behind the tile; for
// dw it is Σ_tiles X_c Σ|dy| over the pixels of the tile, and n counts all pixels
// of tiles that the image does not fill. With normally distributed operands and
// C = 256, relative to the root mean square of the result:
//
//	          RMS error  largest of 3136
//	direct    8.2e-7     4.7e-6
//	F(2x2)    5.1e-7     2.0e-6
//	F(4x4)    1.5e-6     9.2e-6
//
// # NaN and Inf
//
// In direct convolution they go where the formula says. In Winograd's forms a
// NaN or infinite pixel makes those tiles NaN or infinite that it lies behind,
// in all channels of the result, and one in the weights all pixels of its
// channel; other tiles are not affected. In dw one in x makes all taps of its
// channel NaN or infinite, one in dy all taps of its filter. An infinite sum may
// come out as NaN.
//
// Depthwise convolution (every channel its own filter, K = C) has its own
// package and another layout of the weights; here it works, slowly.
package conv
