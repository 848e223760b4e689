// Package gemm multiplies matrices: linear layers, pointwise convolutions, the
// products inside convolution and attention, and the gradients of all of them.
//
// The usual case is activations times weights that were packed once:
//
//	w := gemm.Pack(gemm.Operand[float32]{Data: weight, RowStride: 1, ColStride: in}, in, out) // weight [out,in]
//	gemm.Mul(y, out, rows, gemm.Operand[float32]{Data: x, RowStride: in, ColStride: 1}, w, false, epi, 0)
//
// # Formula
//
// With A [M,K], B [K,N] and D [M,N] the result's memory,
//
//	acc[i,j] = (D[i,j] if accumulating, else 0) + a(i,0) b(0,j) + a(i,1) b(1,j) + ...
//	D[i,j]   = epilogue(acc[i,j])                              // kernel.Epilogue
//
// K = 0 leaves acc at its first term. NaN and Inf propagate as the formula
// says: nothing is skipped because a factor is zero.
//
// # Order and accuracy
//
// Every element is one chain of additions in ascending k that begins with D or
// zero. It therefore depends neither on how rows are divided between calls
// (and threads), nor on the element's place in a tile. The assembly uses fused
// multiply-adds and parks the chain in D where it blocks k, which changes
// nothing, even if the caller does so. The portable code adds exact products in
// float64 and rounds when a call ends: its results do not depend on whether the
// processor fuses, and are a little more exact.
//
// Against the exact sum the error of an element is at most
// 4 √K 2⁻²⁴ (|D| + Σ|a b|) for K ≤ 2²⁰ (random rounding errors; the worst case
// is K 2⁻²⁴ Σ|a b|).
//
// Bias, scale, residual and ReLU of the epilogue are applied in registers, with
// the roundings of kernel.Epilogue; other activations follow when a block of
// rows is complete and have the accuracy of package activation.
//
// # Threads
//
// [MulOn] cuts a product into rows and columns for several threads, which
// [Cost] estimates.
//
// # Other operands
//
// [MulGather] finds A's rows and the runs of its columns through tables, which
// makes a convolution a product without copying its windows (Dukhan 2019,
// arXiv:1907.02129); [MulLines] reads B where it lies, which does the same for
// the gradient of a convolution's weights, and can prefetch what the caller reads
// next, as [MulAhead] can; [CopyPanels] arranges operands for it. [MulParts] does many small products
// with parts of one packed matrix, as Winograd's convolution needs them.
package gemm
