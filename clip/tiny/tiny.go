// Package tiny carries a CLIP of one megabyte inside the program: for tests,
// examples, and a first try with nothing to download.
//
//	m, err := tiny.Open()
//	zs, err := m.ZeroShot(ctx, clip.Named("cat", "boat", "tree"))
//	p, err := zs.Classify(ctx, img)
//
// # What it is
//
// A ConvNeXt for 32x32 pixels and a causal Transformer, with vocabulary and
// preprocessing, trained from nothing on the drawings of package dataset/scenes
// in their training style and on their captions, by examples/trainclip. It names
// unseen ones of the ten categories about as well as a published CLIP names
// photographs: 72% right, by words alone, birds the worst. It knows the eight
// categories of scenes.StrangerClasses as well, colours, some textures and
// backgrounds, and the words of the captions.
//
// # What may be kept of its labels
//
// Thresholds on the probability, fitted on 600 labelled pictures of 12,000 and
// counted on the other 11,400; means over ten seeds of the scenes, with ten
// samples each (confidence 0.9; clip.FitOptions). Without a threshold 72.5% of
// the labels are right.
//
//	precision   samples that     kept             of these   less than asked for,
//	asked for   promise it                        right      less than that by 0.02
//	0.85        100 of 100       57% (38 to 69)   88.6%      2, 0 of 100
//	0.90        100 of 100       39% ( 8 to 58)   94.0%      1, 1 of 100
//	0.95         75 of 100       21% (10 to 36)   98.0%      5, 0 of  75
//
// With 400 pictures 0.95 is promised by 54 samples of 100, with 1,000 by 95. Of
// birds and airplanes little is kept at any of them.
//
// # What it is not
//
// A model of the world. It has never seen a photograph, nor the test style of the
// scenes; what it says about other pictures, and about other words, means
// nothing. Its accuracy shows that a program works and nothing more.
//
// # Making it again
//
//	go generate ./clip/tiny
//
// runs the command that the file has in its metadata, under "command": about four
// minutes of processor time. The weights come out the same on the same kind of
// processor. They are winnow's own, under the licence of the module, Apache-2.0.
package tiny

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/weights"
)

//go:generate go run ../../examples/trainclip -out tiny.safetensors

//go:embed tiny.safetensors
var file string

// Open returns a new copy of the model, ready for zero-shot classification. It
// takes some milliseconds and reads nothing from disk. An error can come from a
// damaged build only.
func Open() (*clip.Model, error) {
	m, err := clip.Read(strings.NewReader(file), int64(len(file)), clip.Options{})
	if err != nil {
		return nil, fmt.Errorf("tiny: %w", err)
	}
	return m, nil
}

// Metadata is what the file says about itself: "command", "seed", "license",
// "data", "description", "source", and what clip.Save adds. The map is the
// caller's.
func Metadata() (map[string]string, error) {
	f, err := weights.NewReader(strings.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, fmt.Errorf("tiny: %w", err)
	}
	return f.Metadata(), nil
}
