// Package scenes draws labelled pictures: the data that examples and tests use
// where nobody has given any, with nothing to download.
//
// The usual case is a training set, a test set in another style, and strangers:
//
//	train, err := scenes.New(scenes.Options{Seed: 1, N: 10000})
//	test, err := scenes.New(scenes.Options{Seed: 1, N: 2000, Style: scenes.Testing})
//	strangers, err := scenes.Strangers(scenes.Options{Seed: 1, N: 1000, Style: scenes.Testing})
//
// # What is drawn
//
// Each picture shows one object of one of ten categories (see [Classes]) among
// things of no category. Within a category the shape varies by parameters and
// by kind (a boat may have sails or funnels, a cat be seated or only a face).
// What does not tell the category varies for all alike: colours and textures,
// background, light and shadow, place, size, turn, perspective, mirroring,
// clutter, something in front, blur, noise. So neither the colours of a
// picture nor the colour of a place in it say much: logistic regression on
// pixels or on colour histograms stays under 50% (a test). The clutter is made
// of the simple shapes that categories are made of too.
//
// # Two styles
//
// [Training] is painted, [Testing] is sketched at dusk. A model that learned
// from the one is a little worse at the other, as models are with the next
// season's photographs. To measure without that shift, take [Training] with
// another seed: pictures of different seeds have nothing in common but the
// rules they are drawn by.
//
// # Same seed, same bytes
//
// Picture i depends on the seed, the style, the size, on whether it is a
// stranger, and on i: on nothing else. A longer set begins with the same
// pictures as a shorter one. Everything is computed in whole numbers, so that
// it is the same to the byte on every processor.
//
// # Limits
//
// Nothing here is a photograph. Figures on scenes show that a pipeline works,
// not how good a model is for real pictures. A picture is drawn when it is
// asked for and takes about a fifth of a millisecond at 32x32 pixels; whoever
// needs the same ones many times keeps them.
package scenes
