package main

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/dataset/scenes"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/train"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

// TestTrainedModelsLoadIntoTorchvision trains for a few steps, exports, loads
// the file into torchvision's own modules with strict=True and compares logits.
func TestTrainedModelsLoadIntoTorchvision(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import torchvision").Run(); err != nil {
		t.Skip("no torchvision for /usr/bin/python3; Debian has it as python3-torchvision")
	}
	small, err := convnext.New(convnext.Config{Depths: []int{1, 1, 2, 1}, Dims: []int{8, 16, 24, 32}, Classes: 10, Init: convnext.FanIn})
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]nn.Model{"convnext": small, "resnet18": resnet.ResNet18(10)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			set, err := scenes.New(scenes.Options{N: 24})
			if err != nil {
				t.Fatal(err)
			}
			look := transform.Native(32)
			run, err := train.New(m, set, train.Options{Epochs: 1, Batch: 8, Transform: look, Seed: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, err := range run.Epochs(context.Background()) {
				if err != nil {
					t.Fatal(err)
				}
			}
			c, err := winnow.New(m, nil, winnow.Info{Classes: set.Classes(), Transform: look})
			if err != nil {
				t.Fatal(err)
			}
			model, out, check := filepath.Join(dir, "model.safetensors"), filepath.Join(dir, "out.safetensors"), filepath.Join(dir, "check.safetensors")
			if err := c.Save(model); err != nil {
				t.Fatal(err)
			}
			if err := export(model, "torchvision", out, nil); err != nil {
				t.Fatal(err)
			}
			x := make([]float32, 2*64*64*3)
			for i := range x {
				x[i] = float32(i*i%1013)/500 - 1
			}
			shape := []int{2, 64, 64, 3}
			y, k, err := nn.NewRunner(m, nil).PredictFloats(nil, x, shape...)
			if err != nil {
				t.Fatal(err)
			}
			both := weights.NewMap()
			both.Set("x", tensor.New(tensor.WithShape(2, 3, 64, 64), tensor.WithBacking(nntest.NCHW(x, shape))))
			both.Set("y", tensor.New(tensor.WithShape(2, k), tensor.WithBacking(y)))
			if err := weights.Write(check, both, nil); err != nil {
				t.Fatal(err)
			}
			text, err := exec.Command(python, "load_torchvision.py", out, check).CombinedOutput()
			if err != nil || !strings.Contains(string(text), "strictly") {
				t.Fatalf("%v: %s", err, text)
			}
			t.Logf("%s", text)
		})
	}
}

func TestExportErrors(t *testing.T) {
	for _, args := range [][3]string{{"", "timm", "x"}, {"x", "timm", ""}, {filepath.Join(t.TempDir(), "absent"), "timm", "x"}} {
		if err := export(args[0], args[1], args[2], nil); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
