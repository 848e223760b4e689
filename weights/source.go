package weights

import "gorgonia.org/tensor"

// Source is where parameters come from: a file, a model, an average. It is the
// one interface through which they arrive.
//
// Tensors have the layout that PyTorch gives them: convolution weights are
// [O,I,KH,KW] with I the input channels of one group, linear weights [O,I].
type Source interface {
	// Names lists the tensors, in the order of the file or the model.
	Names() []string
	// Tensor returns one of them, as a copy that the caller owns. A name
	// that is not there is an error that wraps fs.ErrNotExist.
	Tensor(name string) (*tensor.Dense, error)
}
