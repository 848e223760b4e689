package clip_test

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/winnow-go/winnow/clip"
	"github.com/winnow-go/winnow/internal/golden"
	"github.com/winnow-go/winnow/internal/nntest"
	"github.com/winnow-go/winnow/nn"
	"github.com/winnow-go/winnow/train"
)

// description is the .json of a golden.
type description struct {
	Arch       string          `json:"arch"`
	Config     json.RawMessage `json:"config"`
	Params     int             `json:"n_params"`
	Heads      int             `json:"vision_heads"`
	Texts      []string        `json:"texts"`
	Scale      float64         `json:"logit_scale_exp"`
	TokenType  string          `json:"token_embedding_dtype"`
	Gap        float64         `json:"max_abs_logit_f32_vs_f64"`
	Activation string          `json:"activation"`
	Eps        float64         `json:"ln_eps"`
	TrunkEps   float64         `json:"trunk_ln_eps"`
	BatchNorm  string          `json:"bn"`
	Loss       float64         `json:"loss"`
	LossF64    float64         `json:"loss_f64"`
	Norms      map[string]struct {
		L2  float64 `json:"l2"`
		Sum float64 `json:"sum"`
		Gap float64 `json:"max_abs_f32_vs_f64"`
	} `json:"grad_f64_norms"`

	// What the keys mean, in words.
	TimmCommit   string  `json:"timm_commit"`
	Largest      float64 `json:"max_abs_logit"`
	ImageMeaning string  `json:"image_features"`
	TextMeaning  string  `json:"text_features"`
	FeatMeaning  string  `json:"feat"`
	LossMeaning  string  `json:"contrastive"`
}

// openAI is the configuration of openai/CLIP's class.
type openAI struct {
	Embed      int             `json:"embed_dim"`
	Size       int             `json:"image_resolution"`
	Layers     json.RawMessage `json:"vision_layers"`
	Width      int             `json:"vision_width"`
	Patch      int             `json:"vision_patch_size"`
	Context    int             `json:"context_length"`
	Vocabulary int             `json:"vocab_size"`
	TextWidth  int             `json:"transformer_width"`
	TextHeads  int             `json:"transformer_heads"`
	TextLayers int             `json:"transformer_layers"`
}

// config reads a golden's configuration, which fails the test if the golden
// asks for something that is not understood, and skips it if it is of a kind
// that is not built.
func config(t *testing.T, g *golden.File) (clip.Config, description) {
	t.Helper()
	var d description
	g.Config(&d, golden.Remarks...)
	var c clip.Config
	switch {
	case strings.HasPrefix(d.Arch, "openai/CLIP"):
		var o openAI
		g.Strict(d.Config, &o)
		v := clip.Vision{Kind: clip.ViT, Size: o.Size, Width: o.Width, Patch: o.Patch, Heads: d.Heads}
		if json.Unmarshal(o.Layers, &v.Layers) != nil {
			g.Strict(o.Layers, &v.Depths)
			v.Kind = clip.ResNet
		}
		c = clip.Config{Embed: o.Embed, Vision: &v, Text: &clip.Text{Vocabulary: o.Vocabulary, Context: o.Context,
			Width: o.TextWidth, Heads: o.TextHeads, Layers: o.TextLayers}}
	case d.Arch == "open_clip.model.CLIP":
		var err error
		if c, _, err = clip.ReadOpenCLIP(d.Config); err != nil {
			t.Fatal(err)
		}
		if d.Heads != 0 && c.Vision.Heads != d.Heads {
			t.Errorf("%d heads, want %d", c.Vision.Heads, d.Heads)
		}
	default:
		t.Skipf("models of the kind %q are not built", d.Arch)
	}
	switch {
	case strings.HasPrefix(d.Activation, "QuickGELU"):
		c = c.WithActivation("quick_gelu")
	case !strings.HasPrefix(d.Activation, "GELU exact"):
		t.Fatalf("what is the activation %q?", d.Activation)
	}
	c.Text.Eps, c.Vision.Eps = d.Eps, d.Eps
	if c.Vision.Kind == clip.ConvNeXt {
		c.Vision.Trunk.Epsilon = d.TrunkEps
	}
	switch d.BatchNorm {
	case "":
	case "eval mode":
		c.Vision.FreezeNorm = c.Vision.Kind == clip.ResNet
	default:
		t.Fatalf("what is batch norm in %q?", d.BatchNorm)
	}
	return c, d
}

func eachGolden(t *testing.T, f func(t *testing.T, g *golden.File)) {
	for _, folder := range []string{"clip", "timm/clip"} {
		t.Run(strings.ReplaceAll(folder, "/", " "), func(t *testing.T) { golden.Each(t, folder+"/*.json", f) })
	}
}

// opened is the model of a golden with its weights.
func opened(t *testing.T, g *golden.File) (*clip.Model, description) {
	t.Helper()
	c, d := config(t, g)
	m, err := clip.New(c)
	if err != nil {
		t.Fatal(err)
	}
	if err := clip.Load(m, g.Tensors(".weights.safetensors").Source(), nn.LoadOptions{}); err != nil {
		t.Fatal(err)
	}
	return m, d
}

func tokens(w *golden.Tensors) [][]int32 {
	flat, shape := w.Int64("tokens"), w.Shape("tokens")
	rows := make([][]int32, shape[0])
	for i, id := range flat {
		rows[i/shape[1]] = append(rows[i/shape[1]], int32(id))
	}
	return rows
}

func TestGolden(t *testing.T) {
	eachGolden(t, func(t *testing.T, g *golden.File) {
		m, d := opened(t, g)
		if d.Params != 0 && nn.Count(m) != d.Params {
			t.Errorf("%d parameters, want %d", nn.Count(m), d.Params)
		}
		if s := m.LogitScale(); math.Abs(s-d.Scale) > 1e-6*d.Scale {
			t.Errorf("logit scale %v, want %v", s, d.Scale)
		}
		w := g.Tensors(".golden.safetensors")
		t.Run("inference", func(t *testing.T) { inference(t, w.With(t), m, d) })
		t.Run("contrastive", func(t *testing.T) { contrastive(t, w.With(t), m, d) })
	})
}

// inference compares features, what lies before them, logits and probabilities.
func inference(t *testing.T, w *golden.Tensors, m *clip.Model, d description) {
	tape := nn.NewTape(nn.Inference, nn.NewDevice(nn.DeviceOptions{Threads: 2}))
	seen := map[string]*nn.Tensor{}
	see := func(name string, y *nn.Tensor) { seen[name] = y.Keep() }
	images := m.WalkImage(tape, tape.Input(nntest.NHWC(w.Dense("image"))), see).Keep()
	texts := m.WalkText(tape, tokens(w), see).Keep()
	brief, short := m.Image(tape, tape.Input(nntest.NHWC(w.Dense("image")))).Keep(), m.Text(tape, tokens(w)).Keep()
	perImage := m.Logits(tape, images, texts).Keep()
	perText := m.Logits(tape, texts, images).Keep()
	probs := tape.Softmax(perImage).Keep()
	if err := tape.Eval(probs, perText, brief, short); err != nil {
		t.Fatal(err)
	}
	compare := func(name string, y *nn.Tensor) {
		t.Helper()
		got, err := y.Floats()
		if err != nil {
			t.Fatal(err)
		}
		var f64 []float64
		if w.Has(name + "_f64") {
			f64 = w.Float64(name + "_f64")
		}
		golden.Compare(t, name, got, f64, w.Float32(name))
	}
	compare("image_features", images)
	compare("text_features", texts)
	sameValues(t, "image features", brief, images) // what does not reach them is left out
	sameValues(t, "text features", short, texts)
	compare("logits_per_image", perImage)
	compare("logits_per_text", perText)
	compare("probs", probs)
	// Of these there is no float32 run. The reference's own gap is taken to be,
	// relative to the largest element, that of the features that follow.
	gap := 0.0
	for _, name := range []string{"image_features", "text_features"} {
		if w.Has(name + "_f64") {
			gap = max(gap, relativeGap(w.Float64(name+"_f64"), w.Float32(name)))
		}
	}
	for _, full := range w.Names("feat.") {
		name := strings.TrimPrefix(full, "feat.")
		y := seen[name]
		if y == nil {
			t.Errorf("the model shows no %s", name)
			continue
		}
		got, err := y.Floats()
		if err != nil {
			t.Fatal(err)
		}
		want, shape := w.Float64(full), w.Shape(full)
		if s := y.Shape(); len(s) == 4 {
			got = nntest.NCHW(got, s)
		} else if len(s) == 3 && len(shape) == 3 && !slices.Equal(s, shape) && s[0] == shape[1] {
			want = batchFirst(want, shape) // OpenAI's blocks have [T,N,C]
		} else if len(s) == 2 && len(shape) == 3 {
			want = firstTokens(want, shape) // the norm is of the class token alone
		}
		golden.CompareWithin(t, full, got, want, max(4*gap, 1e-6))
	}
	tape.Reset()
}

func sameValues(t *testing.T, what string, a, b *nn.Tensor) {
	t.Helper()
	x, err := a.Floats()
	if err != nil {
		t.Fatal(err)
	}
	y, err := b.Floats()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(x, y) {
		t.Errorf("%s differ by what is left out", what)
	}
}

func relativeGap(f64 []float64, f32 []float32) float64 {
	gap, largest := 0.0, 0.0
	for i, v := range f64 {
		gap, largest = max(gap, math.Abs(float64(f32[i])-v)), max(largest, math.Abs(v))
	}
	return gap / largest
}

func batchFirst(x []float64, shape []int) []float64 {
	y := make([]float64, len(x))
	t, n, c := shape[0], shape[1], shape[2]
	for i := range t {
		for j := range n {
			copy(y[(j*t+i)*c:(j*t+i+1)*c], x[(i*n+j)*c:])
		}
	}
	return y
}

func firstTokens(x []float64, shape []int) (y []float64) {
	for i := range shape[0] {
		y = append(y, x[i*shape[1]*shape[2]:][:shape[2]]...)
	}
	return y
}

// contrastive compares the loss of the first pairs and its gradients.
func contrastive(t *testing.T, w *golden.Tensors, m *clip.Model, d description) {
	n := w.Shape("image")[0]
	tape := nn.NewTape(nn.Training, nil)
	images := m.Image(tape, tape.Input(nntest.NHWC(w.Dense("image"))))
	texts := m.Text(tape, tokens(w)[:n])
	loss := train.Contrastive(tape, images, texts, m.Scale())
	if err := tape.Backward(loss); err != nil {
		t.Fatal(err)
	}
	got, err := loss.Floats()
	if err != nil {
		t.Fatal(err)
	}
	var f64 []float64
	if w.Has("contrastive.loss_f64") {
		f64 = w.Float64("contrastive.loss_f64")
	}
	golden.Compare(t, "loss", got, f64, w.Float32("contrastive.loss"))
	compared := map[string]bool{}
	for _, p := range m.Params() {
		if p.Kind() != nn.Learnable {
			continue
		}
		stored, norm := "contrastive.grad."+p.Name(), d.Norms[p.Name()]
		grad := p.Values(tape.Gradient(p))
		switch exact := "contrastive.grad_f64." + p.Name(); {
		case w.Has(exact):
			golden.CompareGap(t, stored, grad, w.Float64(exact), norm.Gap)
			compared[exact], compared[stored] = true, true
		case w.Has(stored):
			golden.Compare(t, stored, grad, nil, w.Float32(stored))
			compared[stored] = true
		case norm.L2 > 0:
			golden.CompareNorm(t, stored, grad, norm.L2, norm.Gap)
		}
	}
	for _, name := range w.Names("contrastive.grad") {
		if !compared[name] {
			t.Errorf("%s was not compared", name)
		}
	}
	tape.Reset()
}
