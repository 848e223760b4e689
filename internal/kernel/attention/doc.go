// Package attention is multi-head scaled dot-product attention (Vaswani et al.
// 2017, arXiv:1706.03762, eq. 1), forward and backward, for the short
// sequences of image and text towers.
//
// For every image n and head h, with Q, K, V [T,D]:
//
//	S = Q Kᵀ · scale        P = softmax(S) by rows        O = P V
//
//	dV = Pᵀ dO     dP = dO Vᵀ     dS = P ∘ (dP - Σ dP ∘ P by rows)
//	dQ = dS K · scale             dK = dSᵀ Q · scale
//
// With a causal mask row i sees columns 0 to i only: the other probabilities
// are 0. (As in PyTorch's composed form they still multiply V, so NaN or Inf in
// a later token's V is not hidden by the mask.)
//
// Tokens are rows: element d of head h of token t of image n is at
// (n·T + t)·stride + h·D + d. Q, K and V may therefore be three slices into
// one product [N,T,3·H·D], which is how PyTorch's in_proj and timm's qkv lay
// them out: q = qkv[0:], k = qkv[H·D:], v = qkv[2·H·D:], stride 3·H·D.
//
// The work is divided by (n, h). Results do not depend on the number of
// workers.
//
// # Accuracy
//
// Composed of packages gemm and softmax. Against float64, elements of the
// probabilities, the result and the gradients are within
// √(T+D)·2⁻²⁴·(1 + the largest |S|) of the largest element of their tensor:
// an error in a score becomes a relative error of its probability, and scores
// are sums of D terms, results of T.
package attention
