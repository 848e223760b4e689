// Package weights brings parameters in and out of files.
//
// The usual case is one model in one safetensors file:
//
//	f, err := weights.Open("model.safetensors")
//	defer f.Close()
//	t, err := f.Tensor("stem.0.weight") // *tensor.Dense, float32
//
// and back, atomically:
//
//	err = weights.Write("model.safetensors", src, map[string]string{"format": "pt"})
//
// A [Source] is anything that has named tensors: a [File], a [Map] in memory,
// a model, an average. [Rename], [Strip], [Under], [Omit] and [Join] make
// sources of sources, without reading a tensor before it is asked for; model
// packages hold the tables from other projects' names to ours and apply them
// with Rename.
//
// # Element types
//
// F32, F16 and BF16 arrive as float32 tensors, F64 as float64, I8 to I64, U8
// to U64 and BOOL as the Go types of those names. What the file really stores
// is in [Info]. The eight-bit and smaller floating-point types and C64 can be
// listed but not read.
//
// # Limits
//
// A header may have 100 MB, as in the reference implementation
// (github.com/huggingface/safetensors), and is read only if the file is that
// long. Sizes are checked against the file before anything is allocated, and
// only the bytes of the tensor asked for are read. *tensor.Dense has no tensors
// without elements, so a shape with a 0 in it can be listed, and read with
// [File.Float32], but not returned by Tensor.
//
// # Errors
//
// An error wraps [ErrFormat] if the file is at fault, [ErrUnsupported] if this
// package is, and fs.ErrNotExist if a file or a tensor is not there. [*Error]
// says which file and tensor it is about.
package weights
