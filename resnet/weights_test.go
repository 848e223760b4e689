package resnet_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/weights"
)

// Published checkpoints, as they are: PyTorch's own format with akamaster's
// names inside "state_dict" and "module", and the same as safetensors.
func TestPublishedCheckpointsTellTheirConfigurationAndLoad(t *testing.T) {
	values := map[string][][]float32{}
	for _, c := range []struct{ file, preset string }{
		{"resnet20-12fca82f.th", "resnet20_cifar"},
		{"cifar10_resnet20.safetensors", "resnet20_cifar"},
		{"cifar10_resnet56.safetensors", "resnet56_cifar"},
	} {
		t.Run(c.file, func(t *testing.T) {
			f, err := weights.Open(golden.Weights(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, d := resnet.Recognize(f); d != resnet.Akamaster {
				t.Errorf("taken for %s", d)
			}
			found, err := resnet.Detect(f)
			if err != nil {
				t.Fatal(err)
			}
			want, err := resnet.Preset(c.preset, 10)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(found, want) {
				t.Errorf("the file tells %+v, want %+v", found, want)
			}
			m, err := resnet.New(found)
			if err != nil {
				t.Fatal(err)
			}
			if err := resnet.Load(m, f, nn.LoadOptions{}); err != nil {
				t.Fatal(err)
			}
			var all [][]float32
			for _, p := range m.Params() {
				all = append(all, p.Data())
			}
			if first, ok := values[c.preset]; ok && !slices.EqualFunc(first, all, slices.Equal) {
				t.Error("other values than the first file of this model")
			}
			values[c.preset] = all
		})
	}
}
