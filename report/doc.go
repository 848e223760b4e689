// Package report draws what a training run and a classifier's mistakes look
// like: learning curves, the confusion matrix, the cost of refusing, and how
// honest the probabilities are.
//
//	f, err := os.Create("confusion.png")
//	...
//	err = report.Confusion(f, "Fashion-MNIST", matrix)
//
// Each figure is a function that writes a PNG of two pixels to the point, with
// axes labelled, shares in percent, and colours that people with any colour
// vision can tell apart (Okabe and Ito, 2008); lines also differ in dashes or
// marks. The same data give the same bytes on the same version of the module.
// Any number of figures may be drawn at once.
//
// # Limits
//
// The typeface (Liberation Sans) has Latin, Greek and Cyrillic letters; others
// come out as boxes. Names that are too long lose their middle. Importing the
// package adds about 8 MB to a program, which is why nothing that classifies
// does.
package report
