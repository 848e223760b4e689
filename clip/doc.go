// Package clip labels images by descriptions in words: CLIP (Radford et al.
// 2021, Learning Transferable Visual Models From Natural Language Supervision,
// arXiv:2103.00020), whose image tower and text tower map into one space.
//
//	m, err := clip.Open("clip-vit-base-patch32", clip.Options{}) // a folder or a file
//	zs, err := clip.NewZeroShot(ctx, m, clip.Named("cat", "dog"))
//
// # Models
//
// Open reads folders of Hugging Face and of open_clip, and single checkpoints,
// safetensors or PyTorch's. A Config describes a model; Preset knows the
// published ones by open_clip's names, and Detect reads a configuration from a
// checkpoint's names and shapes. Image towers are Vision Transformers, CLIP's
// ResNets with attention pooling, and ConvNeXts; the text tower is a
// Transformer. SigLIP, MobileCLIP, EVA, CoCa and others are refused with an
// error that names them and wraps ErrUnsupported.
//
// Parameters have open_clip's names, of which OpenAI's are a permutation;
// Translate renames Hugging Face's and joins what they split. Weights may be
// F16, BF16 or F32 on disk and are computed in float32. Inputs are [N,H,W,3],
// prepared as Model.Transform says; embeddings are [N,E].
//
// # Two things that a checkpoint does not tell
//
// The activation: OpenAI's weights and some others need QuickGELU,
// x·σ(1.702x), most of open_clip's the exact GELU, under the same names and
// shapes. The number of heads where they are not 64 channels wide. Open takes
// both from a configuration where there is one, and Options.Activation
// overrides the first.
//
// # Training
//
// Model trains like any other on a tape; train.Contrastive is the loss.
package clip
