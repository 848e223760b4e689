// Package resnet builds ResNet models (He et al. 2016, Deep Residual Learning
// for Image Recognition, arXiv:1512.03385) for package nn: the ImageNet family
// with timm's variants of it (ResNeXt, wide, SE, ECA, anti-aliased, group norm,
// ResNet-RS, SENet-154), and the CIFAR family.
//
//	m := resnet.ResNet18(10)         // 10 classes
//	nn.Initialize(m, 1)              // from scratch, seed 1, or
//	err := nn.Load(m, file, nn.LoadOptions{}) // from a checkpoint
//
// Preset knows every published model by timm's name; a Config describes any
// other. Names and shapes of parameters are timm's and torchvision's; the CIFAR
// family has conv1, bn1, layer1 to layer3 and fc. Translate renames checkpoints
// of Hugging Face and akamaster/pytorch_resnet_cifar10, and Detect reads a
// configuration from a checkpoint's names and shapes. Inputs are [N,H,W,3],
// outputs logits [N,K].
//
// Bottlenecks have their stride on the 3x3 convolution (v1.5), as torchvision's
// do.
package resnet

import (
	"fmt"
	"math"
	"strconv"

	"github.com/winnow-go/winnow/nn"
)

// Model is a ResNet. It implements nn.Model.
type Model struct {
	cfg    Config
	err    error
	params []*nn.Param
	act    nn.Activation
	stem   []unit
	pool   func(t *nn.Tape, x *nn.Tensor) *nn.Tensor // nil without
	stages [][]block
	fc     *nn.Linear
}

// unit is a convolution and one of two norms.
type unit struct {
	conv  *nn.Conv
	batch *nn.BatchNorm
	group *nn.GroupNorm
}

func (u unit) forward(t *nn.Tape, x *nn.Tensor, e nn.Epilogue) *nn.Tensor {
	if u.group != nil {
		return u.group.Forward(t, u.conv.Forward(t, x, nn.Epilogue{}), e)
	}
	e.Norm = u.batch
	return u.conv.Forward(t, x, e)
}

// attention weighs channels.
type attention interface {
	Forward(t *nn.Tape, x *nn.Tensor, e nn.Epilogue) *nn.Tensor
}

// block is a chain of convolutions beside a shortcut.
type block struct {
	units     []unit
	smaller   func(t *nn.Tape, x *nn.Tensor) *nn.Tensor // after the convolution that would have the stride; nil without
	after     int                                       // that convolution
	attention attention                                 // nil without
	shortcut  func(t *nn.Tape, x *nn.Tensor) *nn.Tensor
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

// builder holds what the layers of one model share.
type builder struct {
	Config
	act  nn.Activation
	init nn.Init
}

// build is New for presets: what is wrong with cfg (a number of classes below
// 1) comes out of the model's first use.
func build(cfg Config) *Model {
	m := &Model{cfg: cfg, err: cfg.check()}
	if m.err != nil {
		return m
	}
	b := builder{Config: cfg.withDefaults(), init: nn.KaimingFanOut}
	b.act, m.err = nn.ParseActivation(b.Act)
	m.act = b.act
	if b.Init == FanIn {
		b.init = nn.KaimingFanIn
	}
	s := nn.NewScope()
	m.stem = b.stem(s)
	m.pool = b.pool(s)

	total, n, in := 0, 0, b.StemOut
	for _, l := range b.Layers {
		total += l
	}
	for i, l := range b.Layers {
		var stage []block
		for j := range l {
			p := place{stage: i, in: in, stride: 1, first: b.Dilations[i], dilation: b.Dilations[i]}
			if j == 0 {
				p.stride, p.first = b.Strides[i], b.Dilations[max(i-1, 0)]
			}
			blk := b.block(s.Sub("layer"+strconv.Itoa(i+1), j), p)
			if total > 1 {
				blk.dropPath = b.DropPath * float64(n) / float64(total-1)
			}
			stage = append(stage, blk)
			_, _, in = b.channels(i)
			n++
		}
		m.stages = append(m.stages, stage)
	}
	head := nn.LinearConfig{In: in, Out: b.Classes, BiasInit: nn.UniformFanIn(in)}
	if b.Init == FanIn {
		head.Init = nn.KaimingFanIn
	}
	m.fc = nn.NewLinear(s.Sub("fc"), head)
	m.params = s.Params()
	return m
}

// unit declares a convolution and its norm. last says that it ends a block.
func (b *builder) unit(conv, norm *nn.Scope, c nn.ConvConfig, last bool) unit {
	c.Init = b.init
	u := unit{conv: nn.NewConv(conv, c)}
	weight := nn.Ones
	if last && b.Init == FanOut {
		weight = nn.Zeros // each block starts as the identity (Goyal et al. 2017, arXiv:1706.02677)
	}
	if b.Norm == Group {
		u.group = nn.NewGroupNorm(norm, nn.GroupNormConfig{Channels: c.Out, Groups: groups, Epsilon: b.Epsilon, WeightInit: weight})
	} else {
		u.batch = nn.NewBatchNorm(norm, nn.BatchNormConfig{Channels: c.Out, Epsilon: b.Epsilon, WeightInit: weight})
	}
	return u
}

func (b *builder) stem(s *nn.Scope) []unit {
	c := nn.ConvConfig{In: b.In, Out: b.StemOut, Kernel: nn.Square(3), Padding: 1, Stride: 2}
	switch b.Stem {
	case Published:
		c.Kernel, c.Padding = nn.Square(7), 3
	case Small1:
		c.Stride = 1
	case Deep, Tiered:
		var units []unit
		for i, out := range b.tiers() {
			c.Out = out
			units = append(units, b.unit(s.Sub("conv1", 3*i), s.Sub("conv1", 3*i+1), c, false))
			c.In, c.Stride = out, 1
		}
		c.Out = b.StemOut
		return append(units, b.unit(s.Sub("conv1", 6), s.Sub("bn1"), c, false))
	}
	return []unit{b.unit(s.Sub("conv1"), s.Sub("bn1"), c, false)}
}

// pool is what follows the stem, nil for nothing.
func (b *builder) pool(s *nn.Scope) func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	switch {
	case !b.Stem.pooled():
		return nil
	case b.Pool == ConvPool:
		return b.convPool(s.Sub("maxpool"))
	case b.AntiAlias == AveragePool:
		return b.smaller(2)
	case b.AntiAlias == BlurPool:
		blur := b.smaller(2)
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			return blur(t, t.MaxPool(x, nn.Window{Size: 3, Stride: 1, Padding: 1}))
		}
	}
	return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
		return t.MaxPool(x, nn.Window{Size: 3, Stride: 2, Padding: 1})
	}
}

func (b *builder) convPool(s *nn.Scope) func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	c := nn.ConvConfig{In: b.StemOut, Out: b.StemOut, Kernel: nn.Square(3), Stride: 2, Padding: 1}
	e := nn.Epilogue{Act: b.act}
	if b.AntiAlias == NoAntiAlias {
		u := b.unit(s.Sub(0), s.Sub(1), c, false)
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return u.forward(t, x, e) }
	}
	// The filter lies between the convolution and its norm. Both are linear
	// and the filter's weights add up to 1, but a batch's statistics are those
	// of what was filtered.
	c.Stride = 1
	u, smaller := b.unit(s.Sub(0), s.Sub(2), c, false), b.smaller(2)
	return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
		x = smaller(t, u.conv.Forward(t, x, nn.Epilogue{}))
		if u.group != nil {
			return u.group.Forward(t, x, e)
		}
		return u.batch.Forward(t, x, b.act)
	}
}

// smaller reduces the size without aliasing, nil for stride 1 or without
// anti-aliasing.
func (b *builder) smaller(stride int) func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	switch {
	case stride == 1 || b.AntiAlias == NoAntiAlias:
		return nil
	case b.AntiAlias == BlurPool:
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Blur(x, stride) }
	}
	return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.AvgPool(x, nn.Window{Size: stride}, false) }
}

// place is where a block stands.
type place struct {
	stage, in       int // channels of its input
	stride          int
	first, dilation int // of its convolution with the stride, of those after it
}

func (b *builder) block(s *nn.Scope, p place) block {
	var blk block
	in := p.in
	first, inner, outer := b.channels(p.stage)
	add := func(c nn.ConvConfig, last bool) {
		n := len(blk.units) + 1
		blk.units = append(blk.units, b.unit(s.Sub(fmt.Sprintf("conv%d", n)), s.Sub(fmt.Sprintf("bn%d", n)), c, last))
	}
	strided := nn.ConvConfig{Out: inner, Kernel: nn.Square(3), Stride: p.stride, Padding: p.first, Dilation: p.first}
	if blk.smaller = b.smaller(p.stride); blk.smaller != nil {
		strided.Stride = 1
	} else if b.AntiAlias == BlurPool && p.first != p.dilation { // in place of a stride, timm filters here too
		blk.smaller = func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Blur(x, 1) }
	}
	if b.Blocks[p.stage] == Basic {
		strided.In = in
		add(strided, false)
		add(nn.ConvConfig{In: inner, Out: outer, Kernel: nn.Square(3), Padding: p.dilation, Dilation: p.dilation}, true)
	} else {
		strided.In, strided.Groups = first, b.Groups
		add(nn.ConvConfig{In: in, Out: first, Kernel: nn.Square(1)}, false)
		add(strided, false)
		add(nn.ConvConfig{In: inner, Out: outer, Kernel: nn.Square(1)}, true)
		blk.after = 1
	}
	switch b.Attention {
	case SqueezeExcite:
		blk.attention = nn.NewSqueezeExcite(s.Sub("se"), outer, b.squeezed(outer))
	case ChannelFilter:
		blk.attention = nn.NewChannelAttention(s.Sub("se"), taps(outer))
	}
	blk.shortcut = b.shortcut(s, p, outer)
	return blk
}

// taps is how many neighbours channel attention looks at: |log2 C + 1|/2, made
// odd, at least 3 (arXiv:1910.03151, equation 12 with γ 2 and b 1).
func taps(channels int) int {
	return max(int(math.Abs(math.Log2(float64(channels))+1)/2)|1, 3)
}

func (b *builder) shortcut(s *nn.Scope, p place, out int) func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
	in, stride := p.in, p.stride
	if stride == 1 && in == out {
		return func(_ *nn.Tape, x *nn.Tensor) *nn.Tensor { return x }
	}
	c := nn.ConvConfig{In: in, Out: out, Kernel: nn.Square(1), Stride: stride}
	switch b.Shortcut {
	case Padding:
		before := (out - in) / 2
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return t.Subsample(x, stride, before, out-in-before) }
	case Average:
		c.Stride = 1
		u := b.unit(s.Sub("downsample", 1), s.Sub("downsample", 2), c, false)
		return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor {
			switch {
			case stride > 1:
				x = t.AvgPool(x, nn.Window{Size: 2, Stride: stride, Ceil: true}, false)
			case p.dilation > 1: // the size kept; zeros count here, as in timm
				x = t.AvgPool(t.PadEnd(x, 1), nn.Window{Size: 2, Stride: 1}, false)
			}
			return u.forward(t, x, nn.Epilogue{})
		}
	case Wide:
		if stride > 1 || p.dilation > 1 {
			c.Kernel, c.Padding, c.Dilation = nn.Square(3), p.first, p.first
		}
	}
	u := b.unit(s.Sub("downsample", 0), s.Sub("downsample", 1), c, false)
	return func(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return u.forward(t, x, nn.Epilogue{}) }
}

// Config is what the model was built from.
func (m *Model) Config() Config { return m.cfg }

// Params lists the parameters in timm's order.
func (m *Model) Params() []*nn.Param { return m.params }

// Forward computes logits [N,K] of images [N,H,W,3].
func (m *Model) Forward(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return m.Walk(t, x, nil) }

// Features computes what the last linear layer sees: [N,C], pooled.
func (m *Model) Features(t *nn.Tape, x *nn.Tensor) *nn.Tensor { return m.features(t, x, nil) }

// Walk is Forward, and calls see with what each part returns on the way, under
// timm's name of the module: "act1" after the stem, "maxpool" where there is
// pooling (of whatever kind), "layer1" and so on for the stages, "pre_logits"
// for what the last linear layer sees. Maps are [N,H,W,C], the last one [N,C].
// A map that is to be read after Eval must be kept: see may be
//
//	func(name string, y *nn.Tensor) { maps[name] = y.Keep() }
func (m *Model) Walk(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor {
	return m.fc.Forward(t, m.features(t, x, see), nn.Epilogue{})
}

func (m *Model) features(t *nn.Tape, x *nn.Tensor, see func(name string, y *nn.Tensor)) *nn.Tensor {
	if m.err != nil {
		t.Fail(m.err)
		return x
	}
	if see == nil {
		see = func(string, *nn.Tensor) {}
	}
	for _, u := range m.stem {
		x = u.forward(t, x, nn.Epilogue{Act: m.act})
	}
	see("act1", x)
	if m.pool != nil {
		x = m.pool(t, x)
		see("maxpool", x)
	}
	for i, stage := range m.stages {
		for _, b := range stage {
			x = b.forward(t, x, m.act)
		}
		see("layer"+strconv.Itoa(i+1), x)
	}
	x = t.GlobalPool(x)
	see("pre_logits", x)
	return x
}

func (b *block) forward(t *nn.Tape, x *nn.Tensor, act nn.Activation) *nn.Tensor {
	y, last := x, len(b.units)-1
	for i := range last {
		y = b.units[i].forward(t, y, nn.Epilogue{Act: act})
		if b.smaller != nil && i == b.after {
			y = b.smaller(t, y)
		}
	}
	end := nn.Epilogue{DropPath: b.dropPath, Residual: b.shortcut(t, x), Act: act, ActLast: true}
	if b.attention == nil {
		return b.units[last].forward(t, y, end)
	}
	return b.attention.Forward(t, b.units[last].forward(t, y, nn.Epilogue{}), end)
}
