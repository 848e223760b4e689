package winnow_test

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/transform"
	"github.com/winnow-go/winnow/weights"
)

func TestEveryArchitectureIsBuiltByItsName(t *testing.T) {
	names := winnow.Architectures()
	if !slices.Contains(names, "convnextv2_base") || !slices.Contains(names, "resnet50d") || len(names) < 110 {
		t.Fatalf("%d architectures: %v", len(names), names)
	}
	for _, name := range names {
		m, err := winnow.NewModel(name, 7)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if nn.Count(m) < 1000 || m.Params()[0].Data() != nil {
			t.Errorf("%s: %d parameters, memory %v", name, nn.Count(m), m.Params()[0].Data() != nil)
		}
	}
	for _, name := range []string{"", "vit_base", "resnet50_pruned", "ecaresnet50d_pruned"} {
		if _, err := winnow.NewModel(name, 7); !errors.Is(err, winnow.ErrUnsupported) || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if _, err := winnow.NewModel("resnet18", 0); err == nil {
		t.Error("no classes: no error")
	}
}

// checkpoint writes a small model's weights in a wrapping.
func checkpoint(t *testing.T, prefix string, classes int) string {
	t.Helper()
	m, err := winnow.NewModel("resnet8_cifar", classes)
	if err != nil {
		t.Fatal(err)
	}
	nn.Initialize(m, 3)
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	src := weights.Rename(nn.Source(m), func(s string) string { return prefix + s })
	if err := weights.Write(path, src, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImportFillsInWhatIsKnown(t *testing.T) {
	ctx := context.Background()
	for _, prefix := range []string{"", "module.", "state_dict.module."} {
		c, err := winnow.Import(checkpoint(t, prefix, 4), "resnet8_cifar", winnow.Info{})
		if err != nil {
			t.Fatalf("prefix %q: %v", prefix, err)
		}
		info := c.Info()
		if strings.Join(info.Classes, "") != "0123" || info.Transform.Size != 32 || math.Abs(float64(info.Transform.Mean[0])-0.485) > 1e-6 || !info.AsStored {
			t.Errorf("prefix %q: %+v", prefix, info)
		}
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := c.Save(path); err != nil {
			t.Fatal(err)
		}
		again, err := winnow.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		a, err := c.Logits(ctx, picture(40, 50, 3))
		if err != nil {
			t.Fatal(err)
		}
		b, err := again.Logits(ctx, picture(40, 50, 3))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a, b) || !again.Info().AsStored {
			t.Errorf("prefix %q: logits %v, after saving %v; as stored %v", prefix, a, b, again.Info().AsStored)
		}
	}
}

func TestImportErrorsSayWhatIsWrong(t *testing.T) {
	path := checkpoint(t, "", 4)
	for _, test := range []struct {
		name string
		info winnow.Info
		want error
		say  string
	}{
		{"resnet9000", winnow.Info{}, winnow.ErrUnsupported, "resnet9000"},
		{"resnet50.no_such_tag", winnow.Info{}, winnow.ErrUnsupported, "no_such_tag"},
		{"resnet20_cifar", winnow.Info{}, winnow.ErrModel, "missing"},
		{"convnext_tiny", winnow.Info{}, winnow.ErrModel, "convnext_tiny"},
		{"convnext_mini", winnow.Info{}, winnow.ErrUnsupported, "preprocessing"},
		{"resnet8_cifar", winnow.Info{Classes: []string{"a", "b"}}, winnow.ErrModel, "2 class names"},
		{"resnet8_cifar", winnow.Info{Transform: transform.Config{Size: -1}}, winnow.ErrModel, "size"},
	} {
		_, err := winnow.Import(path, test.name, test.info)
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.say) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestPublishedCIFARNetworkImportsAsGolden(t *testing.T) {
	c, err := winnow.Import(golden.Weights(t, "resnet20-12fca82f.th"), "resnet20_cifar", winnow.Info{})
	if err != nil {
		t.Fatal(err)
	}
	if n := nn.Count(c.Model()); n != 269722 || len(c.Classes()) != 10 {
		t.Errorf("%d parameters, %d classes", n, len(c.Classes()))
	}
}
