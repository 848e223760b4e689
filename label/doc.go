// Package label holds class names and what a classifier says about an image.
//
//	classes, err := label.NewClasses("cat", "dog", "otter")
//	p, err := label.Predict(classes, []float64{0.1, 0.7, 0.2}, true)
//	p.Class, p.Prob // "dog", 0.7
//	p.Top(2)        // dog, otter
//
// The order of [Classes] is part of a model: class i belongs to the i-th logit.
// [Fold] adds the probabilities of finer classes up into coarser ones.
//
// Probabilities are float64 from 0 to 1. NaN is never a probability: functions
// that take probabilities from outside refuse it, so what they return can be
// sorted and written as JSON.
package label
