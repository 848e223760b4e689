// Package convnext builds ConvNeXt models (Liu et al. 2022, A ConvNet for the
// 2020s, arXiv:2201.03545) for package nn.
//
//	m := convnext.Tiny(10)           // 10 classes
//	nn.Initialize(m, 1)              // from scratch, seed 1, or
//	err := nn.Load(m, file, nn.LoadOptions{}) // from a checkpoint
//
// Names and shapes of parameters are timm's; Translate renames checkpoints
// from torchvision. Inputs are [N,H,W,3], outputs logits [N,K].
//
// A block computes, with x [N,H,W,C]:
//
//	x + γ * fc2(GELU(fc1(LayerNorm(depthwise7x7(x)))))
//
// Stages are joined by a LayerNorm and a 2x2 convolution of stride 2; after
// the last come global average pooling, LayerNorm and a linear layer.
//
// The V2 models and timm's other stems, norms and heads are not here yet.
package convnext

import (
	"github.com/winnow-go/winnow/nn"
)

// Model is a ConvNeXt. It implements nn.Model.
type Model struct {
	cfg    Config
	err    error
	params []*nn.Param
	stem   *nn.Conv
	norm   *nn.LayerNorm // of the stem
	stages []stage
	head   *nn.LayerNorm
	fc     *nn.Linear
}

type stage struct {
	norm   *nn.LayerNorm // before down; nil in the first stage
	down   *nn.Conv
	blocks []block
}

type block struct {
	depthwise *nn.Conv
	norm      *nn.LayerNorm
	fc1, fc2  *nn.Linear
	gamma     *nn.Param
	dropPath  float64
}

// New builds a model without allocating its weights. An error wraps ErrConfig.
func New(cfg Config) (*Model, error) {
	m := build(cfg)
	if m.err != nil {
		return nil, m.err
	}
	return m, nil
}

// build is New for presets: what is wrong with cfg (a number of classes below
// 1) comes out of the model's first use.
func build(cfg Config) *Model {
	m := &Model{cfg: cfg, err: cfg.check()}
	if m.err != nil {
		return m
	}
	c := cfg.withDefaults()
	weight, head := nn.TruncNormal(0.02, 2), nn.TruncNormal(0.02, 2)
	if c.Init == FanIn {
		weight = nn.FanInTruncNormal
	}
	s := nn.NewScope()

	stem := nn.ConvConfig{In: 3, Out: c.Dims[0], Kernel: nn.Square(c.Stem), Stride: c.Stem, Bias: true, Init: weight}
	if c.Stem == 1 {
		stem.Kernel, stem.Padding = nn.Square(3), 1
	}
	m.stem = nn.NewConv(s.Sub("stem", 0), stem)
	m.norm = nn.NewLayerNorm(s.Sub("stem", 1), c.Dims[0], c.Epsilon)

	total := 0
	for _, d := range c.Depths {
		total += d
	}
	n := 0
	for i, dim := range c.Dims {
		at := s.Sub("stages", i)
		var st stage
		if i > 0 {
			st.norm = nn.NewLayerNorm(at.Sub("downsample", 0), c.Dims[i-1], c.Epsilon)
			st.down = nn.NewConv(at.Sub("downsample", 1), nn.ConvConfig{
				In: c.Dims[i-1], Out: dim, Kernel: nn.Square(2), Stride: 2, Bias: true, Init: weight})
		}
		for j := range c.Depths[i] {
			b := newBlock(at.Sub("blocks", j), dim, c, weight)
			if total > 1 {
				b.dropPath = c.DropPath * float64(n) / float64(total-1)
			}
			st.blocks = append(st.blocks, b)
			n++
		}
		m.stages = append(m.stages, st)
	}
	last := c.Dims[len(c.Dims)-1]
	m.head = nn.NewLayerNorm(s.Sub("head", "norm"), last, c.Epsilon)
	m.fc = nn.NewLinear(s.Sub("head", "fc"), nn.LinearConfig{In: last, Out: c.Classes, Init: head})
	m.params = s.Params()
	return m
}

func newBlock(s *nn.Scope, dim int, c Config, weight nn.Init) block {
	return block{
		gamma: s.Param("gamma", nn.Constant(float32(c.LayerScale)), dim),
		depthwise: nn.NewConv(s.Sub("conv_dw"), nn.ConvConfig{
			In: dim, Out: dim, Groups: dim, Kernel: nn.Square(c.Kernel), Padding: c.Kernel / 2, Bias: true, Init: weight}),
		norm: nn.NewLayerNorm(s.Sub("norm"), dim, c.Epsilon),
		fc1:  nn.NewLinear(s.Sub("mlp", "fc1"), nn.LinearConfig{In: dim, Out: 4 * dim, Conv: c.ConvMLP, Init: weight}),
		fc2:  nn.NewLinear(s.Sub("mlp", "fc2"), nn.LinearConfig{In: 4 * dim, Out: dim, Conv: c.ConvMLP, Init: weight}),
	}
}

// Config is what the model was built from.
func (m *Model) Config() Config { return m.cfg }

// Params lists the parameters in timm's order.
func (m *Model) Params() []*nn.Param { return m.params }

// Forward computes logits [N,K] of images [N,H,W,3].
func (m *Model) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	return m.fc.Forward(t, m.Features(t, x), nn.Epilogue{})
}

// Features computes what the last linear layer sees: [N,C], pooled and
// normalised.
func (m *Model) Features(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	if m.err != nil {
		t.Fail(m.err)
		return x
	}
	x = m.norm.Forward(t, m.stem.Forward(t, x, nn.Epilogue{}))
	for _, s := range m.stages {
		if s.down != nil {
			x = s.down.Forward(t, s.norm.Forward(t, x), nn.Epilogue{})
		}
		for _, b := range s.blocks {
			x = b.forward(t, x)
		}
	}
	return m.head.Forward(t, t.GlobalPool(x))
}

func (b *block) forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	y := b.norm.Forward(t, b.depthwise.Forward(t, x, nn.Epilogue{}))
	y = b.fc1.Forward(t, y, nn.Epilogue{Act: nn.GELU})
	return b.fc2.Forward(t, y, nn.Epilogue{Scale: b.gamma, DropPath: b.dropPath, Residual: x})
}
