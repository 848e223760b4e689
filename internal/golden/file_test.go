package golden

import (
	"bytes"
	"compress/gzip"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/weights"
)

func TestUnknownConfigurationKeyFails(t *testing.T) {
	type config struct {
		LR    float64 `json:"lr"`
		Inner struct {
			Groups int `json:"groups"`
		} `json:"inner"`
	}
	path := filepath.Join(t.TempDir(), "g.json")
	for _, c := range []struct {
		text    string
		remarks []string
		fails   string // what the failure names; "" for none
	}{
		{`{"lr":0.1,"inner":{"groups":2}}`, nil, ""},
		{`{"lr":0.1}`, nil, ""},
		{`{"lr":0.1,"nesterov":true}`, nil, "nesterov"},
		{`{"lr":0.1,"inner":{"groups":2,"dilation":2}}`, nil, "dilation"},
		{`{"lr":0.1,"inner":{"note":"x"}}`, Remarks, "note"},
		{`{"lr":0.1,"note":"x","seed":3}`, Remarks, ""},
		{`{"lr":0.1,"note":"x"}`, nil, "note"},
		{`{"lr":"0.1"}`, nil, "lr"},
		{`{"lr":0.1}{}`, nil, "follows"},
		{`{"lr":`, nil, "EOF"},
	} {
		write(t, path, c.text)
		var cfg config
		_, failed := run(t, func(t testing.TB) { Open(t, path).Config(&cfg, c.remarks...) })
		if (failed == "") != (c.fails == "") || !strings.Contains(failed, c.fails) {
			t.Errorf("%s without %q: failed %q, want %q", c.text, c.remarks, failed, c.fails)
		}
		if c.fails == "" && cfg.LR != 0.1 {
			t.Errorf("%s decodes to %+v", c.text, cfg)
		}
	}
	write(t, path, `{"lr":0.1,"nesterov":true}`)
	var cfg config
	if _, failed := run(t, func(t testing.TB) { Open(t, path).Loose(&cfg) }); failed != "" || cfg.LR != 0.1 {
		t.Errorf("Loose: %+v, failed %q", cfg, failed)
	}
}

func TestCompressedJSONReads(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(`{"lr":1}`))
	z.Close()
	path := filepath.Join(t.TempDir(), "archs.json.gz")
	write(t, path, b.String())
	g := Open(t, path)
	var cfg struct{ LR int }
	if g.Config(&cfg); cfg.LR != 1 || g.Name() != "archs" {
		t.Errorf("%+v, name %q", cfg, g.Name())
	}
	write(t, path, `{"lr":1}`)
	if _, failed := run(t, func(t testing.TB) { Open(t, path) }); !strings.Contains(failed, "archs.json.gz") {
		t.Errorf("not compressed: failed %q", failed)
	}
}

func TestNumberReadsWhatJSONCannot(t *testing.T) {
	path := filepath.Join(t.TempDir(), "n.json")
	write(t, path, `[1.5,null,"NaN","inf","-inf"]`)
	var n []Number
	Open(t, path).Config(&n)
	if len(n) != 5 || n[0] != 1.5 || n[1] == n[1] || n[2] == n[2] || !math.IsInf(float64(n[3]), 1) || !math.IsInf(float64(n[4]), -1) {
		t.Errorf("%v", n)
	}
}

func TestTensorsReadAsAskedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "g.json")
	write(t, path, `{}`)
	m := weights.NewMap()
	set := func(name string, data any, shape ...int) {
		m.Set(name, tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data)))
	}
	set("f32", []float32{1, 2, 3, 4}, 2, 2)
	set("f64", []float64{0.1}, 1)
	set("loss", []float64{0.5})
	set("steps", []int64{7})
	set("tokens", []int32{1, -2}, 2)
	set("pixels", []uint8{0, 255}, 2)
	set("mask", []bool{true, false}, 2)
	if err := weights.Write(filepath.Join(filepath.Dir(path), "g.golden.safetensors"), m, nil); err != nil {
		t.Fatal(err)
	}
	g := Open(t, path)
	if got := g.Suffixes(); !slices.Equal(got, []string{".golden.safetensors"}) {
		t.Errorf("suffixes %q", got)
	}
	w := g.Tensors(".golden.safetensors")
	for _, c := range []struct{ got, want any }{
		{w.Float32("f32"), []float32{1, 2, 3, 4}},
		{w.Shape("f32"), []int{2, 2}},
		{w.Float64("f32"), []float64{1, 2, 3, 4}},
		{w.Float64("f64"), []float64{0.1}},
		{w.Float64("loss"), []float64{0.5}},
		{w.Shape("loss"), []int{}},
		{w.Int64("steps"), []int64{7}},
		{w.Int64("tokens"), []int64{1, -2}},
		{w.Int64("pixels"), []int64{0, 255}},
		{w.Int64("mask"), []int64{1, 0}},
		{w.Uint8("pixels"), []uint8{0, 255}},
		{w.Names("f"), []string{"f64", "f32"}},
		{w.Has("f32"), true},
		{w.Has("f16"), false},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("read %v, want %v", c.got, c.want)
		}
	}
	for name, f := range map[string]func(w *Tensors){
		"a missing tensor":       func(w *Tensors) { w.Float32("absent") },
		"float64 as float32":     func(w *Tensors) { w.Float32("f64") },
		"whole numbers as float": func(w *Tensors) { w.Float64("steps") },
		"floats as whole":        func(w *Tensors) { w.Int64("f32") },
		"int32 as bytes":         func(w *Tensors) { w.Uint8("tokens") },
	} {
		if _, failed := run(t, func(t testing.TB) { f(w.With(t)) }); failed == "" {
			t.Errorf("%s: no failure", name)
		}
	}
	if _, failed := run(t, func(t testing.TB) { g.With(t).Tensors(".weights.safetensors") }); !strings.Contains(failed, "g.weights.safetensors") {
		t.Errorf("no such file: failed %q", failed)
	}
}
