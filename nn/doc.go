// Package nn is the engine: layers, the tape that runs them forward and
// backward, and parameters with their names.
//
// Predicting with a model (package convnext or resnet makes one):
//
//	run := nn.NewRunner(model, nil)
//	logits, err := run.Predict(images) // [N,H,W,3] -> [N,K]; safe for concurrent use
//
// A training step:
//
//	t := nn.NewTape(nn.Training, dev)
//	loss := t.CrossEntropy(model.Forward(t, t.Input(images)), nn.Targets{Labels: labels})
//	err := t.Backward(loss)
//	for _, p := range model.Params() {
//		update(p.Data(), t.Gradient(p))
//	}
//	t.Reset() // ready for the next batch, with the same memory
//
// # Shapes
//
// Everything is float32, row major and channels last: images and activations
// [N,H,W,C], tokens [N,T,C], rows [R,C]. Parameters have PyTorch's shapes and
// timm's names outwards; inside, convolution weights lie as [O,KH,KW,I], which
// Load and Param.Tensor translate.
//
// # One definition
//
// A layer's Forward serves training and inference: the tape's mode decides
// whether a convolution with its batch norm, activation and residual runs as
// one fused product or as steps that can be differentiated. Models are
// read-only in inference.
//
// # Errors
//
// Nothing panics on what a user may get wrong. Errors stick to the tape, name
// the layer and the shapes that did not fit, and are returned by Eval,
// Backward, Floats and Value.
package nn
