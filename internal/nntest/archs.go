package nntest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/nn"
)

// Arch is what timm lists for one of its models.
type Arch struct {
	Module  string            `json:"module"`
	Params  int64             `json:"params"`
	Input   []int             `json:"default_input_size"` // channels, height, width
	MACs    int64             `json:"macs"`               // of one image of that size
	SHA256  string            `json:"sha256"`
	Tensors []json.RawMessage `json:"tensors"`
	Buffers []json.RawMessage `json:"other_buffers"`
}

// EachArch runs f in a subtest for each of timm's models from a module, which
// is "convnext" or "resnet".
func EachArch(t *testing.T, module string, f func(t *testing.T, name string, a Arch)) {
	var archs struct {
		Models map[string]Arch `json:"models"`
	}
	golden.Independent(t, "timm/archs.json.gz").Loose(&archs)
	var names []string
	for name, a := range archs.Models {
		if a.Module == module {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		t.Run(name, func(t *testing.T) { f(t, name, archs.Models[name]) })
	}
}

// Counts compares the multiply-accumulates of one image's forward pass, whose
// values are not computed, with timm's.
func (a Arch) Counts(t *testing.T, m nn.Model) {
	t.Helper()
	if n, err := MACs(m, a.Input[1], a.Input[2]); err != nil {
		t.Error(err)
	} else if n != a.MACs {
		t.Errorf("%d multiply-accumulates, timm counts %d", n, a.MACs)
	}
}

// MACs counts the multiply-accumulates of the forward pass of one image.
func MACs(m nn.Model, h, w int) (int64, error) {
	tape := nn.NewTape(nn.Inference, nil)
	m.Forward(tape, tape.Describe(1, h, w, 3))
	return tape.MACs(), tape.Err()
}

// Agrees compares a model's parameters, which need not have memory, with
// timm's list: order, names, shapes, count and digest.
func (a Arch) Agrees(t *testing.T, m nn.Model) {
	t.Helper()
	if n := int64(nn.Count(m)); n != a.Params {
		t.Errorf("%d parameters, timm has %d", n, a.Params)
	}
	sum := sha256.New()
	params := m.Params()
	if len(params) != len(a.Tensors) {
		t.Errorf("%d tensors, timm has %d", len(params), len(a.Tensors))
	}
	for i, p := range params {
		if p.Data() != nil {
			t.Fatalf("%s has memory before it was initialised or loaded", p.Name())
		}
		shape := p.Shape()
		if shape == nil {
			shape = []int{}
		}
		dims := make([]string, len(shape))
		for j, d := range shape {
			dims[j] = fmt.Sprint(d)
		}
		fmt.Fprintf(sum, "%s:%s\n", p.Name(), strings.Join(dims, "x"))
		ours, _ := json.Marshal([]any{p.Name(), shape})
		if i < len(a.Tensors) {
			var theirs any
			if err := json.Unmarshal(a.Tensors[i], &theirs); err != nil {
				t.Fatal(err)
			}
			if s, _ := json.Marshal(theirs); string(s) != string(ours) {
				t.Fatalf("tensor %d is %s, timm has %s", i, ours, s)
			}
		}
	}
	if digest := hex.EncodeToString(sum.Sum(nil)); digest != a.SHA256 {
		t.Errorf("digest %s, timm has %s", digest, a.SHA256)
	}
}
