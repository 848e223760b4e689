package main

import (
	"path/filepath"
	"slices"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

func TestEveryPresetIsCounted(t *testing.T) {
	for _, name := range slices.Concat(convnext.Presets(), resnet.Presets(), towers()) {
		for _, mode := range []string{"forward", "train"} {
			o := options{model: name, mode: mode, batch: 2, size: 224, classes: 10}
			m, _, err := build(o)
			if err != nil {
				t.Fatal(err)
			}
			n, err := count(o, m)
			if err != nil || n <= 0 {
				t.Errorf("%s %s: %d multiply-adds, %v", name, mode, n, err)
			}
		}
	}
}

func TestSavedWeightsAreMeasured(t *testing.T) {
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	o := options{model: "resnet8_cifar", mode: "forward", batch: 1, size: 32, threads: 1, runs: 2, save: path}
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	o.save, o.weights = "", path
	if err := run(o); err != nil {
		t.Fatal(err)
	}
	o.weights = path + ".absent"
	if err := run(o); err == nil {
		t.Error("absent weights: no error")
	}
	if err := run(options{model: "convnext_mini", mode: "train", batch: 2, size: 16, threads: 1, runs: 1}); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]options{
		"model": {model: "vgg", mode: "forward", batch: 1, size: 32, runs: 1},
		"mode":  {model: "resnet18", mode: "sideways", batch: 1, size: 32, runs: 1},
		"batch": {model: "resnet18", mode: "forward", size: 32, runs: 1},
	} {
		if err := run(o); err == nil {
			t.Errorf("bad %s: no error", name)
		}
	}
}

func TestPausesAreMeasured(t *testing.T) {
	o := options{model: "resnet8_cifar", mode: "forward", batch: 1, size: 32, runs: 1, classes: 10, collections: 5}
	m, _, err := build(o)
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 0)
	if p99, err := pauses(o, m, o.collections); err != nil || !(p99 > 0 && p99 < 1e4) {
		t.Errorf("%v ms, %v", p99, err)
	}
	if err := run(o); err != nil {
		t.Error(err)
	}
	if o.mode = "train"; run(o) == nil {
		t.Error("a training step: no error")
	}
}

func TestWhatComesBeforeATowerIsMeasured(t *testing.T) {
	decode, resize, err := prepare(clip.Preprocessing(32), 2)
	if err != nil || !(decode > 0 && decode < 1e4) || !(resize > 0 && resize < 1e4) {
		t.Errorf("decode %v ms, resize %v ms, %v", decode, resize, err)
	}
	if _, _, err := prepare(transform.Config{Size: -1}, 1); err == nil {
		t.Error("no such size: no error")
	}
}

// The text tower of a checkpoint is not loaded.
func TestOnlyTheImageTowerIsLoaded(t *testing.T) {
	src := weights.NewMap()
	for _, name := range []string{"visual.proj", "logit_scale", "ln_final.weight", "token_embedding.weight"} {
		src.Set(name, tensor.New(tensor.FromScalar(float32(1))))
	}
	if names := imagesOnly(src).Names(); !slices.Equal(names, []string{"visual.proj", "logit_scale"}) {
		t.Errorf("%v", names)
	}
	if len(towers()) < 9 || !slices.Contains(towers(), "vit_b_32") {
		t.Errorf("%v", towers())
	}
}
