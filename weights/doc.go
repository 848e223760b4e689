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
// Open also takes a model in several files, by its index or its folder, and the
// checkpoints of PyTorch (.pth, .pt, .th, .bin). What is in a file is recognised
// by its contents. A training checkpoint holds more than the model, and wraps
// the names; [StateDict] takes that away:
//
//	f, err := weights.Open("checkpoint.pth")     // "model.module.conv1.weight", "optimizer.state.0.exp_avg", ...
//	src, err := weights.StateDict(f, "")         // "conv1.weight", ...
//	src, err = weights.StateDict(f, "model_ema") // the averaged ones
//
// A [Source] is anything that has named tensors: a [File], a [Map] in memory,
// a model, an average. [Rename], [Strip], [Under], [Omit] and [Join] make
// sources of sources, without reading a tensor before it is asked for; model
// packages hold the tables from other projects' names to ours and apply them
// with Rename.
//
// # Element types
//
// They are named as safetensors names them, those of PyTorch files too. F32,
// F16 and BF16 arrive as float32 tensors, F64 as float64, I8 to I64, U8 to U64
// and BOOL as the Go types of those names. What the file really stores is in
// [Info]. The eight-bit and smaller floating-point types and C64 can be listed
// but not read.
//
// # PyTorch files
//
// Both formats of torch.save are read: the zip archive since torch 1.6 and the
// stream of pickles before. The pickle is read by a machine that builds data and
// never runs or imports anything. Known are torch's tensors, parameters and
// storages, dictionaries, lists, tuples, texts and numbers; whatever else a
// training program has put there, such as an argparse.Namespace, is passed over.
// A module that was saved as a whole (torch.save(model)) is listed as its
// state_dict would be. Transposed, sliced and channels-last tensors and those
// that share a storage are read like all others, in row-major order, forward and
// through a buffer of fixed size.
//
// Not read are TorchScript archives, tar files of torch before 0.1.10, pickle
// protocols 0 and 1 and files of big-endian machines: [ErrUnsupported] says
// which it is. Tensors that repeat elements (expand), sparse, quantized and
// complex128 ones are listed, and asking for one is an error that says why.
// The check sums of an archive are not compared, for reading one tensor reads
// its bytes only.
//
// # Limits
//
// A safetensors header or an index may have 100 MB, as in the reference
// implementation (github.com/huggingface/safetensors), and is read only if the
// file is that long. A pickle may have four million opcodes, which take at most
// some two hundred bytes each. Sizes are checked against the file before
// anything is allocated, and only the bytes of the tensor asked for are read.
// Only compression, which torch does not use, makes a tensor larger than the
// file: up to 1032 times, by the nature of deflate. *tensor.Dense has no tensors
// without elements, so a shape with a 0 in it can be listed, and read with
// [File.Float32], but not returned by Tensor.
//
// # Errors
//
// An error wraps [ErrFormat] if the file is at fault, [ErrUnsupported] if this
// package is, and fs.ErrNotExist if a file or a tensor is not there. [*Error]
// says which file and tensor it is about.
package weights
