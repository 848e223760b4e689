// Package dataset reads labelled pictures: from image folders, CIFAR-10's
// binary files, IDX files (MNIST and its kin) and memory.
//
// The usual case is one call that finds out what lies at a path, and a loop:
//
//	data, err := dataset.Open("birds", dataset.Options{})
//	train, held, err := dataset.HoldOut(data.Train, seed)
//	for batch, err := range dataset.Batches(ctx, train, dataset.LoadOptions{Transform: config, Shuffle: true, Seed: seed, Epoch: epoch}) {
//		// batch.X is [N,H,W,3]
//	}
//
// # Sets
//
// A [Set] is random access to pictures and their labels. [OpenFolder],
// [OpenCIFAR], [OpenIDX] and [NewMemory] make one; [Subset], [Concat], [Limit],
// [Stratified] and [HoldOut] make sets of sets, which copy no pictures.
//
// # Which part is for testing
//
// [Open] follows the names: a folder train/ beside val/ or test/, files
// data_batch* or train* against test*, train-* against t10k-*. Where names say
// nothing, or all files belong to the same part, it draws a fifth of the
// pictures, class by class, by the seed.
//
// # Bad files
//
// A file that claims to be a picture and is not one is an error that names it.
// With Options.Quarantine it is left out and listed instead. It is never
// replaced by another.
//
// # Limits
//
// CIFAR and IDX files are held in memory, a byte per value. Of a folder only
// the names are; pictures are decoded when they are wanted.
package dataset
