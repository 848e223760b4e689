package nn_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"gorgonia.org/tensor"

	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
)

// operation is one entry of ops.json. Numbers may be written as strings.
type operation struct {
	Name     string      `json:"name"`
	Op       string      `json:"op"`
	Stride   json.Number `json:"stride"`
	Padding  json.Number `json:"padding"`
	Dilation json.Number `json:"dilation"`
	Groups   json.Number `json:"groups"`
}

func TestOperationsMatchGolden(t *testing.T) {
	golden.Each(t, "models/ops*.json", operations)
}

// operations runs all entries of one file like ops.json.
func operations(t *testing.T, g *golden.File) {
	var c struct {
		Ops []json.RawMessage `json:"ops"`
	}
	g.Config(&c, golden.Remarks...)
	if len(c.Ops) == 0 {
		t.Fatal("no operations listed")
	}
	w := g.Tensors(".safetensors")
	for i, text := range c.Ops {
		var head struct{ Name, Op string }
		if err := json.Unmarshal(text, &head); err != nil || head.Name == "" {
			t.Fatalf("entry %d: %s", i, text)
		}
		t.Run(head.Name, func(t *testing.T) {
			word, _, _ := strings.Cut(head.Op, " ")
			run := map[string]func(*testing.T, *entry){
				"conv2d": convolution, "gelu": activation, "quickgelu": activation, "x*sigmoid(1.702x)": activation,
				"silu": activation, "relu": activation, "sigmoid": activation,
				"max_pool2d": pool, "avg_pool2d": pool, "adaptive_avg_pool2d": pool,
				"softmax": rowwise, "x/||x||": rowwise, "layer_norm": layerNorm,
				"BatchNorm2d": batchNorm, "MultiheadAttention": attention, "linear": linear,
			}[word]
			if run == nil {
				t.Skipf("operation %q is not built", head.Op)
			}
			e := &entry{t: t, w: w.With(t), used: map[string]bool{}}
			g.With(t).Strict(text, &e.operation)
			run(t, e)
			e.done()
		})
	}
}

// entry is an operation under test.
type entry struct {
	operation
	t    *testing.T
	w    *golden.Tensors
	used map[string]bool
	dev  *nn.Device
	tape *nn.Tape
	x, y *nn.Tensor
}

func (e *entry) has(field string) bool { return e.w.Has(e.Name + "." + field) }

func (e *entry) dense(field string) *tensor.Dense {
	e.used[field] = true
	return e.w.Dense(e.Name + "." + field)
}

func (e *entry) floats(field string) []float32 {
	e.used[field] = true
	return e.w.Float32(e.Name + "." + field)
}

func (e *entry) int(n json.Number, otherwise int) int {
	if n == "" {
		return otherwise
	}
	v, err := strconv.Atoi(string(n))
	if err != nil {
		e.t.Fatalf("%q is not a whole number", n)
	}
	return v
}

// numbered is a word with its number: k3, eps1e-6, heads=2.
var numbered = regexp.MustCompile(`^([A-Za-z_]+)=?([0-9][0-9.e+-]*)$`)

// words are what follows the name of the operation, each of which must be
// taken by the test; text in parentheses explains.
func (e *entry) words() map[string]string {
	text := e.Op
	if i := strings.IndexByte(text, '('); i >= 0 && strings.HasSuffix(text, ")") && strings.Contains(text[:i], " ") {
		switch remark := text[i:]; remark {
		case "(floor)", "(running_var uses unbiased variance)", "(L,N,E)":
			text = text[:i]
		default:
			e.t.Fatalf("unknown remark %s", remark)
		}
	}
	words := map[string]string{}
	for _, w := range strings.Fields(text)[1:] {
		w = strings.TrimSuffix(w, ",")
		if part := numbered.FindStringSubmatch(w); part != nil {
			words[part[1]] = part[2]
		} else {
			words[w] = ""
		}
	}
	return words
}

// number takes a word with a number from words.
func (e *entry) number(words map[string]string, name string, otherwise float64) float64 {
	text, ok := words[name]
	delete(words, name)
	if !ok {
		return otherwise
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		e.t.Fatalf("%s in %q: %v", name, e.Op, err)
	}
	return v
}

func (e *entry) none(words map[string]string) {
	if len(words) > 0 {
		e.t.Fatalf("%q: what does %v mean?", e.Op, words)
	}
}

// plain fails if the entry has the keys of a convolution.
func (e *entry) plain() {
	if e.Stride != "" || e.Padding != "" || e.Dilation != "" || e.Groups != "" {
		e.t.Fatalf("keys of a convolution in %+v", e.operation)
	}
}

// image reads a tensor as [N,H,W,C] if it has four axes.
func (e *entry) image(field string) *tensor.Dense {
	d := e.dense(field)
	if d.Dims() == 4 {
		return nntest.NHWC(d)
	}
	return d
}

// step runs the operation forward, and backward from the stored gradient, and
// compares values, input gradient and parameter gradients, which are given by
// the golden's names.
func (e *entry) step(m *layer, grads map[string]string) {
	t := e.t
	t.Helper()
	e.dev = nn.NewDevice(nn.DeviceOptions{})
	e.tape = nn.NewTape(nn.Training, e.dev)
	e.x = e.tape.Input(e.image("x")).WantGradient()
	e.y = m.Forward(e.tape, e.x).Keep()
	gy := e.dense("gy")
	if gy.Dims() == 4 && len(e.y.Shape()) == 4 {
		gy = nntest.NHWC(gy)
	}
	if err := e.tape.Backward(e.tape.Dot(e.y, gy.Data().([]float32))); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, "y", chw(floats(t, e.y), e.y), nil, e.floats("y"))
	golden.Compare(t, "gx", chw(e.x.Gradient(), e.x), nil, e.floats("gx"))
	for name, field := range grads {
		p := m.param(name)
		golden.Compare(t, field, p.Values(e.tape.Gradient(p)), nil, e.floats(field))
	}

	if e.kindOf() != "BatchNorm2d" { // whose inference is another function
		eval := nn.NewTape(nn.Inference, e.dev)
		y := m.Forward(eval, eval.Input(e.image("x")))
		golden.Compare(t, "y in inference", chw(floats(t, y), y), nil, e.floats("y"))
		eval.Reset()
	}
	e.tape.Reset()
	noLeak(t, e.dev)
}

func (e *entry) kindOf() string { word, _, _ := strings.Cut(e.Op, " "); return word }

// chw is a value in PyTorch's order.
func chw(v []float32, x *nn.Tensor) []float32 {
	if len(x.Shape()) == 4 && v != nil {
		return nntest.NCHW(v, x.Shape())
	}
	return v
}

// done fails if the golden holds something that was not compared.
func (e *entry) done() {
	for _, name := range e.w.Names(e.Name + ".") {
		if field := strings.TrimPrefix(name, e.Name+"."); !e.used[field] {
			e.t.Errorf("%s was not used", name)
		}
	}
}

func (e *entry) load(m *layer, names map[string]string) {
	e.t.Helper()
	src := map[string]*tensor.Dense{}
	for name, field := range names {
		src[name] = e.dense(field)
	}
	if err := nn.Load(m, source(src), nn.LoadOptions{}); err != nil {
		e.t.Fatal(err)
	}
}

func convolution(t *testing.T, e *entry) {
	e.none(e.words())
	groups := e.int(e.Groups, 1)
	w := e.w.Shape(e.Name + ".w")
	s := nn.NewScope()
	conv := nn.NewConv(s, nn.ConvConfig{
		In: w[1] * groups, Out: w[0], Kernel: [2]int{w[2], w[3]}, Groups: groups, Bias: e.has("b"),
		Stride: e.int(e.Stride, 1), Padding: e.int(e.Padding, 0), Dilation: e.int(e.Dilation, 1),
	})
	m := newLayer(s, func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return conv.Forward(t, x, nn.Epilogue{}) })
	names, grads := map[string]string{"weight": "w"}, map[string]string{"weight": "gw"}
	if e.has("b") {
		names["bias"], grads["bias"] = "b", "gb"
	}
	e.load(m, names)
	e.step(m, grads)
}

func linear(t *testing.T, e *entry) {
	e.none(e.words())
	e.plain()
	w := e.w.Shape(e.Name + ".w")
	s := nn.NewScope()
	l := nn.NewLinear(s, nn.LinearConfig{In: w[1], Out: w[0], NoBias: !e.has("b")})
	m := newLayer(s, func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return l.Forward(t, x, nn.Epilogue{}) })
	names, grads := map[string]string{"weight": "w"}, map[string]string{"weight": "gw"}
	if e.has("b") {
		names["bias"], grads["bias"] = "b", "gb"
	}
	e.load(m, names)
	e.step(m, grads)
}

func activation(t *testing.T, e *entry) {
	e.plain()
	act, ok := map[string]nn.Activation{
		"gelu": nn.GELU, "gelu exact erf": nn.GELU, "gelu erf": nn.GELU, "gelu tanh": nn.GELUTanh, "quickgelu": nn.QuickGELU,
		"x*sigmoid(1.702x)": nn.QuickGELU, "silu": nn.SiLU, "relu": nn.ReLU, "sigmoid": nn.Sigmoid,
	}[e.Op]
	if !ok {
		t.Skipf("activation %q is not built", e.Op)
	}
	e.step(&layer{forward: func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Activate(x, act) }}, nil)
}

func pool(t *testing.T, e *entry) {
	e.plain()
	words := e.words()
	if e.kindOf() == "adaptive_avg_pool2d" {
		if _, ok := words["1x1"]; !ok || len(words) != 1 {
			t.Skipf("%q is not built", e.Op)
		}
		e.step(&layer{forward: func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.GlobalPool(x) }}, nil)
		return
	}
	size := e.number(words, "k", 0)
	w := nn.Window{Size: int(size), Stride: int(e.number(words, "s", size)), Padding: int(e.number(words, "p", 0))}
	e.none(words)
	max := e.kindOf() == "max_pool2d"
	e.step(&layer{forward: func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
		if max {
			return t.MaxPool(x, w)
		}
		return t.AvgPool(x, w, true)
	}}, nil)
}

func rowwise(t *testing.T, e *entry) {
	e.plain()
	switch e.Op {
	case "softmax dim -1":
		e.step(&layer{forward: func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Softmax(x) }}, nil)
	case "x/||x||":
		e.step(&layer{forward: func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Normalize(x) }}, nil)
	default:
		t.Skipf("%q is not built", e.Op)
	}
}

func layerNorm(t *testing.T, e *entry) {
	e.plain()
	words := e.words()
	eps := e.number(words, "eps", 1e-5)
	e.none(words)
	s := nn.NewScope()
	l := nn.NewLayerNorm(s, e.w.Shape(e.Name + ".w")[0], eps)
	m := newLayer(s, l.Forward)
	e.load(m, map[string]string{"weight": "w", "bias": "b"})
	e.step(m, map[string]string{"weight": "gw", "bias": "gb"})
}

func batchNorm(t *testing.T, e *entry) {
	e.plain()
	words := e.words()
	cfg := nn.BatchNormConfig{Channels: e.w.Shape(e.Name + ".w")[0],
		Epsilon: e.number(words, "eps", 1e-5), Momentum: e.number(words, "momentum", 0.1)}
	if fmt.Sprint(words) != "map[mode: train:]" {
		t.Skipf("%q is not built", e.Op)
	}
	s := nn.NewScope()
	l := nn.NewBatchNorm(s, cfg)
	m := newLayer(s, func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return l.Forward(t, x, nn.Identity) })
	e.load(m, map[string]string{"weight": "w", "bias": "b", "running_mean": "running_mean0", "running_var": "running_var0"})
	e.step(m, map[string]string{"weight": "gw", "bias": "gb"})
	golden.Compare(t, "running_mean1", l.Mean.Data(), nil, e.floats("running_mean1"))
	golden.Compare(t, "running_var1", l.Var.Data(), nil, e.floats("running_var1"))
	if l.Batches.Count() != 1 {
		t.Errorf("%d batches counted, want 1", l.Batches.Count())
	}
	tape := nn.NewTape(nn.Inference, e.dev)
	y := m.Forward(tape, tape.Input(e.image("x")))
	golden.Compare(t, "y_eval_after", chw(floats(t, y), y), nil, e.floats("y_eval_after"))
	tape.Reset()

	// Folded into a convolution that changes nothing.
	c := nn.NewConv(nn.NewScope(), nn.ConvConfig{In: cfg.Channels, Out: cfg.Channels, Kernel: nn.Square(1), Init: identity})
	fold := &layer{params: []*nn.Param{c.Weight}, forward: func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
		return c.Forward(t, x, nn.Epilogue{Norm: l})
	}}
	nn.Initialize(fold, 1)
	y = fold.Forward(tape, tape.Input(e.image("x")))
	golden.Compare(t, "y_eval_after, folded", chw(floats(t, y), y), nil, e.floats("y_eval_after"))
	tape.Reset()
	noLeak(t, e.dev)
}

func attention(t *testing.T, e *entry) {
	e.plain()
	words := e.words()
	channels, heads := int(e.number(words, "E", 0)), int(e.number(words, "heads", 0))
	_, causal := words["causal"]
	for _, w := range []string{"causal", "mask", "layout"} {
		delete(words, w)
	}
	e.none(words)
	s := nn.NewScope()
	l := nn.NewAttention(s, channels, heads, causal)
	m := newLayer(s, l.Forward)
	e.load(m, map[string]string{"in_proj_weight": "in_w", "in_proj_bias": "in_b", "out_proj.weight": "out_w", "out_proj.bias": "out_b"})
	lne := strings.HasSuffix(e.Op, "(L,N,E)")

	dev := nn.NewDevice(nn.DeviceOptions{})
	tape := nn.NewTape(nn.Training, dev)
	in, gy := e.dense("x"), e.dense("gy")
	if lne {
		in, gy = swap(in), swap(gy)
	}
	x := tape.Input(in).WantGradient()
	y := l.Forward(tape, x).Keep()
	if err := tape.Backward(tape.Dot(y, gy.Data().([]float32))); err != nil {
		t.Fatal(err)
	}
	order := func(v []float32, like *tensor.Dense) []float32 {
		if lne {
			return swap(tensor.New(tensor.WithShape(like.Shape().Clone()...), tensor.WithBacking(v))).Data().([]float32)
		}
		return v
	}
	golden.Compare(t, "y", order(floats(t, y), in), nil, e.floats("y"))
	golden.Compare(t, "gx", order(x.Gradient(), in), nil, e.floats("gx"))
	for name, field := range map[string]string{"in_proj_weight": "g_in_w", "in_proj_bias": "g_in_b", "out_proj.weight": "g_out_w", "out_proj.bias": "g_out_b"} {
		p := m.param(name)
		if e.has(field) {
			golden.Compare(t, field, p.Values(tape.Gradient(p)), nil, e.floats(field))
		}
	}
	tape.Reset()
	eval := nn.NewTape(nn.Inference, dev)
	golden.Compare(t, "y in inference", order(floats(t, l.Forward(eval, eval.Input(in))), in), nil, e.floats("y"))
	eval.Reset()
	noLeak(t, dev)
}

// swap exchanges the first two axes of a tensor of three.
func swap(x *tensor.Dense) *tensor.Dense {
	a, b, c := x.Shape()[0], x.Shape()[1], x.Shape()[2]
	src, dst := x.Data().([]float32), make([]float32, a*b*c)
	for i := range a {
		for j := range b {
			copy(dst[(j*a+i)*c:][:c], src[(i*b+j)*c:][:c])
		}
	}
	return tensor.New(tensor.WithShape(b, a, c), tensor.WithBacking(dst))
}

// identity is the weight of a 1x1 convolution that changes nothing.
func identity(_ *rand.Rand, shape []int, dst []float32) {
	for i := range shape[0] {
		dst[i*shape[1]+i] = 1
	}
}
