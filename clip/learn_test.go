package clip_test

import (
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/kernel/kerneltest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
)

// Every kind of tower learns which image belongs to which text.
func TestTowersLearnPairs(t *testing.T) {
	trunk := convnext.Config{Depths: []int{1, 1}, Dims: []int{8, 16}, Stem: 4, Classes: 1, Init: convnext.FanIn}
	for _, v := range []clip.Vision{
		{Kind: clip.ViT, Size: 16, Width: 64, Layers: 1, Patch: 8},
		{Kind: clip.ResNet, Size: 32, Width: 8, Depths: []int{1, 1, 1, 1}},
		{Kind: clip.ConvNeXt, Size: 16, Trunk: &trunk},
		{Kind: clip.ConvNeXt, Size: 16, Trunk: &trunk, Projection: clip.MLP},
	} {
		t.Run(string(v.Kind)+string(v.Projection), func(t *testing.T) {
			const pairs = 6
			m, err := clip.New(clip.Config{Embed: 16, Vision: &v, Text: &clip.Text{Vocabulary: 20, Context: 5, Width: 64, Layers: 1}})
			if err != nil {
				t.Fatal(err)
			}
			nn.Initialize(m, 1)
			x := make([]float32, pairs*v.Size*v.Size*3)
			kerneltest.Normal(x, 3, 0, 1)
			var texts [][]int32
			for i := range pairs {
				texts = append(texts, []int32{18, int32(i), int32(2 * i), 19, 0})
			}
			tape := nn.NewTape(nn.Training, nn.NewDevice(nn.DeviceOptions{Threads: 2}))
			adam := &train.AdamW{}
			var losses []float64
			for step := range 30 {
				tape.Seed(1, uint64(step))
				images := m.Image(tape, tape.InputFloats(x, pairs, v.Size, v.Size, 3))
				loss := train.Contrastive(tape, images, m.Text(tape, texts), m.Scale())
				if err := tape.Backward(loss); err != nil {
					t.Fatal(err)
				}
				value, err := loss.Floats()
				if err != nil {
					t.Fatal(err)
				}
				losses = append(losses, float64(value[0]))
				var updates []train.Update
				for _, p := range m.Params() {
					if p.Kind() != nn.Learnable {
						continue
					}
					g := tape.Gradient(p)
					if g == nil {
						t.Fatalf("%s has no gradient", p.Name())
					}
					updates = append(updates, train.Update{Param: p, Gradient: g})
				}
				if err := adam.Step(updates, 1e-3, 1); err != nil {
					t.Fatal(err)
				}
				train.ClampScale(m.Scale())
				tape.Reset()
			}
			if first, last := losses[0], losses[len(losses)-1]; !(first > 1) || !(last < 0.2*first) {
				t.Errorf("losses %v", losses)
			}
		})
	}
}
