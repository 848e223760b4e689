package convnext_test

import (
	"slices"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights/weightstest"
)

func TestTorchvisionNamesComeBack(t *testing.T) {
	for _, conv := range []bool{false, true} {
		m, err := convnext.New(convnext.Config{Depths: []int{1, 2, 1}, Dims: []int{4, 6, 8}, Classes: 3, ConvMLP: conv})
		if err != nil {
			t.Fatal(err)
		}
		nn.Initialize(m, 1)
		theirs := convnext.ForTorchvision(nn.Source(m))
		if err := weightstest.Source(theirs); err != nil {
			t.Error(err)
		}
		names := theirs.Names()
		for _, want := range []string{"features.0.0.weight", "features.1.0.layer_scale", "features.2.1.bias", "features.3.1.block.5.weight", "features.5.0.block.0.bias", "classifier.0.bias", "classifier.2.weight"} {
			if !slices.Contains(names, want) {
				t.Errorf("no %s in %v", want, names)
			}
		}
		for name, want := range map[string][]int{"features.1.0.layer_scale": {4, 1, 1}, "features.3.1.block.3.weight": {24, 6}} {
			d, err := theirs.Tensor(name)
			if err != nil || !slices.Equal([]int(d.Shape()), want) {
				t.Errorf("%s: %v, %v, want %v", name, d.Shape(), err, want)
			}
		}
		if _, d := convnext.Recognize(theirs); d != convnext.Torchvision {
			t.Errorf("recognised as %s's", d)
		}
		again, err := convnext.New(m.Config())
		if err != nil {
			t.Fatal(err)
		}
		if err := convnext.Load(again, theirs, nn.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		for i, p := range again.Params() {
			if !slices.Equal(p.Data(), m.Params()[i].Data()) {
				t.Errorf("%s changed on the way", p.Name())
			}
		}
	}
}
