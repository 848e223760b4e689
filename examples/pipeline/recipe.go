package main

import (
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/train"
)

// recipe is a model and how it is trained: what suits its family, under the
// same budget of epochs and images.
type recipe struct {
	name      string // key in summary.json
	title     string
	build     func() (nn.Model, error)
	optimizer train.Optimizer
	peak      float64 // learning rate
}

// recipes are those of a small ConvNeXt and a ResNet-8 that were found to train
// well in few epochs on small images: AdamW and fan-in initialisation for the
// one, SGD with momentum for the other.
func recipes(o options, d *data) []recipe {
	classes := len(d.classes)
	cn := convnext.Config{Depths: []int{3, 1}, Dims: []int{32, 64}, Stem: 2}
	rn := resnet.Config{Layers: []int{1, 1, 1}, Widths: []int{16, 32, 64}, Stem: resnet.Small1, Shortcut: resnet.Padding}
	if !d.small { // 64 pixels or so
		cn.Depths, cn.Dims, cn.Stem = []int{2, 2, 1}, []int{32, 64, 96}, 4
		rn.Layers, rn.Widths, rn.Stem = []int{1, 1, 1, 1}, []int{16, 32, 64, 96}, resnet.Small2
	}
	cn.Classes, cn.Init = classes, convnext.FanIn
	rn.Classes, rn.Init = classes, resnet.FanIn
	return []recipe{
		{
			name: "convnext", title: "ConvNeXt",
			build:     func() (nn.Model, error) { return convnext.New(cn) },
			optimizer: &train.AdamW{WeightDecay: 0.05},
			peak:      4e-3,
		},
		{
			name: "resnet", title: "ResNet",
			build:     func() (nn.Model, error) { return resnet.New(rn) },
			optimizer: &train.SGD{Momentum: 0.9, Nesterov: true, WeightDecay: 5e-4},
			peak:      0.1,
		},
	}
}

// again is a recipe by its name, with an optimizer that has no past.
func again(o options, d *data, name string) recipe {
	all := recipes(o, d)
	for _, r := range all {
		if r.name == name {
			return r
		}
	}
	return all[0]
}

// epochs is how long each model trains if nobody says.
func epochs(o options, d *data) int {
	switch {
	case o.epochs > 0:
		return o.epochs
	case o.quick:
		return 3
	case o.data == "":
		return 5
	}
	return min(max(400_000/d.train.Len(), 2), 20)
}

func batchSize(o options, d *data) int {
	switch {
	case o.batch > 0:
		return o.batch
	case o.data == "":
		return 32 // few images, and so more steps of each
	case d.train.Len() < 20_000:
		return 64
	}
	return 128
}
