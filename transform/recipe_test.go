package transform

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/internal/golden"
)

var update = flag.Bool("update", false, "rewrite published.txt from timm's list and testdata/torchvision.json")

// timmTag is one published weight in archs.json.gz.
type timmTag struct {
	Input         []int      `json:"input_size"`
	TestInput     []int      `json:"test_input_size"`
	CropPct       float64    `json:"crop_pct"`
	TestCropPct   *float64   `json:"test_crop_pct"`
	CropMode      string     `json:"crop_mode"`
	Interpolation string     `json:"interpolation"`
	Mean          [3]float64 `json:"mean"`
	Std           [3]float64 `json:"std"`
	Classes       int        `json:"num_classes"`
	License       string     `json:"license"`
}

// timmTags are arch.tag, the default tag of an architecture first.
func timmTags(t *testing.T) (names []string, tags map[string]timmTag, raw map[string]json.RawMessage) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(golden.Dir(t), "timm", "archs.json.gz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("no timm/archs.json.gz among the goldens (WINNOW_GOLDENS)")
	}
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Models map[string]struct {
			DefaultTag string `json:"default_tag"`
		} `json:"models"`
		Tags map[string]map[string]json.RawMessage `json:"tags"`
	}
	if err := json.NewDecoder(z).Decode(&file); err != nil {
		t.Fatal(err)
	}
	tags, raw = map[string]timmTag{}, map[string]json.RawMessage{}
	for arch, list := range file.Tags {
		for tag, text := range list {
			var v timmTag
			if err := json.Unmarshal(text, &v); err != nil {
				t.Fatal(err)
			}
			name := arch + "." + tag
			if tag == "" {
				name = arch
			}
			names, tags[name], raw[name] = append(names, name), v, text
		}
	}
	rank := func(name string) int {
		arch, tag, _ := strings.Cut(name, ".")
		if tag == file.Models[arch].DefaultTag {
			return 0
		}
		return 1
	}
	slices.SortFunc(names, func(a, b string) int {
		archA, _, _ := strings.Cut(a, ".")
		archB, _, _ := strings.Cut(b, ".")
		return cmp.Or(strings.Compare(archA, archB), rank(a)-rank(b), strings.Compare(a, b))
	})
	if len(names) == 0 {
		t.Fatal("no tags")
	}
	return names, tags, raw
}

func statisticsName(t *testing.T, mean, std [3]float64) string {
	t.Helper()
	for _, name := range []string{"imagenet", "half", "clip"} {
		if m, s, _ := statistics(name); m == to32(mean) && s == to32(std) {
			return name
		}
	}
	t.Fatalf("no name for mean %v, deviation %v", mean, std)
	return ""
}

func square(t *testing.T, input []int) int {
	t.Helper()
	if len(input) != 3 || input[0] != 3 || input[1] != input[2] {
		t.Fatalf("input size %v", input)
	}
	return input[1]
}

type torchvisionWeights struct {
	Name          string     `json:"name"`
	Size          int        `json:"size"`
	Resize        int        `json:"resize"`
	Interpolation string     `json:"interpolation"`
	Mean          [3]float64 `json:"mean"`
	Std           [3]float64 `json:"std"`
	Classes       int        `json:"classes"`
}

func torchvisionList(t *testing.T) (list []torchvisionWeights) {
	t.Helper()
	golden.Testdata(t, "testdata/torchvision*.json", func(t *testing.T, g *golden.File) {
		var file struct {
			Torchvision string               `json:"torchvision"`
			Weights     []torchvisionWeights `json:"weights"`
		}
		g.Config(&file)
		list = append(list, file.Weights...)
	})
	return list
}

// published.txt says what timm's list and torchvision say, and nothing else.
func TestGoldenPublishedListIsWhatItsSourcesSay(t *testing.T) {
	names, tags, _ := timmTags(t)
	var want strings.Builder
	fmt.Fprintf(&want, "# Preprocessing of published weights, facts of timm and torchvision; written by go test -run GoldenPublishedList -update\n")
	fmt.Fprintf(&want, "# name size/resize test-size/resize interpolation crop statistics classes licence\n")
	for _, name := range names {
		v := tags[name]
		side, crop := square(t, v.Input), v.CropPct
		test, testCrop := side, crop
		if v.TestInput != nil {
			test = square(t, v.TestInput)
		}
		if v.TestCropPct != nil {
			testCrop = *v.TestCropPct
		}
		fmt.Fprintf(&want, "%s %d/%d %d/%d %s %s %s %d %s\n", name,
			side, int(math.Floor(float64(side)/crop)), test, int(math.Floor(float64(test)/testCrop)),
			v.Interpolation, v.CropMode, statisticsName(t, v.Mean, v.Std), v.Classes, cmp.Or(v.License, "unknown"))
	}
	for _, v := range torchvisionList(t) {
		fmt.Fprintf(&want, "%s %d/%d %d/%d %s center %s %d bsd-3-clause\n", v.Name, v.Size, v.Resize, v.Size, v.Resize,
			v.Interpolation, statisticsName(t, v.Mean, v.Std), v.Classes)
	}
	if *update {
		if err := os.WriteFile("published.txt", []byte(want.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if published != want.String() {
		got, want := strings.Split(published, "\n"), strings.Split(want.String(), "\n")
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("line %d is\n%s\nwant\n%s", i+1, got[i], want[i])
			}
		}
		t.Fatalf("%d lines, want %d", len(got), len(want))
	}
	if len(published) > 60_000 {
		t.Errorf("%d bytes go into every program", len(published))
	}
}

// The same weights read from a config.json like the one that timm uploads.
func TestGoldenConfigFileAgreesWithPublishedName(t *testing.T) {
	names, tags, raw := timmTags(t)
	for _, name := range names {
		arch, tag, _ := strings.Cut(name, ".")
		var cfg map[string]any
		if err := json.Unmarshal(raw[name], &cfg); err != nil {
			t.Fatal(err)
		}
		cfg["tag"] = tag
		text, err := json.Marshal(map[string]any{"architecture": arch, "num_classes": tags[name].Classes, "pretrained_cfg": cfg})
		if err != nil {
			t.Fatal(err)
		}
		got, err := ReadRecipe(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want, err := Published(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if got != want {
			t.Errorf("%s: file %+v, name %+v", name, got, want)
		}
	}
}

func TestEveryPublishedRecipeIsWhole(t *testing.T) {
	n := 0
	for line := range strings.Lines(published) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		n++
		name, _, _ := strings.Cut(line, " ")
		r, err := Published(name)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if r.Name != name || r.License == "" || r.Architecture == "" || r.Classes < 0 {
			t.Errorf("%s: %+v", name, r)
		}
		for _, c := range []Config{r.Config, r.Test} {
			if err := c.full(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if c != c.WithDefaults() {
				t.Errorf("%s: %+v is not written out", name, c)
			}
		}
	}
	if n < 340 {
		t.Errorf("%d names", n)
	}
}

func TestPublishedNames(t *testing.T) {
	imagenet := Config{Mean: imageNetMean(), Std: imageNetStd(), Interpolation: Bicubic}
	with := func(size, resize int, change func(*Config)) Config {
		c := imagenet
		c.Size, c.Resize = size, resize
		if change != nil {
			change(&c)
		}
		return c
	}
	half := func(c *Config) { c.Mean, c.Std = [3]float32{.5, .5, .5}, [3]float32{.5, .5, .5} }
	bilinear := func(c *Config) { c.Interpolation = Bilinear }
	for _, tc := range []struct {
		ask, name, arch string
		config, test    Config
		classes         int
		license         string
	}{
		{"convnext_tiny.fb_in1k", "convnext_tiny.fb_in1k", "convnext_tiny", with(224, 256, nil), with(288, 288, nil), 1000, "apache-2.0"},
		{"timm/convnext_base.fb_in22k_ft_in1k_384", "convnext_base.fb_in22k_ft_in1k_384", "convnext_base",
			with(384, 384, func(c *Config) { c.Crop = Squash }), with(384, 384, func(c *Config) { c.Crop = Squash }), 1000, "apache-2.0"},
		{"convnextv2_tiny.fcmae_ft_in1k", "convnextv2_tiny.fcmae_ft_in1k", "convnextv2_tiny", with(224, 256, nil), with(288, 288, nil), 1000, "cc-by-nc-4.0"},
		{"convnext_tiny", "convnext_tiny.in12k_ft_in1k", "convnext_tiny", with(224, 235, nil), with(288, 288, nil), 1000, "apache-2.0"},
		{"test_resnet.r160_in1k", "test_resnet.r160_in1k", "test_resnet",
			with(160, 168, func(c *Config) { half(c); bilinear(c) }), with(160, 168, func(c *Config) { half(c); bilinear(c) }), 1000, "apache-2.0"},
		{"ResNet50_Weights.IMAGENET1K_V2", "ResNet50_Weights.IMAGENET1K_V2", "resnet50", with(224, 232, bilinear), with(224, 232, bilinear), 1000, "bsd-3-clause"},
		{"ResNet50_Weights.DEFAULT", "ResNet50_Weights.IMAGENET1K_V2", "resnet50", with(224, 232, bilinear), with(224, 232, bilinear), 1000, "bsd-3-clause"},
		{"ResNet50_Weights.IMAGENET1K_V1", "ResNet50_Weights.IMAGENET1K_V1", "resnet50", with(224, 256, bilinear), with(224, 256, bilinear), 1000, "bsd-3-clause"},
		{"ConvNeXt_Tiny_Weights.DEFAULT", "ConvNeXt_Tiny_Weights.IMAGENET1K_V1", "convnext_tiny", with(224, 236, bilinear), with(224, 236, bilinear), 1000, "bsd-3-clause"},
	} {
		got, err := Published(tc.ask)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		want := Recipe{tc.name, tc.arch, tc.config, tc.test, tc.classes, tc.license}
		if got != want {
			t.Errorf("%s:\n%+v, want\n%+v", tc.ask, got, want)
		}
	}
	for _, name := range []string{"", "#", "convnext_tiny.", "convnext_tiny.fb", "timm/", "ResNet50_Weights", "ResNet50_Weights.", "resnet20_cifar", "vit_base_patch16_224", "convnext_tiny.fb_in1k 224"} {
		if r, err := Published(name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%q: %+v, %v, want fs.ErrNotExist", name, r, err)
		}
	}
}
