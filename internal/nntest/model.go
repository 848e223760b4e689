// Package nntest holds models to published goldens and checks what every
// nn.Model must do. It is imported by tests only.
package nntest

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/weights"
)

// Train is the training step of a model golden, as its .json describes it.
type Train struct {
	LabelSmoothing  float64 `json:"label_smoothing"`
	Loss            float64 `json:"loss"`
	LossF64         float64 `json:"loss_f64"`
	TotalNorm       float64 `json:"total_grad_norm_f64"`
	WorstRelativeL2 float64 `json:"grad_max_rel_l2_f32_vs_f64"`

	Norms map[string]struct {
		L2  float64 `json:"l2"`
		Sum float64 `json:"sum"`
		Gap float64 `json:"max_abs_f32_vs_f64"`
	} `json:"grad_f64_norms"`

	// How the reference was made and how exact it is; says nothing about the
	// model.
	MinPreactivation json.RawMessage `json:"relu_min_abs_preactivation_f64"`
	MinPoolGap       json.RawMessage `json:"maxpool_min_top2_gap_f64"`
	AfterGap         float64         `json:"after_max_abs_f32_vs_f64"`
	InputDraw        int             `json:"input_draw"`
	GradKeys         string          `json:"grad_keys"`
}

// Model is a model under test with what its golden is called by.
type Model struct {
	nn.Model
	// Translate renames a source from the golden's names to the model's.
	Translate func(weights.Source) weights.Source
	// Ties says that ReLU inputs of the training step lie so near zero that
	// gradients are compared by direction.
	Ties bool
	// LogitBound is the bound on logits and features relative to the largest,
	// 0 for DATA.md's.
	LogitBound float64
	// Feature says how the model's Walk calls what the golden calls name, ""
	// for what a fused model never holds; nil means the same name.
	Feature func(name string) string
	// Gaps are the features' largest deviations of float32 from float64.
	Gaps map[string]float64
}

// walker is a model that shows what its parts return.
type walker interface {
	Walk(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor
}

// Golden holds m to the golden's logits in evaluation mode and to its training
// step. g's configuration was read by the caller.
func Golden(t *testing.T, g *golden.File, m Model, train Train) {
	load(t, g, m)
	w := g.Tensors(".golden.safetensors")
	for i := 0; w.Has(key("eval", i, "input")); i++ {
		t.Run(key("eval", i), func(t *testing.T) {
			w := w.With(t)
			run := nn.NewRunner(m, nn.NewDevice(nn.DeviceOptions{Threads: 1 + i}))
			logits, err := run.Predict(NHWC(w.Dense(key("eval", i, "input"))))
			if err != nil {
				t.Fatal(err)
			}
			got := logits.Data().([]float32)
			want64, want32 := w.Float64(key("eval", i, "logits_f64")), w.Float32(key("eval", i, "logits"))
			golden.Compare(t, "logits", got, want64, want32)
			if m.LogitBound > 0 {
				golden.CompareWithin(t, "logits", got, want64, m.LogitBound)
			}
			sameUnfolded(t, m, NHWC(w.Dense(key("eval", i, "input"))), got)
			features(t, w, m, key("eval", i))
		})
	}
	if w.Has("train.input") {
		t.Run("train", func(t *testing.T) { trainStep(t, w.With(t), m, train) })
	}
}

// features holds what the parts of m return to the golden's, in a forward pass
// of its own.
func features(t *testing.T, w *golden.Tensors, m Model, prefix string) {
	t.Helper()
	names := w.Names(prefix + ".feat.")
	if len(names) == 0 {
		return
	}
	walk, ok := m.Model.(walker)
	if !ok {
		t.Errorf("%T shows no features", m.Model)
		return
	}
	tape := nn.NewTape(nn.Inference, nil)
	seen := map[string]*nn.Tensor{}
	logits := walk.Walk(tape, tape.Input(NHWC(w.Dense(prefix+".input"))), func(name string, y *nn.Tensor) { seen[name] = y.Keep() })
	if err := tape.Eval(logits); err != nil {
		t.Fatal(err)
	}
	for _, full := range names {
		theirs := strings.TrimPrefix(full, prefix+".feat.")
		ours := theirs
		if m.Feature != nil {
			ours = m.Feature(theirs)
		}
		if ours == "" {
			continue
		}
		y := seen[ours]
		if y == nil {
			t.Errorf("the model shows no %s, the golden's %s", ours, theirs)
			continue
		}
		got, err := y.Floats()
		if err != nil {
			t.Fatal(err)
		}
		if len(y.Shape()) == 4 {
			got = NCHW(got, y.Shape())
		}
		// The golden has float32 values: what their own gap leaves of the bound.
		want := w.Float32(full)
		bound := 1e-5
		if m.LogitBound > 0 {
			bound = m.LogitBound
		}
		largest := 0.0
		for _, v := range want {
			largest = max(largest, math.Abs(float64(v)))
		}
		golden.CompareWithin(t, full, got, want, bound-m.Gaps[theirs]/largest)
	}
	tape.Reset()
}

func key(parts ...any) string {
	var s []string
	for _, p := range parts {
		switch v := p.(type) {
		case string:
			s = append(s, v)
		case int:
			s = append(s, string(rune('0'+v)))
		}
	}
	return strings.Join(s, ".")
}

func load(t *testing.T, g *golden.File, m Model) {
	t.Helper()
	src := weights.Source(g.Tensors(".weights.safetensors").Source())
	if m.Translate != nil {
		src = m.Translate(src)
	}
	if err := nn.Load(m, src, nn.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
}

// sameUnfolded checks that a second, colder run agrees bit for bit.
func sameUnfolded(t *testing.T, m Model, x *tensor.Dense, want []float32) {
	t.Helper()
	again, err := nn.NewRunner(m, nn.NewDevice(nn.DeviceOptions{Threads: 2})).Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.Data().([]float32), want) {
		t.Error("logits depend on the run or on the number of threads")
	}
}

func trainStep(t *testing.T, w *golden.Tensors, m Model, train Train) {
	tape := nn.NewTape(nn.Training, nil)
	labels := make([]int, 0, 8)
	for _, l := range w.Int64("train.labels") {
		labels = append(labels, int(l))
	}
	logits := m.Forward(tape, tape.Input(NHWC(w.Dense("train.input")))).Keep()
	loss := tape.CrossEntropy(logits, nn.Targets{Labels: labels, Smoothing: train.LabelSmoothing})
	if err := tape.Backward(loss); err != nil {
		t.Fatal(err)
	}
	got, _ := logits.Floats()
	golden.Compare(t, "train.logits", got, w.Float64("train.logits_f64"), w.Float32("train.logits"))
	got, _ = loss.Floats()
	golden.Compare(t, "train.loss", got, w.Float64("train.loss_f64"), w.Float32("train.loss"))
	if math.Abs(w.Float64("train.loss_f64")[0]-train.LossF64) > 1e-12 {
		t.Errorf("the golden's loss is %v in one file and %v in the other", w.Float64("train.loss_f64")[0], train.LossF64)
	}

	names := golden2ours(w, m, train)
	seen := map[string]bool{}
	for _, p := range m.Params() {
		theirs := names[p.Name()]
		switch p.Kind() {
		case nn.Statistic:
			after := "train.after." + theirs
			if !w.Has(after) {
				t.Errorf("%s: the golden has no %s", p.Name(), after)
				continue
			}
			v, err := p.Tensor()
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, after, v.Data().([]float32), nil, w.Float32(after))
		case nn.Counter:
			golden.CompareInts(t, p.Name(), []int64{p.Count()}, w.Int64("train.after."+theirs))
		case nn.Learnable:
			norm, ok := train.Norms[theirs]
			if !ok {
				t.Errorf("%s: the golden has no gradient for it", p.Name())
				continue
			}
			seen[theirs] = true
			grad := p.Values(tape.Gradient(p))
			stored := "train.grad." + theirs
			switch {
			case w.Has("train.grad_f64." + theirs):
				golden.CompareGap(t, stored, grad, w.Float64("train.grad_f64."+theirs), norm.Gap)
			case m.Ties && w.Has(stored):
				golden.CompareDirection(t, stored, grad, w.Float32(stored), 1e-2)
			case m.Ties:
				compareL2(t, stored, grad, norm.L2, 1e-2)
			case w.Has(stored):
				golden.Compare(t, stored, grad, nil, w.Float32(stored))
				golden.CompareNorm(t, stored, grad, norm.L2, norm.Gap)
			default:
				golden.CompareNorm(t, stored, grad, norm.L2, norm.Gap)
			}
		}
	}
	for name := range train.Norms {
		if !seen[name] {
			t.Errorf("gradient %s was not compared", name)
		}
	}
	tape.Reset()
}

func compareL2(t *testing.T, name string, got []float32, want, relative float64) {
	t.Helper()
	var sum float64
	for _, v := range got {
		sum += float64(v) * float64(v)
	}
	if d := math.Abs(math.Sqrt(sum) - want); !(d <= relative*want) {
		t.Errorf("%s: norm %v, want %v within %v of it", name, math.Sqrt(sum), want, relative)
	}
}

// golden2ours maps our parameter names to the golden's.
func golden2ours(w *golden.Tensors, m Model, train Train) map[string]string {
	all := weights.NewMap() // all at once: a dialect is told from all names
	add := func(theirs string) {
		all.Set(theirs, tensor.New(tensor.WithShape(1), tensor.WithBacking([]float32{0})))
	}
	for theirs := range train.Norms {
		add(theirs)
	}
	for _, after := range w.Names("train.after.") {
		add(strings.TrimPrefix(after, "train.after."))
	}
	ours := weights.Source(all)
	if m.Translate != nil {
		ours = m.Translate(all)
	}
	names := map[string]string{}
	for i, name := range ours.Names() {
		names[name] = all.Names()[i]
	}
	return names
}

// NHWC returns a copy of a PyTorch tensor [N,C,H,W] as [N,H,W,C].
func NHWC(x *tensor.Dense) *tensor.Dense {
	s := x.Shape()
	n, c, h, w := s[0], s[1], s[2], s[3]
	src, dst := x.Data().([]float32), make([]float32, n*c*h*w)
	i := 0
	for a := range n {
		for b := range c {
			for p := range h * w {
				dst[(a*h*w+p)*c+b] = src[i]
				i++
			}
		}
	}
	return tensor.New(tensor.WithShape(n, h, w, c), tensor.WithBacking(dst))
}

// NCHW returns values [N,H,W,C] in PyTorch's order.
func NCHW(x []float32, shape []int) []float32 {
	n, h, w, c := shape[0], shape[1], shape[2], shape[3]
	dst := make([]float32, len(x))
	i := 0
	for a := range n {
		for b := range c {
			for p := range h * w {
				dst[i] = x[(a*h*w+p)*c+b]
				i++
			}
		}
	}
	return dst
}
