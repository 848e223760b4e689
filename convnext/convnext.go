// Package convnext builds ConvNeXt models for package nn: V1 (Liu et al. 2022,
// A ConvNet for the 2020s, arXiv:2201.03545), V2 (Woo et al. 2023, ConvNeXt V2,
// arXiv:2301.00808) and timm's variants of them.
//
//	m := convnext.Tiny(10)           // 10 classes
//	nn.Initialize(m, 1)              // from scratch, seed 1, or
//	err := nn.Load(m, file, nn.LoadOptions{}) // from a checkpoint
//
// Preset knows every published size by timm's name; a Config describes any
// other. Names and shapes of parameters are timm's; Translate renames
// checkpoints of torchvision, Hugging Face and Facebook, and Detect reads a
// configuration from a checkpoint's names and shapes. Inputs are [N,H,W,3],
// outputs logits [N,K].
//
// A block computes, with x [N,H,W,C]:
//
//	x + γ * fc2(GELU(fc1(LayerNorm(depthwise7x7(x)))))     V1
//	x + fc2(GRN(GELU(fc1(LayerNorm(depthwise7x7(x))))))    V2
//
// Stages are joined by a LayerNorm and a 2x2 convolution of stride 2; after
// the last come global average pooling, LayerNorm and a linear layer.
package convnext

import (
	"strconv"

	"github.com/winnow-go/winnow/nn"
)

// Model is a ConvNeXt. It implements nn.Model.
type Model struct {
	cfg    Config
	err    error
	params []*nn.Param
	stem   stem
	stages []stage
	head   head
}

// norm is a LayerNorm, RMSNorm or SimpleNorm.
type norm interface {
	Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor
}

// stem is one or two convolutions and a norm.
type stem struct {
	convs []*nn.Conv
	act   nn.Activation // between two
	norm  norm
}

type stage struct {
	norm   norm // before down; nil with it
	pad    int  // zeros after, before down
	down   *nn.Conv
	blocks []block
}

type block struct {
	depthwise *nn.Conv
	norm      norm
	fc1, fc2  *nn.Linear
	act       nn.Activation
	mlp       *nn.MLP   // norm, fc1 and fc2 together; nil with grn between them
	grn       *nn.GRN   // nil without
	gamma     *nn.Param // nil without
	dropPath  float64
}

// head has one of its two norms.
type head struct {
	before norm // the pooling
	after  norm
	hidden *nn.Linear // nil without
	fc     *nn.Linear
}

// New builds a model without allocating its weights. An error wraps ErrConfig.
func New(cfg Config) (*Model, error) {
	m := build(cfg)
	if m.err != nil {
		return nil, m.err
	}
	return m, nil
}

// builder holds what the layers of one model share.
type builder struct {
	Config
	act    nn.Activation
	weight nn.Init
}

// build is New for presets: what is wrong with cfg (a number of classes below
// 1) comes out of the model's first use.
func build(cfg Config) *Model {
	m := &Model{cfg: cfg, err: cfg.check()}
	if m.err != nil {
		return m
	}
	b := builder{Config: cfg.withDefaults(), weight: nn.TruncNormal(0.02, 2)}
	b.act, m.err = nn.ParseActivation(b.Act)
	if b.Init == FanIn {
		b.weight = nn.FanInTruncNormal
	}
	s := nn.NewScope()
	m.stem = b.stem(s)
	total, n := 0, 0
	for _, d := range b.Depths {
		total += d
	}
	in := b.Dims[0]
	for i, dim := range b.Dims {
		at := s.Sub("stages", i)
		var st stage
		if stride, dilation := b.Strides[i], b.Dilations[i]; stride > 1 || dilation > 1 || in != dim {
			st.norm = b.norm(at.Sub("downsample", 0), in, b.Epsilon)
			down := nn.ConvConfig{In: in, Out: dim, Kernel: nn.Square(stride), Stride: stride}
			switch {
			case dilation == 2: // 2x2 taps, the size kept
				down.Kernel, st.pad = nn.Square(2), 1
			case dilation > 2: // the same, the taps two pixels apart
				down.Kernel, down.Dilation, down.Padding = nn.Square(2), 2, 1
			}
			st.down = b.conv(at.Sub("downsample", 1), down)
		}
		for j := range b.Depths[i] {
			blk := b.block(at.Sub("blocks", j), dim, b.Kernels[i], b.Dilations[i])
			if total > 1 {
				blk.dropPath = b.DropPath * float64(n) / float64(total-1)
			}
			st.blocks = append(st.blocks, blk)
			n++
		}
		m.stages = append(m.stages, st)
		in = dim
	}
	m.head = b.head(s, in)
	m.params = s.Params()
	return m
}

func (b *builder) norm(s *nn.Scope, channels int, eps float64) norm {
	switch b.Norm {
	case RMS:
		return nn.NewRMSNorm(s, channels, eps)
	case Simple:
		return nn.NewSimpleNorm(s, channels, eps)
	}
	return nn.NewLayerNorm(s, channels, eps)
}

func (b *builder) conv(s *nn.Scope, c nn.ConvConfig) *nn.Conv {
	c.Bias, c.Init = !b.NoBias, b.weight
	return nn.NewConv(s, c)
}

func (b *builder) stem(s *nn.Scope) stem {
	var st stem
	n, out := 0, b.Dims[0]
	add := func(c nn.ConvConfig) {
		st.convs = append(st.convs, b.conv(s.Sub("stem", n), c))
		n++
	}
	switch {
	case b.Overlap != Patches:
		middle := out
		if b.Overlap == OverlapTiered {
			middle = half(out)
		}
		add(nn.ConvConfig{In: b.In, Out: middle, Kernel: nn.Square(3), Stride: 2, Padding: 1})
		if b.Overlap == OverlapAct {
			st.act = b.act
			n++ // the activation has a number in timm's list
		}
		add(nn.ConvConfig{In: middle, Out: out, Kernel: nn.Square(3), Stride: 2, Padding: 1})
	default:
		add(nn.ConvConfig{In: b.In, Out: out, Kernel: nn.Square(b.StemKernel), Stride: b.Stem, Padding: (b.StemKernel - b.Stem + 1) / 2})
	}
	st.norm = b.norm(s.Sub("stem", n), out, b.Epsilon)
	return st
}

// half is about half of n, a multiple of 8 (timm's make_divisible).
func half(n int) int {
	h := n / 2
	r := max((h+4)/8*8, 8)
	if 10*r < 9*h {
		r += 8
	}
	return r
}

func (b *builder) block(s *nn.Scope, dim, kernel, dilation int) block {
	blk := block{act: b.act}
	if b.Block.gamma() {
		blk.gamma = s.Param("gamma", nn.Constant(float32(b.LayerScale)), dim)
	}
	blk.depthwise = b.conv(s.Sub("conv_dw"), nn.ConvConfig{In: dim, Out: dim, Groups: dim, Kernel: nn.Square(kernel), Padding: kernel / 2 * dilation, Dilation: dilation})
	blk.norm = b.norm(s.Sub("norm"), dim, b.Epsilon)
	blk.fc1 = nn.NewLinear(s.Sub("mlp", "fc1"), nn.LinearConfig{In: dim, Out: 4 * dim, Conv: b.ConvMLP, Init: b.weight})
	if b.Block.grn() {
		blk.grn = nn.NewGRN(s.Sub("mlp", "grn"), 4*dim)
	}
	blk.fc2 = nn.NewLinear(s.Sub("mlp", "fc2"), nn.LinearConfig{In: 4 * dim, Out: dim, Conv: b.ConvMLP, Init: b.weight})
	if ln, ok := blk.norm.(*nn.LayerNorm); ok && blk.grn == nil {
		blk.mlp = &nn.MLP{Norm: ln, FC1: blk.fc1, FC2: blk.fc2, Act: b.act}
	}
	return blk
}

func (b *builder) head(s *nn.Scope, in int) head {
	var h head
	weight := nn.TruncNormal(0.02, 2)
	if b.Head == NormFirst {
		h.before = b.norm(s.Sub("norm_pre"), in, b.HeadEpsilon)
	} else {
		h.after = b.norm(s.Sub("head", "norm"), in, b.HeadEpsilon)
	}
	if b.HeadHidden > 0 {
		h.hidden = nn.NewLinear(s.Sub("head", "pre_logits", "fc"), nn.LinearConfig{In: in, Out: b.HeadHidden, Init: weight})
		in = b.HeadHidden
	}
	h.fc = nn.NewLinear(s.Sub("head", "fc"), nn.LinearConfig{In: in, Out: b.Classes, Init: weight})
	return h
}

// Config is what the model was built from.
func (m *Model) Config() Config { return m.cfg }

// Params lists the parameters in timm's order.
func (m *Model) Params() []*nn.Param { return m.params }

// Forward computes logits [N,K] of images [N,H,W,3].
func (m *Model) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return m.Walk(t, x, nil) }

// Features computes what the last linear layer sees: [N,C], pooled and
// normalised.
func (m *Model) Features(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return m.features(t, x, nil) }

// WalkFeatures is Features, and calls see as Walk does.
func (m *Model) WalkFeatures(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor {
	return m.features(t, x, see)
}

// Walk is Forward, and calls see with what each part returns on the way, under
// timm's name of the module: "stem", for each stage i "stages.i.downsample"
// where there is one and "stages.i", then "norm_pre" if there is one,
// "head.global_pool" and "pre_logits", which is what the last linear layer
// sees. Maps are [N,H,W,C], the last two [N,C]. A map that is to be read after
// Eval must be kept: see may be
//
//	func(name string, y *nn.Tensor) { maps[name] = y.Keep() }
func (m *Model) Walk(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor {
	return m.head.fc.Forward(t, m.features(t, x, see), nn.Epilogue{})
}

func (m *Model) features(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor {
	if m.err != nil {
		t.Fail(m.err)
		return x
	}
	if see == nil {
		see = func(string, *nn.Tensor) {}
	}
	for i, c := range m.stem.convs {
		var e nn.Epilogue
		if i < len(m.stem.convs)-1 {
			e.Act = m.stem.act
		}
		x = c.Forward(t, x, e)
	}
	x = m.stem.norm.Forward(t, x)
	see("stem", x)
	for i, s := range m.stages {
		name := "stages." + strconv.Itoa(i)
		if s.down != nil {
			x = s.down.Forward(t, t.PadEnd(s.norm.Forward(t, x), s.pad), nn.Epilogue{})
			see(name+".downsample", x)
		}
		for _, b := range s.blocks {
			x = b.forward(t, x)
		}
		see(name, x)
	}
	if m.head.before != nil {
		x = m.head.before.Forward(t, x)
		see("norm_pre", x)
	}
	x = t.GlobalPool(x)
	see("head.global_pool", x)
	if m.head.after != nil {
		x = m.head.after.Forward(t, x)
	}
	if m.head.hidden != nil {
		x = m.head.hidden.Forward(t, x, nn.Epilogue{Act: nn.GELU}) // GELU in timm, whatever the blocks have
	}
	see("pre_logits", x)
	return x
}

func (b *block) forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	return t.Branch(x, b.dropPath, func(x *nn.Tensor, last nn.Epilogue) *nn.Tensor {
		last.Scale = b.gamma
		y := b.depthwise.Forward(t, x, nn.Epilogue{})
		if b.mlp != nil {
			return b.mlp.Forward(t, y, last)
		}
		y = b.norm.Forward(t, y)
		y = b.fc1.Forward(t, y, nn.Epilogue{Act: b.act})
		if b.grn != nil {
			y = b.grn.Forward(t, y)
		}
		return b.fc2.Forward(t, y, last)
	})
}
