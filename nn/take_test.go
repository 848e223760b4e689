package nn_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

func TestRunnerTakesWeights(t *testing.T) {
	for name, build := range map[string]func() nn.Model{
		"resnet":   func() nn.Model { return resnet.CIFAR8(5) },
		"convnext": func() nn.Model { return convnext.Mini(5) },
	} {
		t.Run(name, func(t *testing.T) {
			x := make([]float32, 2*32*32*3)
			for i := range x {
				x[i] = float32(i%17) / 9
			}
			m := build()
			nn.Initialize(m, 1)
			want, _, err := nn.NewRunner(m, nil).PredictFloats(nil, x, 2, 32, 32, 3)
			if err != nil {
				t.Fatal(err)
			}
			run := nn.RunnerOptions{TakeWeights: true}.New(m)
			if _, _, err := run.PredictFloats(nil, x, 2, 32, 32, 2); err == nil {
				t.Fatal("images of two channels were predicted")
			}
			var wg sync.WaitGroup
			for range 8 { // all meet a cold runner
				wg.Go(func() {
					for range 3 {
						got, _, err := run.PredictFloats(nil, x, 2, 32, 32, 3)
						if err != nil || !slices.Equal(got, want) {
							t.Errorf("%v, %v, want %v", got, err, want)
						}
					}
				})
			}
			wg.Wait()
			left, all := 0, 0
			for _, p := range m.Params() {
				all += p.Len()
				left += len(p.Data())
				if _, err := p.Tensor(); (p.Data() == nil && p.Kind() != nn.Counter) != errors.Is(err, nn.ErrTaken) {
					t.Errorf("%s: %v", p.Name(), err)
				}
			}
			if left > all/10 {
				t.Errorf("%d of %d values are still in the model", left, all)
			}
			if _, _, err := nn.NewRunner(m, nil).PredictFloats(nil, x, 2, 32, 32, 3); err == nil {
				t.Error("another runner predicts with weights that were taken")
			}
		})
	}
}
