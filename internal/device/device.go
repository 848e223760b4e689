// Package device is the one interface between package nn and whatever computes:
// memory, and the operations of nn forward and backward.
//
// An operation is described by data (buffers, shapes, an epilogue value), never
// by a closure over Go slices, so that a backend may run it anywhere. Only
// backends touch the bytes of a tensor. Backend CPU is in device/cpu; the
// conformance suite in device/devicetest runs over any backend.
//
// Shapes were validated by nn; a backend may panic on wrong ones. Activations
// are [N,H,W,C] or [R,C]; rows is N*H*W. Unless it says otherwise an operation
// overwrites its result, and the result may not overlap the inputs.
package device

import "github.com/winnow-go/winnow/internal/kernel"

// Buffer is a run of float32 values that belongs to a Backend.
type Buffer interface {
	// Len is the number of elements.
	Len() int
}

// Weights are the weights of a product, prepacked for a backend.
type Weights interface {
	// Bytes is the memory they take.
	Bytes() int
	// Elem is the type they are packed in.
	Elem() kernel.Elem
}

// Epilogue is kernel.Epilogue over buffers; nil buffers leave terms out.
// Residual has the size of the result and may be the result itself.
type Epilogue struct {
	Bias, Scale, Residual Buffer
	Act                   kernel.Activation
	ActLast               bool

	// Conv writes BatchMoments of its result here unless they are nil.
	Mean, Variance Buffer
}

// BatchNorm is a batch norm whose gradients are wanted: its input X [rows,c], the
// batch's statistics, and its output Y if it ends with ReLU, which is nil
// otherwise. DGamma and DBeta receive the gradients of its parameters.
type BatchNorm struct{ X, Y, Mean, RStd, Gamma, DGamma, DBeta Buffer }

// Norms are the batch norms beside a convolution whose gradients are found along
// with its own. BatchNormBackward of Output, whose X is the convolution's result,
// makes dy of DY; dy may be either of them. BatchNormSums of Input, whose result
// the convolution's source is, goes on with dx. Both norms may be nil.
type Norms struct {
	Input, Output *BatchNorm
	DY            Buffer
}

// Loss describes a softmax cross-entropy over logits [R,K].
type Loss struct {
	Rows, Classes int
	Labels        []int32 // [R], negative ones do not count; or nil with Soft
	Soft          Buffer  // [R,K] target probabilities
	Weight        Buffer  // [K] class weights, or nil
	Smoothing     float64 // 0..1
	Reduction     Reduction
}

// Reduction says how the losses of a batch become one.
type Reduction uint8

// Reductions.
const (
	Mean    Reduction = iota // see softmax.CrossEntropy
	Sum                      // over the batch
	PerItem                  // one loss per row
)

// Heads is the geometry of multi-head attention: QKV is [N,T,3*H*D] with the
// queries of all heads first, then keys, then values; the result is [N,T,H*D].
type Heads struct {
	N, T, H, D int
	Causal     bool
}

// MLP is the geometry of two linear layers with a norm before and an
// activation between: [Rows,C] to [Rows,Hidden] to [Rows,Out].
type MLP struct {
	Rows, C, Hidden, Out int
	Act                  kernel.Activation
	Epsilon              float32 // of the norm
}

// Query is the geometry of attention with one query to a sequence: queries
// [N,H*D], keys and values [N,T,H*D], result [N,H*D].
type Query struct{ N, T, H, D int }

// Blocks describes a copy of N blocks of Len elements: block i goes from element
// Src+i*SrcStride to element Dst+i*DstStride. A SrcStride of 0 repeats one
// block; the blocks of the result do not overlap.
type Blocks struct {
	N, Len         int
	Dst, DstStride int
	Src, SrcStride int
}

// Reverse is the copy back.
func (b Blocks) Reverse() Blocks {
	return Blocks{N: b.N, Len: b.Len, Dst: b.Src, DstStride: b.SrcStride, Src: b.Dst, SrcStride: b.DstStride}
}

// Backend computes. Its methods may be called from several goroutines at once
// as long as they do not write the same buffers.
type Backend interface {
	Name() string

	// Alloc lends a buffer of n elements with undefined contents; Free takes it back.
	Alloc(n int) Buffer
	Free(Buffer)
	// Wrap returns a buffer with the contents of host. On the CPU it is the
	// same memory; elsewhere a copy. Buffers of Wrap are not freed.
	Wrap(host []float32) Buffer
	// Host returns the contents as a slice: the buffer's own memory on the
	// CPU, a copy elsewhere.
	Host(Buffer) []float32
	Upload(dst Buffer, src []float32)
	Copy(dst, src Buffer)
	Fill(dst Buffer, v float32)

	// PackConv prepares weights [K,KH,KW,C/Groups], or [KH,KW,C] if s is
	// depthwise; it reuses the memory of old, which may be nil.
	PackConv(old Weights, w Buffer, s kernel.Conv) Weights
	Conv(dst, x Buffer, w Weights, s kernel.Conv, e Epilogue)
	// ConvBackwardInput adds to dx if accumulate is set and overwrites it
	// otherwise; before and after that it does what n says.
	ConvBackwardInput(dx, dy, w Buffer, s kernel.Conv, accumulate bool, n Norms)
	// ConvBackwardWeight computes the gradient of a bias as well unless db is nil.
	ConvBackwardWeight(dw, db, dy, x Buffer, s kernel.Conv)

	// PackLinear prepares weights [out,in].
	PackLinear(old Weights, w Buffer, out, in int) Weights
	Linear(dst, x Buffer, w Weights, rows, out, in int, e Epilogue)
	// LinearBackwardInput adds to dx if accumulate is set and overwrites it otherwise.
	LinearBackwardInput(dx, dy, w Buffer, rows, out, in int, accumulate bool)
	// LinearBackwardWeight computes the gradient of a bias as well unless db is nil.
	LinearBackwardWeight(dw, db, dy, x Buffer, rows, out, in int)

	// PackMLP prepares the weights of MLP: w1 [h,c] and w2 [out,h]; it reuses
	// the memory of old, which may be nil.
	PackMLP(old Weights, w1, w2 Buffer, m MLP) Weights
	// MLP computes residual + scale*(act(LayerNorm(x) W1 + b1) W2 + b2) in one
	// pass; gamma nil leaves the norm out, other nil buffers their terms. dst
	// may be residual, and x if that is the residual too.
	MLP(dst, x Buffer, w Weights, gamma, beta, b1, b2, scale, residual Buffer, m MLP)

	// KeepsMLP reports whether MLPKeep and MLPBackward should take the place of
	// two linear layers and an activation.
	KeepsMLP(m MLP) bool
	// MLPKeep computes act(x W1 + b1) W2 + b2 and keeps h [Rows,Hidden], which
	// is x W1 + b1 in an order of the backend's own, for MLPBackward, which
	// takes plain weights and overwrites the gradients. dx and db1 may be nil;
	// the gradient of b2 is ColumnSums of dy.
	MLPKeep(dst, h, x Buffer, w Weights, b1, b2 Buffer, m MLP)
	MLPBackward(dx, dw1, db1, dw2, dy, x, h, w1, w2 Buffer, m MLP)

	// LayerNorm normalises each row over its c elements; gamma and beta may
	// be nil. mean and rstd [rows] receive statistics for the backward pass
	// unless nil. The backward pass overwrites dgamma and dbeta.
	LayerNorm(dst, x, gamma, beta, mean, rstd Buffer, rows, c int, eps float32)
	LayerNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd Buffer, rows, c int)

	// BatchMoments computes each channel's mean and biased variance.
	BatchMoments(mean, variance, x Buffer, rows, c int)
	// BatchNormSums overwrites n.DGamma and n.DBeta. If the norm ends with ReLU,
	// dy, the gradient by its output, becomes the gradient by the ReLU's input.
	BatchNormSums(dy Buffer, n BatchNorm, rows, c int)
	// BatchNormBackward overwrites dx, after BatchNormSums, which saw dy. dx may
	// be dy or n.X.
	BatchNormBackward(dx, dy Buffer, n BatchNorm, rows, c int)

	// RMSNorm divides each row by the root of its mean square plus eps; gamma
	// may be nil. rstd [rows] receives the factors unless nil. The backward
	// pass overwrites dgamma.
	RMSNorm(dst, x, gamma, rstd Buffer, rows, c int, eps float32)
	RMSNormBackward(dx, dgamma, dy, x, gamma, rstd Buffer, rows, c int)
	// SimpleNorm divides each row by its deviation, of the unbiased variance
	// plus eps, and keeps its mean; the rest as RMSNorm and LayerNorm.
	SimpleNorm(dst, x, gamma, mean, rstd Buffer, rows, c int, eps float32)
	SimpleNormBackward(dx, dgamma, dy, x, gamma, mean, rstd Buffer, rows, c int)

	// GroupNorm normalises each group of c/groups channels over the hw pixels
	// of each of n images, adds the residual and rectifies if relu. mean and
	// rstd [n,groups] receive statistics for the backward pass unless nil; the
	// residual may be nil; dst may be x or residual. The backward pass, which
	// is that without residual and relu, overwrites dgamma and dbeta.
	GroupNorm(dst, x, gamma, beta, mean, rstd, residual Buffer, relu bool, n, hw, c, groups int, eps float32)
	GroupNormBackward(dx, dgamma, dbeta, dy, x, gamma, mean, rstd Buffer, n, hw, c, groups int)
	// GRN is x + bias + weight*x*N with N the norm of each channel over the
	// hw pixels of its image, divided by the mean of the channels' norms plus
	// eps. norms [n,c] receives the norms unless nil. dst may be x. The
	// backward pass overwrites dweight and dbias.
	GRN(dst, x, weight, bias, norms Buffer, n, hw, c int, eps float32)
	GRNBackward(dx, dweight, dbias, dy, x, weight, norms Buffer, n, hw, c int, eps float32)
	// Gate computes dst = relu?(x*s[n,c] + residual) over images [n,hw,c];
	// residual may be nil; dst may be x or residual.
	Gate(dst, x, s, residual Buffer, relu bool, n, hw, c int)
	// GateGradient overwrites ds[n,c] = sum over the pixels of dy*x.
	GateGradient(ds, dy, x Buffer, n, hw, c int)

	// Affine computes dst = relu?(x*scale[c] + shift[c] + residual); shift
	// and residual may be nil; dst may be x or residual.
	Affine(dst, x, scale, shift, residual Buffer, relu bool, rows, c int)
	// ScaleSamples computes dst = residual + x * gamma[c] * sample[n] with
	// rows/samples rows to a sample; any of gamma, sample (host values) and
	// residual may be nil; dst may be x or residual.
	ScaleSamples(dst, x, gamma Buffer, sample []float32, residual Buffer, rows, c, samples int)
	// GammaGradient overwrites dgamma[c] = sum over rows of dy*x*sample[n].
	GammaGradient(dgamma, dy, x Buffer, sample []float32, rows, c, samples int)
	// ColumnSums overwrites dst[c] = sum over rows of x.
	ColumnSums(dst, x Buffer, rows, c int)

	// Activate may work in place.
	Activate(dst, x Buffer, act kernel.Activation)
	// ActivateBackward takes the activation's input x; dx may be dy.
	ActivateBackward(dx, dy, x Buffer, act kernel.Activation)
	// ReLUBackward takes the output y; dx may be dy.
	ReLUBackward(dx, dy, y Buffer)

	// Add may work in place.
	Add(dst, a, b Buffer)
	// Mul may work in place.
	Mul(dst, a, b Buffer)
	// MulScalar may work in place.
	MulScalar(dst, x Buffer, k float32)

	// MaxPool writes the winning positions to index, which has an element
	// per output, unless it is nil. Padding never wins.
	MaxPool(dst Buffer, index []int32, x Buffer, g kernel.Window)
	MaxPoolBackward(dx, dy Buffer, index []int32, g kernel.Window)
	AvgPool(dst, x Buffer, g kernel.Window, countPad bool)
	AvgPoolBackward(dx, dy Buffer, g kernel.Window, countPad bool)
	// Blur filters with [1 2 1]ᵀ[1 2 1]/16, mirrored at the edges; g has 3x3
	// taps, padding 1 and at least 2x2 pixels.
	Blur(dst, x Buffer, g kernel.Window)
	BlurBackward(dx, dy Buffer, g kernel.Window)
	GlobalPool(dst, x Buffer, n, hw, c int)
	GlobalPoolBackward(dx, dy Buffer, n, hw, c int)

	// Subsample takes the pixels of a 1x1 window with a stride and puts them
	// at channel before of k channels, the others zero.
	Subsample(dst, x Buffer, g kernel.Window, before, k int)
	SubsampleBackward(dx, dy Buffer, g kernel.Window, before, k int)

	Softmax(dst, x Buffer, rows, c int)
	SoftmaxBackward(dx, dy, y Buffer, rows, c int)
	// Normalize divides each row by its Euclidean norm, or by eps if that is
	// larger; norms [rows] receives the divisors unless nil.
	Normalize(dst, x, norms Buffer, rows, c int, eps float32)
	NormalizeBackward(dx, dy, y, norms Buffer, rows, c int, eps float32)

	// CrossEntropy writes the loss (one value, or one a row) to loss, and to
	// dx, unless nil, the gradient of the sum of loss by the logits x.
	CrossEntropy(loss, dx, x Buffer, l Loss)

	// Attention computes softmax(QKᵀ/√D)V; probs [N,H,T,T] is written unless nil.
	Attention(dst, probs, qkv Buffer, h Heads)
	AttentionBackward(dqkv, dy, qkv, probs Buffer, h Heads)

	// QueryAttention is Attention of a single query; probs [N,H,T] is written
	// unless nil. The backward pass overwrites dq, dk and dv.
	QueryAttention(dst, probs, q, k, v Buffer, g Query)
	QueryAttentionBackward(dq, dk, dv, dy, q, k, v, probs Buffer, g Query)

	// GatherRows copies row index[i] of x [...,c] to row i of dst.
	GatherRows(dst, x Buffer, index []int32, c int)
	// ScatterRows overwrites dx with zeros and adds row i of dy to row
	// index[i] of it, in ascending order of i.
	ScatterRows(dx, dy Buffer, index []int32, c int)
	// CopyBlocks copies and leaves what lies between the blocks of dst alone.
	CopyBlocks(dst, src Buffer, g Blocks)
	// AddRepeated computes dst = x + y with y repeated as often as it fits into
	// x, a whole number of times; dst may be x.
	AddRepeated(dst, x, y Buffer)
}
