// Package docs holds the tables of the documentation to the code that they
// describe.
package docs

import (
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
)

var update = flag.Bool("update", false, "rewrite the tables in models.md")

// archs is what timm's list has of use here.
type archs struct {
	Models map[string]nntest.Arch    `json:"models"`
	Tags   map[string]map[string]tag `json:"tags"`
}

// tag describes one published set of weights.
type tag struct {
	License string `json:"license"`
	Hub     string `json:"hf_hub_id"`
	URL     string `json:"origin_url"`
}

// published is the top-1 accuracy on ImageNet-1k (on CIFAR-10 for the CIFAR
// family) that the authors give, in per cent, with its source.
var published = map[string]string{
	"convnext_tiny":   "82.1 [CN], 82.520 [TV]",
	"convnext_small":  "83.1 [CN], 83.616 [TV]",
	"convnext_base":   "83.8 [CN], 84.062 [TV]",
	"convnext_large":  "84.3 [CN], 84.414 [TV]",
	"convnext_xlarge": "87.0 [CN], after ImageNet-22k",

	"convnextv2_atto":  "76.7 [V2]",
	"convnextv2_femto": "78.5 [V2]",
	"convnextv2_pico":  "80.3 [V2]",
	"convnextv2_nano":  "81.9 [V2]",
	"convnextv2_tiny":  "83.0 [V2]",
	"convnextv2_base":  "84.9 [V2]",
	"convnextv2_large": "85.8 [V2]",
	"convnextv2_huge":  "86.3 [V2]",

	"resnet20_cifar":  "91.73 [AK]",
	"resnet32_cifar":  "92.63 [AK]",
	"resnet44_cifar":  "93.10 [AK]",
	"resnet56_cifar":  "93.39 [AK]",
	"resnet110_cifar": "93.68 [AK]",
}

// row is one line of the table of architectures.
func row(t *testing.T, name string, m nn.Model, h, w int) string {
	t.Helper()
	macs, err := nntest.MACs(m, h, w)
	if err != nil {
		t.Fatal(err)
	}
	size := fmt.Sprint(h)
	if h != w {
		size = fmt.Sprintf("%dx%d", h, w)
	}
	return fmt.Sprintf("| %s | %s | %.3f | %s | %s |\n", name, thousands(nn.Count(m)), float64(macs)/1e9, size, published[name])
}

// thousands writes n with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

const header = "| name | parameters | GMACs | pixels | published top-1 % |\n|---|--:|--:|--:|---|\n"

func convnexts(t *testing.T, a archs) string {
	out := header
	for _, name := range convnext.Presets() {
		cfg, err := convnext.Preset(name, 1000)
		if err != nil {
			t.Fatal(err)
		}
		in, ours := 0, name == "convnext_mini"
		if ours {
			cfg.Classes, in = 10, 32
		} else {
			in = size(t, a, name)
		}
		m, err := convnext.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		out += row(t, name, m, in, in)
	}
	return out
}

func resnets(t *testing.T, a archs) string {
	out := header
	for _, name := range resnet.Presets() {
		classes, in := 10, 32
		if !strings.HasSuffix(name, "_cifar") {
			classes, in = 1000, size(t, a, name)
		}
		cfg, err := resnet.Preset(name, classes)
		if err != nil {
			t.Fatal(err)
		}
		m, err := resnet.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		out += row(t, name, m, in, in)
	}
	return out
}

func size(t *testing.T, a archs, name string) int {
	t.Helper()
	arch, ok := a.Models[name]
	if !ok || len(arch.Input) != 3 || arch.Input[1] != arch.Input[2] {
		t.Fatalf("%s: timm lists no size, or one that is not square", name)
	}
	return arch.Input[1]
}

// licences lists timm's tags by the licence of their weights.
func licences(t *testing.T, a archs) string {
	type family struct{ licence, module, tag string }
	models := map[family][]string{}
	for name, tags := range a.Tags {
		module := a.Models[name].Module
		if module != "convnext" && module != "resnet" {
			continue
		}
		for what, w := range tags {
			if what != "untrained" {
				f := family{w.License, module, what}
				models[f] = append(models[f], name)
			}
		}
	}
	commercial := map[string]string{
		"apache-2.0": "yes", "bsd-3-clause": "yes", "cc-by-nc-4.0": "no", "fair-noncommercial-research-license": "no, research only",
		"dinov3-license": "under its own terms: read them",
	}
	out := "| licence | commercial use | weights (timm's tag) | of |\n|---|---|---|---|\n"
	keys := slices.SortedFunc(maps.Keys(models), func(x, y family) int {
		return cmp.Or(cmp.Compare(x.licence, y.licence), cmp.Compare(x.module, y.module), cmp.Compare(x.tag, y.tag))
	})
	for _, k := range keys {
		use, ok := commercial[k.licence]
		if !ok {
			t.Errorf("nobody said what licence %q of %s allows", k.licence, k.tag)
		}
		names := models[k]
		slices.Sort(names)
		out += fmt.Sprintf("| %s | %s | %s | %s |\n", k.licence, use, k.tag, strings.Join(names, ", "))
	}
	return out
}

func TestModelTablesAreTrue(t *testing.T) {
	var a archs
	golden.Independent(t, "timm/archs.json.gz").Loose(&a)
	const path = "models.md"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := text
	for name, table := range map[string]string{"convnext": convnexts(t, a), "resnet": resnets(t, a), "licences": licences(t, a)} {
		begin, end := []byte("<!-- "+name+": generated -->\n"), []byte("<!-- end -->\n")
		before, rest, ok := bytes.Cut(want, begin)
		_, after, ok2 := bytes.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("%s has no place for the table %s", path, name)
		}
		want = slices.Concat(before, begin, []byte("\n"+table+"\n"), end, after)
	}
	for name := range published {
		if !bytes.Contains(want, []byte("| "+name+" |")) {
			t.Errorf("an accuracy of %s, which is no model", name)
		}
	}
	if bytes.Equal(text, want) {
		return
	}
	if !*update {
		t.Fatalf("%s is out of date: go test ./docs -update", path)
	}
	if err := os.WriteFile(path, want, 0o666); err != nil {
		t.Fatal(err)
	}
}
