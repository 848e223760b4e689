package train_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/convnext"
	"github.com/winnow-go/winnow/ema"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/resnet"
	"github.com/winnow-go/winnow/train"
	"github.com/winnow-go/winnow/weights"
)

// bag is a model that is nothing but parameters.
type bag []*nn.Param

func (b bag) Params() []*nn.Param                         { return b }
func (b bag) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }

// newBag returns a model with the golden's tensors whose names begin with
// prefix.
func newBag(t *testing.T, w *golden.Tensors, prefix string) bag {
	s, src := nn.NewScope(), weights.NewMap()
	for _, name := range w.Names(prefix) {
		short := strings.TrimPrefix(name, prefix)
		if len(w.Shape(name)) == 0 {
			continue
		}
		s.Param(short, nn.Zeros, w.Shape(name)...)
		src.Set(short, w.Dense(name))
	}
	b := bag(s.Params())
	if err := nn.Load(b, src, nn.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	return b
}

func values(t *testing.T, p *nn.Param) []float32 {
	t.Helper()
	v, err := p.Tensor()
	if err != nil {
		t.Fatal(err)
	}
	return v.Data().([]float32)
}

// optimizerConfig is a golden of 20 steps on given gradients.
type optimizerConfig struct {
	Optimizer   string          `json:"optimizer"`
	LR          float64         `json:"lr"`
	LRs         []float64       `json:"lrs"`
	Momentum    float64         `json:"momentum"`
	Nesterov    bool            `json:"nesterov"`
	Dampening   float64         `json:"dampening"`
	Betas       [2]float64      `json:"betas"`
	Epsilon     float64         `json:"eps"`
	WeightDecay json.RawMessage `json:"weight_decay"`
	PerParam    []float64       `json:"weight_decay_per_param"`
	Steps       int             `json:"steps"`
	Clip        float64         `json:"clip_grad_norm"`
}

func TestOptimizersMatchGolden(t *testing.T) {
	golden.Each(t, "optim/*.json", func(t *testing.T, g *golden.File) {
		if g.Name() == "lr_cosine_warmup" {
			t.Skip("a schedule, checked by TestSchedulesMatchGolden")
		}
		var kind struct{ Optimizer string }
		g.Loose(&kind)
		if kind.Optimizer == "" {
			t.Skip("no optimizer")
		}
		if kind.Optimizer != "SGD" && kind.Optimizer != "AdamW" {
			t.Skipf("optimizer %q is not built yet", kind.Optimizer)
		}
		var c optimizerConfig
		g.Config(&c, golden.Remarks...)
		if c.Dampening != 0 {
			t.Fatalf("dampening %v", c.Dampening)
		}
		w := g.Tensors(".safetensors")
		m := newBag(t, w, "init.")
		decay := 0.0
		decays := func(*nn.Param) bool { return true }
		if c.PerParam != nil {
			decay = slices.Max(c.PerParam)
			decays = func(p *nn.Param) bool {
				d := c.PerParam[slices.Index(m, p)]
				if d != 0 && d != decay {
					t.Fatalf("weight decays %v", c.PerParam)
				}
				return d != 0
			}
		} else if err := json.Unmarshal(c.WeightDecay, &decay); err != nil {
			t.Fatal(err)
		}
		var o train.Optimizer = &train.SGD{Momentum: c.Momentum, Nesterov: c.Nesterov, WeightDecay: decay, Decay: decays}
		if c.Optimizer == "AdamW" {
			o = &train.AdamW{Beta1: c.Betas[0], Beta2: c.Betas[1], Epsilon: c.Epsilon, WeightDecay: decay, Decay: decays}
		}
		for step := range c.Steps {
			lr := c.LR
			if c.LRs != nil {
				lr = c.LRs[step]
			}
			var updates []train.Update
			sum := 0.0
			for _, p := range m {
				grad := w.Float32(fmt.Sprintf("grad.step%02d.%s", step, p.Name()))
				updates = append(updates, train.Update{Param: p, Gradient: grad})
				for _, v := range grad {
					sum += float64(v) * float64(v)
				}
			}
			scale := 1.0
			if c.Clip > 0 {
				scale = min(1, c.Clip/(math.Sqrt(sum)+1e-6))
			}
			if err := o.Step(updates, lr, scale); err != nil {
				t.Fatal(err)
			}
			for _, p := range m {
				key := fmt.Sprintf("step%02d.%s", step, p.Name())
				golden.Compare(t, key, values(t, p), w.Float64("f64."+key), w.Float32("f32."+key))
			}
		}
	})
}

func TestAverageMatchesGolden(t *testing.T) {
	golden.Each(t, "optim/ema.json", func(t *testing.T, g *golden.File) {
		var c struct {
			Decay       float64         `json:"decay"`
			Torchvision json.RawMessage `json:"torchvision_decay_adjustment"` // of the form that is not built yet
		}
		g.Config(&c, golden.Remarks...)
		w := g.Tensors(".safetensors")
		m := newBag(t, w, "model.init.")
		avg := &ema.Average{Decay: c.Decay, Warmup: -1}
		if err := avg.Start(m); err != nil {
			t.Fatal(err)
		}
		step := 0
		for ; len(w.Names(fmt.Sprintf("model.step%02d.", step))) > 0; step++ {
			next := newBag(t, w, fmt.Sprintf("model.step%02d.", step))
			for i, p := range m {
				copy(p.Data(), next[i].Data())
			}
			if err := avg.Update(m); err != nil {
				t.Fatal(err)
			}
			for _, p := range m {
				v, err := avg.Tensor(p.Name())
				if err != nil {
					t.Fatal(err)
				}
				want := w.Float64(fmt.Sprintf("plain_ema_f64.step%02d.%s", step, p.Name()))
				golden.Compare(t, fmt.Sprintf("step%02d.%s", step, p.Name()), v.Data().([]float32), want, nil)
			}
		}
		if step < 2 {
			t.Fatalf("%d steps", step)
		}
	})
}

func TestSchedulesMatchGolden(t *testing.T) {
	golden.Each(t, "optim/lr_cosine_warmup.json", func(t *testing.T, g *golden.File) {
		var entries []struct {
			Total       int       `json:"total"`
			Warmup      int       `json:"warmup"`
			Base        float64   `json:"base_lr"`
			Min         float64   `json:"eta_min"`
			StartFactor float64   `json:"start_factor"`
			Torch       []float64 `json:"torch"`
			ClosedForm  []float64 `json:"closed_form"`
			MaxDiff     float64   `json:"max_abs_diff"`
		}
		g.Config(&entries)
		for _, e := range entries {
			t.Run(fmt.Sprintf("total=%d,warmup=%d", e.Total, e.Warmup), func(t *testing.T) {
				c := train.Cosine{Peak: e.Base, Min: e.Min, WarmupSteps: e.Warmup, StartFactor: e.StartFactor}
				for i, want := range e.Torch {
					if got := c.Rate(i, e.Total); math.Abs(got-want) > 1e-12*e.Base {
						t.Errorf("step %d: %v, want %v", i, got, want)
					}
				}
			})
		}
	})
}

// trajectory is a golden of 20 training steps on real images.
type trajectory struct {
	Model struct {
		Family  string `json:"family"`
		Names   string `json:"names"`
		Dims    []int  `json:"dims"`
		Depths  []int  `json:"depths"`
		N       int    `json:"n"`
		Classes int    `json:"num_classes"`
	} `json:"model"`
	Opt struct {
		Name        string     `json:"name"`
		Momentum    float64    `json:"momentum"`
		Nesterov    bool       `json:"nesterov"`
		Betas       [2]float64 `json:"betas"`
		Epsilon     float64    `json:"eps"`
		WeightDecay float64    `json:"weight_decay"`
		NoDecay1D   bool       `json:"no_decay_1d"`
	} `json:"opt"`
	Data      string     `json:"data"`
	Eval      string     `json:"eval"`
	Mean      [3]float32 `json:"mean"`
	Std       [3]float32 `json:"std"`
	Steps     int        `json:"steps"`
	Batch     int        `json:"batch"`
	Offset    int        `json:"offset"`
	LR        []float64  `json:"lr"`
	Warmup    int        `json:"warmup_steps"`
	Start     float64    `json:"start_factor"`
	Min       float64    `json:"eta_min"`
	Smoothing float64    `json:"label_smoothing"`
	EMADecay  float64    `json:"ema_decay"`
	Clip      float64    `json:"clip_grad_norm"`
	F32       record     `json:"f32"`
	F64       record     `json:"f64"`
	LossGap   float64    `json:"max_rel_loss_gap_f32_f64"`
	LogitGap  float64    `json:"max_abs_logit_gap_f32_f64"`
}

type record struct {
	Loss []float64 `json:"loss"`
	Norm []float64 `json:"grad_norm_before_clip"`
}

func TestTrajectoriesMatchGolden(t *testing.T) {
	golden.Each(t, "train/*.json", func(t *testing.T, g *golden.File) {
		var kind struct {
			Model *struct{ Family string }
		}
		g.Loose(&kind)
		if kind.Model == nil {
			t.Skip("figures of whole trainings, not a trajectory")
		}
		var c trajectory
		g.Config(&c, append(slices.Clone(golden.Remarks), "arch", "optimizer", "ema", "keep_mid")...)
		var (
			m         nn.Model
			translate func(weights.Source) weights.Source
			bound     float64 // on losses, as the project states it
			direction float64 // on gradients, relative: DATA.md's for ResNets, whose ReLUs sit on ties
			err       error
		)
		switch {
		case c.Model.Family == "resnet_cifar" && c.Model.Names == "akamaster":
			cfg, _ := resnet.Preset("resnet8_cifar", c.Model.Classes)
			cfg.Layers = []int{c.Model.N, c.Model.N, c.Model.N}
			m, err = resnet.New(cfg)
			translate, bound, direction = resnet.Translate, 2e-3, 1e-2
		case c.Model.Family == "convnext" && c.Model.Names == "torchvision":
			m, err = convnext.New(convnext.Config{Dims: c.Model.Dims, Depths: c.Model.Depths, Classes: c.Model.Classes})
			translate, bound, direction = convnext.Translate, 1e-4, 1e-4
		default:
			t.Skipf("family %q with names of %q is not built yet", c.Model.Family, c.Model.Names)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := nn.Load(m, translate(g.Tensors(".init.safetensors").Source()), nn.LoadOptions{}); err != nil {
			t.Fatal(err)
		}
		decays := train.DecayAll
		if c.Opt.NoDecay1D {
			decays = train.DecayMatrices
		}
		var o train.Optimizer
		switch c.Opt.Name {
		case "sgd":
			o = &train.SGD{Momentum: c.Opt.Momentum, Nesterov: c.Opt.Nesterov, WeightDecay: c.Opt.WeightDecay, Decay: decays}
		case "adamw":
			o = &train.AdamW{Beta1: c.Opt.Betas[0], Beta2: c.Opt.Betas[1], Epsilon: c.Opt.Epsilon, WeightDecay: c.Opt.WeightDecay, Decay: decays}
		default:
			t.Skipf("optimizer %q is not built yet", c.Opt.Name)
		}
		avg := &ema.Average{Decay: c.EMADecay, Warmup: -1}
		s, err := train.NewStepper(m, train.StepOptions{Optimizer: o, ClipNorm: c.Clip, Smoothing: c.Smoothing, Average: avg})
		if err != nil {
			t.Fatal(err)
		}
		schedule := train.Cosine{Peak: slices.Max(c.LR), Min: c.Min, WarmupSteps: c.Warmup, StartFactor: c.Start}
		rows := readRows(t, golden.Data(t, c.Data), c.Offset+c.Steps*c.Batch)
		for i := range c.Steps {
			if got := schedule.Rate(i, c.Steps); math.Abs(got-c.LR[i]) > 1e-12 {
				t.Fatalf("step %d: learning rate %v, want %v", i, got, c.LR[i])
			}
			x, labels := batch(rows[c.Offset+i*c.Batch:][:c.Batch], c.Mean, c.Std)
			loss, norm, err := s.Step(x, nn.Targets{Labels: labels}, c.LR[i])
			if err != nil {
				t.Fatal(err)
			}
			if d := math.Abs(loss - c.F64.Loss[i]); !(d <= bound) {
				t.Errorf("step %d: loss %v, want %v within %v", i, loss, c.F64.Loss[i], bound)
			}
			allowed := max(4*math.Abs(c.F32.Norm[i]-c.F64.Norm[i]), direction*c.F64.Norm[i])
			if d := math.Abs(norm - c.F64.Norm[i]); !(d <= allowed) {
				t.Errorf("step %d: gradient norm %v, want %v within %v", i, norm, c.F64.Norm[i], allowed)
			}
		}
		w := g.Tensors(".golden.safetensors")
		x, _ := batch(readRows(t, golden.Data(t, c.Eval), 64), c.Mean, c.Std)
		check := func(name string) {
			logits, err := nn.NewRunner(m, nil).Predict(x)
			if err != nil {
				t.Fatal(err)
			}
			golden.Compare(t, name, logits.Data().([]float32), w.Float64("f64."+name), w.Float32("f32."+name))
		}
		check("eval_logits_test0-63")
		if err := avg.Swap(); err != nil {
			t.Fatal(err)
		}
		check("ema_eval_logits_test0-63")
	})
}

// readRows reads the first n rows of a CIFAR-10 file: a label and 3072 bytes in
// planes.
func readRows(t *testing.T, path string, n int) [][]byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if strings.HasSuffix(path, ".gz") {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	rows := make([][]byte, n)
	for i := range rows {
		rows[i] = make([]byte, 3073)
		if _, err := io.ReadFull(r, rows[i]); err != nil {
			t.Fatal(err)
		}
	}
	return rows
}

func batch(rows [][]byte, mean, std [3]float32) (*tensor.Dense, []int) {
	x := make([]float32, 0, len(rows)*3072)
	labels := make([]int, len(rows))
	for i, row := range rows {
		labels[i] = int(row[0])
		for p := range 1024 {
			for c := range 3 {
				x = append(x, (float32(row[1+c*1024+p])/255-mean[c])/std[c])
			}
		}
	}
	return tensor.New(tensor.WithShape(len(rows), 32, 32, 3), tensor.WithBacking(x)), labels
}
