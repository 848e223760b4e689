// Package ood lets a classifier refuse what it was never taught.
//
// A network names one of its classes for whatever it is shown. The usual
// remedy takes three numbers, found on images the network was not trained on:
//
//	d, err := ood.Calibrate(logits, labels, ood.Options{Keep: 0.95})
//	...
//	score, known := d.Decide(row) // the K logits of one image
//
// The first number is the temperature, which makes probabilities honest
// ([FitTemperature]); the second the score of an image, higher meaning more
// like the training data; the third the threshold below which an image is
// refused, chosen so that a stated share of known images is kept
// ([Threshold]). Together they are a [Decision], a small value that travels
// with the model.
//
// What a threshold costs and buys is seen in a [Table], made by [Sweep], what
// the chosen one does in [Decision.Measure], and how well a score tells known
// images from strangers in [Evaluate].
//
// # Concepts
//
// Known images are of the model's classes and look like the training data;
// strangers are of no class it knows. Only known images are needed to
// calibrate: the threshold says how many of them may be lost, not how many
// strangers it stops. Take them from data that was held out, a few hundred at
// least: with 300 images and Keep 0.95 the share kept of new ones varies by
// about 1.3 points (one standard deviation).
//
// A score is a function in a file of its own. There is one so far, "msp".
//
// Logits are rows of a [N,K] slice, float32; scores and probabilities are
// float64, for float32 saturates (see package metrics).
//
// # Limits
//
// The threshold belongs to the images it was chosen on: brighter, blurrier or
// more compressed ones score lower, and more of them are refused. Confidence
// is a weak sign of strangeness; strangers that look like a class are taken
// for it.
package ood
