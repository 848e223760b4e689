package winnow_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/weights"
)

// TestFullSizeModelsMatchGolden opens torchvision's full-size models as PyTorch
// and as safetensors files and compares their logits with float64 ones. The
// folder is the one that the peers' setup fills: NAME.pth, NAME.safetensors and
// NAME.check.safetensors.
func TestFullSizeModelsMatchGolden(t *testing.T) {
	dir := os.Getenv("WINNOW_PEERS")
	if dir == "" {
		t.Skip("WINNOW_PEERS names no folder with NAME.pth, NAME.safetensors and NAME.check.safetensors")
	}
	checks, err := filepath.Glob(filepath.Join(dir, "*.check.safetensors"))
	if err != nil || len(checks) == 0 {
		t.Fatalf("no *.check.safetensors in %s, %v", dir, err)
	}
	for _, check := range checks {
		name := strings.TrimSuffix(filepath.Base(check), ".check.safetensors")
		t.Run(name, func(t *testing.T) {
			w := golden.OpenTensors(t, check)
			x, want := nntest.NHWC(w.Dense("x")), w.Float32("y")
			for _, ext := range []string{".pth", ".safetensors"} {
				src, err := weights.Open(filepath.Join(dir, name+ext))
				if err != nil {
					t.Fatal(err)
				}
				m, err := load(name, len(want), src)
				src.Close()
				if err != nil {
					t.Fatal(err)
				}
				if m == nil {
					t.Skipf("%s is neither a ResNet nor a ConvNeXt", name)
				}
				logits, err := nn.NewRunner(m, nil).Predict(x)
				if err != nil {
					t.Fatal(err)
				}
				golden.CompareWithin(t, name+ext, logits.Data().([]float32), want, 1e-5)
			}
		})
	}
}

// load builds a preset and fills it; nil if there is none of that name.
func load(name string, classes int, src weights.Source) (nn.Model, error) {
	if cfg, err := convnext.Preset(name, classes); err == nil {
		m, err := convnext.New(cfg)
		if err != nil {
			return nil, err
		}
		return m, convnext.Load(m, src, nn.LoadOptions{})
	}
	if cfg, err := resnet.Preset(name, classes); err == nil {
		m, err := resnet.New(cfg)
		if err != nil {
			return nil, err
		}
		return m, resnet.Load(m, src, nn.LoadOptions{})
	}
	return nil, nil
}
